/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/extents.h"

#include <errno.h>

#include "txn/head.h"
#include "txn/logs.h"
#include "txn/segment.h"
#include "txn/streams.h"

int extents_make(struct journal *j)
{
	struct extents *x;
	uint32_t i;

	/* processes that commit one at a time are not to begin on the same disk */
	atomic_store_explicit(&j->extents_turn, j->member, memory_order_relaxed);
	for (i = 0; i < JOURNAL_LOGS_MAX; i++) {
		x = &j->extents[i];
		x->j = j;
		x->index = i;
		x->log = NO_LOG;
		if (pthread_mutex_init(&x->lock, NULL) || pthread_cond_init(&x->idle, NULL))
			return -ENOMEM;
	}
	return 0;
}

/* ---- choosing ---------------------------------------------------------------------- */

/* one that goes round all logs takes another one */
static bool extents_usable(const struct extents *x, uint32_t count)
{
	const struct journal *j = x->j;

	return count != logs_end(j) || (!logs_out(j, x->index) && !logs_removed(j, x->index));
}

/* Return: the one with the fewest bytes under way, which are @least. */
static struct extents *extents_least(struct journal *j, uint32_t count, uint32_t first,
				     uint64_t *least)
{
	struct extents *x, *best = NULL;
	uint64_t bytes;
	uint32_t i;

	*least = UINT64_MAX;
	for (i = 0; i < count; i++) {
		x = &j->extents[(first + i) % count];
		bytes = atomic_load_explicit(&x->under_way, memory_order_relaxed);
		if (bytes < *least && extents_usable(x, count)) {
			best = x;
			*least = bytes;
		}
	}
	return best;
}

static struct extents *extents_take(struct extents *x, uint32_t bytes)
{
	atomic_fetch_add_explicit(&x->under_way, bytes, memory_order_relaxed);
	return x;
}

struct extents *extents_pick(struct journal *j, uint32_t bytes, const struct segment *again)
{
	uint32_t first, count = streams_count(j);
	struct extents *x;
	uint64_t least;

	if (count == 1)
		return extents_take(&j->extents[0], bytes);
	if (again && again->log < count && extents_usable(&j->extents[again->log], count))
		return extents_take(&j->extents[again->log], bytes);
	first = atomic_fetch_add_explicit(&j->extents_turn, 1, memory_order_relaxed);
	do {
		x = extents_least(j, count, first, &least);
		if (!x) /* they are all out of use: it will say so */
			return extents_take(&j->extents[0], bytes);
		/* of two who choose at a time, the later one looks again */
	} while (!atomic_compare_exchange_weak(&x->under_way, &least, least + bytes));
	return x;
}

/* ---- the open segment --------------------------------------------------------------- */

void extents_rest(struct extents *x)
{
	if (!x->head || x->inflight || x->rolling)
		return;
	head_return(x->head);
	x->head = NULL;
}

static int extents_fresh(struct extents *x, struct head **head)
{
	struct journal *j = x->j;
	bool rolls = *head;
	int error = 0;

	if (x->log == NO_LOG)
		x->log = streams_log_next(j, x->index, NO_LOG);
	if (!*head)
		error = head_lease_on(j, HEAD_EXTENTS, x->log, head);
	if (!error && (rolls || !head_segment(j, *head))) {
		(*head)->log = x->log = streams_log_next(j, x->index, x->log);
		error = head_roll(j, *head, HEAD_EXTENTS, false);
	}
	return error;
}

int extents_roll(struct extents *x)
{
	struct head *head = x->head;
	int error;

	x->rolling = true;
	while (x->inflight)
		pthread_cond_wait(&x->idle, &x->lock);
	pthread_mutex_unlock(&x->lock);
	error = extents_fresh(x, &head);
	pthread_mutex_lock(&x->lock);
	x->head = head;
	x->rolling = false;
	if (error)
		extents_rest(x);
	pthread_cond_broadcast(&x->idle);
	return error;
}
