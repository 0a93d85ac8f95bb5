/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/streams.h"

#include <errno.h>

#include "txn/clock.h"
#include "txn/head.h"
#include "txn/logs.h"
#include "txn/stream_gather.h"

#define HEADS_OF_EACH 2u /* of those that are open without need: other processes, extents */

uint32_t streams_count(const struct journal *j)
{
	uint32_t logs = logs_end(j);

	if (logs == 1)
		return 1;
	return (uint32_t)max_u64(min_u64(logs, heads_wanted(j) / HEADS_OF_EACH), 1);
}

uint32_t streams_log_next(const struct journal *j, uint32_t index, uint32_t log)
{
	uint32_t count = streams_count(j), logs = logs_end(j);

	if (count == 1 || index == NO_LOG)
		return NO_LOG;
	if (count == logs || log == NO_LOG)
		return index % logs;
	/* fewer than there are logs: each goes round all of them */
	return (log + count) % logs;
}

int streams_make(struct journal *j)
{
	uint32_t i;
	int error = 0;

	/* processes that commit one at a time are not to begin on the same disk */
	atomic_store_explicit(&j->stream_turn, j->member, memory_order_relaxed);
	for (i = 0; i < JOURNAL_LOGS_MAX && !error; i++) {
		error = stream_make(&j->streams[i], j, HEAD_STREAM);
		j->streams[i].index = i;
	}
	return error;
}

void streams_free(struct journal *j)
{
	uint32_t i;

	for (i = 0; i < JOURNAL_LOGS_MAX; i++)
		stream_free(&j->streams[i]);
}

/* ---- choosing ---------------------------------------------------------------------- */

int stream_make_ready(struct stream *s)
{
	int error;

	if (atomic_load_explicit(&s->ready, memory_order_acquire))
		return 0;
	pthread_mutex_lock(&s->lock);
	error = stream_buffers(s);
	pthread_mutex_unlock(&s->lock);
	if (!error)
		atomic_store_explicit(&s->ready, true, memory_order_release);
	return error;
}

static bool stream_usable(struct stream *s)
{
	const struct journal *j = s->j;

	/* one that goes round them all takes another log */
	if (streams_count(j) == logs_end(j) &&
	    (logs_out(j, s->index) || logs_removed(j, s->index)))
		return false;
	return !stream_make_ready(s);
}

/* Nobody else takes it for one that has nothing under way. */
static bool stream_claim(struct stream *s, uint64_t now)
{
	uint64_t none = 0;

	return !atomic_load_explicit(&s->busy_ns, memory_order_relaxed) && stream_usable(s) &&
	       atomic_compare_exchange_strong(&s->busy_ns, &none, now);
}

/* How long until its write under way ends.  One that is late is expected to be as late
 * again: nobody gathers behind a disk that has stopped. */
static uint64_t stream_ends_in(const struct stream *s, uint64_t now)
{
	uint64_t since = atomic_load_explicit(&s->busy_ns, memory_order_relaxed);
	uint64_t takes = atomic_load_explicit(&s->takes_ns, memory_order_relaxed);

	since = since && now > since ? now - since : 0;
	return since < takes ? takes - since : since - takes;
}

static struct stream *streams_soonest(struct journal *j, uint32_t count, uint32_t first,
				      uint64_t now)
{
	uint64_t ends, best_ends = UINT64_MAX;
	struct stream *s, *best = NULL;
	uint32_t i;

	for (i = 0; i < count; i++) {
		s = &j->streams[(first + i) % count];
		ends = stream_ends_in(s, now);
		if (ends < best_ends && stream_usable(s)) {
			best = s;
			best_ends = ends;
		}
	}
	/* they are all out of use: it will say so */
	return best ? best : &j->streams[0];
}

/* Of the first @count.  @idle: whether it has nothing under way */
static struct stream *streams_choose(struct journal *j, uint32_t count, bool *idle)
{
	struct stream *s;
	uint32_t i, first;
	uint64_t now;

	*idle = false;
	if (count == 1)
		return &j->streams[0];
	first = atomic_fetch_add_explicit(&j->stream_turn, 1, memory_order_relaxed);
	now = clock_monotonic_ns();
	for (i = 0; i < count; i++) {
		s = &j->streams[(first + i) % count];
		*idle = stream_claim(s, now);
		if (*idle)
			return s;
	}
	for (i = 0; i < count; i++) {
		s = &j->streams[(first + i) % count];
		if (gather_seat(s) && stream_usable(s))
			return s;
	}
	return streams_soonest(j, count, first, now);
}

struct stream *streams_pick(struct journal *j)
{
	bool idle;

	return streams_choose(j, streams_count(j), &idle);
}

struct stream *streams_turn(struct journal *j, bool reserved)
{
	uint32_t i, first, count = streams_count(j);
	struct stream *s;

	if (reserved || count == 1)
		return &j->streams[0];
	first = atomic_fetch_add_explicit(&j->stream_turn, 1, memory_order_relaxed);
	for (i = 0; i < count; i++) {
		s = &j->streams[(first + i) % count];
		if (stream_usable(s))
			return s;
	}
	return &j->streams[0];
}

/* ---- appending --------------------------------------------------------------------- */

int streams_append_now(struct journal *j, const struct stream_record *record, uint32_t most,
		       struct stream_place *place)
{
	uint32_t i, count = (uint32_t)min_u64(streams_count(j), most);
	bool idle;
	struct stream *first = streams_choose(j, count, &idle), *s;
	int error = stream_append_now(first, record, place);

	for (i = 0; error == -EAGAIN && !idle && i < count; i++) {
		s = &j->streams[i];
		if (s != first && stream_usable(s))
			error = stream_append_now(s, record, place);
	}
	return error;
}

int streams_append_reserved(struct journal *j, const struct stream_record *record,
			    struct stream_place *place)
{
	struct stream *s = streams_pick(j);
	int error;

	if (s == &j->streams[0])
		return stream_append(s, record, true, place);
	error = stream_append_spare(s, record, place);
	return error == -ENOSPC ? stream_append(&j->streams[0], record, true, place) : error;
}

int streams_drain(struct journal *j)
{
	uint32_t i;
	int one, error = 0;

	for (i = 0; i < JOURNAL_LOGS_MAX; i++) {
		one = stream_drain(&j->streams[i]);
		error = error ? error : one;
	}
	return error;
}
