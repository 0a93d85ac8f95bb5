/* SPDX-License-Identifier: BSD-3-Clause */
/* Progress on a terminal, for what takes over a second. */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "journal.h"

struct progress {
	const char *doing; /* "zero-filling" */
	bool terminal;     /* stderr is one */
	bool shown;        /* a line stands there to be cleared */
	uint64_t next_ns;  /* when to show (again) */
};

void progress_start(struct progress *progress, const char *doing);
/* @total 0: not known */
void progress_report(void *progress, uint64_t done, uint64_t total);
/* clears the line */
void progress_end(struct progress *progress);

struct journal_progress progress_callback(struct progress *progress);

#endif
