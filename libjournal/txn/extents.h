/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where extents go: an open segment, or with several logs one on each, so that direct commits
 * are written to all disks at a time.  An extent goes to the one with the fewest bytes under
 * way, of those that have none by turns.  The extents of one transaction stay together:
 * so one flush makes them durable.  How many there are, and on which logs, is as with streams
 * (streams.h).
 */
#ifndef TXN_EXTENTS_H
#define TXN_EXTENTS_H

#include "txn/journal_impl.h"

int extents_make(struct journal *j);

/**
 * extents_pick() - the one to write @bytes to, which are under way from here on
 * @again: where an earlier extent of the same transaction lies; or NULL
 */
struct extents *extents_pick(struct journal *j, uint32_t bytes, const struct segment *again);

/* they are not under way any more */
static inline void extents_unpick(struct extents *x, uint32_t bytes)
{
	atomic_fetch_sub_explicit(&x->under_way, bytes, memory_order_relaxed);
}

/* These with the lock.  Get a head, or go on in a fresh segment once the writes in the old one
 * are done.  The lock is dropped meanwhile. */
int extents_roll(struct extents *x);
/* if nothing is being written, others may write where we did */
void extents_rest(struct extents *x);

#endif
