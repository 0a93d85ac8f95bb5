/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl format: makes a journal. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "jnl.h"
#include "progress.h"
#include "words.h"

enum format_key {
	FORMAT_MARKER = 'm',
	FORMAT_LOG = 'l',
	FORMAT_SIZE = 's',
	FORMAT_REQUIRE = 'r',
	FORMAT_FORCE = 'f',
	FORMAT_MIRROR = 256,
	FORMAT_ASSUME_MARKER,
	FORMAT_ASSUME_LOG,
	FORMAT_GROUP,
	FORMAT_MODE,
};

struct format {
	const char *dir;
	char marker[PATH_MAX];
	char paths[JOURNAL_LOGS_MAX][PATH_MAX];
	const char *logs[JOURNAL_LOGS_MAX];
	char mirror_paths[JOURNAL_LOGS_MAX][PATH_MAX];
	const char *mirrors[JOURNAL_LOGS_MAX];
	struct journal_format_options options;
	bool refused; /* an option does not make sense, and it has been said why */
};

static const struct argp_option format_options[] = {
	{ "marker", FORMAT_MARKER, "URI", 0,
	  "where the markers are: file:PATH, pmem:PATH or sim:PATH (default: file: in DIR); "
	  "a pmem: file that is not there is made, 64M large", 0 },
	{ "log", FORMAT_LOG, "PATH", 0,
	  "log directory or block device (default: DIR); may be given several times", 0 },
	{ "mirror", FORMAT_MIRROR, "PATH", 0,
	  "where a second copy is of all that is on the --log before it (or, without one, on "
	  "the log in DIR): directory or block device on another disk", 0 },
	{ "size", FORMAT_SIZE, "BYTES", 0,
	  "of the log; takes K, M, G, T (default: 1G, or a tenth of the free space, or all of "
	  "a block device, if that is less)", 0 },
	{ "require", FORMAT_REQUIRE, "CLASS", 0,
	  "refuse media that survive less: process, os or power (default: power)", 0 },
	{ "assume-marker", FORMAT_ASSUME_MARKER, "CLASS", 0,
	  "what the marker medium survives, whatever the evidence", 0 },
	{ "assume-log", FORMAT_ASSUME_LOG, "CLASS", 0,
	  "what the log media survive, whatever the evidence", 0 },
	{ "group", FORMAT_GROUP, "G", 0,
	  "group that may use the journal; without --mode its mode is 0660", 0 },
	{ "mode", FORMAT_MODE, "M", 0,
	  "permission bits of its files, octal (default: 0600, or 0660 with --group)", 0 },
	{ "force", FORMAT_FORCE, NULL, 0, "write over an existing journal or other content", 0 },
	{ 0 },
};

/* A journal outlives the directory that this command was called in. */
static bool format_absolute(const char *path, char absolute[PATH_MAX])
{
	char here[PATH_MAX];

	if (*path == '/' || !*path)
		return snprintf(absolute, PATH_MAX, "%s", path) < PATH_MAX;
	return getcwd(here, sizeof(here)) &&
	       snprintf(absolute, PATH_MAX, "%s/%s", here, path) < PATH_MAX;
}

static void format_class(struct argp_state *state, const char *option, const char *value,
			 enum journal_class *class)
{
	if (words_class(value, class))
		arguments_refuse(state, "--%s %s: it is process, os or power", option, value);
}

static void format_group(struct format *format, const char *value)
{
	if (words_group(value, &format->options.group)) {
		jnl_error("--group %s: no such group", value);
		format->refused = true;
	}
	format->options.group_set = 1;
}

static void format_mode(struct argp_state *state, struct format *format, const char *value)
{
	if (words_mode(value, &format->options.mode))
		arguments_refuse(state, "--mode %s: no octal permission bits", value);
	if (!format->options.mode) {
		jnl_error("--mode %s: not sensible", value);
		format->refused = true;
	}
}

static void format_log(struct argp_state *state, struct format *format, const char *value)
{
	size_t n = format->options.log_count;

	if (n == JOURNAL_LOGS_MAX)
		arguments_refuse(state, "--log %s: at most %u are possible", value,
				 JOURNAL_LOGS_MAX);
	if (!*value || !format_absolute(value, format->paths[n]))
		arguments_refuse(state, "--log %s: no path", value);
	if (!n && format->mirrors[0])
		arguments_refuse(state, "--log %s: comes before the --mirror that it is to have",
				 value);
	format->logs[n] = format->paths[n];
	format->options.log_count++;
}

/* of the log before it */
static void format_mirror(struct argp_state *state, struct format *format, const char *value)
{
	size_t n = format->options.log_count ? format->options.log_count - 1 : 0;

	if (format->mirrors[n])
		arguments_refuse(state, "--mirror %s: there is one already for this log", value);
	if (!*value || !format_absolute(value, format->mirror_paths[n]))
		arguments_refuse(state, "--mirror %s: no path", value);
	format->mirrors[n] = format->mirror_paths[n];
	format->options.mirror_count = n + 1;
}

static void format_marker(struct argp_state *state, struct format *format, const char *value)
{
	int err = words_marker(value, format->marker, sizeof(format->marker));

	if (err == -EINVAL) {
		jnl_error("--marker %s: no marker URI: file:PATH, pmem:PATH or sim:PATH", value);
		format->refused = true;
		return;
	}
	if (err)
		arguments_refuse(state, "--marker %s: the path is too long", value);
	format->options.marker = format->marker;
}

static error_t format_parse(int key, char *value, struct argp_state *state)
{
	struct format *format = state->input;
	struct journal_format_options *options = &format->options;

	switch (key) {
	case FORMAT_MARKER:
		format_marker(state, format, value);
		return 0;
	case FORMAT_LOG:
		format_log(state, format, value);
		return 0;
	case FORMAT_MIRROR:
		format_mirror(state, format, value);
		return 0;
	case FORMAT_SIZE:
		arguments_size(state, value, &format->options.log_bytes, &format->refused);
		return 0;
	case FORMAT_REQUIRE:
		format_class(state, "require", value, &options->require);
		return 0;
	case FORMAT_ASSUME_MARKER:
		format_class(state, "assume-marker", value, &options->assume_marker);
		return 0;
	case FORMAT_ASSUME_LOG:
		format_class(state, "assume-log", value, &options->assume_log);
		return 0;
	case FORMAT_GROUP:
		format_group(format, value);
		return 0;
	case FORMAT_MODE:
		format_mode(state, format, value);
		return 0;
	case FORMAT_FORCE:
		options->force = 1;
		return 0;
	default:
		return arguments_only_dir(key, value, state, &format->dir);
	}
}

static const struct argp format_argp = {
	.options = format_options,
	.parser = format_parse,
	.args_doc = "DIR",
	.doc = "Make a journal in DIR.",
	.children = arguments_common,
};

static void format_failed(const struct format *format, int err, const char *message)
{
	jnl_error("%s", message);
	if (err == -EEXIST && !format->options.force)
		fprintf(stderr, "(--force writes over it)\n");
	/* the system has this number, too: who may not change the group, say */
	if (err == -EPERM && !strstr(message, strerror(EPERM)))
		fprintf(stderr, "(--require CLASS asks for less)\n");
}

/* Both legs on one disk are of use for trying it out, and where damage is feared more than the
 * loss of the disk. */
static void format_note(const char *dir)
{
	const struct journal_open_options options = { .flags = JOURNAL_RDONLY };
	struct journal_leg legs[JOURNAL_LEGS];
	struct journal *journal;
	int error = journal_open(dir, &options, &journal);

	for (uint32_t log = 0; !error && log < JOURNAL_LOGS_MAX; log++) {
		error = journal_legs(journal, log, legs);
		if (!error && legs[0].same_disk)
			fprintf(stderr, "jnl: note: %s and %s are on one disk, or file system: "
				"what takes the one may take the other\n", legs[0].medium.name,
				legs[1].medium.name);
		error = error == -ENOENT ? 0 : error;
	}
	(void)journal_close(journal);
}

int cmd_format(int argc, char **argv)
{
	struct format format = { 0 };
	struct progress progress;
	char message[512] = "";
	int err;

	arguments_parse(&format_argp, argc, argv, &format);
	if (format.refused)
		return JNL_REFUSED;
	format.options.logs = format.options.log_count ? format.logs : NULL;
	format.options.mirrors = format.mirrors;
	progress_start(&progress, "zero-filling");
	format.options.progress = progress_callback(&progress);
	err = journal_format(format.dir, &format.options, message, sizeof(message));
	progress_end();
	if (!err && format.options.mirror_count)
		format_note(format.dir);
	if (!err)
		return JNL_DONE;
	format_failed(&format, err, message);
	return JNL_REFUSED;
}
