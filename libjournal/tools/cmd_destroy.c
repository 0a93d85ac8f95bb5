/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl destroy: wipes and removes a journal. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "jnl.h"
#include "output.h"
#include "progress.h"

struct destroy {
	const char *dir;
	bool yes;
	bool dry_run;
};

static error_t destroy_parse(int key, char *value, struct argp_state *state)
{
	struct destroy *destroy = state->input;

	switch (key) {
	case 'y':
		destroy->yes = true;
		return 0;
	case 'n':
		destroy->dry_run = true;
		return 0;
	default:
		return arguments_only_dir(key, value, state, &destroy->dir);
	}
}

static const struct argp_option destroy_options[] = {
	{ "yes", 'y', NULL, 0, "do not ask", 0 },
	{ "dry-run", 'n', NULL, 0, "change nothing, print what would be done", 0 },
	{ 0 },
};

static const struct argp destroy_argp = {
	.options = destroy_options,
	.parser = destroy_parse,
	.args_doc = "DIR",
	.children = arguments_common,
	.doc = "Destroy the journal in DIR and all that is in it: NVRAM and block devices are "
	       "overwritten, files are removed, DIR too if it is empty then."
	       "\vAsks first, if standard input is a terminal; else --yes is needed.",
};

/* ---- telling what goes ------------------------------------------------------- */

static void destroy_list(void *context, const char *path, enum journal_destroyed what)
{
	FILE *to = context;

	if (what == JOURNAL_LEFT)
		fprintf(to, "leave: %s: it is not of this journal\n", path);
	else if (what == JOURNAL_MISSING)
		fprintf(to, "missing: %s: what it holds stays where it is\n", path);
	else
		fprintf(to, "%s: %s\n", what == JOURNAL_WIPED ? "wipe" : "remove", path);
}

static void destroy_left(void *context, const char *path, enum journal_destroyed what)
{
	(void)context;
	if (what == JOURNAL_LEFT)
		jnl_error("%s: left as it is: it is not of this journal", path);
	else if (what == JOURNAL_MISSING)
		jnl_error("%s: is not there: what it holds stays where it is", path);
}

static int destroy_call(const char *dir, const struct journal_destroy_options *options)
{
	char message[512] = "";
	int err = journal_destroy(dir, options, message, sizeof(message));

	progress_end();
	if (err || message[0])
		jnl_error("%s", message);
	return err ? JNL_REFUSED : JNL_DONE;
}

/* what would be done, a line each */
static int destroy_tell(const char *dir, FILE *to)
{
	struct journal_destroy_options options = {
		.dry_run = 1, .part = destroy_list, .context = to,
	};
	int status = destroy_call(dir, &options);

	if (status == JNL_DONE)
		fprintf(to, "remove: %s: if it is empty then\n", dir);
	return status;
}

/* ---- asking ------------------------------------------------------------------- */

/* One that does not open can be destroyed all the same. */
static void destroy_tell_live(const char *dir)
{
	struct progress progress;
	struct journal_open_options options = { .flags = JOURNAL_RDONLY };
	struct journal *journal;
	struct journal_info info;
	int error;

	progress_start(&progress, "recovering");
	options.progress = progress_callback(&progress);
	error = journal_open(dir, &options, &journal);
	progress_end();
	if (!error && !journal_info(journal, &info))
		fprintf(stderr, "%" PRIu64 " live transactions of %" PRIu64 " bytes are in it.\n",
			info.live, info.live_bytes);
	else
		fprintf(stderr, "It does not open: how much is in it is not known.\n");
	(void)journal_close(journal);
}

static const char *destroy_name(const char *dir)
{
	const char *slash = strrchr(dir, '/');

	return slash && slash[1] ? slash + 1 : dir;
}

/* "yes", or the directory as it was given, or its last part */
static bool destroy_agreed(const char *dir)
{
	char answer[4096];

	fprintf(stderr, "Type the directory's name, or yes: ");
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	answer[strcspn(answer, "\n")] = '\0';
	return !strcmp(answer, "yes") || (answer[0] && (!strcmp(answer, dir) ||
							!strcmp(answer, destroy_name(dir))));
}

/* What stands in the way is told before anybody is asked. */
static int destroy_ask(const char *dir)
{
	int status;

	if (!isatty(STDIN_FILENO)) {
		jnl_error("%s: not destroyed: nobody is there to be asked", dir);
		fprintf(stderr, "(--yes does not ask)\n");
		return JNL_REFUSED;
	}
	status = destroy_tell(dir, stderr);
	if (status != JNL_DONE)
		return status;
	destroy_tell_live(dir);
	if (destroy_agreed(dir))
		return JNL_DONE;
	jnl_error("%s: not destroyed", dir);
	return JNL_REFUSED;
}

static int destroy_it(const char *dir)
{
	struct progress progress;
	struct journal_destroy_options options = { .part = destroy_left };

	progress_start(&progress, "wiping");
	options.progress = progress_callback(&progress);
	return destroy_call(dir, &options);
}

int cmd_destroy(int argc, char **argv)
{
	struct destroy destroy = { 0 };
	int status = JNL_DONE;

	arguments_parse(&destroy_argp, argc, argv, &destroy);
	if (destroy.dry_run) {
		status = destroy_tell(destroy.dir, stdout);
		return output_flush() ? JNL_REFUSED : status;
	}
	if (!destroy.yes)
		status = destroy_ask(destroy.dir);
	return status == JNL_DONE ? destroy_it(destroy.dir) : status;
}
