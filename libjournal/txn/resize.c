/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_resize(): what is wanted, by whom, and in which steps. */
#include "txn/resize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "txn/logs.h"
#include "txn/member.h"
#include "txn/segment.h"
#include "txn/takeover.h"

/* ---- one at a time ------------------------------------------------------------------ */

#define MOMENT_NS 1000000
#define TRIES     100u /* a takeover may fail, and be tried again by anybody */

/* He is dead, and somebody else takes him over and gets on with it: it is the last of that
 * which ends his resize. */
static bool resize_is_taken_over(const struct journal *j, uint32_t number)
{
	uint64_t word = atomic_load(&j->members[number].state);

	return (word & 0xff) == MEMBER_TAKEN && !member_is_stopped(j, member_taker(word) - 1);
}

/* Who is dead resizes no more.  Nobody waits for one who is stopped. */
static void resize_sweep(struct journal *j)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	uint32_t who, tries = 0;

	while ((who = atomic_load(&j->shared->resizer)) && !journal_failed(j)) {
		takeover_sweep(j, 0);
		if (!resize_is_taken_over(j, who - 1) &&
		    (!member_is_dead(j, who - 1) || ++tries == TRIES))
			return;
		nanosleep(&moment, NULL);
	}
}

int resize_take(struct journal *j)
{
	uint32_t nobody = 0, who;

	resize_sweep(j);
	if (atomic_compare_exchange_strong(&j->shared->resizer, &nobody, j->member))
		return 0;
	who = nobody - 1;
	return journal_say(j, -EBUSY, "%s: %s by pid %d is under way", j->dir,
			   atomic_load(&j->shared->resize_phase) == RESIZE_MIRRORS ?
				   "jnl mirror" : "resize",
			   who < MEMBERS ? atomic_load(&j->members[who].pid) : 0);
}

void resize_drop(struct journal *j)
{
	atomic_store(&j->shared->resizer, 0);
}

/* ---- what is wanted ------------------------------------------------------------------ */

static uint32_t resize_count(const struct resize *r)
{
	return (uint32_t)__builtin_popcount(r->logs);
}

static uint64_t resize_total(const struct resize *r)
{
	uint64_t bytes = 0;
	uint32_t log;

	for (log = 0; log < logs_end(r->j); log++)
		if (!logs_removed(r->j, log))
			bytes += r->j->resized ? log_runs_bytes(&r->conf.runs, &r->g, log) :
						 atomic_load(&r->j->shared->log_bytes[log]);
	return bytes;
}

/* those that go, and that there are to be so many */
static int resize_want_logs(struct resize *r)
{
	const struct journal_resize_options *o = r->options;
	uint32_t log;
	size_t i;
	int error;

	r->logs = conf_logs(&r->conf);
	for (i = 0; i < o->remove_count; i++) {
		error = resize_find_log(r, o->remove[i], &log);
		/* one who was killed when only its file was to go yet */
		if (error && resize_was_log(r, o->remove[i]))
			continue;
		if (error)
			return error;
		r->logs &= ~(1u << log);
	}
	if (o->add_count > JOURNAL_LOGS_MAX ||
	    resize_count(r) + o->add_count > JOURNAL_LOGS_MAX)
		return journal_say(r->j, -EINVAL, "%zu logs more: there may be %u at most",
				   o->add_count, JOURNAL_LOGS_MAX);
	if (!r->logs && !o->add_count)
		return journal_say(r->j, -EINVAL, "%s: a journal has one log at least", r->j->dir);
	return 0;
}

static int resize_want(struct resize *r)
{
	const struct journal_resize_options *o = r->options;
	uint32_t now = log_runs_in(&r->conf.runs, r->conf.runs.of[0].log), logs;
	int error = resize_want_logs(r);

	if (error)
		return error;
	logs = resize_count(r) + (uint32_t)o->add_count;
	r->each = o->bytes ? resize_each_of(r, o->bytes / logs) : now;
	if (r->each < LOG_SEGMENTS_MIN || o->bytes / logs > 1ull << 50)
		return journal_say(r->j, -EINVAL, "a log of %" PRIu64 " bytes makes no sense: at "
				   "least %" PRIu64 ", for %u segments of %" PRIu64 " in each of "
				   "%u", o->bytes, logs * resize_bytes_for(r, LOG_SEGMENTS_MIN),
				   LOG_SEGMENTS_MIN, r->g.segment_bytes, logs);
	r->done.bytes_least = logs * resize_bytes_for(r, resize_least(r->j, logs));
	return 0;
}

/* as far as that is known before */
static int resize_would(struct resize *r)
{
	uint32_t logs = resize_count(r) + (uint32_t)r->options->add_count;

	r->done.logs = logs;
	r->done.segments = logs * r->each;
	r->done.bytes = logs * resize_bytes_for(r, r->each);
	if (r->done.bytes >= r->done.bytes_least || r->done.segments >= r->done.segments_before)
		return 0;
	return journal_say(r->j, -ENOSPC, "%s: what lives in it needs %" PRIu64 " bytes of log at "
			   "least", r->j->dir, r->done.bytes_least);
}

/* ---- steps ------------------------------------------------------------------------------ */

static uint32_t resize_now(const struct resize *r)
{
	return log_runs_in(&r->conf.runs, r->conf.runs.of[0].log);
}

static int resize_steps(struct resize *r)
{
	const struct journal_resize_options *o = r->options;
	uint32_t keep = r->logs, before = conf_logs(&r->conf), logs;
	size_t i;
	int error = r->each > resize_now(r) ? resize_grow(r, r->each) : 0;

	for (i = 0; i < o->add_count && !error; i++)
		error = resize_add_log(r, o->add[i], o->add_mirrors ? o->add_mirrors[i] : NULL);
	/* with those that came */
	logs = keep | (conf_logs(&r->conf) & ~before);
	if (!error && (logs != conf_logs(&r->conf) || r->each < resize_now(r)))
		error = resize_shrink(r, logs, r->each);
	return error;
}

/* What one who was killed has left undone, or for nothing. */
static int resize_tidy(struct resize *r)
{
	int error = resize_settle(r);

	atomic_store(&r->j->shared->resize_phase, RESIZE_NONE);
	return error || !r->j->resized ? error : resize_trim(r);
}

static void resize_is(struct resize *r)
{
	r->done.logs = logs_count(r->j);
	r->done.segments = segments_usable(r->j);
	r->done.bytes = resize_total(r);
}

/* Those of the superblocks, if it is the first time. */
static void resize_runs(struct resize *r)
{
	struct log_runs *runs = &r->conf.runs;
	uint32_t log;

	r->j->resized = runs->count;
	for (log = 0; log < r->conf.log_count && !r->j->resized; log++)
		log_run_of(&r->j->log_geometry[log], &runs->of[runs->count++]);
}

static int resize_locked(struct resize *r)
{
	struct journal *j = r->j;
	int error = conf_read(j->dir, &r->conf, journal_message(j));

	if (error)
		return error;
	resize_runs(r);
	r->g = j->log_geometry[j->buffers_log];
	if (!r->options->dry_run)
		error = resize_tidy(r);
	resize_is(r);
	r->done.bytes_before = r->done.bytes;
	r->done.segments_before = r->done.segments;
	r->done.logs_before = r->done.logs;
	if (!error)
		error = resize_want(r);
	if (!error)
		error = resize_would(r);
	if (!error)
		error = resize_look(r);
	if (error)
		resize_is(r);
	if (error || r->options->dry_run)
		return error;
	error = resize_steps(r);
	resize_is(r);
	return error;
}

/* ---- the call ----------------------------------------------------------------------------- */

static int resize_allowed(struct journal *j)
{
	if (journal_is_childs(j))
		return journal_childs(j);
	if (j->read_only)
		return journal_say(j, -EROFS, "the journal is open read-only");
	return journal_failed(j) ? journal_fail(j, -EIO) : 0;
}

int journal_resize(struct journal *j, const struct journal_resize_options *options,
		   struct journal_resized *resized)
{
	static const struct journal_resize_options defaults;
	struct resize *r;
	int error = resize_allowed(j);

	if (resized)
		memset(resized, 0, sizeof(*resized));
	if (error)
		return error;
	r = calloc(1, sizeof(*r));
	if (!r)
		return journal_say(j, -ENOMEM, "no memory");
	r->j = j;
	r->options = options ? options : &defaults;
	error = resize_take(j);
	if (!error) {
		error = resize_locked(r);
		resize_drop(j);
	}
	if (resized)
		*resized = r->done;
	free(r);
	return error;
}
