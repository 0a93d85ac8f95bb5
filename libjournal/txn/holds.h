/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Holds of segments that no slot names: of what is being written and has yet to be
 * published, and of what was retired and has yet to be given up.  Each process keeps
 * count of its own, for each segment, in memory that all share: who takes over from it
 * releases them.  For what a slot names the slot says it.
 *
 * A hold is counted after it is there, and not any more before somebody else may
 * release it: before a slot names it, and before it is released.  Who is killed between
 * two of these steps leaves one too many until the next recovery (of a large one, those of
 * its pieces), never one too few.
 */
#ifndef TXN_HOLDS_H
#define TXN_HOLDS_H

#include "txn/segment.h"

/* bytes of one member's counts: no two members' share a cache line */
static inline uint64_t holds_bytes(const struct journal *j)
{
	return round_up((uint64_t)j->segments.room * sizeof(uint32_t), 64);
}

/* Memory for ours.  Before it is called, in recovery, nothing is counted. */
int holds_ready(struct journal *j);

/* @count holds that are ours; from now on they are counted */
static inline void holds_count(struct journal *j, const struct segment *segment, uint32_t count)
{
	/* release: after the hold, or after where was taken, for who takes over from us */
	if (j->holds && count)
		atomic_fetch_add_explicit(&j->holds[segment->number], count,
					  memory_order_release);
}

static inline void holds_begin(struct journal *j, struct segment *segment, uint32_t count)
{
	segment_hold(segment, count);
	holds_count(j, segment, count);
}

/* A slot is about to name them. */
static inline void holds_settle(struct journal *j, const struct segment *segment,
				uint32_t count)
{
	/* seq_cst: before the slot names them, for who takes over from us */
	if (j->holds && count)
		JASSERT(atomic_fetch_sub(&j->holds[segment->number], count) >= count);
}

static inline void holds_end(struct journal *j, struct segment *segment, uint32_t count)
{
	holds_settle(j, segment, count);
	segment_release(j, segment, count);
}

/* What member @number held, who is dead, or us when we leave. */
void holds_takeover(struct journal *j, uint32_t number);

#endif
