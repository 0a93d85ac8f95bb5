/* SPDX-License-Identifier: BSD-3-Clause */
/* The point at which another geometry counts, and the mapping that follows it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "txn/health.h"
#include "txn/log_open.h"
#include "txn/logs.h"
#include "txn/resize.h"
#include "txn/segment.h"
#include "txn/takeover.h"

#define TRIES 3u

/* ---- journal.conf ---------------------------------------------------------------- */

static bool point_is(const struct conf *now, const struct conf *wanted)
{
	return now->log_count == wanted->log_count && conf_logs(now) == conf_logs(wanted) &&
	       now->runs.count == wanted->runs.count &&
	       !memcmp(now->runs.of, wanted->runs.of,
		       now->runs.count * sizeof(now->runs.of[0]));
}

/* Only logs and runs: the marker may be another by now. */
static int point_prepare(struct resize *r, struct conf *now, struct message *message)
{
	int error = conf_read(r->j->dir, now, message);

	if (error)
		return error;
	memcpy(now->logs, r->conf.logs, sizeof(now->logs));
	memcpy(now->mirrors, r->conf.mirrors, sizeof(now->mirrors));
	now->log_count = r->conf.log_count;
	now->runs = r->conf.runs;
	return conf_prepare(r->j->dir, r->j->lock_fd, now, CONF_RESIZED, message);
}

/* Nobody gives NVRAM up, or goes back to it, and none is late in giving it up. */
static bool point_is_quiet(const struct journal *j)
{
	enum health_state health = health_now(j);

	return health != HEALTH_SWITCHING && health != HEALTH_RETURNING && !health_is_left(j);
}

static int point_busy(const struct journal *j, struct message *message)
{
	return message_set(message, -EBUSY, "%s: its NVRAM is given up, or gone back to, just now: "
			   "try again later", j->dir);
}

/* Made ready under a health that has not changed since: a journal.conf that was read
 * before it changed would name NVRAM again, or be of before the stand-in's. */
static int point_ready(struct resize *r, struct conf *now, struct message *message)
{
	struct journal *j = r->j;
	uint64_t word = health_word_now(j);
	int error = point_prepare(r, now, message);

	if (error)
		return error;
	if (point_is_quiet(j) && health_word_now(j) == word)
		return 0;
	(void)conf_give_up(j->dir, j->lock_fd, CONF_RESIZED);
	return point_is_quiet(j) ? -EAGAIN : point_busy(j, message);
}

/*
 * Who goes back to NVRAM has a journal.conf ready that somebody else may rename: he has
 * entry_conf() until health says so, and then we do not.
 * Who gives NVRAM up takes ours away before he reads the one in force (stand_in.c), and
 * waits for nobody.  So neither of both is ever lost, whoever is stopped or killed.
 */
static int point_try(struct resize *r, struct conf *now, struct message *message)
{
	struct journal *j = r->j;
	struct message ignored;
	int error = point_ready(r, now, message);

	if (error)
		return error;
	error = conf_enforce(j->dir, j->lock_fd, CONF_RESIZED, message);
	/* another journal's says nothing of ours */
	if (!error || error == -ESTALE)
		return error;
	if (conf_read(j->dir, now, &ignored))
		return -EINPROGRESS;
	if (point_is(now, &r->conf))
		return -EINPROGRESS;
	return error == -ENOENT ? -EAGAIN : error;
}

int resize_point(struct resize *r)
{
	struct journal *j = r->j;
	struct message message = { "" };
	struct conf *now = malloc(sizeof(*now));
	int error = now ? -EAGAIN : -ENOMEM;
	unsigned int i;

	if (health_is_left(j))
		takeover_sweep(j, 0); /* he may be dead */
	pthread_mutex_lock(&j->health_lock);
	if (now && !entry_conf(j->lock_fd))
		error = message_set(&message, -EBUSY, "%s/" CONF_NAME ": another process replaces "
				    "it, and does not get done", j->dir);
	for (i = 0; i < TRIES && error == -EAGAIN; i++)
		error = point_try(r, now, &message);
	if (now && error == -EAGAIN)
		error = point_busy(j, &message);
	entry_conf_done(j->lock_fd);
	pthread_mutex_unlock(&j->health_lock);
	free(now);
	if (!error)
		j->resized = true;
	if (error == -EINPROGRESS)
		return journal_say(j, error, "%s/" CONF_NAME ": nobody knows whether it was "
				   "replaced: %s", j->dir, message.text);
	return error ? journal_say(j, error, "%s", message.text) : 0;
}

/* ---- the mapping ------------------------------------------------------------------- */

static int settle_open(struct resize *r, uint32_t log)
{
	struct journal *j = r->j;
	struct log_store *store = r->added;
	int error = 0;

	if (!store)
		error = log_open(&r->conf, log, j->open_flags & JOURNAL_NO_URING ?
				 LOG_NO_URING : 0, 0, NULL, &store, journal_message(j));
	if (error)
		return error;
	r->added = NULL;
	if (shared_is_shared(&j->shared_file))
		log_store_share(store, j->shared->common.logs[log]);
	j->log_geometry[log] = j->shared->common.log_geometry[log] = r->g;
	(void)snprintf(j->conf.logs[log], sizeof(j->conf.logs[log]), "%s", r->conf.logs[log]);
	(void)snprintf(j->conf.mirrors[log], sizeof(j->conf.mirrors[log]), "%s",
		       r->conf.mirrors[log]);
	__atomic_store_n(&j->logs[log], store, __ATOMIC_RELEASE);
	return 0;
}

static int settle_log(struct resize *r, uint32_t log)
{
	struct journal *j = r->j;
	int error = 0;

	if (!conf_has_log(&r->conf, log)) {
		/* first, so that nobody takes its failure for one */
		atomic_fetch_or(&j->shared->logs_removed, 1u << log);
		atomic_store(&j->shared->log_failed[log], -ENODEV);
	} else if (log >= logs_end(j)) {
		error = settle_open(r, log);
	}
	if (!error && conf_has_log(&r->conf, log))
		atomic_store(&j->shared->log_bytes[log],
			     max_u64(atomic_load(&j->shared->log_bytes[log]),
				     log_runs_bytes(&r->conf.runs, &r->g, log)));
	if (!error && log >= logs_end(j))
		/* release: what is said of it is there */
		atomic_store(&j->shared->logs_end, log + 1);
	return error;
}

void resize_stays(struct journal *j, struct segment *segment)
{
	uint64_t use;

	atomic_store(&segment->leaving, SEGMENT_STAYS);
	use = atomic_load(&segment->use);
	if (segment_state_of(use) != SEGMENT_OUT || logs_out(j, segment->log) ||
	    !atomic_compare_exchange_strong(&segment->use, &use,
					    segment_use(use >> 32, SEGMENT_FREE, 0)))
		return;
	segment_offered_again(j, segment);
}

/* Those that nobody can know of yet. */
static bool settle_is_fresh(const struct journal *j, uint32_t number)
{
	return number >= segments_end(j) || !segment_is_there(&j->segments.all[number]);
}

static int settle_places(struct resize *r, uint32_t **fresh, uint32_t *count)
{
	const struct log_run *run;
	struct journal *j = r->j;
	uint32_t i;

	*count = 0;
	*fresh = calloc(log_runs_total(&r->conf.runs), sizeof(**fresh));
	if (!*fresh)
		return journal_say(j, -ENOMEM, "no memory");
	for (run = r->conf.runs.of; run < r->conf.runs.of + r->conf.runs.count; run++)
		for (i = 0; i < run->count; i++)
			if (settle_is_fresh(j, log_run_number(run, i)))
				(*fresh)[(*count)++] = log_run_number(run, i);
	for (run = r->conf.runs.of; run < r->conf.runs.of + r->conf.runs.count; run++)
		for (i = 0; i < run->count; i++)
			if (settle_is_fresh(j, log_run_number(run, i)))
				runs_place(j, run, i, i + 1);
	return 0;
}

/* What was there before, and is there no more, or is there again. */
static void settle_others(struct resize *r)
{
	struct journal *j = r->j;
	uint32_t number, log, index, end = segments_end(j);

	for (number = 0; number < end; number++) {
		struct segment *segment = &j->segments.all[number];

		if (!segment_is_there(segment) || !atomic_load(&segment->leaving))
			continue;
		if (runs_find(&r->conf.runs, number, &log, &index))
			resize_stays(j, segment);
		else
			atomic_store(&segment->leaving, SEGMENT_GONE);
	}
}

int resize_settle(struct resize *r)
{
	struct journal *j = r->j;
	uint32_t *fresh = NULL, log, count, i, end = log_runs_end(&r->conf.runs);
	uint32_t logs = (uint32_t)max_u64(logs_end(j), r->conf.log_count);
	int error = 0;

	if (end > segments_end(j))
		error = shared_segments_ready(j, segments_end(j), end);
	for (log = 0; log < logs && !error; log++)
		error = settle_log(r, log);
	if (!error)
		error = settle_places(r, &fresh, &count);
	if (error)
		return error;
	runs_point_seconds(j, &r->conf.runs);
	atomic_store(&j->shared->segments_usable, log_runs_total(&r->conf.runs));
	/* release: their places are there.  Then they may be had. */
	if (end > segments_end(j))
		atomic_store(&j->shared->segments_end, end);
	for (i = 0; i < count; i++)
		segment_free(j, &j->segments.all[fresh[i]]);
	free(fresh);
	settle_others(r);
	j->conf.runs = r->conf.runs;
	return 0;
}
