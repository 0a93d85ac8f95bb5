/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which segments there are: runs of them, each in one log.  A journal that was never
 * resized has one for each log, and its superblock says so (log.h); one that was has
 * them in journal.conf, a line "segments = ..." for each, in numbers:
 *
 *   log count first stride digests-offset segments-offset
 *
 * Segment i of the run has the number first + i * stride, and begins in its log at
 * segments-offset + i * segment_bytes.  At digests-offset there is room for as many
 * digests, second copies of another log's (of this one's, with one log).
 *
 * The segments of one log are counted through all its runs, in the order of the lines:
 * the index of a segment.  All logs have as many.  The second copy of a digest lies in
 * the next log that is there, at the same index.
 */
#ifndef FORMAT_RUN_H
#define FORMAT_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "format/log.h"

#define LOG_RUNS_MAX     256u
#define LOG_NUMBERS_MAX  (1u << 28) /* of segments: what names one has 28 bits for it */
#define LOG_RUN_CHARS    96u

struct log_run {
	uint32_t log, count, first, stride;
	uint64_t digests_offset, segments_offset;
};

struct log_runs {
	struct log_run of[LOG_RUNS_MAX];
	uint32_t count;
};

/* Return: 0, or -EINVAL: not six numbers, or they cannot be a run */
int log_run_parse(const char *text, struct log_run *run);
/* without a line break */
void log_run_print(const struct log_run *run, char text[LOG_RUN_CHARS]);

/* the one run of a log that was never resized */
void log_run_of(const struct log_geometry *g, struct log_run *run);

/**
 * log_runs_check() - whether they fit together
 * @g: segment_bytes and digest_bytes of all logs
 * @logs: bit i: there is a log i
 * Return: 0, or -EUCLEAN with @why.
 */
int log_runs_check(const struct log_runs *runs, const struct log_geometry *g, uint32_t logs,
		   const char **why);

/* behind the last segment of @log; 0: it has none */
uint64_t log_runs_bytes(const struct log_runs *runs, const struct log_geometry *g, uint32_t log);
/* one more than the highest number */
uint32_t log_runs_end(const struct log_runs *runs);
/* the first number in @log, which has some */
uint32_t log_runs_first(const struct log_runs *runs, uint32_t log);
/* segments in all, and in @log */
uint32_t log_runs_total(const struct log_runs *runs);
uint32_t log_runs_in(const struct log_runs *runs, uint32_t log);

static inline uint32_t log_run_number(const struct log_run *run, uint32_t i)
{
	return run->first + i * run->stride;
}

static inline uint64_t log_run_offset(const struct log_run *run, const struct log_geometry *g,
				      uint32_t i)
{
	return run->segments_offset + (uint64_t)i * g->segment_bytes;
}

/* the place in @log for the second copy of the digest of a segment at @index; 0: none */
uint64_t log_runs_digest(const struct log_runs *runs, const struct log_geometry *g, uint32_t log,
			 uint32_t index);
/* the log after @log, of those that have segments; round and round: itself, if alone */
uint32_t log_runs_next(const struct log_runs *runs, uint32_t log);

#endif
