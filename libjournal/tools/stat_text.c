/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>

#include "stat.h"
#include "words.h"

#define STAT_CHARS 24

/* three digits and a unit: "131ns", "12.3us", "1.20s"; "-" for 0 */
static const char *stat_time(uint64_t ns, char text[STAT_CHARS])
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double value = (double)ns;
	unsigned int unit = 0;

	while (value >= 999.5 && unit < 3) {
		value /= 1000;
		unit++;
	}
	(void)snprintf(text, STAT_CHARS, "%.*f%s", !unit || value >= 99.95 ? 0 :
		       value >= 9.995 ? 1 : 2, value, units[unit]);
	if (!ns)
		(void)snprintf(text, STAT_CHARS, "-");
	return text;
}

/* "512", "1.2K", "12.3M": powers of 1024 */
static const char *stat_size(double bytes, char text[STAT_CHARS])
{
	static const char units[] = " KMGTPE";
	unsigned int unit = 0;

	while (bytes >= 1023.95 && unit < 6) {
		bytes /= 1024;
		unit++;
	}
	if (unit)
		(void)snprintf(text, STAT_CHARS, "%.1f%c", bytes, units[unit]);
	else
		(void)snprintf(text, STAT_CHARS, "%.0f", bytes);
	return text;
}

static void stat_head(const char *dir, const struct stat_report *report)
{
	char time[WORDS_TIME_CHARS];

	words_time(report->time_ns, time);
	printf("%s  %s  over %.2f s, %" PRIu32 " %s\n", time, dir, report->seconds,
	       report->info->members, report->info->members == 1 ? "writer" : "writers");
}

static void stat_table(const struct stat_report *report)
{
	char text[5][STAT_CHARS];

	printf("%-8s %12s %8s %8s %8s %8s %8s\n", "", "per_s", "p50", "p90", "p99", "p99.9",
	       "max");
	for (int i = 0; i < JOURNAL_TIMED; i++) {
		const struct stat_calls *calls = &report->calls[i];

		printf("%-8s %12.1f %8s %8s %8s %8s %8s\n",
		       journal_times_name((enum journal_timed)i), calls->per_s,
		       stat_time(calls->p50_ns, text[0]), stat_time(calls->p90_ns, text[1]),
		       stat_time(calls->p99_ns, text[2]), stat_time(calls->p999_ns, text[3]),
		       stat_time(calls->max_ns, text[4]));
	}
}

static void stat_ratio(double ratio)
{
	if (ratio >= 0)
		printf("%.2f", ratio);
	else
		printf("-");
}

static void stat_lines(const struct stat_report *r)
{
	const struct journal_info *info = r->info;
	char text[2][STAT_CHARS];

	printf("live:  %" PRIu64 ", %s; lost %" PRIu64 "; aborted %.1f/s\n", info->live,
	       stat_size((double)info->live_bytes, text[0]), info->lost + info->lost_unnamed,
	       r->aborts_per_s);
	if (info->stage_bytes)
		printf("stage: %.1f%% of %s; at risk %" PRIu64 ", %s, oldest %.1f s; retired "
		       "before the log %.1f/s; no room %.1f/s\n", r->stage_fill * 100,
		       stat_size((double)info->stage_bytes, text[0]), info->staged_live,
		       stat_size((double)info->staged_live_bytes, text[1]), r->oldest_s,
		       r->elided_per_s, r->no_lane_per_s);
	printf("log:   %.1f%% of %s; ", r->log_fill * 100,
	       stat_size((double)info->segments * (double)info->segment_bytes, text[0]));
	printf("writes %.1f/s, %s/s; ", r->writes_per_s, stat_size(r->written_per_s, text[0]));
	printf("dsync %.1f/s, flush %.1f/s, merged %.1f/s; reads %.1f/s, %s/s\n", r->dsyncs_per_s,
	       r->flushes_per_s, r->merged_per_s, r->reads_per_s,
	       stat_size(r->read_per_s, text[0]));
	printf("lines: %.1f%% of %" PRIu32 "\n", r->lines_fill * 100, info->lines);
	printf("clean: segments %.1f/s; moved %.1f/s, %s/s; write amplification ",
	       r->cleaned_per_s, r->moved_per_s, stat_size(r->moved_bytes_per_s, text[0]));
	stat_ratio(r->amplification);
	printf("; written for each byte ");
	stat_ratio(r->written);
	printf("\n");
}

void stat_text(const char *dir, const struct stat_report *report)
{
	stat_head(dir, report);
	stat_table(report);
	stat_lines(report);
	printf("\n");
}

void stat_nobody_text(uint64_t time_ns, const char *why)
{
	char time[WORDS_TIME_CHARS];

	words_time(time_ns, time);
	printf("%s  %s\n", time, why);
}
