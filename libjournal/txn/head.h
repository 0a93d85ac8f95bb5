/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Heads: where the log grows.  A head has an open segment and the notes for its
 * summary; it is leased by one process while that writes there, and passes on,
 * half used, to the next one.
 */
#ifndef TXN_HEAD_H
#define TXN_HEAD_H

#include "txn/journal_impl.h"

int heads_make(struct journal *j);
void heads_free(struct journal *j);

/* so many are open at a time without need: each may leave a segment half used */
uint32_t heads_wanted(const struct journal *j);

/* the open segment, or NULL */
static inline struct segment *head_segment(const struct journal *j, const struct head *head)
{
	uint32_t number = atomic_load_explicit(&head->s->segment, memory_order_relaxed);

	return number ? &j->segments.all[number - 1] : NULL;
}

/**
 * head_lease() - a head of @kind, with an open segment where there is one
 * Waits, a moment at a time, while others have all that the log's size allows;
 * not behind one who is stopped.
 * Return: 0 or negative errno.
 */
int head_lease(struct journal *j, enum head_kind kind, struct head **head);
/* The same, with its segment on @log, or where there is none, the next one; NO_LOG: on
 * whichever. */
int head_lease_on(struct journal *j, enum head_kind kind, uint32_t log, struct head **head);
/* one that is open and nobody's at the moment, with room for a record of @bytes that has
 * @entries in the table; Return: whether there is one */
bool head_lease_room(struct journal *j, enum head_kind kind, uint64_t bytes, uint32_t entries,
		     struct head **head);
void head_return(struct head *head);

/**
 * head_roll() - go on in a fresh segment; the old one is sealed
 * @reserved: may use the segments set aside
 * Durable: the fresh one's header, and before it is the head, the old one's
 * summary: no record goes into the fresh one before (P10).  The fresh one is
 * taken first: when the log is full, the old one stays the head.
 * Return: 0, -ENOSPC, -ENOMEM, or the sticky failure.
 */
int head_roll(struct journal *j, struct head *head, enum head_kind kind, bool reserved);

/**
 * head_settle() - what head_roll() has left to be done is done, and the old segment let go
 * Only with head.seconds there is anything left: the second copies of both digests.
 * Context: the holder, before anything in the fresh segment is acknowledged, and before
 *          it rolls again or returns the head.
 * Return: 0, or the sticky failure.
 */
int head_settle(struct journal *j, struct head *head);

/* recovery: @segment is the head's, its notes to be made */
void head_adopt(struct journal *j, struct head *head, struct segment *segment);
/* recovery: seal it, and have none */
int head_seal(struct journal *j, struct head *head);

/* the segments of @log that are nobody's at the moment are left, and their names kept
 * where they can be: the log is out of use */
void heads_leave(struct journal *j, uint32_t log);
/* those whose segments are to go */
void heads_leave_going(struct journal *j);

/**
 * heads_shed() - the log is full: let go of segments that are open and nobody's at the moment
 * Those in which nothing is live, and those above heads_wanted(), which were opened
 * while many wrote at a time.
 * Return: whether one was sealed, which may be free now (after a checkpoint, with `file:`).
 */
bool heads_shed(struct journal *j);

/* at a clean close: what is in the open segments has its names in the second digests, and
 * was durable */
int heads_name(struct journal *j);

/* the oldest use of a segment that may still get stream records, for replay */
uint64_t heads_oldest(struct journal *j);

#endif
