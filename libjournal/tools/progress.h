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
	uint64_t next_ns;  /* when to show (again) */
};

void progress_start(struct progress *progress, const char *doing);
/* the same where standard output is written meanwhile: what comes out on the terminal shows
 * how far it is, and is not to be mixed with anything */
void progress_start_beside_output(struct progress *progress, const char *doing);
/* @total 0: not known */
void progress_report(void *progress, uint64_t done, uint64_t total);
/* the same of @count transactions, @done of @total of whatever that is told by */
void progress_count(struct progress *progress, uint64_t count, uint64_t done, uint64_t total);
/* clears the line, whoever's, also before something else is told there (jnl_error() does so
 * itself); it may go on then */
void progress_end(void);

/* from when on it is shown */
uint64_t progress_second_ns(void);

struct journal_progress progress_callback(struct progress *progress);

#endif
