/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl mirror: both legs of each mirrored log are good again. */
#include <errno.h>
#include <stdio.h>

#include "arguments.h"
#include "jnl.h"
#include "output.h"
#include "progress.h"

struct mirror_command {
	const char *dir;
	const char *keep;
};

static error_t mirror_parse(int key, char *value, struct argp_state *state)
{
	struct mirror_command *command = state->input;

	if (key != 'k')
		return arguments_only_dir(key, value, state, &command->dir);
	command->keep = value;
	return 0;
}

static const struct argp_option mirror_options[] = {
	{ "keep", 'k', "PATH", 0,
	  "the leg that is to count, where each has gone on without the other one, or the only "
	  "one that is there is out of date; what the other one alone has is gone then.  Refused "
	  "where the other one is there and has all", 0 },
	{ 0 },
};

static const struct argp mirror_argp = {
	.options = mirror_options,
	.parser = mirror_parse,
	.args_doc = "DIR",
	.children = arguments_common,
	.doc = "Make both legs of each mirrored log in DIR good: a damaged copy is repaired from "
	       "the other one, a leg that is out of date, or on a new disk, gets all that the "
	       "other one has."
	       "\vOthers may have the journal open, or open it meanwhile, and go on. Exits 3 when "
	       "there is damage that no copy can repair.",
};

static void mirror_print(void *context, const struct journal_finding *finding)
{
	(void)context;
	progress_end();
	printf("%s: %s\n", finding->damage ? "damage" : "mirror", finding->text);
}

int cmd_mirror(int argc, char **argv)
{
	struct mirror_command command = { 0 };
	struct journal_mirror_options options = { .found = mirror_print };
	struct progress recovering, mirroring;
	char message[512];
	int err;

	arguments_parse(&mirror_argp, argc, argv, &command);
	options.keep = command.keep;
	progress_start(&recovering, "recovering");
	progress_start(&mirroring, "mirroring");
	options.recovery = progress_callback(&recovering);
	options.progress = progress_callback(&mirroring);
	err = journal_mirror(command.dir, &options, message, sizeof(message));
	progress_end();
	if (output_flush())
		return JNL_REFUSED;
	if (!err)
		return JNL_DONE;
	jnl_error("%s", message);
	return err == -EUCLEAN ? JNL_DAMAGE : JNL_REFUSED;
}
