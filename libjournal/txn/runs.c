/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/runs.h"

#include "txn/logs.h"
#include "txn/segment.h"

#define ROOM_LEAST 4096u
#define ROOM_TIMES 16u

uint32_t runs_room(const struct journal *j)
{
	uint64_t end = log_runs_end(&j->conf.runs);

	/* address space, and a number of each member's for each: holds.h */
	return (uint32_t)min_u64(max_u64(ROOM_TIMES * end, ROOM_LEAST), LOG_NUMBERS_MAX);
}

void runs_place(struct journal *j, const struct log_run *run, uint32_t from, uint32_t to)
{
	const struct log_geometry g = { .segment_bytes = j->segment_bytes };
	struct segment *segment;

	for (; from < to; from++) {
		segment = &j->segments.all[log_run_number(run, from)];
		segment->log = run->log;
		segment->base = log_run_offset(run, &g, from);
	}
}

/* of @log, whose index so far is *@index */
static void runs_point_run(struct journal *j, const struct log_runs *runs,
			   const struct log_run *run, uint32_t *index)
{
	const struct log_geometry g = { .digest_bytes = j->digest_bytes };
	uint32_t i, next = log_runs_next(runs, run->log);

	for (i = 0; i < run->count; i++, ++*index)
		atomic_store(&j->segments.all[log_run_number(run, i)].second,
			     runs_second(next, log_runs_digest(runs, &g, next, *index)));
}

void runs_point_seconds(struct journal *j, const struct log_runs *runs)
{
	uint32_t index[JOURNAL_LOGS_MAX] = { 0 }, i;

	for (i = 0; i < runs->count; i++)
		runs_point_run(j, runs, &runs->of[i], &index[runs->of[i].log]);
}

bool runs_find(const struct log_runs *runs, uint32_t number, uint32_t *log, uint32_t *index)
{
	uint32_t before[JOURNAL_LOGS_MAX] = { 0 }, i;
	const struct log_run *run;

	for (run = runs->of; run < runs->of + runs->count; run++) {
		i = (number - run->first) / run->stride;
		if (number >= run->first && i < run->count &&
		    log_run_number(run, i) == number) {
			*log = run->log;
			*index = before[run->log] + i;
			return true;
		}
		before[run->log] += run->count;
	}
	return false;
}

/* Never resized, there may be less than a segment behind them. */
static uint64_t runs_log_bytes(const struct journal *j, uint32_t log)
{
	const struct log_geometry *g = &j->log_geometry[log];
	uint64_t bytes = log_runs_bytes(&j->conf.runs, g, log);

	return j->resized ? bytes : max_u64(bytes, min_u64(g->bytes, j->logs[log]->bytes));
}

static void runs_logs(struct journal *j)
{
	uint32_t log;

	atomic_store(&j->shared->logs_end, j->conf.log_count);
	for (log = 0; log < j->conf.log_count; log++)
		if (conf_has_log(&j->conf, log))
			atomic_store(&j->shared->log_bytes[log], runs_log_bytes(j, log));
		else
			atomic_fetch_or(&j->shared->logs_removed, 1u << log);
}

int runs_begin(struct journal *j)
{
	const struct log_runs *runs = &j->conf.runs;
	uint32_t i, end = log_runs_end(runs);
	int error = shared_segments_ready(j, 0, end);

	if (error)
		return error;
	for (i = 0; i < runs->count; i++)
		runs_place(j, &runs->of[i], 0, runs->of[i].count);
	runs_point_seconds(j, runs);
	runs_logs(j);
	atomic_store(&j->shared->segments_usable, log_runs_total(runs));
	atomic_store(&j->shared->segments_end, end);
	return 0;
}
