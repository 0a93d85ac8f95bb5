/* SPDX-License-Identifier: BSD-3-Clause */
/* The durable state of a journal beyond its bits: incarnation, checkpoints. */
#ifndef TXN_CHECKPOINT_H
#define TXN_CHECKPOINT_H

#include "txn/journal_impl.h"

/**
 * checkpoint() - checkpointed marker stores: make the marker map durable (P11)
 *
 * Afterwards the retire records of segments before the open stream segments
 * are not needed any more, and segments that were pending are free.  With bits
 * that are durable by themselves there is nothing to do; nor is anything done
 * while two others are stopped in the middle of theirs.
 * Context: takes lines_lock; waits 50 ms behind one who is stopped, once.
 * Return: 0, or the sticky failure.
 */
int checkpoint(struct journal *j);
/* the same; -EAGAIN: two others are stopped or slow, and nothing was done */
int checkpoint_try(struct journal *j);

/* The same for who takes over from the dead, which who waits for a checkpoint does, too: also
 * -EAGAIN: somebody of this process is at one, and it may be the caller */
int checkpoint_taker(struct journal *j);

/* somebody is at it, or was stopped at it */
static inline bool checkpoint_is_somebodys(const struct journal *j)
{
	return (uint32_t)atomic_load(&j->shared->checkpointer);
}

/* member @who is dead, in the middle of one or not.  May be done twice. */
void checkpoint_forget(struct journal *j, uint32_t who);

/* the map is open: how it is to be copied */
void checkpoint_begin(struct journal *j);

/**
 * incarnation_raise() - durably go on under @incarnation: its ids were never used (P4)
 * Context: lines_lock held, or nobody else there yet.
 * Return: 0, or the sticky failure.
 */
int incarnation_raise(struct journal *j, uint64_t incarnation);

/* the same, durable with the caller's fence, or its checkpoint */
int incarnation_set(struct journal *j, uint64_t incarnation);

static inline struct marker_state *state_media(struct journal *j)
{
	return (struct marker_state *)(j->marker->map + j->geometry.state_offset);
}

static inline struct marker_lane *lane_media(struct journal *j, uint32_t lane)
{
	return (struct marker_lane *)(j->marker->map + j->geometry.lanes_offset +
				      (uint64_t)lane * MARKER_LANE_BYTES);
}

#endif
