/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journal_set_marker() while others have the journal open, which goes on: NVRAM can be given
 * up for a file, and gone back to somewhere else (P14), by order; and a journal that is on a
 * file is one that has given NVRAM up (on_file.h).
 *
 *   to a file    NVRAM is given up; the stand-in gets the name that was asked for, too;
 *                journal.conf names it by that: THE POINT
 *   to NVRAM     NVRAM is given up, if it is in use; returning.h
 *
 * The file that was left goes; the processes know it by the name of a stand-in.
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
#include "txn/on_file.h"
#include "txn/return_make.h"
#include "txn/returning.h"
#include "txn/set_marker_impl.h"
#include "txn/stand_in.h"
#include "txn/takeover.h"

#define TRIES     100
#define MOMENT_NS 20000000

static const char *live_path(const struct set_marker *s)
{
	return strchr(s->make.conf.marker, ':') + 1;
}

static bool live_to(const struct set_marker *s, const char *scheme)
{
	return !strncmp(s->make.conf.marker, scheme, strlen(scheme));
}

static int live_no(struct set_marker *s, const struct journal *j, int error, const char *why)
{
	return message_set(s->message, error, "%s: in use by pid %d, and %s", j->dir,
			   entry_holder(j->dir), why);
}

/* Another journal may have come to its place: what is in DIR is that one's. */
static int live_stale(struct set_marker *s, const struct journal *j)
{
	return entry_not_there(j->dir, entry_there(j->dir, j->lock_fd), s->message);
}

/* what has NVRAM's place anyway */
static bool live_is_stand_in(struct set_marker *s, struct journal *j)
{
	struct message unused;
	struct stat is, wanted;
	char stand_in[PATH_MAX];

	/* not one that is a link to its name: that may go */
	return !stand_in_path(j, stand_in, &unused) && !stat(stand_in, &is) &&
	       !lstat(live_path(s), &wanted) && is.st_dev == wanted.st_dev &&
	       is.st_ino == wanted.st_ino;
}

/* Who was killed has left a file that was to be taken, or was overwritten already. */
static bool live_is_blank(struct set_marker *s)
{
	uint8_t bytes[4096];
	int fd = open(live_path(s), O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : pread(fd, bytes, sizeof(bytes), 0);

	if (fd >= 0)
		close(fd);
	return got == sizeof(bytes) && (!bytes[0] || bytes[0] == 0xff) &&
	       !memcmp(bytes, bytes + 1, sizeof(bytes) - 1);
}

/* It is made for the index that is in use. */
static int live_size(struct set_marker *s, struct journal *j)
{
	uint64_t bytes = s->options->marker_bytes;

	if (!bytes || live_to(s, "file:") || round_down(bytes, 4096) == j->marker->bytes)
		return 0;
	return message_set(s->message, -EINVAL, "%s: in use by pid %d, and its new markers have "
			   "%llu bytes then: --size is for when nobody has it open", j->dir,
			   entry_holder(j->dir), (unsigned long long)j->marker->bytes);
}

/* What is there is nobody's, or may be written over. */
static int live_sane(struct set_marker *s, struct journal *j)
{
	struct conf now;
	struct stat st;
	int error = conf_read(j->dir, &now, s->message);

	if (!error)
		error = live_stale(s, j);
	if (error)
		return error;
	s->format.marker = s->options->marker;
	/* what an attempt before has left is known by its uuid */
	s->make.conf = now;
	(void)snprintf(s->make.dir, sizeof(s->make.dir), "%s", j->dir);
	error = make_marker_uri(&s->make);
	if (!error)
		error = live_size(s, j);
	if (error)
		return error;
	if (!j->geometry.ring_bytes)
		return live_no(s, j, -EBUSY, "its log is too small for a stage");
	/* also where who gave NVRAM up was killed before the file had that name */
	if (live_to(s, "file:") && strcmp(s->make.conf.marker, now.marker) &&
	    live_is_stand_in(s, j))
		return 0;
	if (set_marker_same(s->make.conf.marker, now.marker))
		return message_set(s->message, -EEXIST, "%s: is the journal's marker medium "
				   "already", s->make.conf.marker);
	if (stat(live_path(s), &st))
		return 0;
	if (!S_ISREG(st.st_mode))
		return live_no(s, j, -EBUSY, "a device takes no journal that is");
	return s->options->force || set_marker_is_left(s) || !st.st_size || live_is_blank(s) ? 0 :
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
	error = live_stale(s, j);
	if (!error)
		error = live_link(s, j);
	if (!error)
		error = conf_read(j->dir, &conf, s->message);
	if (error)
		return error;
	memcpy(conf.marker, s->make.conf.marker, sizeof(conf.marker));
	conf.assume_marker = s->options->assume_marker;
	conf.return_to[0] = '\0';
	return conf_rewrite(j->dir, j->lock_fd, &conf, s->message);
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

/* @tried: one could be made there.  Else there was none to give up; is there by now, others
 * went back to it, and it is tried first. */
static int live_to_nvram(struct set_marker *s, struct journal *j, bool tried)
{
	const struct return_where where = { s->make.conf.marker, s->options->assume_marker };
	int error;

	if (tried && health_distrust(j, "moved to other NVRAM by order"))
		return message_set(s->message, -EIO, "%s", journal_error(j));
	error = returning_try_at(j, &where);
	if (error && error != -EAGAIN)
		(void)message_set(s->message, error, "%s", journal_error(j));
	return error;
}

/* ---- before NVRAM is given up ------------------------------------------------------- */

/* A name on the file system of the journal's own file, which gets it. */
static int live_try_link(struct set_marker *s, struct journal *j)
{
	char from[PATH_MAX], path[PATH_MAX];
	int error = conf_path(j->dir, CONF_NAME, from, s->message);

	if (error || live_is_stand_in(s, j))
		return error;
	if (j->on_file)
		error = stand_in_path(j, from, s->message);
	if (error)
		return error;
	if (snprintf(path, sizeof(path), "%s.%d", live_path(s), (int)getpid()) >=
	    (int)sizeof(path))
		return message_set(s->message, -ENAMETOOLONG, "%s: path too long", live_path(s));
	if (!link(from, path)) {
		(void)unlink(path);
		return 0;
	}
	/* somebody's: a name can be made there */
	if (errno == EEXIST)
		return 0;
	return errno == EXDEV ? live_no(s, j, -EBUSY, "that is on another file system") :
				message_errno(s->message, -errno, "%s", live_path(s));
}

/* A medium for a trial has to be filled: where no NVRAM is to be given up for it, the one that
 * is to stay is the trial. */
static int live_try(struct set_marker *s, struct journal *j, bool *tried)
{
	const struct return_where where = { s->make.conf.marker, s->options->assume_marker };
	int error;

	*tried = true;
	if (live_to(s, "file:"))
		return live_try_link(s, j);
	*tried = health_now(j) != HEALTH_ABANDONED;
	error = *tried ? return_try(j, &where) : 0;
	return error && error != -EAGAIN ?
		       message_set(s->message, error, "%s", journal_error(j)) : error;
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
	else if (!backend_open_marker(before, 0, 0, &store, s->message)) {
		(void)set_marker_erase(store);
		marker_store_close(store);
	}
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

/* What was made ready may have been called off: it failed just then, or somebody requires
 * more than it survives. */
static int live_is_there(struct set_marker *s, struct journal *j)
{
	struct conf now;
	int error = conf_read(j->dir, &now, s->message);

	/* then nothing there is cleared */
	if (!error)
		error = live_stale(s, j);
	if (error || !strcmp(now.marker, s->make.conf.marker))
		return error;
	return message_set(s->message, -EIO, "%s: is where it was: %s", j->dir, journal_error(j));
}

static int live_move(struct set_marker *s, struct journal *j)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	bool file = live_to(s, "file:"), tried;
	char before[PATH_MAX];
	struct conf was;
	int error = conf_read(j->dir, &was, s->message), i;

	if (error)
		return error;
	error = on_file_name(j);
	if (error)
		return set_marker_say(s, j, error);
	error = -EAGAIN;
	(void)snprintf(before, sizeof(before), "%s",
		       shared_view(j, health_view(health_word_now(j)))->uri);
	for (i = 0; i < TRIES && error == -EAGAIN; i++) {
		if (i) {
			/* who gave NVRAM up may be dead */
			takeover_sweep(j, SWEEP_WAITING_NS);
			(void)nanosleep(&moment, NULL);
		}
		error = live_try(s, j, &tried);
		if (!error)
			error = file ? live_to_file(s, j) : live_to_nvram(s, j, tried);
	}
	if (error == -EAGAIN)
		return live_no(s, j, -EBUSY, "somebody is stopped while giving NVRAM up");
	if (!error)
		error = live_is_there(s, j);
	if (!error && !set_marker_same(before, s->make.conf.marker))
		live_clear(s, j, before);
	if (!error)
		live_unlink(j, was.marker);
	return error;
}

/* What one who was killed, or is stopped, has begun is brought to its end first. */
static int live_begin(struct set_marker *s, struct journal *j)
{
	if (health_switch(j))
		return set_marker_say(s, j, -EIO);
	(void)returning_help(j);
	return live_sane(s, j);
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
		error = live_begin(s, j);
	if (!error)
		error = live_move(s, j);
	closed = journal_close(j);
	return error ? error : closed;
}
