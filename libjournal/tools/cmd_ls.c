/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl ls: the live transactions. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "arguments.h"
#include "jnl.h"
#include "json.h"
#include "output.h"
#include "progress.h"
#include "words.h"

static void ls_text(const struct journal_entry *entry, const char *id, const char *time)
{
	printf("%s %10" PRIu64 " %s %s %s\n", id, entry->bytes, time,
	       words_state_name(entry->state), words_path_name(entry->path));
}

static int ls_json(const struct journal_entry *entry, const char *id, const char *time)
{
	struct json_object *object = json_object_new_object();

	if (!object)
		return -ENOMEM;
	json_object_object_add(object, "id", json_object_new_string(id));
	json_object_object_add(object, "bytes", json_object_new_uint64(entry->bytes));
	json_object_object_add(object, "time",
			       entry->time_ns ? json_object_new_string(time) : NULL);
	json_object_object_add(object, "state",
			       json_object_new_string(words_state_name(entry->state)));
	json_object_object_add(object, "path",
			       json_object_new_string(words_path_name(entry->path)));
	json_write(object, JSON_C_TO_STRING_PLAIN);
	return 0;
}

/* The array is written entry by entry: a journal may hold millions. */
static int ls_entries(struct journal *journal, bool json, struct progress *progress)
{
	struct journal_info info = { 0 };
	struct journal_entry entry = { 0 };
	const char *separator = "[";
	uint64_t after = 0, count = 0;
	int err;

	(void)journal_info(journal, &info);
	while (!(err = journal_next(journal, after, &entry)) && !ferror(stdout)) {
		char id[JOURNAL_ID_CHARS], time[WORDS_TIME_CHARS];

		journal_id_print(entry.id, id);
		words_time(entry.time_ns, time);
		if (json) {
			fputs(separator, stdout);
			err = ls_json(&entry, id, time);
		} else {
			ls_text(&entry, id, time);
		}
		if (err)
			return err;
		separator = ",\n";
		after = entry.id;
		count++;
		progress_count(progress, count, count, info.live + info.lost);
	}
	if (json)
		fputs(after ? "]\n" : "[]\n", stdout);
	return err == -ENOENT ? 0 : err;
}

/* What was lost together with its id cannot be listed, and must not be silent; nor a
 * log that is not there. */
static bool ls_tell_lost(struct journal *journal, const char *dir)
{
	struct journal_info info;

	return !journal_info(journal, &info) && jnl_tell_lost(&info, dir);
}

int cmd_ls(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	struct journal *journal;
	struct progress progress;
	int status = JNL_DONE, err;

	arguments_dir(argc, argv,
		      "List the live transactions of the journal in DIR: id, bytes, time, state "
		      "(live, or lost: damaged on its medium) and where it is."
		      "\vExits 3 when a log is not there, and some are lost with it.",
		      true, &arguments);
	journal = jnl_open(arguments.dir, JOURNAL_RDONLY);
	if (!journal)
		return JNL_REFUSED;
	progress_start_beside_output(&progress, "listing");
	err = ls_entries(journal, arguments.json, &progress);
	progress_end();
	if (err) {
		jnl_error("%s", journal_error(journal));
		status = JNL_REFUSED;
	}
	if (output_flush())
		status = JNL_REFUSED;
	if (ls_tell_lost(journal, arguments.dir) && status == JNL_DONE)
		status = JNL_DAMAGE;
	return jnl_close(journal, status);
}
