/* SPDX-License-Identifier: BSD-3-Clause */
/* A journal on a crash world that operations are done to, one after the other, each always in
 * the same way: what the explorer cuts. */
#ifndef TESTS_CRASH_RUN_H
#define TESTS_CRASH_RUN_H

#include <limits.h>

#include "crash_look.h"
#include "crash_oracle.h"
#include "crash_world.h"
#include "format/marker.h"
#include "writers.h"

#define RUN_DEPTH 3u /* of a crash in the recovery of a crash of the run */

struct run;

/* a kind of journal, and what has happened to it before */
struct config {
	const char *name;
	struct crash_plan plan;
	int (*warm)(struct run *run);
	bool stand_in; /* NVRAM has one */
	bool no_cache; /* of the disk */
};

struct run {
	const struct config *config;
	struct scratch scratch;
	char dir[RUN_DEPTH + 2][PATH_MAX]; /* of the run, of its images, ...; and as it was made */
	struct crash_world base, world;
	struct crash_world base_other; /* the stand-in of @base */
	struct crash_world next;       /* NVRAM that @world goes back to */
	struct marker_geometry geometry;
	struct oracle base_oracle, oracle;
	struct oracle flight[WRITERS]; /* what each commits just now, and nothing else */
	struct journal *j;
	uint64_t seed, base_seed;  /* of payloads */
	uint8_t *payload[WRITERS];
	bool smaller;     /* than it was made */
	uint32_t refused; /* operations, for want of room */
};

/* make it, and warm it up; Return: 0, or -1 with the reason in run->oracle.why */
int run_make(struct run *run, const struct config *config);
void run_remove(struct run *run);
/* as it was when it was made, and open */
int run_begin(struct run *run);
void run_end(struct run *run);

/* From now on a crash finds the medium that journal.conf names. */
void run_see_medium(struct run *run);

/* directory @to shows what @from does: what is not on a medium */
void run_show(struct run *run, uint32_t from, uint32_t to);

/* what directory @which says, as a part of an image; where it lies is no part of it */
uint64_t run_sum(const struct run *run, uint32_t which);

/* ---- for operations: 0, or -1 with the reason in run->oracle.why ----------------- */

int run_open(struct run *run);
/* A process ends: closes, is killed, or the power goes; and another one opens. */
int run_close(struct run *run);
int run_killed(struct run *run, enum crash_how how);
/* what an operation has returned while all is well */
int run_error(struct run *run, const char *what, int error);

/* what makes a run the same each time, beside what crash_set_random() is for */
uint64_t run_clock(void);
void run_set_clock(uint64_t ns);

#endif
