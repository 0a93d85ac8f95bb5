/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl resize: adds or removes segments and logs, while others use the journal. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arguments.h"
#include "jnl.h"
#include "output.h"
#include "progress.h"
#include "words.h"

enum resize_key { RESIZE_SIZE = 0x100, RESIZE_ADD, RESIZE_MIRROR, RESIZE_REMOVE, RESIZE_FORCE };

/* no more than there may be in all */
struct resize_paths {
	char path[JOURNAL_LOGS_MAX][PATH_MAX];
	const char *all[JOURNAL_LOGS_MAX];
	size_t count;
};

struct resize_command {
	const char *dir;
	struct journal_resize_options options;
	struct resize_paths add, mirror, remove;
	bool refused;
};

static const struct argp_option resize_options[] = {
	{ "size", RESIZE_SIZE, "BYTES", 0,
	  "of all logs together; takes K, M, G, T (default: each log stays as large as it is)",
	  0 },
	{ "add-log", RESIZE_ADD, "PATH", 0,
	  "one log more, in this directory or on this block device; may be given several times",
	  0 },
	{ "mirror", RESIZE_MIRROR, "PATH", 0,
	  "the log of the --add-log before is mirrored: its second leg, on another disk", 0 },
	{ "remove-log", RESIZE_REMOVE, "PATH", 0,
	  "empty and remove the log in this directory, or of this name; may be given several "
	  "times", 0 },
	{ "force", RESIZE_FORCE, NULL, 0, "a new log may write over other content", 0 },
	{ "dry-run", 'n', NULL, 0, "change nothing, print what would come of it", 0 },
	{ 0 },
};

/* A journal outlives the directory that this command was called in. */
static void resize_path(struct argp_state *state, const char *option, const char *value,
			struct resize_paths *paths)
{
	char here[PATH_MAX], *path = paths->path[paths->count];
	int length = -1;

	if (paths->count == JOURNAL_LOGS_MAX)
		arguments_refuse(state, "%s %s: at most %u are possible", option, value,
				 JOURNAL_LOGS_MAX);
	if (*value == '/')
		length = snprintf(path, PATH_MAX, "%s", value);
	else if (*value && getcwd(here, sizeof(here)))
		length = snprintf(path, PATH_MAX, "%s/%s", here, value);
	if (length < 0 || length >= PATH_MAX)
		arguments_refuse(state, "%s %s: no path", option, value);
	paths->all[paths->count++] = path;
}

static void resize_end(struct argp_state *state, const struct resize_command *command)
{
	if (!command->options.bytes && !command->refused && !command->add.count &&
	    !command->remove.count)
		arguments_refuse(state, "--size, --add-log or --remove-log is missing");
}

static error_t resize_parse(int key, char *value, struct argp_state *state)
{
	struct resize_command *command = state->input;
	error_t err;

	switch (key) {
	case RESIZE_SIZE:
		arguments_size(state, value, &command->options.bytes, &command->refused);
		return 0;
	case RESIZE_ADD:
		resize_path(state, "--add-log", value, &command->add);
		return 0;
	case RESIZE_MIRROR:
		if (!command->add.count || command->mirror.count >= command->add.count)
			arguments_refuse(state, "--mirror %s: no --add-log before it", value);
		command->mirror.count = command->add.count - 1;
		resize_path(state, "--mirror", value, &command->mirror);
		return 0;
	case RESIZE_REMOVE:
		resize_path(state, "--remove-log", value, &command->remove);
		return 0;
	case RESIZE_FORCE:
		command->options.force = 1;
		return 0;
	case 'n':
		command->options.dry_run = 1;
		return 0;
	default:
		err = arguments_only_dir(key, value, state, &command->dir);
	}
	if (key == ARGP_KEY_END)
		resize_end(state, command);
	return err;
}

static const struct argp resize_argp = {
	.options = resize_options,
	.parser = resize_parse,
	.args_doc = "DIR",
	.children = arguments_common,
	.doc = "Make the log of the journal in DIR larger or smaller, add logs, remove logs, "
	       "while others use it."
	       "\vWhat lives in what goes is moved first. After a crash in the middle the journal "
	       "has its size of before or after one of the steps, and the same command may be "
	       "given again, without an --add-log that was done: where a log of the journal is, "
	       "none is added.",
};

static void resize_print(const char *dir, bool dry_run, const struct journal_resized *r)
{
	printf("%s: %" PRIu64 " bytes, %" PRIu32 " segments in %" PRIu32 " %s%s\n", dir, r->bytes,
	       r->segments, r->logs, r->logs == 1 ? "log" : "logs",
	       dry_run ? ", it would be" : "");
	if (r->segments != r->segments_before || r->logs != r->logs_before)
		printf("%s: before: %" PRIu64 " bytes, %" PRIu32 " segments in %" PRIu32 " %s\n",
		       dir, r->bytes_before, r->segments_before, r->logs_before,
		       r->logs_before == 1 ? "log" : "logs");
}

static int resize_run(struct journal *journal, struct resize_command *command)
{
	struct journal_resized resized;
	struct progress progress;
	int err;

	progress_start(&progress, "resizing");
	command->options.progress = progress_callback(&progress);
	err = journal_resize(journal, &command->options, &resized);
	progress_end();
	if (err)
		jnl_error("%s", journal_error(journal));
	if (err == -EEXIST)
		fprintf(stderr, "(--force writes over it)\n");
	if (!err || resized.segments != resized.segments_before ||
	    resized.logs != resized.logs_before)
		resize_print(command->dir, command->options.dry_run, &resized);
	return output_flush() || err ? JNL_REFUSED : JNL_DONE;
}

int cmd_resize(int argc, char **argv)
{
	struct resize_command *command = calloc(1, sizeof(*command));
	struct journal *journal;
	int status = JNL_REFUSED;

	if (!command) {
		jnl_error("resize: no memory");
		return status;
	}
	arguments_parse(&resize_argp, argc, argv, command);
	command->options.add = command->add.all;
	command->options.add_count = command->add.count;
	command->options.add_mirrors = command->mirror.all;
	command->options.remove = command->remove.all;
	command->options.remove_count = command->remove.count;
	journal = command->refused ? NULL : jnl_open(command->dir, 0);
	if (journal)
		status = jnl_close(journal, resize_run(journal, command));
	free(command);
	return status;
}
