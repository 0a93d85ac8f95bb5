/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "jnl.h"
#include "output.h"
#include "progress.h"

/* One write, so that lines of several processes on one stderr stay whole. */
void jnl_error(const char *format, ...)
{
	char text[4 * PATH_MAX] = "jnl: "; /* with paths, and the reason behind them */
	size_t used = strlen(text);
	size_t room = sizeof(text) - used - 1;
	va_list args;
	int wanted;

	progress_end();
	va_start(args, format);
	wanted = vsnprintf(text + used, room, format, args);
	va_end(args);
	if (wanted > 0)
		used += (size_t)wanted < room ? (size_t)wanted : room - 1;
	text[used++] = '\n';
	(void)output_write(STDERR_FILENO, text, used);
}

/* A loss without a name is in no list: who opens to write first is the last to hear of it. */
static void tell_unnamed(const struct journal_info *info, const char *dir)
{
	jnl_error("%s: at least %" PRIu64 " more are COMMITTED_BUT_LOST and their ids with them",
		  dir, info->lost_unnamed);
}

struct journal *jnl_open(const char *dir, unsigned int flags)
{
	struct progress progress;
	struct journal_open_options options = { .flags = flags };
	struct journal *journal = NULL;
	struct journal_info info;
	int err;

	progress_start(&progress, "recovering");
	options.progress = progress_callback(&progress);
	err = journal_open(dir, &options, &journal);
	progress_end();
	if (!err && !(flags & JOURNAL_RDONLY) && !journal_info(journal, &info) &&
	    info.lost_unnamed)
		tell_unnamed(&info, dir);
	if (!err)
		return journal;
	jnl_error("%s", journal_error(journal));
	(void)journal_close(journal);
	return NULL;
}

bool jnl_may_write(const char *dir, const char *path)
{
	char why[512];

	if (!journal_owns(dir, path, why, sizeof(why)))
		return true;
	jnl_error("%s", why);
	return false;
}

static const char *why_out(const struct journal_medium *log)
{
	if (!strcmp(log->backend, "none"))
		return log->evidence;
	/* "none: it is too short" */
	return strncmp(log->routine, "none: it", 8) ? "writing to it has failed" :
						      log->routine + 6;
}

bool jnl_tell_lost(const struct journal_info *info, const char *dir)
{
	bool failed = false;

	for (uint32_t i = 0; i < info->log_count; i++) {
		if (!info->logs[i].failed)
			continue;
		failed = true;
		jnl_error("%s: this log is out of use: %s", info->logs[i].name,
			  why_out(&info->logs[i]));
	}
	if (info->lost_unnamed)
		tell_unnamed(info, dir);
	return failed && (info->lost || info->lost_unnamed);
}

int jnl_close(struct journal *journal, int status)
{
	int err = journal_close(journal);

	if (!err)
		return status;
	/* the sticky error has been told where it happened, if it did here */
	if (status == JNL_DONE) {
		jnl_error("closing the journal: %s", strerror(-err));
		return JNL_REFUSED;
	}
	return status;
}
