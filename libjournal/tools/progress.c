/* SPDX-License-Identifier: BSD-3-Clause */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* a line stands on the terminal, whoever's: there is one terminal */
static bool progress_shown;

static uint64_t progress_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void progress_end(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

void progress_start(struct progress *progress, const char *doing)
{
	progress->doing = doing;
	progress->terminal = isatty(STDERR_FILENO);
	progress->next_ns = progress_now_ns() + progress_second_ns();
}

void progress_start_beside_output(struct progress *progress, const char *doing)
{
	progress_start(progress, doing);
	if (isatty(STDOUT_FILENO))
		progress->terminal = false;
}

/* Return: whether it is to be shown now */
static bool progress_due(struct progress *progress)
{
	uint64_t now;

	if (!progress->terminal)
		return false;
	now = progress_now_ns();
	if (now < progress->next_ns)
		return false;
	progress->next_ns = now + progress_second_ns() / 10;
	progress_shown = true;
	return true;
}

/* In one write each: what others write to the terminal stands before or behind it.  Of a
 * longer one that stood there nothing stays. */
static void progress_show(const struct progress *progress, const char *what, uint64_t done,
			  uint64_t total)
{
	/* of a journal in use there may be more than there were */
	double share = done < total ? (double)done * 100 / (double)total : 100.0;

	if (total)
		fprintf(stderr, "\rjnl: %s: %3.0f %%, %s \033[K", progress->doing, share, what);
	else
		fprintf(stderr, "\rjnl: %s: %s \033[K", progress->doing, what);
}

void progress_report(void *context, uint64_t done, uint64_t total)
{
	struct progress *progress = context;
	char what[64];

	if (!progress_due(progress))
		return;
	if (total)
		(void)snprintf(what, sizeof(what), "%" PRIu64 " of %" PRIu64 " MiB", done >> 20,
			       total >> 20);
	else
		(void)snprintf(what, sizeof(what), "%" PRIu64 " MiB", done >> 20);
	progress_show(progress, what, done, total);
}

void progress_count(struct progress *progress, uint64_t count, uint64_t done, uint64_t total)
{
	char what[64];

	if (!progress_due(progress))
		return;
	(void)snprintf(what, sizeof(what), "%" PRIu64 " transactions", count);
	progress_show(progress, what, done, total);
}

struct journal_progress progress_callback(struct progress *progress)
{
	return (struct journal_progress){ .report = progress_report, .context = progress };
}
