/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one row of the latency suite is made of: a method (how), a case (with
 * which payload and how many threads) and its workers (the threads).
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "journal.h"
#include "lib_env.h"
#include "lib_samples.h"
#include "util/message.h"

struct bench_case;

/**
 * struct bench_worker - one thread of one case
 * @sequence:  operations since the case was opened; the method may use it
 * @state:     the method's own, per thread
 * @timed_ns:  of this slice: inside op() alone
 * @begin_ns, @end_ns: of this slice, or of its cycles: first and last clock
 * @pace:      of its processor, before or after this slice, whichever is slower (lib_pace.h)
 * @ns:        one sample per operation of this slice, @count of them
 *
 * Alone in its cache lines: threads that share nothing else are measured.
 */
struct bench_worker {
	struct bench_case *bench;
	unsigned int index;
	uint64_t sequence;
	void *state;
	uint64_t timed_ns, begin_ns, end_ns;
	uint64_t pace;
	uint64_t *ns;
	size_t count;
	size_t cycles;
	int error;
} __attribute__((aligned(128)));

/* what per_s counts: operations by the time inside op(); by the time on the wall,
 * with before() and after() and the clock in it; or four times as many calls of
 * cycle(), with nothing else between them, by the time on the wall */
enum bench_rate { RATE_OPERATION, RATE_WALL, RATE_CYCLE };

/**
 * struct bench_method - how a transaction is made durable; all but op() may be NULL
 * @missing:     the library that was not there when this was built
 * @mode:        an extra field of the row
 * @open:        once, in the main thread; a reason goes to bench->why
 * @slice_begin, @slice_end: per slice and worker, in its thread, not timed
 * @before, @after: around every operation, in no latency
 * @op:          the operation that is timed
 * @cycle:       for RATE_CYCLE: a whole life, called as often again as op() was
 * @close:       always called after open(), failed or not
 */
struct bench_method {
	const char *name;
	const char *missing;
	const char *mode;
	enum bench_rate rate;
	int (*open)(struct bench_case *bench);
	int (*slice_begin)(struct bench_worker *worker);
	int (*before)(struct bench_worker *worker);
	int (*op)(struct bench_worker *worker);
	int (*cycle)(struct bench_worker *worker);
	int (*after)(struct bench_worker *worker);
	int (*slice_end)(struct bench_worker *worker);
	void (*close)(struct bench_case *bench);
};

/**
 * struct bench_plan - a row to be measured
 * @ops:  at most so many operations per slice and worker
 * @path: the journal's own methods: the commit path
 */
struct bench_plan {
	const struct bench_method *method;
	uint32_t payload_bytes;
	uint32_t threads;
	uint32_t batch;
	uint32_t ops;
	enum journal_path path;
};

extern const struct bench_plan bench_plans[];
extern const size_t bench_plan_count;

/**
 * struct bench_case - one row, while it is measured; the first fields are the plan's
 * @slice_ns:  a slice ends after so long, or after @ops operations
 * @routine:   how it is made durable: an extra field of the row
 * @walk_bytes: size of the region that a floor walks over; 0 does not apply
 */
struct bench_case {
	const struct bench_method *method;
	uint32_t payload_bytes;
	uint32_t threads;
	uint32_t batch;
	uint32_t ops;
	enum journal_path path;

	uint64_t slice_ns;
	struct bench_env *env;
	void *state;
	_Atomic enum journal_class survives;
	char routine[64];
	uint64_t walk_bytes;
	struct message why;
	struct bench_worker *workers;
	struct samples samples;
	bool usable;
};

extern const struct bench_method floor_bit, floor_copy, floor_dsync, floor_direct;
extern const struct bench_method append_fsync, create_fsync_rename;
extern const struct bench_method jnl_retire, jnl_staged, jnl_direct, jnl_synced, jnl_group64;
extern const struct bench_method peer_sqlite, peer_lmdb, peer_rocksdb, peer_pmemlog,
	peer_pmemobj;

#endif
