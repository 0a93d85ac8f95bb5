/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl stat: what a report is made of, and its two forms. */
#ifndef TOOLS_STAT_H
#define TOOLS_STAT_H

#include <stdbool.h>

#include "journal.h"

/* one look at a journal that others write */
struct stat_look {
	struct journal_info info;
	struct journal_times times[JOURNAL_TIMED];
	uint64_t at_ns, time_ns; /* CLOCK_MONOTONIC, CLOCK_REALTIME */
};

/**
 * struct stat_calls - calls of one kind, between two looks
 * @per_s:  in a second; of commits, retires and destaging, transactions
 * @count:  of those that have times: with an estimate (journal_times.h)
 * @max_ns: no longer than that
 */
struct stat_calls {
	double per_s;
	uint64_t count, p50_ns, p90_ns, p99_ns, p999_ns, max_ns;
};

/**
 * struct stat_report - what came between two looks, and what is now
 * @amplification: write amplification by cleaning; negative: the log got nothing
 * @written:       bytes written to the log for each byte of payload committed;
 *                 negative: nothing was committed
 */
struct stat_report {
	const struct journal_info *info;
	uint64_t time_ns;
	double seconds;
	struct stat_calls calls[JOURNAL_TIMED];
	double elided_per_s, writes_per_s, written_per_s, flushes_per_s, merged_per_s,
		dsyncs_per_s, unsynced_per_s, reads_per_s, read_per_s, cleaned_per_s,
		moved_per_s, moved_bytes_per_s, aborts_per_s, no_lane_per_s;
	double amplification, written;
	double stage_fill, log_fill, lines_fill; /* 0 to 1 */
	double oldest_s; /* age of what only NVRAM holds; 0: nothing */
};

/* Return: 0 or negative errno with journal_error() */
int stat_take(struct journal *journal, struct stat_look *look);

/* @before: NULL: since the counters began */
void stat_make(const struct stat_look *now, const struct stat_look *before,
	       struct stat_report *report);

void stat_text(const char *dir, const struct stat_report *report);
void stat_json(const struct stat_report *report);

/* nobody writes it, and @why */
void stat_nobody_text(uint64_t time_ns, const char *why);
void stat_nobody_json(uint64_t time_ns, const char *why);

#endif
