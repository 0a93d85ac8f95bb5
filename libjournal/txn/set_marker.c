/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journal_set_marker().  The normal case:
 *
 *  1. open it, alone: recovery, as ever;
 *  2. what is staged goes to the log, and is durable there;
 *  3. the new medium: marks of all that lives, under a higher incarnation; durable;
 *  4. journal.conf is replaced: THE POINT from which on the new medium counts;
 *  5. the one before is overwritten, and a file removed.
 *
 * While others have it open: set_marker_live.c.
 *
 * A crash, or an error, before 4 leaves the journal as it was: 2 is what a destage
 * leaves, and nobody reads what 3 has written.  After 4 nobody reads what is left of
 * the one before.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "txn/evacuate.h"
#include "txn/open_impl.h"
#include "txn/segment.h"
#include "txn/set_marker_impl.h"
#include "txn/streams.h"

bool set_marker_same(const char *one, const char *other)
{
	struct stat a, b;

	return !strcmp(one, other) ||
	       (!stat(strchr(one, ':') + 1, &a) && !stat(strchr(other, ':') + 1, &b) &&
		a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_rdev == b.st_rdev);
}

/* Before anything is changed.  The URI is resolved here for the first time. */
static int set_marker_sane(struct set_marker *s, struct journal *j)
{
	int error;

	s->format.marker = s->options->marker;
	s->make.conf = j->conf;
	(void)snprintf(s->make.dir, sizeof(s->make.dir), "%s", j->dir);
	error = make_marker_uri(&s->make);
	if (!error && set_marker_same(s->make.conf.marker, j->conf.marker))
		error = message_set(s->message, -EEXIST, "%s: is the journal's marker medium "
				    "already", j->conf.marker);
	return error;
}

/* The second copies of digests in NVRAM go where they are without it. */
static int set_marker_digests(struct journal *j)
{
	uint32_t i;
	int error = 0;

	for (i = 0; i < segments_end(j) && !error; i++)
		if (segment_digest_in_nvram(j, i))
			error = segment_digest_to_log(j, i);
	return error;
}

static int set_marker_prepare(struct journal *j)
{
	int error = remark_possible(j);

	if (!error && j->bits_durable && j->geometry.ring_bytes)
		error = evacuate(j, NULL);
	if (!error)
		error = streams_drain(j);
	return error ? error : set_marker_digests(j);
}

int set_marker_erase(struct marker_store *store)
{
	uint8_t ones[4096];
	uint64_t at;

	memset(ones, 0xff, sizeof(ones));
	/* from the end: the superblocks last, so that it is known for what it is */
	for (at = store->bytes; at; at -= sizeof(ones))
		nv_copy(store, store->map + at - sizeof(ones), ones, sizeof(ones));
	return nv_fence(store);
}

/* What it held is people's mail, and it is not to be taken for a journal's.  Too late
 * for an error. */
static void set_marker_clear(struct set_marker *s, struct journal *j)
{
	const char *path = strchr(j->conf.marker, ':') + 1;
	struct stat st;
	int error = j->bits_durable ? set_marker_erase(j->marker) : 0;

	if (!stat(path, &st) && S_ISREG(st.st_mode) && unlink(path))
		error = -errno;
	if (error)
		(void)message_errno(s->message, error, "%s: moved to %s; what was before could not "
				    "be cleared: %s", j->dir, s->make.conf.marker, path);
}

static int set_marker_open(struct set_marker *s, struct journal *j, const char *dir)
{
	const struct journal_open_options o = { .progress = s->options->progress };
	int error = journal_open_impl(j, dir, &o);

	if (error)
		return set_marker_say(s, j, error);
	j->opened = true;
	error = set_marker_sane(s, j);
	if (error)
		return error;
	error = set_marker_prepare(j);
	return error ? set_marker_say(s, j, error) : 0;
}

static int set_marker_move(struct set_marker *s, struct journal *j)
{
	int error;

	s->remark = (struct remark){
		.from = j,
		.incarnation = j->shared->incarnation,
		.replay_seq = j->shared->next_seq,
		.abandoned = j->shared->incarnation,
	};
	s->make.lock_fd = j->lock_fd;
	error = set_marker_make(s);
	/* then it must not be closed as if it went on here */
	j->opened = !s->in_force;
	if (s->undecided)
		return message_set(s->message, error, "%s: " CONF_NAME " names %s, which may not "
				   "be durable: both media are kept", j->dir, s->make.conf.marker);
	if (!error)
		set_marker_clear(s, j);
	return error;
}

int set_marker(const char *dir, const struct journal_marker_options *options, bool alone,
	       char *message, size_t message_bytes)
{
	struct message text = { "" };
	struct set_marker *s = set_marker_begin(dir, options, &text);
	struct journal *j = s ? set_marker_handle(s) : NULL;
	int error = -ENOMEM, closed;

	if (j) {
		error = set_marker_open(s, j, dir);
		if (!error)
			error = set_marker_move(s, j);
		closed = journal_close(j);
		if (closed && !error && !s->in_force)
			error = message_errno(&text, closed, "%s: closing", dir);
		if (error == -EBUSY && !alone)
			error = set_marker_live(s, dir);
	}
	if (!s) {
		if (message && message_bytes)
			(void)snprintf(message, message_bytes, "%s", text.text);
		return error;
	}
	return set_marker_end(s, error, message, message_bytes);
}

int journal_set_marker(const char *dir, const struct journal_marker_options *options,
		       char *message, size_t message_bytes)
{
	return set_marker(dir, options, false, message, message_bytes);
}
