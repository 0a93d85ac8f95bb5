/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl rescue: a journal of what the log alone has. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "jnl.h"
#include "json.h"
#include "output.h"
#include "progress.h"
#include "words.h"

struct rescue {
	const char *dir;
	char marker[PATH_MAX];
	bool yes, json, refused;
	struct journal_marker_options options;
	struct json_object *list; /* NULL: text */
	uint64_t count[JOURNAL_DOUBT_LOST + 1];
};

enum rescue_key { RESCUE_JSON = 256, RESCUE_ASSUME };

static void rescue_marker(struct argp_state *state, struct rescue *rescue, const char *value)
{
	int err = words_marker(value, rescue->marker, sizeof(rescue->marker));

	if (err == -EINVAL) {
		jnl_error("--marker %s: no marker URI: file:PATH, pmem:PATH or sim:PATH", value);
		rescue->refused = true;
	} else if (err) {
		arguments_refuse(state, "--marker %s: the path is too long", value);
	}
	rescue->options.marker = rescue->marker;
}

static error_t rescue_parse(int key, char *value, struct argp_state *state)
{
	struct rescue *rescue = state->input;

	switch (key) {
	case 'm':
		rescue_marker(state, rescue, value);
		return 0;
	case 's':
		arguments_size(state, value, &rescue->options.marker_bytes, &rescue->refused);
		return 0;
	case RESCUE_ASSUME:
		if (words_class(value, &rescue->options.assume_marker))
			arguments_refuse(state, "--assume-marker %s: it is process, os or power",
					 value);
		return 0;
	case 'f':
		rescue->options.force = 1;
		return 0;
	case 'y':
		rescue->yes = true;
		return 0;
	case 'n':
		rescue->options.dry_run = 1;
		return 0;
	case RESCUE_JSON:
		rescue->json = true;
		return 0;
	default:
		return arguments_only_dir(key, value, state, &rescue->dir);
	}
}

static const struct argp_option rescue_options[] = {
	{ "marker", 'm', "URI", 0,
	  "where the new markers are: file:PATH, pmem:PATH or sim:PATH (default: file: in DIR)",
	  0 },
	{ "size", 's', "BYTES", 0,
	  "of a pmem: or sim: file that is not there; takes K, M, G, T (default: 64M)", 0 },
	{ "assume-marker", RESCUE_ASSUME, "CLASS", 0,
	  "what the new medium survives, whatever the evidence: process, os or power", 0 },
	{ "force", 'f', NULL, 0,
	  "forget the markers of a journal that opens; write over other content of the new "
	  "medium, or of another journal's in place of this one's", 0 },
	{ "yes", 'y', NULL, 0, "do not ask", 0 },
	{ "dry-run", 'n', NULL, 0, "change nothing, print what would be there", 0 },
	{ "json", RESCUE_JSON, NULL, 0, "as an array of objects", 0 },
	{ 0 },
};

static const struct argp rescue_argp = {
	.options = rescue_options,
	.parser = rescue_parse,
	.args_doc = "DIR",
	.children = arguments_common,
	.doc = "Make a journal of what the log in DIR has, when its marker medium is dead, "
	       "missing, replaced, or an old image.  Prints each ID that will be in it, and what "
	       "of it cannot be decided; what is refused is refused before that."
	       "\vWhat was staged and not yet in the log is gone.  What was retired since may be "
	       "there again: retire it.  A damaged marker file in the place of the new one is "
	       "kept, as FILE.damaged-1 or the next number.  Asks first, if standard input is a "
	       "terminal; else --yes is needed.",
};

/* ---- the list -------------------------------------------------------------------- */

static const char *rescue_word(enum journal_doubt doubt)
{
	return doubt == JOURNAL_DOUBT_RETIRED ? "retired?" :
	       doubt == JOURNAL_DOUBT_LOST    ? "lost" :
						"committed?";
}

static void rescue_object(struct rescue *rescue, const struct journal_entry *entry,
			  const char *id, const char *time, enum journal_doubt doubt)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "id", json_object_new_string(id));
	json_object_object_add(object, "doubt", json_object_new_string(rescue_word(doubt)));
	json_object_object_add(object, "bytes", json_object_new_int64((int64_t)entry->bytes));
	json_object_object_add(object, "time", json_object_new_string(time));
	json_object_array_add(rescue->list, object);
}

static void rescue_undecided(void *context, const struct journal_entry *entry,
			     enum journal_doubt doubt)
{
	struct rescue *rescue = context;
	char id[JOURNAL_ID_CHARS], time[WORDS_TIME_CHARS];

	rescue->count[doubt]++;
	if (!rescue->options.dry_run && !rescue->yes)
		return; /* told when it was asked */
	journal_id_print(entry->id, id);
	words_time(entry->time_ns, time);
	progress_end();
	if (rescue->list)
		rescue_object(rescue, entry, id, time, doubt);
	else
		printf("%s %-10s %10" PRIu64 " %s\n", id, rescue_word(doubt), entry->bytes, time);
}

/* ---- doing it ---------------------------------------------------------------------- */

/* A list without a line could be anything. */
static void rescue_empty(const struct rescue *rescue)
{
	if (!rescue->count[JOURNAL_DOUBT_RETIRED] && !rescue->count[JOURNAL_DOUBT_COMMITTED] &&
	    !rescue->count[JOURNAL_DOUBT_LOST])
		jnl_error("%s: the log has no transaction that may live: the journal %s empty; "
			  "what was in the stage of its NVRAM only, if anything, %s gone",
			  rescue->dir, rescue->options.dry_run ? "would be" : "is",
			  rescue->options.dry_run ? "would be" : "is");
}

static int rescue_call(struct rescue *rescue)
{
	struct progress progress;
	char message[512] = "";
	int err;

	memset(rescue->count, 0, sizeof(rescue->count));
	rescue->list = rescue->json ? json_object_new_array() : NULL;
	rescue->options.undecided = rescue_undecided;
	rescue->options.context = rescue;
	progress_start(&progress, "reading the log");
	rescue->options.progress = progress_callback(&progress);
	err = journal_rescue(rescue->dir, &rescue->options, message, sizeof(message));
	progress_end();
	if (rescue->list && !err) {
		json_write(rescue->list, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
		putchar('\n');
	} else if (rescue->list) {
		json_object_put(rescue->list);
	}
	if (message[0])
		jnl_error("%s", message);
	if (!err) {
		rescue_empty(rescue);
		return JNL_DONE;
	}
	if (err == -EALREADY || (err == -EEXIST && strstr(message, "content")))
		fprintf(stderr, "(--force does it all the same)\n");
	return JNL_REFUSED;
}

static bool rescue_agreed(const struct rescue *rescue)
{
	char answer[64];

	fprintf(stderr, "%" PRIu64 " transactions that may have been retired, %" PRIu64
			" that may not have been committed, %" PRIu64 " lost.\n"
			"What was in the stage only is gone.  Go on (yes)? ",
		rescue->count[JOURNAL_DOUBT_RETIRED], rescue->count[JOURNAL_DOUBT_COMMITTED],
		rescue->count[JOURNAL_DOUBT_LOST]);
	return fgets(answer, sizeof(answer), stdin) && !strcmp(answer, "yes\n");
}

static int rescue_ask(struct rescue *rescue)
{
	int status;

	if (!isatty(STDIN_FILENO)) {
		jnl_error("%s: not rescued: nobody is there to be asked", rescue->dir);
		fprintf(stderr, "(--yes does not ask, --dry-run only tells)\n");
		return JNL_REFUSED;
	}
	rescue->options.dry_run = 1;
	status = rescue_call(rescue);
	rescue->options.dry_run = 0;
	if (status != JNL_DONE || output_flush())
		return JNL_REFUSED;
	if (rescue_agreed(rescue))
		return JNL_DONE;
	jnl_error("%s: not rescued", rescue->dir);
	return JNL_REFUSED;
}

int cmd_rescue(int argc, char **argv)
{
	struct rescue rescue = { 0 };
	int status = JNL_DONE;

	arguments_parse(&rescue_argp, argc, argv, &rescue);
	if (rescue.refused)
		return JNL_REFUSED;
	if (!rescue.yes && !rescue.options.dry_run) {
		status = rescue_ask(&rescue);
		rescue.json = false;
	}
	if (status == JNL_DONE)
		status = rescue_call(&rescue);
	return output_flush() ? JNL_REFUSED : status;
}
