/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What has failed, and for whom.
 *
 *   a medium            for all who have the journal open (P16)
 *   a limit of our own  for this handle alone: it does nothing any more, and what it left
 *                       undecided stays as a killed process leaves it.  Others go on; when it
 *                       is closed they find it dead, and take over.
 */
#include <errno.h>
#include <string.h>

#include "txn/journal_impl.h"
#include "txn/logs.h"
#include "util/own_limit.h"

/* The text of an error belongs to the thread that met it: no lock, and no
 * thread overwrites another's. */
static _Thread_local struct {
	const struct journal *journal;
	struct message message;
} last_error;

struct message *journal_message(struct journal *j)
{
	last_error.journal = j;
	return &last_error.message;
}

const char *journal_error(struct journal *j)
{
	if (!j)
		return "no memory";
	if (last_error.journal == j)
		return last_error.message.text;
	if (!j->open_error && journal_failed_here(j))
		return "it cannot go on here, others do: close the journal and open it again";
	if (j->open_error || journal_failed(j))
		return "a medium has failed: close the journal and open it again";
	return "no error";
}

/* Which it is: one of the logs, for all who have the journal open; the markers, for who has met
 * that. */
static const char *failed_which(const struct journal *j, const char **path)
{
	uint32_t log;

	*path = "";
	if (j->marker && atomic_load(&j->marker->failed)) {
		*path = j->conf.marker;
		return "markers ";
	}
	for (log = 0; !logs_left(j) && log < logs_end(j); log++) {
		if (!logs_out(j, log))
			continue;
		*path = j->conf.logs[log];
		return "log ";
	}
	return "a medium";
}

static int failed_say(struct journal *j)
{
	int error = journal_failed(j);
	const char *limit = own_limit(error), *path, *which = failed_which(j, &path);
	char reason[128], *text = strerror_r(-error, reason, sizeof(reason));

	if (!journal_failed_here(j))
		return journal_say(j, -EIO, "%s%.300s: failed (%s): nothing more is written; "
				   "close the journal and open it again", which, path, text);
	return journal_say(j, -EIO, "%s (%s%s%s): this handle writes nothing more, others go on; "
			   "close the journal and open it again",
			   limit ? "a limit of this process" : "it cannot go on here", text,
			   limit ? ": " : "", limit ? limit : "");
}

static void fail_here(struct journal *j, int error)
{
	int none = 0;

	(void)atomic_compare_exchange_strong(&j->failed_here, &none, error);
}

int journal_fail(struct journal *j, int error)
{
	int none = 0;

	JASSERT(error < 0);
	if (own_limit(error))
		fail_here(j, error);
	else if (!journal_failed_here(j)) /* or it is what comes of that */
		(void)atomic_compare_exchange_strong(&j->shared->failed, &none, error);
	return failed_say(j);
}

int journal_undecided(struct journal *j, int error)
{
	/* -EIO has said so: of a medium, or of one of several logs, and then it is not sticky */
	if (!error || error == -EIO)
		return error;
	if (!journal_failed(j))
		fail_here(j, error);
	return failed_say(j);
}
