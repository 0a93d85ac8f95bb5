/* SPDX-License-Identifier: BSD-3-Clause */
#include "serve_metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* One number.  A family is all that follow each other under one name. */
struct metric {
	const char *name;
	const char *help;
	const char *label; /* besides dir, or NULL */
	size_t offset;
	size_t bytes;
};

#define METRIC(name, field, label, help) \
	{ name, help, label, offsetof(struct journal_info, field), \
	  sizeof(((struct journal_info *)0)->field) }

/* a name that ends in _total is a counter's */
static const struct metric metrics[] = {
	METRIC("live_transactions", live, NULL, "Committed and not retired."),
	METRIC("live_bytes", live_bytes, NULL, "Payload of these."),
	METRIC("lost_transactions", lost, NULL, "Acknowledged, and damaged on their medium."),
	METRIC("lost_unnamed_transactions", lost_unnamed, NULL, "Lost, and their ids with them."),
	METRIC("staged_transactions", staged_live, NULL, "Live ones that only NVRAM holds."),
	METRIC("staged_bytes", staged_live_bytes, NULL, "Payload of these."),
	METRIC("stage_used_bytes", stage_used_bytes, NULL, "Of the stage, what is not free."),
	METRIC("stage_size_bytes", stage_bytes, NULL, "Size of the stage; 0 without NVRAM."),
	METRIC("abandoned", abandoned, NULL,
	       "1: NVRAM is not trusted and was given up: commits are synced."),
	METRIC("evacuated_transactions", evacuated, NULL,
	       "Brought from NVRAM to the log when it was given up."),
	METRIC("evacuated_lost_transactions", evacuated_lost, NULL,
	       "Of the stage, what could not be read then."),
	METRIC("returns", returns, NULL, "How often NVRAM was gone back to since."),
	METRIC("segments", segments, NULL, "Segments of the log."),
	METRIC("segments_free", segments_free, NULL, "Those that may be written."),
	METRIC("segment_size_bytes", segment_bytes, NULL, "Size of one."),
	METRIC("lines", lines, NULL, "Marker lines."),
	METRIC("lines_free", lines_free, NULL, "Those that may be taken."),
	METRIC("legs_out", legs_out, NULL, "Legs of mirrored logs that are not in use."),
	METRIC("members", members, NULL, "Processes, or handles, that write it."),
	METRIC("commits_total", commits_staged, "path=\"staged\"", "Transactions committed."),
	METRIC("commits_total", commits_direct, "path=\"direct\"", NULL),
	METRIC("commits_total", commits_synced, "path=\"synced\"", NULL),
	METRIC("commits_no_lane_total", commits_no_lane, NULL,
	       "Commits that found no lane, or no room in one, and went another way."),
	METRIC("groups_total", groups, NULL, "Groups committed."),
	METRIC("aborts_total", aborts, NULL, "Transactions given up."),
	METRIC("retires_total", retires, NULL, "Transactions retired."),
	METRIC("retires_unfreed_total", retires_unfreed, NULL,
	       "Retires whose space is back at the next open."),
	METRIC("destaged_total", destaged, NULL, "Transactions moved from the stage to the log."),
	METRIC("elided_total", elided, NULL, "Transactions retired before that."),
	METRIC("log_payload_bytes_total", log_payload_bytes, NULL,
	       "Payload committed in the log or destaged to it."),
	METRIC("moved_total", moved, NULL, "Transactions moved by cleaning."),
	METRIC("moved_bytes_total", moved_bytes, NULL, "Payload of these."),
	METRIC("cleaned_total", cleaned, NULL, "Segments freed by cleaning."),
	METRIC("cleaned_not_total", cleaned_not, NULL, "Segments that cleaning had to leave."),
	METRIC("checkpoints_total", checkpoints, NULL, "Checkpoints made."),
	METRIC("lines_cleaned_total", lines_cleaned, NULL, "Marker lines freed by cleaning."),
	METRIC("lines_cleaned_not_total", lines_cleaned_not, NULL,
	       "Marker lines that cleaning had to leave."),
	METRIC("rehomed_total", rehomed, NULL, "Transactions moved to another marker line."),
	METRIC("takeovers_total", takeovers, NULL, "Killed processes taken over."),
	METRIC("line_recycles_total", line_recycles, NULL, "Lines taken again."),
	METRIC("segment_recycles_total", segment_recycles, NULL, "Segments taken again."),
	METRIC("payload_bytes_total", payload_bytes, NULL, "Payload committed."),
	METRIC("log_writes_total", log_writes, NULL, "Writes to the log."),
	METRIC("log_written_bytes_total", log_bytes_written, NULL, "Bytes of these."),
	METRIC("log_dsync_writes_total", log_dsyncs, NULL, "Those with DSYNC."),
	METRIC("log_flushes_total", log_flushes, NULL, "Flushes of the log."),
	METRIC("log_merged_flushes_total", log_merged, NULL,
	       "Flushes that were served by another's."),
	METRIC("copies_damaged_total", copies_damaged, NULL,
	       "Copies in mirrored logs that did not verify, and the other one did."),
	METRIC("copies_repaired_total", copies_repaired, NULL, "Those written anew."),
	METRIC("log_reads_total", log_reads, NULL, "Reads from the log."),
	METRIC("log_read_bytes_total", log_bytes_read, NULL, "Bytes of these."),
	{ 0 },
};

static const char prefix[] = "libjournal_";

static uint64_t metric_value(const struct journal_info *info, const struct metric *metric)
{
	const char *field = (const char *)info + metric->offset;
	uint64_t wide = 0;
	uint32_t narrow;

	if (metric->bytes == sizeof(wide)) {
		memcpy(&wide, field, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, field, sizeof(narrow));
	return narrow;
}

static void metrics_typed(FILE *file, const char *name, const char *help, const char *type)
{
	fprintf(file, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, name, help, prefix, name, type);
}

static void metrics_head(FILE *file, const char *name, const char *help)
{
	size_t chars = strlen(name), tail = strlen("_total");
	int counter = chars > tail && !strcmp(name + chars - tail, "_total");

	metrics_typed(file, name, help, counter ? "counter" : "gauge");
}

/* a label's value: backslash, quote and newline are escaped */
static void metrics_label(FILE *file, const char *name, const char *value)
{
	fprintf(file, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", file);
		else if (*value == '"' || *value == '\\')
			fprintf(file, "\\%c", *value);
		else
			fputc(*value, file);
	}
	fputc('"', file);
}

static void metrics_numbers(FILE *file, const char *dir, const struct journal_info *info)
{
	const struct metric *metric;

	for (metric = metrics; metric->name; metric++) {
		if (metric->help)
			metrics_head(file, metric->name, metric->help);
		fprintf(file, "%s%s{", prefix, metric->name);
		metrics_label(file, "dir", dir);
		fprintf(file, "%s%s} %" PRIu64 "\n", metric->label ? "," : "",
			metric->label ? metric->label : "", metric_value(info, metric));
	}
}

static void metrics_age(FILE *file, const char *dir, const struct journal_info *info)
{
	struct timespec now;
	double age = 0;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (info->staged_oldest_time_ns)
		age = (double)now.tv_sec + (double)now.tv_nsec / 1e9 -
		      (double)info->staged_oldest_time_ns / 1e9;
	metrics_head(file, "staged_oldest_age_seconds",
		     "Since the commit of the oldest that only NVRAM holds; 0 none.");
	fprintf(file, "%sstaged_oldest_age_seconds{", prefix);
	metrics_label(file, "dir", dir);
	fprintf(file, "} %.3f\n", age > 0 ? age : 0);
}

static void metrics_medium(FILE *file, const char *dir, const char *what,
			   const struct journal_medium *medium)
{
	fprintf(file, "%smedium_failed{", prefix);
	metrics_label(file, "dir", dir);
	fputc(',', file);
	metrics_label(file, "medium", what);
	fputc(',', file);
	metrics_label(file, "name", medium->name);
	fprintf(file, "} %d\n", medium->failed != 0);
}

/* ---- histograms --------------------------------------------------------------- */

#define LE_FIRST_NS 64ull /* then each power of two, to 69 s: bucket limits, too */
#define LE_LAST_NS  (1ull << 36)

static void metrics_call(FILE *file, const char *dir, const char *part, const char *call)
{
	fprintf(file, "%scall_seconds%s{", prefix, part);
	metrics_label(file, "dir", dir);
	fputc(',', file);
	metrics_label(file, "call", call);
}

static void metrics_buckets(FILE *file, const char *dir, const char *call,
			    const struct journal_times *times)
{
	uint64_t le, below = 0;
	unsigned int i = 0;

	for (le = LE_FIRST_NS; le <= LE_LAST_NS; le *= 2) {
		for (; i < JOURNAL_TIME_BUCKETS && journal_times_from(i + 1) <= le; i++)
			below += times->bucket[i];
		metrics_call(file, dir, "_bucket", call);
		fprintf(file, ",le=\"%.9g\"} %" PRIu64 "\n", (double)le / 1e9, below);
	}
	metrics_call(file, dir, "_bucket", call);
	fprintf(file, ",le=\"+Inf\"} %" PRIu64 "\n", times->count);
}

static void metrics_times(FILE *file, const char *dir, struct journal *journal)
{
	struct journal_times times;
	const char *call;

	metrics_typed(file, "call_seconds", "How long calls took; of the quick ones, a sample.",
		      "histogram");
	for (int i = 0; i < JOURNAL_TIMED; i++) {
		if (journal_times(journal, (enum journal_timed)i, &times))
			continue;
		call = journal_times_name((enum journal_timed)i);
		metrics_buckets(file, dir, call, &times);
		metrics_call(file, dir, "_sum", call);
		fprintf(file, "} %.9f\n", (double)times.sum_ns / 1e9);
		metrics_call(file, dir, "_count", call);
		fprintf(file, "} %" PRIu64 "\n", times.count);
	}
}

/* ---- all of them ---------------------------------------------------------------- */

static void metrics_print(FILE *file, const char *dir, struct journal *journal,
			  const struct journal_info *info)
{
	uint32_t i;

	metrics_numbers(file, dir, info);
	metrics_age(file, dir, info);
	metrics_head(file, "medium_failed", "1: the medium has failed, and stays so.");
	metrics_medium(file, dir, "marker", &info->marker);
	for (i = 0; i < info->log_count; i++)
		metrics_medium(file, dir, "log", &info->logs[i]);
	metrics_times(file, dir, journal);
}

/* Return: 0, with all in the file behind @fd, which is closed; or a negative errno */
static int metrics_fill(int fd, const char *dir, struct journal *journal,
			const struct journal_info *info)
{
	FILE *file = fdopen(fd, "w");
	int error = 0;

	if (!file) {
		error = -errno;
		(void)close(fd);
		return error;
	}
	/* others read it: the agent is another user */
	if (fchmod(fd, 0644))
		error = -errno;
	metrics_print(file, dir, journal, info);
	if (fflush(file) || ferror(file))
		error = -errno;
	if (fclose(file) && !error)
		error = -errno;
	return error;
}

int serve_metrics_path(const char *path, char real[PATH_MAX])
{
	struct stat about;

	if (stat(path, &about))
		return snprintf(real, PATH_MAX, "%s", path) < PATH_MAX ? 0 : -ENAMETOOLONG;
	if (!S_ISREG(about.st_mode))
		return -EEXIST;
	return realpath(path, real) ? 0 : -errno;
}

int serve_metrics_write(const char *path, const char *dir, struct journal *journal,
			const struct journal_info *info)
{
	char real[PATH_MAX], temporary[PATH_MAX + sizeof(".XXXXXX")];
	int error = serve_metrics_path(path, real);
	int fd;

	if (error)
		return error;
	(void)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", real);
	fd = mkstemp(temporary);
	if (fd < 0)
		return -errno;
	error = metrics_fill(fd, dir, journal, info);
	/* what was put there meanwhile, too, is no file of ours to replace */
	if (!error)
		error = serve_metrics_path(path, real);
	/* no sync: after a crash there are new numbers */
	if (!error && rename(temporary, real))
		error = -errno;
	if (error)
		(void)unlink(temporary);
	return error;
}
