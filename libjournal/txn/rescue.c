/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journal_rescue(): recovery of a log without markers, and new ones from what it finds.
 *
 * Without markers a line is in the highest epoch that any record of it shows: what is of
 * an older one is finished.  Retire records are applied, all that there are.  What is
 * left is taken for live: a record that certifies itself, because it is; one that a
 * bit would commit, because it may be.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "txn/entry.h"
#include "txn/logs.h"
#include "txn/open_impl.h"
#include "txn/set_marker_impl.h"

/*
 * Ids that were acknowledged and lost with the stage were issued under incarnations of
 * which the log may show nothing.  One is drawn by each opening, and by 4 G ids: more
 * than this no journal goes without a trace in its log (P4).
 */

static int rescue_open_once(struct set_marker *s, const char *dir, uint32_t lines,
			    struct journal **out)
{
	const struct journal_open_options o = { .flags = JOURNAL_RDONLY,
						.progress = s->options->progress };
	struct journal *j = set_marker_handle(s);
	int error;

	*out = j;
	if (!j)
		return message_set(s->message, -ENOMEM, "%s: no memory", dir);
	j->rescue_lines = lines;
	error = journal_open_impl(j, dir, &o);
	if (error)
		return set_marker_say(s, j, error);
	j->opened = true;
	return 0;
}

/* How many lines there were only the markers knew: as many as there would be now, or,
 * where a record names a higher one, all there can be. */
static int rescue_open(struct set_marker *s, const char *dir, struct journal **j)
{
	int error = rescue_open_once(s, dir, 1, j);

	if (error || !(*j)->rescue_short)
		return error;
	(void)journal_close(*j);
	return rescue_open_once(s, dir, MARKER_LINES_MAX, j);
}

static enum journal_doubt rescue_doubt(const struct journal_entry *entry)
{
	if (entry->state == JOURNAL_LOST)
		return JOURNAL_DOUBT_LOST;
	return entry->path == JOURNAL_PATH_DIRECT ? JOURNAL_DOUBT_COMMITTED :
						    JOURNAL_DOUBT_RETIRED;
}

static void rescue_tell(const struct set_marker *s, struct journal *j)
{
	struct journal_entry entry;
	uint64_t id = 0;

	while (s->options->undecided && !journal_next(j, id, &entry)) {
		id = entry.id;
		s->options->undecided(s->options->context, &entry, rescue_doubt(&entry));
	}
}

static int rescue_mark(struct set_marker *s, struct journal *j)
{
	uint64_t seen = j->shared->incarnation;

	if (seen + INCARNATIONS_LOST >= UINT32_MAX)
		return message_set(s->message, -EUCLEAN, "%s: the incarnation is used up", j->dir);
	s->remark = (struct remark){
		.from = j,
		.incarnation = seen + INCARNATIONS_LOST,
		/* all segments that there are */
		.replay_seq = (seen + 1) << 32,
		.abandoned = seen,
	};
	return set_marker_medium(s);
}

/* What is on a log that is not there has no mark, and is finished if it comes back. */
static int rescue_complete(struct set_marker *s, struct journal *j)
{
	uint32_t log;

	for (log = 0; log < logs_end(j) && !s->options->force; log++)
		if (logs_gone(j, log))
			return message_set(s->message, j->logs[log]->failed, "%s: what is on "
					   "this log would be gone for good, even if it comes "
					   "back: only by force", j->logs[log]->evidence);
	return 0;
}

/* All that may be refused is refused before anybody is told of what will be there. */
static int rescue_make(struct set_marker *s, struct journal *j)
{
	int error = rescue_complete(s, j);

	if (!error)
		error = rescue_place(s, j);
	if (!error && !s->options->dry_run)
		error = rescue_mark(s, j);
	if (error)
		return error;
	rescue_tell(s, j);
	if (s->options->dry_run)
		return 0;
	error = rescue_switch(s);
	if (s->undecided)
		return message_set(s->message, error, "%s: " CONF_NAME " names %s, which may not "
				   "be durable", j->dir, s->make.conf.marker);
	return error;
}

/* Whether it opens, alone and in memory, as it is. */
static int rescue_needed(struct set_marker *s, const char *dir)
{
	const struct journal_open_options o = { .flags = JOURNAL_RDONLY,
						.progress = s->options->progress };
	struct journal *j = set_marker_handle(s);
	int error;

	if (!j)
		return message_set(s->message, -ENOMEM, "%s: no memory", dir);
	error = journal_open_impl(j, dir, &o);
	(void)set_marker_say(s, j, error);
	(void)journal_close(j);
	if (!error)
		return message_set(s->message, -EALREADY, "%s: opens as it is: what is retired is "
				   "known, and would be forgotten", dir);
	/* what is only not allowed, or not now, is no reason to forget what is retired */
	return error == -ENOENT || error == -ENXIO || error == -ENODEV || error == -EUCLEAN ||
			       error == -EXDEV || error == -EIO ?
		       0 :
		       error;
}

static int rescue_locked(struct set_marker *s, const char *dir)
{
	struct journal *j = NULL;
	int error = s->options->force ? 0 : rescue_needed(s, dir);

	if (error)
		return error;
	error = rescue_open(s, dir, &j);
	if (!error)
		error = rescue_make(s, j);
	(void)journal_close(j);
	return error;
}

static int rescue_alone(struct set_marker *s, const char *dir)
{
	int error, pid, lock = -1;

	/* before the lock, which would be made where there is no journal */
	error = conf_read(dir, &s->make.conf, s->message);
	if (error)
		return error;
	if (s->options->dry_run) {
		pid = entry_holder(dir);
		if (pid)
			return message_set(s->message, -EBUSY, "%s: in use by pid %d", dir, pid);
	} else {
		error = entry_exclusive(dir, 0600, &lock, s->message);
	}
	s->make.lock_fd = lock;
	if (!error)
		error = rescue_locked(s, dir);
	if (lock >= 0)
		entry_end(lock);
	return error;
}

int journal_rescue(const char *dir, const struct journal_marker_options *options,
		   char *message, size_t message_bytes)
{
	struct message text = { "" };
	struct set_marker *s = set_marker_begin(dir, options, &text);
	int error;

	if (!s) {
		if (message && message_bytes)
			(void)snprintf(message, message_bytes, "%s", text.text);
		return -ENOMEM;
	}
	error = rescue_alone(s, dir);
	return set_marker_end(s, error, message, message_bytes);
}
