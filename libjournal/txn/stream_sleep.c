/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/stream_sleep.h"

#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wake(struct stream_bed *bed, int most)
{
	(void)syscall(SYS_futex, &bed->told, FUTEX_WAKE_PRIVATE, most, NULL, NULL, 0);
}

void stream_sleep(struct stream *s, uint64_t ticket)
{
	struct stream_bed *bed = &s->beds[ticket & 1];
	uint32_t told = atomic_load_explicit(&bed->told, memory_order_relaxed);

	bed->sleepers++;
	pthread_mutex_unlock(&s->lock);
	/* its result does not matter: who wakes looks for himself.  What was told since the
	 * lock was dropped has changed the word: there is no sleep then. */
	(void)syscall(SYS_futex, &bed->told, FUTEX_WAIT_PRIVATE, told, NULL, NULL, 0);
	/* he may be the one who wakes the others, of whichever batch */
	if (atomic_load_explicit(&bed->rest, memory_order_relaxed) &&
	    atomic_exchange(&bed->rest, false))
		wake(bed, INT_MAX);
}

struct stream_bed *stream_tell(struct stream *s, uint64_t ticket)
{
	struct stream_bed *bed = &s->beds[ticket & 1];
	bool any = bed->sleepers;

	bed->sleepers = 0;
	/* The word first: who finds the rest to be woken, be it one from long ago, wakes all that
	 * sleep.  Who was on his way to sleep must not do so after that: he sees the new word. */
	atomic_fetch_add(&bed->told, 1);
	if (any)
		atomic_store(&bed->rest, true);
	return any ? bed : NULL;
}

void stream_wake(struct stream_bed *bed)
{
	if (bed)
		wake(bed, 1);
}

void stream_wake_one(struct stream *s, uint64_t ticket)
{
	struct stream_bed *bed = &s->beds[ticket & 1];

	if (!bed->sleepers)
		return;
	bed->sleepers--;
	/* if all are still on their way to sleep, none does */
	atomic_fetch_add(&bed->told, 1);
	wake(bed, 1);
}

void stream_tell_all(struct stream *s)
{
	stream_wake(stream_tell(s, 0));
	stream_wake(stream_tell(s, 1));
}
