/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * With several logs: who was woken by the end of a write is waited for a moment.
 *
 * The first of them to come back with his next record would write it alone, and the others
 * wait for as long as that takes, at another disk behind what is under way there: with few
 * threads for each disk half of them would always wait for a write to begin.  So he
 * who is to write waits until as many are back, for a quarter of a write's time at most; and
 * not for more than the stream's share of all who wait, so that the streams stay even.  Where
 * they do not come back he tries less and less often.  Who chooses a stream takes a seat in
 * such a batch before he stands behind a write.
 *
 * Not with one log, where all are back before the write after the next one.
 */
#ifndef TXN_STREAM_GATHER_H
#define TXN_STREAM_GATHER_H

#include "txn/journal_impl.h"

int gather_make(struct stream *s);

/* All but gather_seat() with the stream's lock.  Somebody waits for the batch that fills. */
void gather_enter(struct stream *s);
/* that batch is about to be written; Return: how many wait for it */
uint32_t gather_close(struct stream *s);
/* it has been, at @now, and @woken go on; a write takes @takes */
void gather_expect(struct stream *s, uint32_t woken, uint64_t now, uint64_t takes);

/* more are to come yet; Return: whether it was dropped to wait for them, and all is to be
 * looked at again */
bool gather_wait(struct stream *s);

/* Return: whether there was a seat for who chooses between streams, which he has now */
bool gather_seat(struct stream *s);

#endif
