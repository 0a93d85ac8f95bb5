/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "util/math.h"

#define OFFSET_MAX (1ull << 50)

static bool run_sane(const struct log_run *run)
{
	return run->log < JOURNAL_LOGS_MAX && run->count && run->stride &&
	       run->first < LOG_NUMBERS_MAX && run->stride < LOG_NUMBERS_MAX &&
	       run->count < LOG_NUMBERS_MAX &&
	       run->first + (run->count - 1ull) * run->stride < LOG_NUMBERS_MAX &&
	       run->digests_offset >= LOG_SUPERS * LOG_SUPER_BYTES &&
	       run->digests_offset % 4096 == 0 && run->segments_offset % 4096 == 0 &&
	       run->digests_offset < run->segments_offset && run->segments_offset < OFFSET_MAX;
}

int log_run_parse(const char *text, struct log_run *run)
{
	char again[LOG_RUN_CHARS];
	int used = 0;

	if (sscanf(text, "%" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu64 " %" SCNu64
		   "%n", &run->log, &run->count, &run->first, &run->stride,
		   &run->digests_offset, &run->segments_offset, &used) != 6 ||
	    text[used])
		return -EINVAL;
	/* what does not fit its type would come back as another number */
	log_run_print(run, again);
	return strcmp(again, text) || !run_sane(run) ? -EINVAL : 0;
}

void log_run_print(const struct log_run *run, char text[LOG_RUN_CHARS])
{
	(void)snprintf(text, LOG_RUN_CHARS,
		       "%" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu64 " %" PRIu64,
		       run->log, run->count, run->first, run->stride, run->digests_offset,
		       run->segments_offset);
}

void log_run_of(const struct log_geometry *g, struct log_run *run)
{
	*run = (struct log_run){
		.log = g->log,
		.count = g->segments,
		.first = g->log,
		.stride = g->logs,
		.digests_offset = g->digests_offset,
		.segments_offset = g->segments_offset,
	};
}

static uint64_t run_end(const struct log_run *run, const struct log_geometry *g)
{
	return log_run_offset(run, g, run->count);
}

static bool runs_overlap(const struct log_run *a, const struct log_run *b,
			 const struct log_geometry *g)
{
	return a->log == b->log && a->digests_offset < run_end(b, g) &&
	       b->digests_offset < run_end(a, g);
}

static int runs_check_places(const struct log_runs *runs, const struct log_geometry *g,
			     uint32_t logs, const char **why)
{
	const struct log_run *run, *other;

	for (run = runs->of; run < runs->of + runs->count; run++) {
		*why = "segments in a log that is not there";
		if (!(logs >> run->log & 1))
			return -EUCLEAN;
		*why = "a run of segments without room for its digests";
		if (run->digests_offset + (uint64_t)run->count * g->digest_bytes >
		    run->segments_offset)
			return -EUCLEAN;
		*why = "runs of segments that overlap";
		for (other = runs->of; other < run; other++)
			if (runs_overlap(run, other, g))
				return -EUCLEAN;
	}
	return 0;
}

/* no number twice */
static int runs_check_numbers(const struct log_runs *runs, const char **why)
{
	uint8_t *seen = calloc(log_runs_end(runs) / 8 + 1ul, 1);
	const struct log_run *run;
	uint32_t i, number;
	int error = 0;

	*why = "no memory";
	if (!seen)
		return -ENOMEM;
	for (run = runs->of; run < runs->of + runs->count; run++)
		for (i = 0; i < run->count && !error; i++) {
			number = log_run_number(run, i);
			if (seen[number / 8] >> (number & 7) & 1)
				error = -EUCLEAN;
			seen[number / 8] |= (uint8_t)(1u << (number & 7));
		}
	*why = "two segments with one number";
	free(seen);
	return error;
}

int log_runs_check(const struct log_runs *runs, const struct log_geometry *g, uint32_t logs,
		   const char **why)
{
	uint32_t log, each = runs->count ? log_runs_in(runs, runs->of[0].log) : 0;
	int error;

	*why = "no segments";
	if (!runs->count)
		return -EUCLEAN;
	error = runs_check_places(runs, g, logs, why);
	if (!error)
		error = runs_check_numbers(runs, why);
	*why = error ? *why : "logs that do not have as many segments as the others";
	for (log = 0; log < JOURNAL_LOGS_MAX && !error; log++)
		if (logs >> log & 1 && log_runs_in(runs, log) != each)
			error = -EUCLEAN;
	return error;
}

uint64_t log_runs_bytes(const struct log_runs *runs, const struct log_geometry *g, uint32_t log)
{
	const struct log_run *run;
	uint64_t bytes = 0;

	for (run = runs->of; run < runs->of + runs->count; run++)
		if (run->log == log)
			bytes = max_u64(bytes, run_end(run, g));
	return bytes;
}

uint32_t log_runs_end(const struct log_runs *runs)
{
	const struct log_run *run;
	uint32_t end = 0;

	for (run = runs->of; run < runs->of + runs->count; run++)
		end = (uint32_t)max_u64(end, log_run_number(run, run->count - 1) + 1ull);
	return end;
}

uint32_t log_runs_first(const struct log_runs *runs, uint32_t log)
{
	const struct log_run *run = runs->of;

	while (run < runs->of + runs->count && run->log != log)
		run++;
	return run < runs->of + runs->count ? run->first : 0;
}

uint32_t log_runs_total(const struct log_runs *runs)
{
	uint32_t log, total = 0;

	for (log = 0; log < JOURNAL_LOGS_MAX; log++)
		total += log_runs_in(runs, log);
	return total;
}

uint32_t log_runs_in(const struct log_runs *runs, uint32_t log)
{
	const struct log_run *run;
	uint32_t count = 0;

	for (run = runs->of; run < runs->of + runs->count; run++)
		if (run->log == log)
			count += run->count;
	return count;
}

uint64_t log_runs_digest(const struct log_runs *runs, const struct log_geometry *g, uint32_t log,
			 uint32_t index)
{
	const struct log_run *run;

	for (run = runs->of; run < runs->of + runs->count; run++) {
		if (run->log != log)
			continue;
		if (index < run->count)
			return run->digests_offset + (uint64_t)index * g->digest_bytes;
		index -= run->count;
	}
	return 0;
}

uint32_t log_runs_next(const struct log_runs *runs, uint32_t log)
{
	uint32_t i, next;

	for (i = 1; i < JOURNAL_LOGS_MAX; i++) {
		next = (log + i) % JOURNAL_LOGS_MAX;
		if (log_runs_in(runs, next))
			return next;
	}
	return log;
}
