/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting for a batch of a stream.
 *
 * Many wait for one batch, and the disk is idle until the next is written.  So who has written
 * does little: he wakes one of those who wait for the next, to write it, and one of those
 * whose batch it was, who wakes the others; and who wakes to find that his is durable leaves
 * without the stream's lock, which all would take one after the other.  Batches are two; of
 * both the sleepers sleep in beds of their own, and are told by turns.
 */
#ifndef TXN_STREAM_SLEEP_H
#define TXN_STREAM_SLEEP_H

#include "txn/journal_impl.h"

/* Until something is told to who waits for @ticket, or for no reason.  Context: with the
 * stream's lock, which is dropped for good. */
void stream_sleep(struct stream *s, uint64_t ticket);

/* All who wait for @ticket are to look: who goes to sleep later knows what changed.
 * Context: with the lock.  Return: for stream_wake() */
struct stream_bed *stream_tell(struct stream *s, uint64_t ticket);
/* Wake who was told.  Context: best without the lock.  @bed: NULL: nobody */
void stream_wake(struct stream_bed *bed);
/* A single one who waits for @ticket is to look.  Context: with the lock */
void stream_wake_one(struct stream *s, uint64_t ticket);
/* Whoever waits looks again.  Context: with the lock */
void stream_tell_all(struct stream *s);

#endif
