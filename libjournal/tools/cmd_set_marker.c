/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl set-marker: moves a journal to another marker medium. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "arguments.h"
#include "jnl.h"
#include "output.h"
#include "progress.h"
#include "words.h"

struct set_marker {
	const char *dir;
	const char *uri; /* as given */
	char marker[PATH_MAX];
	bool refused;
	struct journal_marker_options options;
};

static void set_marker_argument(struct argp_state *state, struct set_marker *set,
				const char *value)
{
	if (!set->dir)
		set->dir = value;
	else if (!set->uri)
		set->uri = value;
	else
		arguments_refuse(state, "one argument too many: %s", value);
}

static error_t set_marker_parse(int key, char *value, struct argp_state *state)
{
	struct set_marker *set = state->input;

	switch (key) {
	case 's':
		arguments_size(state, value, &set->options.marker_bytes, &set->refused);
		return 0;
	case 'a':
		if (words_class(value, &set->options.assume_marker))
			arguments_refuse(state, "--assume-marker %s: it is process, os or power",
					 value);
		return 0;
	case 'f':
		set->options.force = 1;
		return 0;
	case ARGP_KEY_ARG:
		set_marker_argument(state, set, value);
		return 0;
	case ARGP_KEY_END:
		if (!set->dir || !set->uri)
			arguments_refuse(state, "%s is missing", set->dir ? "URI" : "DIR");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option set_marker_options[] = {
	{ "size", 's', "BYTES", 0,
	  "of a pmem: or sim: file that is not there; takes K, M, G, T (default: 64M)", 0 },
	{ "assume-marker", 'a', "CLASS", 0,
	  "what the new medium survives, whatever the evidence: process, os or power", 0 },
	{ "force", 'f', NULL, 0, "write over other content of the new medium, but over no "
	  "log", 0 },
	{ 0 },
};

static const struct argp set_marker_argp = {
	.options = set_marker_options,
	.parser = set_marker_parse,
	.args_doc = "DIR URI",
	.children = arguments_common,
	.doc = "Move the journal in DIR, with all that is in it, to another marker medium: "
	       "file:PATH, pmem:PATH or sim:PATH.  A PATH that does not begin with / is below the "
	       "current directory, as everywhere on a command line, and not below DIR; where the "
	       "markers are then is printed."
	       "\vThe medium before is overwritten, a file is removed.  After a crash in the "
	       "middle the journal is on the one or on the other, and the same command may be "
	       "given again.",
};

int cmd_set_marker(int argc, char **argv)
{
	struct set_marker set = { 0 };
	struct progress progress;
	char message[512] = "";
	int err;

	arguments_parse(&set_marker_argp, argc, argv, &set);
	if (set.refused)
		return JNL_REFUSED;
	err = words_marker(set.uri, set.marker, sizeof(set.marker));
	if (err) {
		jnl_error("%s: %s", set.uri, err == -EINVAL ?
			  "no marker URI: file:PATH, pmem:PATH or sim:PATH" :
			  "the path is too long");
		return JNL_REFUSED;
	}
	set.options.marker = set.marker;
	progress_start(&progress, "recovering");
	set.options.progress = progress_callback(&progress);
	err = journal_set_marker(set.dir, &set.options, message, sizeof(message));
	progress_end();
	if (!err)
		printf("%s: the markers are at %s\n", set.dir, set.marker);
	if (message[0])
		jnl_error("%s", message);
	if (err == -EEXIST && strstr(message, "content"))
		fprintf(stderr, "(--force writes over it)\n");
	return output_flush() || err ? JNL_REFUSED : JNL_DONE;
}
