/* SPDX-License-Identifier: BSD-3-Clause */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)

static uint64_t progress_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

void progress_start(struct progress *progress, const char *doing)
{
	progress->doing = doing;
	progress->terminal = isatty(STDERR_FILENO);
	progress->shown = false;
	progress->next_ns = progress_now_ns() + SECOND_NS;
}

void progress_report(void *context, uint64_t done, uint64_t total)
{
	struct progress *progress = context;
	uint64_t now;

	if (!progress->terminal)
		return;
	now = progress_now_ns();
	if (now < progress->next_ns)
		return;
	progress->next_ns = now + SECOND_NS / 10;
	progress->shown = true;
	if (total)
		fprintf(stderr, "\rjnl: %s: %3.0f %%, %" PRIu64 " of %" PRIu64 " MiB ",
			progress->doing, (double)done * 100 / (double)total, done >> 20,
			total >> 20);
	else
		fprintf(stderr, "\rjnl: %s: %" PRIu64 " MiB ", progress->doing, done >> 20);
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}

struct journal_progress progress_callback(struct progress *progress)
{
	return (struct journal_progress){ .report = progress_report, .context = progress };
}
