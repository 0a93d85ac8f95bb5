/* SPDX-License-Identifier: BSD-3-Clause */
#include "stat.h"

#include <string.h>
#include <time.h>

static uint64_t stat_clock(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

int stat_take(struct journal *journal, struct stat_look *look)
{
	int err = journal_info(journal, &look->info);

	for (int i = 0; i < JOURNAL_TIMED && !err; i++)
		err = journal_times(journal, (enum journal_timed)i, &look->times[i]);
	look->at_ns = stat_clock(CLOCK_MONOTONIC);
	look->time_ns = stat_clock(CLOCK_REALTIME);
	return err;
}

/* ---- what came between ------------------------------------------------------ */

/* what was counted before; without a look before nothing was */
struct stat_since {
	const struct journal_info *now, *before;
	double seconds;
};

static const struct journal_info stat_none;

static double stat_rate(const struct stat_since *since, uint64_t now, uint64_t before)
{
	/* counters are read one after the other while others count: never backwards */
	return since->seconds > 0 && now > before ? (double)(now - before) / since->seconds : 0;
}

#define STAT_RATE(since, field) \
	stat_rate(since, (since)->now->field, (since)->before->field)

/* Not known between two looks: but where the bucket of the longest ends, and no longer
 * than the longest @ever. */
static uint64_t stat_longest(const struct journal_times *times, uint64_t ever)
{
	for (unsigned int i = JOURNAL_TIME_BUCKETS; i > 0; i--)
		if (times->bucket[i - 1] && (!ever || journal_times_from(i) <= ever))
			return journal_times_from(i) - 1;
		else if (times->bucket[i - 1])
			return ever;
	return 0;
}

static void stat_calls(struct journal_times *times, uint64_t ever, double seconds,
		       struct stat_calls *calls)
{
	if (!times->max_ns)
		times->max_ns = stat_longest(times, ever);
	calls->per_s = seconds > 0 ? (double)times->count / seconds : 0;
	calls->count = times->count;
	calls->p50_ns = journal_times_percentile(times, 50);
	calls->p90_ns = journal_times_percentile(times, 90);
	calls->p99_ns = journal_times_percentile(times, 99);
	calls->p999_ns = journal_times_percentile(times, 99.9);
	calls->max_ns = times->max_ns;
}

/* Where there are exact counts, these. */
static void stat_exact(const struct stat_since *since, struct stat_calls *calls)
{
	calls[JOURNAL_TIMED_STAGED].per_s = STAT_RATE(since, commits_staged);
	calls[JOURNAL_TIMED_DIRECT].per_s = STAT_RATE(since, commits_direct);
	calls[JOURNAL_TIMED_SYNCED].per_s = STAT_RATE(since, commits_synced);
	calls[JOURNAL_TIMED_GROUP].per_s = STAT_RATE(since, groups);
	calls[JOURNAL_TIMED_RETIRE].per_s = STAT_RATE(since, retires);
	calls[JOURNAL_TIMED_DESTAGE].per_s = STAT_RATE(since, destaged);
}

static void stat_rates(const struct stat_since *since, struct stat_report *report)
{
	report->elided_per_s = STAT_RATE(since, elided);
	report->aborts_per_s = STAT_RATE(since, aborts);
	report->no_lane_per_s = STAT_RATE(since, commits_no_lane);
	report->writes_per_s = STAT_RATE(since, log_writes);
	report->written_per_s = STAT_RATE(since, log_bytes_written);
	report->flushes_per_s = STAT_RATE(since, log_flushes);
	report->merged_per_s = STAT_RATE(since, log_merged);
	report->dsyncs_per_s = STAT_RATE(since, log_dsyncs);
	report->unsynced_per_s = STAT_RATE(since, log_unsynced);
	report->reads_per_s = STAT_RATE(since, log_reads);
	report->read_per_s = STAT_RATE(since, log_bytes_read);
	report->cleaned_per_s = STAT_RATE(since, cleaned);
	report->moved_per_s = STAT_RATE(since, moved);
	report->moved_bytes_per_s = STAT_RATE(since, moved_bytes);
}

static void stat_amplify(const struct stat_since *since, struct stat_report *report)
{
	double payload = STAT_RATE(since, log_payload_bytes);
	double committed = STAT_RATE(since, payload_bytes);

	report->amplification = -1;
	report->written = -1;
	if (payload > 0)
		report->amplification = (payload + report->moved_bytes_per_s) / payload;
	if (committed > 0)
		report->written = report->written_per_s / committed;
}

/* ---- what is now -------------------------------------------------------------- */

static double stat_share(uint64_t part, uint64_t all)
{
	return all ? (double)part / (double)all : 0;
}

static void stat_now(const struct stat_look *now, struct stat_report *report)
{
	const struct journal_info *info = &now->info;

	report->stage_fill = stat_share(info->stage_used_bytes, info->stage_bytes);
	report->log_fill = stat_share(info->segments - info->segments_free, info->segments);
	report->lines_fill = stat_share(info->lines - info->lines_free, info->lines);
	if (info->staged_oldest_time_ns && info->staged_oldest_time_ns < now->time_ns)
		report->oldest_s = (double)(now->time_ns - info->staged_oldest_time_ns) / 1e9;
}

void stat_make(const struct stat_look *now, const struct stat_look *before,
	       struct stat_report *report)
{
	struct stat_since since = { &now->info, before ? &before->info : &stat_none, 0 };
	uint64_t began = now->info.since_ns;

	if (before)
		since.seconds = (double)(now->at_ns - before->at_ns) / 1e9;
	else if (now->time_ns > began)
		since.seconds = (double)(now->time_ns - began) / 1e9;
	memset(report, 0, sizeof(*report));
	report->info = &now->info;
	report->time_ns = now->time_ns;
	report->seconds = since.seconds;
	for (int i = 0; i < JOURNAL_TIMED; i++) {
		struct journal_times times = now->times[i];

		if (before)
			journal_times_since(&times, &before->times[i]);
		stat_calls(&times, now->times[i].max_ns, since.seconds, &report->calls[i]);
	}
	stat_exact(&since, report->calls);
	stat_rates(&since, report);
	stat_amplify(&since, report);
	stat_now(now, report);
}
