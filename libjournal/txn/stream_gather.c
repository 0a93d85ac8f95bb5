/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/stream_gather.h"

#include <errno.h>
#include <time.h>

#include "txn/clock.h"
#include "txn/stream_sleep.h"
#include "txn/streams.h"

#define SHARE      4u       /* of a write's time is waited at most */
#define LEAST_NS   500000ull /* of a write's time: below it, waking takes as long */
#define SKIPS_MOST 64u

int gather_make(struct stream *s)
{
	pthread_condattr_t attributes;
	int error;

	if (pthread_condattr_init(&attributes))
		return -ENOMEM;
	error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) ||
		pthread_cond_init(&s->gather.all, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	return error ? -ENOMEM : 0;
}

void gather_enter(struct stream *s)
{
	struct gathering *g = &s->gather;

	if (++g->here >= g->expected && g->waits)
		pthread_cond_signal(&g->all);
}

uint32_t gather_close(struct stream *s)
{
	struct gathering *g = &s->gather;
	uint32_t here = g->here;

	g->here = g->expected = 0;
	atomic_store_explicit(&g->seats, 0, memory_order_relaxed);
	if (g->waits) /* somebody else writes it: it was full */
		pthread_cond_signal(&g->all);
	atomic_store_explicit(&g->writing_for, here, memory_order_relaxed);
	return here;
}

/* of all who wait for a write under way */
static uint32_t gather_share(const struct stream *s)
{
	const struct journal *j = s->j;
	uint32_t i, all = 0, count = streams_count(j);

	for (i = 0; i < count; i++)
		all += atomic_load_explicit(&j->streams[i].gather.writing_for,
					    memory_order_relaxed);
	return (all + count - 1) / count;
}

void gather_expect(struct stream *s, uint32_t woken, uint64_t now, uint64_t takes)
{
	struct gathering *g = &s->gather;

	woken = (uint32_t)min_u64(woken, gather_share(s));
	atomic_store_explicit(&g->writing_for, 0, memory_order_relaxed);
	if (woken < 2 || takes < LEAST_NS || g->skips) {
		g->skips -= g->skips > 0;
		return;
	}
	g->expected = g->here + woken;
	g->until_ns = now + takes / SHARE;
	atomic_store_explicit(&g->seats, woken, memory_order_relaxed);
}

static void gather_over(struct gathering *g, bool come)
{
	g->skips_next = come ? 0 : (uint32_t)min_u64(2 * g->skips_next + 1, SKIPS_MOST);
	g->skips = g->skips_next;
	g->expected = 0;
	atomic_store_explicit(&g->seats, 0, memory_order_relaxed);
}

bool gather_wait(struct stream *s)
{
	struct gathering *g = &s->gather;
	uint32_t missing = g->expected > g->here ? g->expected - g->here : 0;
	struct timespec until;

	if (!missing)
		return false;
	until = (struct timespec){ .tv_sec = (time_t)(g->until_ns / 1000000000),
				   .tv_nsec = (long)(g->until_ns % 1000000000) };
	g->waits = true;
	while (g->here < g->expected && !s->writing)
		if (pthread_cond_timedwait(&g->all, &s->lock, &until))
			break;
	g->waits = false;
	/* those who left it to us to write: we may find our own durable, and leave */
	stream_tell_all(s);
	/* not if somebody wrote it meanwhile */
	if (g->expected)
		gather_over(g, g->here >= g->expected ||
				       g->expected - g->here <= missing / 2);
	return true;
}

bool gather_seat(struct stream *s)
{
	uint32_t seats = atomic_load_explicit(&s->gather.seats, memory_order_relaxed);

	while (seats)
		if (atomic_compare_exchange_weak(&s->gather.seats, &seats, seats - 1))
			return true;
	return false;
}
