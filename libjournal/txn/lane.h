/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lanes: each has a marker line of its own and a ring of the stage, and is
 * leased for one transaction at a time.  The processor number picks the lane
 * that is tried first, so threads on different processors share no line.
 */
#ifndef TXN_LANE_H
#define TXN_LANE_H

#include "txn/journal_impl.h"
#include "txn/reserve.h"
#include "txn/view.h"

/* entries of each lane's queue: a record for each 64 bytes of ring at most */
uint32_t lane_queue_entries(const struct journal *j);
/* memory for two more of them is there; Return: 0 or -ENOMEM */
int lane_queue_ready(struct journal *j, struct lane *lane);

int lanes_make(struct journal *j);
void lanes_free(struct journal *j);

/**
 * lane_lease() - a lane with room for a record of @need bytes
 * Return: the lane, leased; or NULL: none is free, or none has room even
 * after destaging one of them.
 */
struct lane *lane_lease(struct journal *j, uint64_t need);

static inline void lane_return(struct lane *lane)
{
	/* release: the next holder sees head, line and queue */
	atomic_store_explicit(&lane->s->lease, 0, memory_order_release);
}

/* what is in it, and what is mapped, is of the turn that NVRAM is trusted in */
static inline bool lane_is_seen(const struct lane *lane)
{
	uint64_t turn = health_turn(lane->seen);

	return health_state_of(lane->seen) == HEALTH_TRUSTED &&
	       atomic_load_explicit(&lane->s->turn, memory_order_relaxed) == turn &&
	       atomic_load_explicit(&lane->shown, memory_order_relaxed) == turn;
}

/* lease @lane, if it is free, and NVRAM is trusted: never waits */
static inline bool lane_try(struct journal *j, struct lane *lane)
{
	uint32_t none = 0;

	if (atomic_load_explicit(&lane->s->lease, memory_order_relaxed) ||
	    !atomic_compare_exchange_strong_explicit(&lane->s->lease, &none, j->member,
						     memory_order_acquire,
						     memory_order_relaxed))
		return false;
	lane->seen = health_word_now(j);
	if (lane_is_seen(lane) || view_lane_enter(j, lane))
		return true;
	lane_return(lane);
	return false;
}

/* how much is in it, for those who do not hold it */
static inline void lane_tell(struct lane *lane)
{
	atomic_store_explicit(&lane->s->used, lane->s->head - lane->s->tail,
			      memory_order_relaxed);
}

/* only the holder counts, so there is no locked operation */
static inline void lane_count(struct lane *lane, uint32_t transactions, uint64_t payload)
{
	uint64_t staged = atomic_load_explicit(&lane->s->staged, memory_order_relaxed);
	uint64_t bytes = atomic_load_explicit(&lane->s->staged_bytes, memory_order_relaxed);

	atomic_store_explicit(&lane->s->staged, staged + transactions, memory_order_relaxed);
	atomic_store_explicit(&lane->s->staged_bytes, bytes + payload, memory_order_relaxed);
}

/* whether a record of @need bytes at the head fits without moving anything, and
 * has its place in the log when it is destaged */
static inline bool lane_fits(const struct lane *lane, uint64_t need)
{
	return lane->s->head_offset + need <= lane->ring_bytes &&
	       lane->s->head + need - lane->s->tail <= lane->ring_bytes &&
	       (lane->s->queue_head & lane->queue_mask) < lane->s->queue_ready &&
	       reserve_allows(lane, need);
}

/* the record at the head is the last one of data, until there is another */
static inline void lane_last(struct lane *lane, uint64_t id, uint32_t line,
			     uint32_t transactions)
{
	lane->s->last = (struct stage_last){
		.id = id, .position = lane->s->head, .line = line, .count = transactions,
	};
}

/* the record at the head is committed: note it and go on behind it */
static inline void lane_advance(struct lane *lane, uint64_t id, uint32_t transactions,
				uint64_t bytes)
{
	struct staged *staged = &lane->queue[lane->s->queue_head++ & lane->queue_mask];

	staged->id = id;
	staged->count = transactions;
	staged->units = (uint32_t)(bytes / STAGE_ALIGN);
	reserve_owe(lane, staged);
	lane->s->head += bytes;
	lane->s->head_offset += bytes;
	if (lane->s->head_offset == lane->ring_bytes)
		lane->s->head_offset = lane->s->look_at = 0;
}

/* bytes of its ring that are not free; about, where another holds it.  The holder's
 * plain stores are read here: each is one of the positions it has had. */
uint64_t lane_used(const struct lane *lane);

void lanes_refresh(struct journal *j, uint32_t most, uint64_t least);

/* forget what is finished at the tail, up to @want bytes; Return: 0 or sticky */
int lane_reclaim(struct journal *j, struct lane *lane, uint64_t want);
/* What is below @end, or nothing if that is WORD_ERASED, was durable once, and which record
 * ends there; durable with the next fence */
void lane_end_store(struct journal *j, const struct lane *lane, uint64_t end);
/* make the tail durable after it moved in memory */
int lane_tail_store(struct journal *j, struct lane *lane, uint64_t tail);

#endif
