/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl info: geometry, media, health, counters. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "arguments.h"
#include "jnl.h"
#include "json.h"
#include "output.h"
#include "words.h"

/* The numbers of struct journal_info, by name: told alike as text and as JSON. */
struct info_number {
	const char *name;
	size_t offset;
	size_t bytes;
	bool is_time; /* told as such; null, or left out, if 0 */
};

#define INFO_NUMBER(field)                                        \
	{ #field, offsetof(struct journal_info, field),           \
	  sizeof(((struct journal_info *)0)->field), false }
#define INFO_TIME(name, field)                                    \
	{ name, offsetof(struct journal_info, field), sizeof(uint64_t), true }

struct info_part {
	const char *name;
	const struct info_number *numbers;
};

static const struct info_number info_geometry[] = {
	INFO_NUMBER(lanes), INFO_NUMBER(lines), INFO_NUMBER(stage_bytes),
	INFO_NUMBER(stage_max_bytes), INFO_NUMBER(segments), INFO_NUMBER(segment_bytes),
	INFO_NUMBER(log_block_bytes), { 0 },
};

static const struct info_number info_now[] = {
	INFO_NUMBER(members), INFO_NUMBER(live), INFO_NUMBER(live_bytes), INFO_NUMBER(lost),
	INFO_NUMBER(lost_unnamed),
	INFO_NUMBER(legs_out), INFO_NUMBER(segments_free), INFO_NUMBER(lines_free),
	INFO_NUMBER(stage_used_bytes),
	INFO_NUMBER(staged_live),
	INFO_NUMBER(staged_live_bytes), INFO_TIME("staged_oldest_time", staged_oldest_time_ns),
	INFO_NUMBER(abandoned), INFO_TIME("distrusted_time", distrusted_time_ns),
	INFO_NUMBER(evacuated), INFO_NUMBER(evacuated_lost), INFO_NUMBER(returns), { 0 },
};

static const struct info_number info_counters[] = {
	INFO_TIME("since", since_ns), INFO_NUMBER(commits_staged), INFO_NUMBER(commits_direct),
	INFO_NUMBER(commits_synced), INFO_NUMBER(commits_no_lane), INFO_NUMBER(payload_bytes),
	INFO_NUMBER(groups), INFO_NUMBER(aborts), INFO_NUMBER(retires),
	INFO_NUMBER(retires_unfreed), INFO_NUMBER(destaged), INFO_NUMBER(elided),
	INFO_NUMBER(log_writes), INFO_NUMBER(log_bytes_written), INFO_NUMBER(log_flushes),
	INFO_NUMBER(log_merged), INFO_NUMBER(log_dsyncs), INFO_NUMBER(log_unsynced),
	INFO_NUMBER(log_reads), INFO_NUMBER(log_bytes_read), INFO_NUMBER(log_async),
	INFO_NUMBER(copies_damaged), INFO_NUMBER(copies_repaired),
	INFO_NUMBER(checkpoints), INFO_NUMBER(line_recycles), INFO_NUMBER(segment_recycles),
	INFO_NUMBER(log_payload_bytes), INFO_NUMBER(cleaned), INFO_NUMBER(cleaned_not),
	INFO_NUMBER(moved), INFO_NUMBER(moved_bytes),
	INFO_NUMBER(lines_cleaned), INFO_NUMBER(lines_cleaned_not), INFO_NUMBER(rehomed),
	INFO_NUMBER(takeovers), { 0 },
};

static const struct info_number info_recovery[] = {
	INFO_NUMBER(recovered), INFO_NUMBER(recovery_ns), INFO_NUMBER(recovery_log_bytes_read),
	INFO_NUMBER(torn), { 0 },
};

static const struct info_part info_parts[] = {
	{ "geometry", info_geometry },
	{ "now", info_now },
	{ "counters", info_counters },
	{ "recovery", info_recovery },
	{ 0 },
};

static uint64_t info_value(const struct journal_info *info, const struct info_number *number)
{
	const char *field = (const char *)info + number->offset;
	uint64_t wide = 0;
	uint32_t narrow;

	if (number->bytes == sizeof(wide)) {
		memcpy(&wide, field, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, field, sizeof(narrow));
	return narrow;
}

/* ---- text ---------------------------------------------------------------- */

static void info_medium_text(const char *what, const struct journal_medium *medium)
{
	printf("%s: %s\n", what, medium->name);
	printf("  backend: %s\n", medium->backend);
	printf("  routine: %s\n", medium->routine);
	printf("  class: %s%s\n", words_class_name(medium->survives),
	       medium->assumed ? " (asserted by the user)" : "");
	printf("  evidence: %s\n", medium->evidence);
	printf("  bytes: %" PRIu64 "\n", medium->bytes);
	if (medium->distrust[0])
		printf("  distrust: %s\n", medium->distrust);
	printf("  health: %s\n", medium->distrust[0] ? "not trusted" :
	       !medium->failed		   ? "good" :
			strerror(medium->failed < 0 ? -medium->failed : medium->failed));
}

static const char *info_leg_state(const struct journal_leg *leg)
{
	return leg->state == JOURNAL_LEG_GOOD	 ? "good" :
	       leg->state == JOURNAL_LEG_MISSING ? "missing" :
	       leg->state == JOURNAL_LEG_COPYING ? "being copied to" :
						   "out of date";
}

static void info_leg_text(const struct journal_leg *leg)
{
	char time[WORDS_TIME_CHARS];

	printf("  leg: %s\n", leg->medium.name);
	printf("    state: %s\n", info_leg_state(leg));
	if (leg->why[0])
		printf("    why: %s\n", leg->why);
	words_time(leg->left_time_ns, time);
	if (leg->left_time_ns)
		printf("    left: %s\n", time);
	printf("    class: %s%s\n", words_class_name(leg->medium.survives),
	       leg->medium.assumed ? " (asserted by the user)" : "");
	printf("    evidence: %s\n", leg->medium.evidence);
	printf("    damaged: %" PRIu64 "\n    repaired: %" PRIu64 "\n", leg->damaged,
	       leg->repaired);
	if (leg->damaged)
		printf("    damaged_offset: %" PRIu64 "\n", leg->damaged_offset);
	words_time(leg->repaired_time_ns, time);
	if (leg->repaired_time_ns)
		printf("    repaired_time: %s\n", time);
	if (leg->same_disk)
		printf("    same_disk: the other leg is on this disk, or file system, too\n");
}

static void info_logs_text(struct journal *journal, const struct journal_info *info)
{
	struct journal_leg legs[JOURNAL_LEGS];

	for (uint32_t i = 0; i < info->log_count; i++) {
		info_medium_text("log", &info->logs[i]);
		if (journal_legs(journal, i, legs))
			continue;
		for (unsigned int k = 0; k < JOURNAL_LEGS; k++)
			info_leg_text(&legs[k]);
	}
}

static void info_head_text(struct journal *journal, const struct journal_info *info)
{
	printf("uuid: %s\n", info->uuid);
	printf("format_version: %" PRIu32 "\n", info->format_version);
	printf("incarnation: %" PRIu32 "\n", info->incarnation);
	printf("require: %s\n", words_class_name(info->require));
	if (info->in_use_pid > 0)
		printf("in use by: pid %d\n", info->in_use_pid);
	else if (info->in_use_pid)
		printf("in use by: somebody who has yet to say\n");
	printf("index: %s%s\n", info->index_shared ? "shared" : "private: ", info->index_private);
	info_medium_text("marker", &info->marker);
	info_logs_text(journal, info);
}

static void info_number_text(const struct journal_info *info, const struct info_number *number)
{
	uint64_t value = info_value(info, number);
	char time[WORDS_TIME_CHARS];

	if (number->is_time && value) {
		words_time(value, time);
		printf("  %s: %s\n", number->name, time);
	} else if (!number->is_time &&
		   number->offset != offsetof(struct journal_info, recovery_ns)) {
		/* but for that one, which stands in the heading */
		printf("  %s: %" PRIu64 "\n", number->name, value);
	}
}

static void info_text(struct journal *journal, const struct journal_info *info)
{
	info_head_text(journal, info);
	for (const struct info_part *part = info_parts; part->name; part++) {
		printf("%s:", part->name);
		if (part->numbers == info_recovery)
			printf(" %.1f ms", (double)info->recovery_ns / 1e6);
		printf("\n");
		for (const struct info_number *number = part->numbers; number->name; number++)
			info_number_text(info, number);
	}
}

/* ---- JSON ---------------------------------------------------------------- */

static void info_add_text(struct json_object *object, const char *name, const char *text)
{
	json_object_object_add(object, name, json_object_new_string(text));
}

static void info_add_number(struct json_object *object, const char *name, uint64_t number)
{
	json_object_object_add(object, name, json_object_new_uint64(number));
}

static struct json_object *info_medium_json(const struct journal_medium *medium)
{
	struct json_object *object = json_object_new_object();

	info_add_text(object, "name", medium->name);
	info_add_text(object, "backend", medium->backend);
	info_add_text(object, "routine", medium->routine);
	info_add_text(object, "class", words_class_name(medium->survives));
	json_object_object_add(object, "assumed", json_object_new_boolean(medium->assumed));
	info_add_text(object, "evidence", medium->evidence);
	info_add_number(object, "bytes", medium->bytes);
	json_object_object_add(object, "failed", json_object_new_boolean(medium->failed));
	info_add_text(object, "distrust", medium->distrust);
	return object;
}

static void info_add_time(struct json_object *object, const char *name, uint64_t ns)
{
	char time[WORDS_TIME_CHARS];

	words_time(ns, time);
	json_object_object_add(object, name, ns ? json_object_new_string(time) : NULL);
}

static struct json_object *info_leg_json(const struct journal_leg *leg)
{
	struct json_object *object = info_medium_json(&leg->medium);

	info_add_text(object, "state", info_leg_state(leg));
	info_add_text(object, "why", leg->why);
	info_add_time(object, "left_time", leg->left_time_ns);
	info_add_number(object, "damaged", leg->damaged);
	info_add_number(object, "repaired", leg->repaired);
	info_add_number(object, "damaged_offset", leg->damaged_offset);
	info_add_time(object, "repaired_time", leg->repaired_time_ns);
	json_object_object_add(object, "same_disk", json_object_new_boolean(leg->same_disk));
	return object;
}

/* of a mirrored log: its legs */
static struct json_object *info_log_json(struct journal *journal, uint32_t log,
					 const struct journal_medium *medium)
{
	struct json_object *object = info_medium_json(medium), *array;
	struct journal_leg legs[JOURNAL_LEGS];

	if (journal_legs(journal, log, legs))
		return object;
	array = json_object_new_array();
	for (unsigned int i = 0; i < JOURNAL_LEGS; i++)
		json_object_array_add(array, info_leg_json(&legs[i]));
	json_object_object_add(object, "legs", array);
	return object;
}

static void info_media_json(struct json_object *object, struct journal *journal,
			    const struct journal_info *info)
{
	struct json_object *logs = json_object_new_array();

	json_object_object_add(object, "marker", info_medium_json(&info->marker));
	for (uint32_t i = 0; i < info->log_count; i++)
		json_object_array_add(logs, info_log_json(journal, i,
							  &info->logs[i]));
	json_object_object_add(object, "logs", logs);
}

static struct json_object *info_part_json(const struct journal_info *info,
					   const struct info_number *number)
{
	struct json_object *object = json_object_new_object();
	char time[WORDS_TIME_CHARS];
	uint64_t value;

	for (; number->name; number++) {
		value = info_value(info, number);
		words_time(value, time);
		if (!number->is_time)
			info_add_number(object, number->name, value);
		else if (value)
			info_add_text(object, number->name, time);
		else
			json_object_object_add(object, number->name, NULL);
	}
	return object;
}

static struct json_object *info_json(struct journal *journal, const struct journal_info *info)
{
	struct json_object *object = json_object_new_object();

	info_add_text(object, "uuid", info->uuid);
	info_add_number(object, "format_version", info->format_version);
	info_add_number(object, "incarnation", info->incarnation);
	info_add_text(object, "require", words_class_name(info->require));
	json_object_object_add(object, "in_use_pid", info->in_use_pid ?
			       json_object_new_int(info->in_use_pid) : NULL);
	json_object_object_add(object, "read_only", json_object_new_boolean(info->read_only));
	json_object_object_add(object, "index_shared",
			       json_object_new_boolean(info->index_shared));
	info_add_text(object, "index_private", info->index_private);
	info_media_json(object, journal, info);
	for (const struct info_part *part = info_parts; part->name; part++)
		json_object_object_add(object, part->name, info_part_json(info, part->numbers));
	return object;
}

static void info_print_json(struct journal *journal, const struct journal_info *info)
{
	json_write(info_json(journal, info), JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
						     JSON_C_TO_STRING_NOSLASHESCAPE);
	putchar('\n');
}

/* Return: whether some are lost with a log: then by id */
static bool info_tell_lost(struct journal *journal, const struct journal_info *info,
			   const char *dir)
{
	struct journal_entry entry = { 0 };
	char id[JOURNAL_ID_CHARS];

	if (!jnl_tell_lost(info, dir))
		return false;
	while (info->lost && !journal_next(journal, entry.id, &entry)) {
		journal_id_print(entry.id, id);
		if (entry.state == JOURNAL_LOST)
			jnl_error("%s: COMMITTED_BUT_LOST", id);
	}
	return true;
}

int cmd_info(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	struct journal_info info;
	struct journal *journal;
	int status = JNL_DONE;

	arguments_dir(argc, argv,
		      "Tell the geometry, media, durability class and evidence, persist routine, "
		      "health and counters of the journal in DIR."
		      "\vExits 3 when a log is not there, and transactions are lost with it.",
		      true, &arguments);
	journal = jnl_open(arguments.dir, JOURNAL_RDONLY);
	if (!journal)
		return JNL_REFUSED;
	if (journal_info(journal, &info)) {
		jnl_error("%s", journal_error(journal));
		return jnl_close(journal, JNL_REFUSED);
	}
	if (arguments.json)
		info_print_json(journal, &info);
	else
		info_text(journal, &info);
	if (info_tell_lost(journal, &info, arguments.dir))
		status = JNL_DAMAGE;
	if (output_flush())
		status = JNL_REFUSED;
	return jnl_close(journal, status);
}
