/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Another log.  Order: the file, zero-filled, its superblocks; second digests of those
 * whose next log it is; then journal.conf, THE POINT; then the mapping.  A crash before
 * the point leaves a file that nobody names, and that the next attempt makes anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends.h"
#include "format/features.h"
#include "txn/clock.h"
#include "txn/left.h"
#include "txn/like.h"
#include "txn/log_open.h"
#include "txn/logs.h"
#include "txn/media.h"
#include "txn/remove.h"
#include "txn/resize.h"
#include "txn/segment.h"

static int log_like(const struct resize *r, const char *path)
{
	char conf[PATH_MAX];
	struct stat like, st;

	if (conf_path(r->j->dir, CONF_NAME, conf, NULL) || stat(conf, &like) || stat(path, &st))
		return -EIO;
	if (!S_ISREG(st.st_mode))
		return 0;
	return like_file(path, &like);
}

/* ---- making it ----------------------------------------------------------------------- */

static int log_fits(struct resize *r, const char *path)
{
	struct message *message = journal_message(r->j);
	enum journal_class class;

	if (r->added->block_bytes > r->g.block_bytes)
		return message_set(message, -EINVAL, "%s: the medium wants blocks of %u bytes, "
				   "the journal was formatted with %u", path,
				   r->added->block_bytes, r->g.block_bytes);
	return media_class(path, r->added->class, r->added->evidence, r->j->conf.assume_log,
			   r->j->conf.require, &class, message);
}

static int log_supers(struct resize *r, uint32_t log)
{
	struct log_io io = { .bytes = LOG_SUPERS * LOG_SUPER_BYTES };
	struct log_geometry g = r->g;
	uint32_t i;
	int error;

	if (posix_memalign(&io.buffer, 4096, io.bytes))
		return -ENOMEM;
	g.bytes = resize_bytes_for(r, log_runs_in(&r->conf.runs, log));
	JASSERT(!log_geometry_make(&g));
	g.log = log;
	g.logs = log + 1;
	g.created_ns = clock_ns();
	g.incompat |= FORMAT_INCOMPAT_RUNS;
	g.incompat &= ~FORMAT_INCOMPAT_MIRRORED;
	if (log_is_mirrored(&r->conf, log))
		g.incompat |= FORMAT_INCOMPAT_MIRRORED;
	for (i = 0; i < LOG_SUPERS; i++)
		log_super_encode(&g, (struct log_super *)io.buffer + i);
	error = log_store_write(r->added, &io, 1, true);
	free(io.buffer);
	return error;
}

static int log_make(struct resize *r, uint32_t log, struct resize_place places[2])
{
	const char *path = r->conf.logs[log];
	struct message *message = journal_message(r->j);
	uint32_t each = log_runs_in(&r->conf.runs, log), i;
	int error;

	for (i = 0; i < 2; i++) {
		if (!places[i].given || places[i].device)
			continue;
		if (resize_is_left(r, places[i].path))
			(void)unlink(places[i].path);
		/* it is not ours to remove, if this comes to nothing */
		places[i].was_there = !access(places[i].path, F_OK);
	}
	error = log_open(&r->conf, log, LOG_CREATE | (r->options->force ? LOG_FORCE : 0) |
					       (r->j->open_flags & JOURNAL_NO_URING ?
							LOG_NO_URING : 0),
				 resize_bytes_for(r, each), &r->options->progress, &r->added,
				 message);
	if (error)
		return error;
	error = log_fits(r, path);
	if (error)
		return error;
	for (i = 0; i < 2 && !error; i++)
		if (places[i].given)
			error = log_like(r, places[i].path);
	if (!error)
		error = log_supers(r, log);
	return error ? message_errno(message, error, "%s", path) : 0;
}

/* ---- joining the others ---------------------------------------------------------------- */

static int log_plan(struct resize *r, uint32_t log)
{
	struct log_runs *runs = &r->conf.runs;
	struct log_run *run = &runs->of[runs->count];
	uint32_t each = log_runs_in(runs, runs->of[0].log);
	uint32_t first = (uint32_t)max_u64(log_runs_end(runs), segments_end(r->j));
	struct log_geometry g = r->g;

	if (log == JOURNAL_LOGS_MAX || runs->count == LOG_RUNS_MAX ||
	    (uint64_t)first + each > r->j->segments.room)
		return journal_say(r->j, -E2BIG, "%s: while it is in use, it has room for %u logs, "
				   "those that were removed among them, and %u segments: with "
				   "nobody else there there may be more", r->j->dir,
				   JOURNAL_LOGS_MAX, r->j->segments.room);
	g.bytes = resize_bytes_for(r, each);
	JASSERT(!log_geometry_make(&g) && g.segments == each);
	*run = (struct log_run){
		.log = log, .count = each, .first = first, .stride = 1,
		.digests_offset = g.digests_offset, .segments_offset = g.segments_offset,
	};
	runs->count++;
	for (; r->conf.log_count <= log; r->conf.log_count++)
		r->conf.logs[r->conf.log_count][0] = r->conf.mirrors[r->conf.log_count][0] = '\0';
	return 0;
}

static int log_point(struct resize *r, uint32_t log)
{
	const struct log_run *run = &r->conf.runs.of[r->conf.runs.count - 1];
	uint32_t end = log_runs_end(&r->conf.runs);
	int error = resize_forget(r, run, 0);

	JASSERT(run->log == log);
	if (!error)
		error = resize_mark(r);
	/* before its segments may be had: in the places of these digests are others' now */
	if (!error)
		error = resize_digests(r);
	if (!error && end > segments_end(r->j))
		error = shared_segments_ready(r->j, segments_end(r->j), end);
	return error ? error : resize_point(r);
}

static void log_undo(struct resize *r, const struct conf *before,
		     const struct resize_place places[2])
{
	unsigned int i;

	if (r->added)
		log_store_close(r->added);
	r->added = NULL;
	for (i = 0; i < 2; i++)
		if (places[i].given && !places[i].device && !places[i].was_there &&
		    remove_is_log(places[i].path, r->j->conf.uuid))
			(void)unlink(places[i].path);
	r->conf = *before;
}

static int log_names(struct resize *r, uint32_t log, struct resize_place places[2])
{
	int error;

	places[0].path = r->conf.logs[log];
	places[1].path = r->conf.mirrors[log];
	error = resize_name(r, log, &places[0], "");
	if (!error && places[1].given)
		error = resize_name(r, log, &places[1], "-mirror");
	return error;
}

static int log_add(struct resize *r, struct resize_place places[2], const struct conf *before)
{
	uint32_t log = (uint32_t)max_u64(r->conf.log_count, logs_end(r->j));
	int error = log_plan(r, log);

	if (!error)
		error = log_names(r, log, places);
	if (!error)
		error = log_make(r, log, places);
	if (!error)
		error = log_point(r, log);
	if (!error)
		error = resize_settle(r);
	if (!error) /* once more: others may have sealed some meanwhile */
		return resize_digests(r);
	if (error != -EINPROGRESS && log >= logs_end(r->j))
		log_undo(r, before, places);
	return error == -EINPROGRESS ? -EIO : error;
}

int resize_add_log(struct resize *r, const char *path, const char *mirror)
{
	struct resize_place places[2] = { { .given = path }, { .given = mirror } };
	struct conf *before = malloc(sizeof(*before));
	int error;

	if (!before)
		return journal_say(r->j, -ENOMEM, "no memory");
	*before = r->conf;
	error = log_add(r, places, before);
	free(before);
	return error;
}

/* ---- one that is to go ------------------------------------------------------------------ */

static bool log_is_at(const char *log, const char *path)
{
	char copy[PATH_MAX], real[PATH_MAX];

	if (!realpath(path, real) && snprintf(real, sizeof(real), "%s", path) >= (int)sizeof(real))
		return false;
	(void)snprintf(copy, sizeof(copy), "%s", log);
	return !strcmp(log, path) || !strcmp(log, real) || !strcmp(dirname(copy), real);
}

int resize_find_log(struct resize *r, const char *path, uint32_t *log)
{
	for (*log = 0; *log < r->conf.log_count; ++*log)
		if (conf_has_log(&r->conf, *log) &&
		    (log_is_at(r->conf.logs[*log], path) ||
		     (r->conf.mirrors[*log][0] && log_is_at(r->conf.mirrors[*log], path))))
			return 0;
	return journal_say(r->j, -ENOENT, "%s: the journal has no log there", path);
}

void resize_remove_file(struct resize *r, const char *path)
{
	struct message ignored;

	if (!remove_is_log(path, r->j->conf.uuid))
		return;
	/* others have it open still: its space is free at once */
	(void)backend_trim_log(path, 0, &ignored);
	(void)remove_file(path);
}

void resize_remove_log(struct resize *r, const struct conf *before, uint32_t log)
{
	resize_remove_file(r, before->logs[log]);
	if (!before->mirrors[log][0])
		return;
	resize_remove_file(r, before->mirrors[log]);
	/* its number may be another log's one day */
	(void)left_forget(r->j->dir, r->j->conf.uuid, log, 0);
}

/* or may be it */
static bool log_is_that(const char *path, const struct stat *st)
{
	struct stat other;

	return stat(path, &other) ||
	       (other.st_dev == st->st_dev && other.st_ino == st->st_ino);
}

/* No log of journal.conf's, by whatever name. */
static bool log_is_left_there(const struct resize *r, const char *path)
{
	struct stat st;
	uint32_t log;

	if (!remove_is_log(path, r->j->conf.uuid) || stat(path, &st))
		return false;
	for (log = 0; log < r->conf.log_count; log++)
		if (conf_has_log(&r->conf, log) &&
		    (log_is_that(r->conf.logs[log], &st) ||
		     (r->conf.mirrors[log][0] && log_is_that(r->conf.mirrors[log], &st))))
			return false;
	return true;
}

bool resize_was_log(struct resize *r, const char *path)
{
	char name[PATH_MAX], uuid[37];
	uint32_t i;
	int used;
	bool was = false;

	uuid_print(r->j->conf.uuid, uuid);
	for (i = 0; i <= 2 * JOURNAL_LOGS_MAX; i++) {
		used = i ? snprintf(name, sizeof(name), "%s/journal-%s-%u%s.log", path, uuid,
				    (i + 1) / 2, i % 2 ? "" : "-mirror") :
			   snprintf(name, sizeof(name), "%s", path);
		if (used >= (int)sizeof(name) || !log_is_left_there(r, name))
			continue;
		was = true;
		if (!r->options->dry_run)
			resize_remove_file(r, name);
	}
	return was;
}
