/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters, sharded by processor so that counting shares no cache line on the
 * commit path.  Values only grow; reading sums the shards.
 */
#ifndef TXN_COUNTERS_H
#define TXN_COUNTERS_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

enum counter {
	COUNT_DIRECT,
	COUNT_SYNCED,
	COUNT_NO_LANE,
	COUNT_GROUPS,
	COUNT_ABORTS,
	COUNT_RETIRES, /* in lines that are finished; line_retired() has the others */
	COUNT_UNFREED,
	COUNT_DESTAGED,
	COUNT_ELIDED,
	COUNT_LINES,
	COUNT_SEGMENTS,
	COUNT_LOG_BYTES, /* payload of what is committed in or destaged to the log */
	COUNT_DESTAGED_BYTES, /* of these, the latter */
	COUNT_CLEANED,
	COUNT_MOVED,
	COUNT_MOVED_BYTES,
	COUNT_UNMOVED,
	COUNT_LINES_CLEANED,
	COUNT_LINES_LEFT,
	COUNT_REHOMED, /* moved to another slot: each counts once more among the claimed */
	COUNT_TAKEOVERS,
	COUNTERS,
};

#define COUNTER_SHARDS 16

struct counters {
	struct {
		_Atomic uint64_t value[COUNTERS];
	} __attribute__((aligned(128))) shard[COUNTER_SHARDS];
};

static inline void count(struct counters *c, enum counter which, uint64_t n)
{
	unsigned int cpu = (unsigned int)sched_getcpu() % COUNTER_SHARDS;

	atomic_fetch_add_explicit(&c->shard[cpu].value[which], n, memory_order_relaxed);
}

static inline uint64_t counted(struct counters *c, enum counter which)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < COUNTER_SHARDS; i++)
		sum += atomic_load_explicit(&c->shard[i].value[which], memory_order_relaxed);
	return sum;
}

#endif
