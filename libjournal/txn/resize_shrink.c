/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments and logs that go.
 *
 *  1. They leave: nothing new comes into them.  Free ones are not to be had any more, open
 *     ones are sealed, and what becomes free of them stays out of use (SEGMENT_OUT).
 *  2. What lives in them is moved, as the cleaner does, until nothing does.
 *  3. Second digests that were in a log that goes are where they will be.
 *  4. journal.conf, THE POINT.
 *  5. The mapping; then files become shorter, or go.
 *
 * Whoever is killed before 4 leaves what it was: who takes over lets them stay.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "txn/checkpoint.h"
#include "txn/clean.h"
#include "txn/clock.h"
#include "txn/head.h"
#include "txn/logs.h"
#include "txn/reserve.h"
#include "txn/resize.h"
#include "txn/segment.h"
#include "txn/stream.h"
#include "txn/takeover.h"

#define WAIT_NS   10000000000ull
#define MOMENT_NS 2000000
#define ROUND     64u /* segments cleaned before the others are looked at again */

/* ---- which -------------------------------------------------------------------------- */

static void shrink_plan(const struct log_runs *now, uint32_t logs, uint32_t each,
			struct log_runs *next)
{
	uint32_t have[JOURNAL_LOGS_MAX] = { 0 }, i;
	struct log_run run;

	next->count = 0;
	for (i = 0; i < now->count; i++) {
		run = now->of[i];
		run.count = (uint32_t)min_u64(run.count, each - have[run.log]);
		have[run.log] += run.count;
		if (logs >> run.log & 1 && run.count)
			next->of[next->count++] = run;
	}
}

/* ---- how few will do ------------------------------------------------------------------ */

/* What it takes when it is moved, with its entry in a table. */
static uint64_t least_of_slot(const struct slot *slot)
{
	if (where_kind(atomic_load_explicit(&slot->where, memory_order_relaxed)) != WHERE_LOG)
		return 0;
	return log_record_bytes(atomic_load_explicit(&slot->bytes, memory_order_relaxed)) +
	       sizeof(struct summary_entry);
}

static uint64_t least_of_line(const struct journal *j, uint32_t line)
{
	const struct line *state = &j->lines[line];
	uint64_t bits, bytes = 0;
	uint32_t word, slot;

	for (word = 0; word < MARKER_LINE_WORDS; word++) {
		bits = atomic_load(&state->committed[word]) & ~atomic_load(&state->claimed[word]);
		for (; bits; bits &= bits - 1) {
			slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
			bytes += least_of_slot(&j->slots[(size_t)line * SLOTS_PER_LINE + slot]);
		}
	}
	return bytes;
}

static uint32_t least_open(const struct journal *j)
{
	uint32_t number, end = segments_end(j), open = 0;

	for (number = 0; number < end; number++)
		open += segment_state_of(atomic_load(&j->segments.all[number].use)) == SEGMENT_OPEN;
	return open;
}

uint32_t resize_least(const struct journal *j, uint32_t logs)
{
	uint32_t line, used = j->shared->lines_used;
	uint64_t bytes = 0, room = segment_room(j), segments;

	for (line = 0; line < used; line++)
		bytes += least_of_line(j, line);
	/* one in sixteen for ends that no record fits into; those that are being filled */
	segments = (bytes + bytes / 16 + room - 1) / room + segments_reserve(j) +
		   max_u64(least_open(j), 2);
	return (uint32_t)max_u64((segments + logs - 1) / logs, LOG_SEGMENTS_MIN);
}

static int shrink_possible(struct resize *r, uint32_t logs, uint32_t each)
{
	uint32_t count = (uint32_t)__builtin_popcount(logs), least = resize_least(r->j, count);

	r->done.bytes_least = resize_bytes_for(r, least) * count;
	if (each >= least)
		return 0;
	return journal_say(r->j, -ENOSPC, "%s: what lives in it needs %" PRIu64 " bytes of log at "
			   "least (%u segments), %u segments would be left", r->j->dir,
			   r->done.bytes_least, least * count, each * count);
}

/* ---- leaving ---------------------------------------------------------------------------- */

static bool shrink_leaves(const struct segment *segment)
{
	return atomic_load(&segment->leaving) == SEGMENT_LEAVES;
}

static void shrink_begin(struct resize *r, const struct log_runs *next)
{
	struct journal *j = r->j;
	uint32_t number, log, index, end = segments_end(j);
	struct segment *segment;

	/* before the first: who takes over looks for them then */
	atomic_store(&j->shared->resize_phase, RESIZE_EMPTIES);
	for (number = 0; number < end; number++) {
		segment = &j->segments.all[number];
		if (!segment_is_there(segment) || atomic_load(&segment->leaving) ||
		    runs_find(next, number, &log, &index))
			continue;
		/* seq_cst: who frees it after this sees it, who freed it before has offered
		 * it, and shrink_look() withdraws it */
		atomic_store(&segment->leaving, SEGMENT_LEAVES);
	}
}

static void shrink_undo(struct journal *j)
{
	uint32_t number, end = segments_end(j);

	for (number = 0; number < end; number++)
		if (shrink_leaves(&j->segments.all[number]))
			resize_stays(j, &j->segments.all[number]);
	atomic_store(&j->shared->resize_phase, RESIZE_NONE);
}

/* ---- emptying ----------------------------------------------------------------------------- */

struct shrink {
	uint32_t all, left, open;
	uint64_t held;
};

static struct shrink shrink_look(struct journal *j)
{
	struct shrink s = { 0 };
	uint32_t number, end = segments_end(j);
	struct segment *segment;
	uint64_t use;

	for (number = 0; number < end; number++) {
		segment = &j->segments.all[number];
		if (!shrink_leaves(segment))
			continue;
		segment_withdraw(j, segment);
		use = atomic_load(&segment->use);
		s.all++;
		s.left += segment_state_of(use) != SEGMENT_OUT;
		s.open += segment_state_of(use) == SEGMENT_OPEN;
		s.held += segment_live_of(use);
	}
	return s;
}

/*
 * What is moved has to go somewhere, and what is set aside is not for it: first others
 * that are mostly dead are cleaned, as when the log is full.
 * Return: 0, -ENOSPC, or the sticky failure.
 */
static int shrink_room(struct journal *j)
{
	int error = 0;

	while (!error && reserve_broken(j)) {
		if (segments_pending(j))
			error = checkpoint(j);
		else if (!clean_for_room(j))
			return -ENOSPC;
	}
	return error;
}

/* Return: 0, or -ENOSPC, -ENOMEM or the sticky failure */
static int shrink_clean(struct journal *j)
{
	uint32_t number, end = segments_end(j), cleaned = 0;
	struct segment *segment;
	uint64_t use;
	bool gained;
	int error = 0;

	for (number = 0; number < end && cleaned < ROUND && !error; number++) {
		segment = &j->segments.all[number];
		use = atomic_load(&segment->use);
		if (!shrink_leaves(segment) || segment_state_of(use) != SEGMENT_SEALED ||
		    !segment_live_of(use))
			continue;
		error = shrink_room(j);
		if (!error)
			error = clean_segment(j, segment, &gained);
		cleaned++;
		if (error == -EBUSY) /* another one cleans */
			error = 0;
	}
	return error;
}

static int shrink_round(struct journal *j)
{
	int error;

	takeover_sweep(j, SWEEP_WAITING_NS);
	heads_leave_going(j);
	error = shrink_clean(j);
	/* with `file:`, what is dead is free after it */
	if (!error && segments_pending(j))
		error = checkpoint(j);
	return journal_failed(j) ? journal_fail(j, -EIO) : error;
}

static int shrink_held(struct resize *r, const struct shrink *s)
{
	r->done.held = s->held;
	if (s->open)
		return journal_say(r->j, -EBUSY, "%s: %u segments that are to go are held open, by "
				   "a process that is stopped perhaps; %" PRIu64 " transactions "
				   "still hold %u in all: try again later", r->j->dir, s->open,
				   s->held, s->left);
	return journal_say(r->j, -EBUSY, "%s: %" PRIu64 " transactions still hold %u of the "
			   "segments that are to go, and cannot be moved: retire them, or try "
			   "again later",
			   r->j->dir, s->held, s->left);
}

/* The rest does not take it: so much is needed. */
static int shrink_full(struct resize *r, const struct shrink *s)
{
	uint32_t logs = (uint32_t)__builtin_popcount(r->logs);
	uint32_t each = r->each + (s->left + logs - 1) / logs;

	r->done.bytes_least = resize_bytes_for(r, each) * logs;
	return journal_say(r->j, -ENOSPC, "%s: the log is full when %u of the %u segments that are "
			   "to go still hold transactions: %" PRIu64 " bytes would do", r->j->dir,
			   s->left, s->all, r->done.bytes_least);
}

static void shrink_tell(const struct resize *r, const struct shrink *s)
{
	const struct journal_progress *progress = &r->options->progress;

	if (progress->report)
		progress->report(progress->context, (s->all - s->left) * r->g.segment_bytes,
				 s->all * r->g.segment_bytes);
}

static int shrink_empty(struct resize *r)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	uint64_t patience = r->options->wait_ns ? r->options->wait_ns : WAIT_NS;
	uint64_t end = clock_monotonic_ns() + patience;
	struct shrink s = shrink_look(r->j), before = s;
	int error = 0;

	shrink_tell(r, &s);
	while (s.left && !error) {
		error = shrink_round(r->j);
		s = shrink_look(r->j);
		shrink_tell(r, &s);
		if (s.left < before.left || s.held < before.held) {
			before = s;
			end = clock_monotonic_ns() + patience;
		} else if (s.left && !error) {
			if (clock_monotonic_ns() > end)
				return shrink_held(r, &s);
			nanosleep(&moment, NULL);
		}
	}
	return error == -ENOSPC ? shrink_full(r, &s) : error;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void shrink_conf(struct resize *r, uint32_t logs, const struct log_runs *next)
{
	uint32_t log;

	for (log = 0; log < r->conf.log_count; log++)
		if (!(logs >> log & 1))
			r->conf.logs[log][0] = r->conf.mirrors[log][0] = '\0';
	while (!conf_has_log(&r->conf, r->conf.log_count - 1))
		r->conf.log_count--;
	r->conf.runs = *next;
}

/* The files, once nobody is told of them any more. */
static int shrink_files(struct resize *r, const struct conf *before)
{
	uint32_t log;

	for (log = 0; log < before->log_count; log++)
		if (conf_has_log(before, log) && !conf_has_log(&r->conf, log))
			resize_remove_log(r, before, log);
	return resize_trim(r);
}

static int shrink_count(struct resize *r, uint32_t logs, const struct log_runs *next)
{
	bool fewer = logs != conf_logs(&r->conf);
	int error = resize_mark(r);

	shrink_conf(r, logs, next);
	if (!error && fewer)
		error = resize_digests(r);
	if (error)
		return error;
	/* from here on whoever takes over leaves them alone: only journal.conf knows */
	atomic_store(&r->j->shared->resize_phase, RESIZE_COUNTS);
	error = resize_point(r);
	if (error)
		return error;
	error = resize_settle(r);
	if (error)
		return -EINPROGRESS;
	atomic_store(&r->j->shared->resize_phase, RESIZE_NONE);
	return fewer ? resize_digests(r) : 0;
}

static int shrink_to(struct resize *r, uint32_t logs, const struct log_runs *next,
		     const struct conf *before)
{
	int error;

	shrink_begin(r, next);
	error = shrink_empty(r);
	if (!error)
		error = shrink_count(r, logs, next);
	if (error == -EINPROGRESS)
		return -EIO;
	if (error && atomic_load(&r->j->shared->resize_phase) != RESIZE_NONE) {
		r->conf = *before;
		shrink_undo(r->j);
		return error;
	}
	return error ? error : shrink_files(r, before);
}

int resize_shrink(struct resize *r, uint32_t logs, uint32_t each)
{
	struct conf *before = malloc(sizeof(*before));
	struct log_runs next;
	int error;

	r->logs = logs;
	error = before ? shrink_possible(r, logs, each) :
			     journal_say(r->j, -ENOMEM, "no memory");
	if (!error) {
		*before = r->conf;
		shrink_plan(&r->conf.runs, logs, each, &next);
		error = shrink_to(r, logs, &next, before);
	}
	free(before);
	return error;
}

void resize_takeover(struct journal *j, uint32_t member)
{
	if (atomic_load(&j->shared->resizer) != member)
		return;
	if (atomic_load(&j->shared->resize_phase) == RESIZE_MIRRORS)
		atomic_store(&j->shared->resize_phase, RESIZE_NONE);
	else if (atomic_load(&j->shared->resize_phase) != RESIZE_COUNTS)
		shrink_undo(j);
	atomic_store(&j->shared->resizer, 0);
}
