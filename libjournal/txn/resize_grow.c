/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Longer logs.  Order: zeros behind the end of each log, durable; then journal.conf, THE
 * POINT; then the mapping, and whoever needs a segment may have one of them.  A crash
 * before the point leaves files that are too long.
 */
#include <errno.h>
#include <sys/stat.h>

#include "backends.h"
#include "txn/logs.h"
#include "txn/resize.h"
#include "txn/segment.h"

/* ---- which ------------------------------------------------------------------------ */

static struct log_run *grow_last(struct log_runs *runs, uint32_t log)
{
	struct log_run *last = NULL;
	uint32_t i;

	for (i = 0; i < runs->count; i++)
		if (runs->of[i].log == log)
			last = &runs->of[i];
	return last;
}

/* A number that was in use has the place that it had, or it is another's. */
static bool grow_may_have(const struct resize *r, const struct log_runs *next,
			  const struct log_run *run, uint32_t i)
{
	uint32_t number = log_run_number(run, i), log, index;
	const struct segment *segment = &r->j->segments.all[number];

	if (number >= r->j->segments.room || runs_find(next, number, &log, &index))
		return false;
	if (number >= segments_end(r->j))
		return true;
	return segment->log == run->log && segment->base == log_run_offset(run, &r->g, i) &&
	       segment_state_of(atomic_load(&segment->use)) == SEGMENT_OUT;
}

/* What was taken from the last run may come back: there is room for its digests. */
static uint32_t grow_in_place(const struct resize *r, struct log_runs *next, uint32_t log,
			      uint32_t want)
{
	struct log_run *run = grow_last(next, log);
	uint64_t room = (run->segments_offset - run->digests_offset) / r->g.digest_bytes;
	uint32_t got = 0;

	while (got < want && run->count < room && grow_may_have(r, next, run, run->count)) {
		run->count++;
		got++;
	}
	return want - got;
}

static int grow_too_much(const struct resize *r)
{
	return journal_say(r->j, -E2BIG, "%s: too much at a time: as it is open now it has "
			   "room for %u segments, or %u runs of them: less, and the next time "
			   "more, each time with nobody else there", r->j->dir,
			   r->j->segments.room, LOG_RUNS_MAX);
}

/* Behind the end.  Numbers of several logs by turns. */
static int grow_run(const struct resize *r, struct log_runs *next, uint32_t log, uint32_t want,
		    uint32_t first, uint32_t stride)
{
	struct log_run *run = &next->of[next->count];

	if (next->count == LOG_RUNS_MAX ||
	    first + (uint64_t)want * stride >= r->j->segments.room)
		return grow_too_much(r);
	*run = (struct log_run){
		.log = log, .count = want, .first = first, .stride = stride,
		.digests_offset = round_up(log_runs_bytes(next, &r->g, log), 4096),
	};
	run->segments_offset = run->digests_offset + (uint64_t)want * r->g.digest_bytes;
	next->count++;
	return 0;
}

static int grow_plan(const struct resize *r, uint32_t each, struct log_runs *next)
{
	uint32_t log, left[JOURNAL_LOGS_MAX] = { 0 }, logs = conf_logs(&r->conf), first, nth = 0;
	int error = 0;

	*next = r->conf.runs;
	for (log = 0; log < JOURNAL_LOGS_MAX; log++)
		if (logs >> log & 1)
			left[log] = grow_in_place(r, next, log, each - log_runs_in(next, log));
	first = (uint32_t)max_u64(log_runs_end(next), segments_end(r->j));
	for (log = 0; log < JOURNAL_LOGS_MAX && !error; log++)
		if (left[log])
			error = grow_run(r, next, log, left[log], first + nth++,
					 (uint32_t)__builtin_popcount(logs));
	return error;
}

/* ---- zeros ------------------------------------------------------------------------- */

/* each leg of a mirrored log; to what a new one is to have, or as much as is used */
static int grow_parts(struct resize *r, uint32_t log, const struct log_runs *next,
		      struct message *message)
{
	struct resize_part parts[2];
	unsigned int i, count = resize_parts(r, log, parts);
	uint64_t from = log_runs_bytes(&r->conf.runs, &r->g, log), before;
	int error = 0;

	for (i = 0; i < count && !error; i++) {
		before = parts[i].before;
		if (!next)
			error = backend_trim_log(parts[i].path, before + from, message);
		else
			error = backend_extend_log(parts[i].path, before + from,
						   before + log_runs_bytes(next, &r->g, log),
						   &r->options->progress, message);
	}
	return error;
}

int resize_trim(struct resize *r)
{
	struct message message = { "" };
	uint32_t log;
	int error = 0;

	for (log = 0; log < r->conf.log_count && !error; log++)
		if (conf_has_log(&r->conf, log) && !logs_out(r->j, log))
			error = grow_parts(r, log, NULL, &message);
	return error ? journal_say(r->j, error, "%s", message.text) : 0;
}

/* The text of an error stays what it is. */
static void resize_undo_files(struct resize *r)
{
	struct message *message = journal_message(r->j), text = *message;

	(void)resize_trim(r);
	*message = text;
}

static int grow_extend(struct resize *r, const struct log_runs *next)
{
	struct message message = { "" };
	uint32_t log;
	int error = 0;

	for (log = 0; log < r->conf.log_count && !error; log++)
		if (conf_has_log(&r->conf, log))
			error = grow_parts(r, log, next, &message);
	return error ? journal_say(r->j, error, "%s", message.text) : 0;
}

/* Nothing of what was in their places is to be found. */
static int grow_forget(struct resize *r, const struct log_runs *before)
{
	const struct log_run *run;
	uint32_t i;
	int error = 0;

	for (i = 0; i < r->conf.runs.count && !error; i++) {
		run = &r->conf.runs.of[i];
		error = resize_forget(r, run, i < before->count ? before->of[i].count : 0);
	}
	return error;
}

/* ---- all of it ---------------------------------------------------------------------- */

static int grow_count(struct resize *r, const struct log_runs *before)
{
	struct journal *j = r->j;
	uint32_t end = log_runs_end(&r->conf.runs);
	int error = grow_forget(r, before);

	/* memory before the point: after it there is no way back */
	if (!error && end > segments_end(j))
		error = shared_segments_ready(j, segments_end(j), end);
	return error ? error : resize_point(r);
}

int resize_grow(struct resize *r, uint32_t each)
{
	struct log_runs before = r->conf.runs, next;
	int error = grow_plan(r, each, &next);

	if (error)
		return error;
	/* a file without the mark is as long as it was made, and nothing may be cut off it */
	error = resize_mark(r);
	if (error)
		return error;
	error = resize_trim(r);
	if (!error)
		error = grow_extend(r, &next);
	if (!error) {
		r->conf.runs = next;
		error = grow_count(r, &before);
	}
	if (!error)
		return resize_settle(r);
	if (error == -EINPROGRESS)
		return -EIO;
	r->conf.runs = before;
	resize_undo_files(r);
	return error;
}
