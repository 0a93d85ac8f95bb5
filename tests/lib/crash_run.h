/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A random run of API operations on a crash world, cut at its operations.
 *
 * Every operation of the run is a point: copies of the world as crashes of
 * several kinds would leave it are recovered there and compared with the
 * oracle, twice, and the run goes on.  Each generation of the run ends with a
 * crash at a random point, or a clean close, and the next one goes on with
 * what recovery found.
 */
#ifndef TESTS_LIB_CRASH_RUN_H
#define TESTS_LIB_CRASH_RUN_H

#include "crash_oracle.h"
#include "crash_world.h"

enum crash_op {
	CRASH_PUT,          /* small: staged where there is a stage */
	CRASH_DIRECT,
	CRASH_SYNCED,
	CRASH_GROUP,
	CRASH_LARGE,        /* several extents */
	CRASH_PREPARE,      /* prepare, another put, commit or abort */
	CRASH_ABORT,
	CRASH_RETIRE,
	CRASH_RETIRE_MANY,
	CRASH_RETIRE_ALL,   /* so that lines and segments turn over */
	CRASH_CLOSE,        /* and open again */
	CRASH_CLEAN,        /* crash_clean.h */
	CRASH_LOG_FAILS,    /* one of several, until the next open */
	CRASH_MOVE,         /* to other lines: moves.h */
	CRASH_OPS,
};

struct crash_plan {
	const char *name;
	bool checkpointed;   /* markers like file: */
	bool digests_in_log; /* though the markers are NVRAM */
	bool no_dsync;
	bool kill_only;      /* looks are at killed processes, and power cuts after */
	uint32_t logs;            /* 0: 1 */
	bool mirrored;            /* of one log, with @logs 2: its legs */
	uint32_t block_bytes;     /* 0: 4096 */
	uint32_t lines, ring_bytes; /* 0: 10, 16384 */
	uint32_t payload_max;     /* 0: 3000 */
	uint32_t generations, ops; /* of each */
	uint32_t live_max;        /* 0: 40; above it is retired */
	uint32_t every;           /* 0: 1; a look at each so many points */
	uint32_t inside;          /* of so many looks, one is cut inside recovery; 0: 16 */
	uint8_t weight[CRASH_OPS];
};

/* a weight for every operation */
extern const struct crash_plan crash_plan_all;

/* Return: 0, or -1 with the reason in @why. */
int crash_run(const struct crash_plan *plan, uint64_t seed, char why[512]);

/* @runs runs with seeds from @seed; prints what repeats a failure.
 * Return: how many failed. */
int crash_runs(const struct crash_plan *plan, uint64_t seed, uint32_t runs);

/* SEED of the environment or @usual, RUNS or @runs; printed */
uint64_t crash_seed(const char *test, uint64_t usual);
uint32_t crash_count(uint32_t runs);

#endif
