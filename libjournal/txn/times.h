/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long calls took: histograms in what the processes share, one set for each
 * processor, so that recording takes no lock and shares no cache line with other
 * processors.  A process that is killed leaves what it recorded.
 *
 * What takes some 100 ns is timed once in a while only (times_some()): two looks at
 * the clock are 40 ns.  How long until the next one is drawn at random, so that no
 * pattern of the calls falls in step with it.  Two threads of one processor may
 * both take a step of the countdown, or lose one: then it is a little longer.
 */
#ifndef TXN_TIMES_H
#define TXN_TIMES_H

#include <sched.h>

#include "txn/clock.h"
#include "txn/journal_impl.h"
#include "util/histogram.h"

#define TIMES_EVERY 32u /* on average; what one that is timed counts for */
#define TIMES_SHARDS_MAX 64u

struct times_shard {
	/* its own cache line: written by every call that may be timed */
	_Atomic uint32_t left __attribute__((aligned(128)));
	_Atomic uint32_t dice;
	struct times_kind {
		_Atomic uint64_t sum_ns, max_ns;
		_Atomic uint64_t bucket[HISTOGRAM_BUCKETS];
	} kind[JOURNAL_TIMED] __attribute__((aligned(128)));
};

/* how many there are to be: a power of two, enough for the processors if may be */
uint32_t times_shards(void);

/* draw when the next one is timed; Return: the time now */
uint64_t times_draw(struct times_shard *shard);

void times_record(struct journal *j, enum journal_timed which, uint64_t ns, uint32_t weight);

static inline struct times_shard *times_shard(const struct journal *j)
{
	return &j->times[(uint32_t)sched_getcpu() & j->times_mask];
}

/* Context: not on a read-only handle.  Return: when it begins, or 0: it is not timed */
static inline uint64_t times_some(const struct journal *j)
{
	struct times_shard *shard = times_shard(j);
	uint32_t left = atomic_load_explicit(&shard->left, memory_order_relaxed);

	if (!left)
		return times_draw(shard);
	atomic_store_explicit(&shard->left, left - 1, memory_order_relaxed);
	return 0;
}

/* what times_some() gave as @began */
static inline void times_some_end(struct journal *j, enum journal_timed which, uint64_t began)
{
	if (began)
		times_record(j, which, clock_monotonic_ns() - began, TIMES_EVERY);
}

/* log_store_write(), log_store_flush(); what is durable on return is timed */
int times_write(struct journal *j, uint32_t log, struct log_io *io, unsigned int count,
		bool durable);
int times_flush(struct journal *j, uint32_t log);

/* one that takes long is always timed */
static inline void times_end(struct journal *j, enum journal_timed which, uint64_t began)
{
	times_record(j, which, clock_monotonic_ns() - began, 1);
}

#endif
