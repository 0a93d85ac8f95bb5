/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journal_set_marker() while others have the journal open, which goes on: what was opened
 * on NVRAM can be given up for a file, and gone back to somewhere else (P14), by order.
 *
 *   to a file    NVRAM is given up; the stand-in gets the name that was asked for, too;
 *                journal.conf names it by that: THE POINT
 *   to NVRAM     NVRAM is given up, if it is in use; returning.h
 *
 * What was opened on a file has no rings and lanes in what its processes share: for that
 * all have to close it.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backends.h"
#include "txn/health.h"
#include "txn/return_make.h"
#include "txn/returning.h"
#include "txn/set_marker_impl.h"
#include "txn/stand_in.h"

#define TRIES     100
#define MOMENT_NS 20000000

static const char *live_path(const struct set_marker *s)
{
	return strchr(s->make.conf.marker, ':') + 1;
}

static int live_no(struct set_marker *s, const struct journal *j, int error, const char *why)
{
	return message_set(s->message, error, "%s: in use by pid %d, and %s", j->dir,
			   entry_holder(j->dir), why);
}

/* what has NVRAM's place anyway */
static bool live_is_stand_in(struct set_marker *s, struct journal *j)
{
	struct message unused;
	struct stat is, wanted;
	char stand_in[PATH_MAX];

	return !stand_in_path(j, stand_in, &unused) && !stat(stand_in, &is) &&
	       !stat(live_path(s), &wanted) && is.st_dev == wanted.st_dev &&
	       is.st_ino == wanted.st_ino;
}

/* What is there is nobody's, or may be written over. */
static int live_sane(struct set_marker *s, struct journal *j)
{
	struct conf now;
	struct stat st;
	int error = conf_read(j->dir, &now, s->message);

	s->format.marker = s->options->marker;
	(void)snprintf(s->make.dir, sizeof(s->make.dir), "%s", j->dir);
	if (!error)
		error = make_marker_uri(&s->make);
	if (error)
		return error;
	if (!j->bits_durable)
		return live_no(s, j, -EBUSY, "it was opened with its markers in a file");
	if (set_marker_same(s->make.conf.marker, now.marker))
		return message_set(s->message, -EEXIST, "%s: is the journal's marker medium "
				   "already", s->make.conf.marker);
	if (stat(live_path(s), &st))
		return 0;
	if (!S_ISREG(st.st_mode))
		return live_no(s, j, -EBUSY, "a device takes no journal that is");
	if (!strncmp(s->make.conf.marker, "file:", 5) && live_is_stand_in(s, j))
		return 0;
	return s->options->force || set_marker_is_left(s) || !st.st_size ? 0 :
	       message_set(s->message, -EEXIST, "%s: there is content already", live_path(s));
}

/* ---- to a file --------------------------------------------------------------------- */

static int live_sync(const char *path)
{
	char copy[PATH_MAX];
	int fd, error = 0;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		error = -errno;
	close(fd);
	return error;
}

/* Another name of the stand-in.  Its own stays: who has the journal open knows it so. */
static int live_link(struct set_marker *s, struct journal *j)
{
	const char *path = live_path(s);
	char stand_in[PATH_MAX];
	int error = stand_in_path(j, stand_in, s->message);

	if (error || live_is_stand_in(s, j))
		return error;
	if (unlink(path) && errno != ENOENT)
		return message_errno(s->message, -errno, "%s", path);
	if (link(stand_in, path))
		return errno == EXDEV ? live_no(s, j, -EBUSY, "that is on another file system") :
					message_errno(s->message, -errno, "%s", path);
	error = live_sync(path);
	return error ? message_errno(s->message, error, "%s", path) : 0;
}

/* Context: health_lock, entry_conf(). */
static int live_enforce(struct set_marker *s, struct journal *j)
{
	struct conf conf;
	int error;

	if (health_now(j) != HEALTH_ABANDONED || health_is_left(j))
		return -EAGAIN;
	error = live_link(s, j);
	if (!error)
		error = conf_read(j->dir, &conf, s->message);
	if (error)
		return error;
	memcpy(conf.marker, s->make.conf.marker, sizeof(conf.marker));
	conf.assume_marker = s->options->assume_marker;
	conf.return_to[0] = '\0';
	return conf_rewrite(j->dir, &conf, s->message);
}

static int live_to_file(struct set_marker *s, struct journal *j)
{
	int error = -EAGAIN;

	/* first: nobody goes back to it by himself */
	atomic_store(&j->shared->returns_not, 1);
	if (health_distrust(j, "moved to a file by order"))
		return message_set(s->message, -EIO, "%s", journal_error(j));
	pthread_mutex_lock(&j->health_lock);
	if (entry_conf(j->lock_fd))
		error = live_enforce(s, j);
	entry_conf_done(j->lock_fd);
	pthread_mutex_unlock(&j->health_lock);
	if (error)
		atomic_store(&j->shared->returns_not, 0);
	return error;
}

/* ---- to NVRAM ---------------------------------------------------------------------- */

static int live_to_nvram(struct set_marker *s, struct journal *j)
{
	const struct return_where where = { s->make.conf.marker, s->options->assume_marker };
	int error;

	if (health_distrust(j, "moved to other NVRAM by order"))
		return message_set(s->message, -EIO, "%s", journal_error(j));
	error = returning_try_at(j, &where);
	if (error && error != -EAGAIN)
		(void)message_set(s->message, error, "%s", journal_error(j));
	return error;
}

/* ---- all of it --------------------------------------------------------------------- */

/* Who is in the middle of a commit there still reads it, to bring it to the log. */
static bool live_is_left(struct journal *j)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	const struct lane_shared *lane;
	uint32_t i, tries = 0;

	for (i = 0; i < j->lane_count; i++) {
		lane = j->lanes[i].s;
		while (atomic_load(&lane->lease) &&
		       (health_now(j) != HEALTH_TRUSTED ||
			atomic_load(&lane->turn) != health_turn(health_word_now(j)))) {
			if (tries++ == TRIES)
				return false;
			(void)nanosleep(&moment, NULL);
		}
	}
	return true;
}

/* What NVRAM held is people's mail, and nobody reads it any more.  Too late for an error. */
static void live_clear(struct set_marker *s, struct journal *j, const char *before)
{
	const char *path = strchr(before, ':') + 1;
	struct marker_store *store;
	struct stat st;

	if (!strncmp(before, "file:", 5) || stat(path, &st) || !S_ISREG(st.st_mode))
		return;
	if (!live_is_left(j))
		(void)message_set(s->message, 0, "%s: moved to %s; %s is removed, and not "
				  "overwritten: a transaction is open there", j->dir,
				  s->make.conf.marker, path);
	else if (!backend_open_marker(before, MARKER_CREATE | MARKER_FORCE | MARKER_OURS,
				      j->marker->bytes, &store, s->message))
		marker_store_close(store);
	if (unlink(path))
		(void)message_errno(s->message, -errno, "%s: moved to %s; what was before could "
				    "not be cleared: %s", j->dir, s->make.conf.marker, path);
}

/* The name that a file had been given: DIR/stand-in is what it is. */
static void live_unlink(const struct journal *j, const char *before)
{
	struct message unused;
	char stand_in[PATH_MAX];

	if (!strncmp(before, "file:", 5) && !stand_in_path(j, stand_in, &unused) &&
	    strcmp(before + 5, stand_in))
		(void)unlink(before + 5);
}

static int live_move(struct set_marker *s, struct journal *j)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	bool file = !strncmp(s->make.conf.marker, "file:", 5);
	char before[PATH_MAX];
	struct conf was;
	int error = conf_read(j->dir, &was, s->message), i;

	if (error)
		return error;
	error = -EAGAIN;
	(void)snprintf(before, sizeof(before), "%s",
		       shared_view(j, health_view(health_word_now(j)))->uri);
	for (i = 0; i < TRIES && error == -EAGAIN; i++) {
		if (i)
			(void)nanosleep(&moment, NULL);
		error = file ? live_to_file(s, j) : live_to_nvram(s, j);
	}
	if (error == -EAGAIN)
		return live_no(s, j, -EBUSY, "somebody is stopped while giving NVRAM up");
	if (!error && !set_marker_same(before, s->make.conf.marker))
		live_clear(s, j, before);
	if (!error)
		live_unlink(j, was.marker);
	return error;
}

int set_marker_live(struct set_marker *s, const char *dir)
{
	const struct journal_open_options o = { .progress = s->options->progress };
	struct journal *j;
	int error = journal_open(dir, &o, &j), closed;

	s->message->text[0] = '\0';
	if (error)
		(void)set_marker_say(s, j, error);
	else
		error = live_sane(s, j);
	if (!error)
		error = live_move(s, j);
	closed = journal_close(j);
	return error ? error : closed;
}
