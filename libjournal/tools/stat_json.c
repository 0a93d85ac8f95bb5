/* SPDX-License-Identifier: BSD-3-Clause */
/* A report is an object, in one line. */
#include <stdio.h>

#include "json.h"
#include "stat.h"
#include "words.h"

static void add_number(struct json_object *object, const char *name, uint64_t number)
{
	json_object_object_add(object, name, json_object_new_uint64(number));
}

/* as many digits as say something: no 0.10000000000000001 */
static void add_real(struct json_object *object, const char *name, double number)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%.9g", number);
	json_object_object_add(object, name, json_object_new_double_s(number, text));
}

static struct json_object *stat_object(uint64_t time_ns, int in_use)
{
	struct json_object *object = json_object_new_object();
	char time[WORDS_TIME_CHARS];

	words_time(time_ns, time);
	json_object_object_add(object, "time", json_object_new_string(time));
	json_object_object_add(object, "in_use", json_object_new_boolean(in_use));
	return object;
}

static void stat_print(struct json_object *object)
{
	json_write(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	putchar('\n');
}

static struct json_object *calls_json(const struct stat_report *report)
{
	struct json_object *all = json_object_new_object(), *one;

	for (int i = 0; i < JOURNAL_TIMED; i++) {
		const struct stat_calls *calls = &report->calls[i];

		one = json_object_new_object();
		add_real(one, "per_s", calls->per_s);
		add_number(one, "count", calls->count);
		add_number(one, "p50_ns", calls->p50_ns);
		add_number(one, "p90_ns", calls->p90_ns);
		add_number(one, "p99_ns", calls->p99_ns);
		add_number(one, "p999_ns", calls->p999_ns);
		add_number(one, "max_ns", calls->max_ns);
		json_object_object_add(all, journal_times_name((enum journal_timed)i), one);
	}
	return all;
}

static struct json_object *stage_json(const struct stat_report *report)
{
	const struct journal_info *info = report->info;
	struct json_object *object = json_object_new_object();

	add_number(object, "bytes", info->stage_bytes);
	add_number(object, "used_bytes", info->stage_used_bytes);
	add_real(object, "fill", report->stage_fill);
	add_number(object, "live", info->staged_live);
	add_number(object, "live_bytes", info->staged_live_bytes);
	add_real(object, "oldest_s", report->oldest_s);
	add_real(object, "elided_per_s", report->elided_per_s);
	add_real(object, "no_room_per_s", report->no_lane_per_s);
	return object;
}

static struct json_object *log_json(const struct stat_report *report)
{
	const struct journal_info *info = report->info;
	struct json_object *object = json_object_new_object();

	add_number(object, "bytes", info->segments * info->segment_bytes);
	add_number(object, "segments", info->segments);
	add_number(object, "segments_free", info->segments_free);
	add_real(object, "fill", report->log_fill);
	add_real(object, "writes_per_s", report->writes_per_s);
	add_real(object, "written_bytes_per_s", report->written_per_s);
	add_real(object, "dsyncs_per_s", report->dsyncs_per_s);
	add_real(object, "unsynced_per_s", report->unsynced_per_s);
	add_real(object, "flushes_per_s", report->flushes_per_s);
	add_real(object, "merged_per_s", report->merged_per_s);
	add_real(object, "reads_per_s", report->reads_per_s);
	add_real(object, "read_bytes_per_s", report->read_per_s);
	return object;
}

static void add_ratio(struct json_object *object, const char *name, double ratio)
{
	if (ratio >= 0)
		add_real(object, name, ratio);
	else
		json_object_object_add(object, name, NULL);
}

static struct json_object *clean_json(const struct stat_report *report)
{
	struct json_object *object = json_object_new_object();

	add_real(object, "segments_per_s", report->cleaned_per_s);
	add_real(object, "moved_per_s", report->moved_per_s);
	add_real(object, "moved_bytes_per_s", report->moved_bytes_per_s);
	add_ratio(object, "write_amplification", report->amplification);
	add_ratio(object, "written_per_payload_byte", report->written);
	return object;
}

void stat_json(const struct stat_report *report)
{
	const struct journal_info *info = report->info;
	struct json_object *object = stat_object(report->time_ns, 1);
	struct json_object *lines = json_object_new_object();

	add_real(object, "seconds", report->seconds);
	add_number(object, "members", info->members);
	json_object_object_add(object, "calls", calls_json(report));
	add_number(object, "live", info->live);
	add_number(object, "live_bytes", info->live_bytes);
	add_number(object, "lost", info->lost + info->lost_unnamed);
	add_real(object, "aborts_per_s", report->aborts_per_s);
	json_object_object_add(object, "stage", stage_json(report));
	json_object_object_add(object, "log", log_json(report));
	add_number(lines, "lines", info->lines);
	add_number(lines, "lines_free", info->lines_free);
	add_real(lines, "fill", report->lines_fill);
	json_object_object_add(object, "lines", lines);
	json_object_object_add(object, "clean", clean_json(report));
	stat_print(object);
}

void stat_nobody_json(uint64_t time_ns, const char *why)
{
	struct json_object *object = stat_object(time_ns, 0);

	json_object_object_add(object, "why", json_object_new_string(why));
	stat_print(object);
}
