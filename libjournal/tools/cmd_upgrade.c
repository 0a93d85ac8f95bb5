/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl upgrade: the journal's media as this version would make them. */
#include <stdio.h>

#include "arguments.h"
#include "jnl.h"
#include "output.h"

struct upgrade_command {
	const char *dir;
	bool dry_run;
};

static error_t upgrade_parse(int key, char *value, struct argp_state *state)
{
	struct upgrade_command *command = state->input;

	if (key != 'n')
		return arguments_only_dir(key, value, state, &command->dir);
	command->dry_run = true;
	return 0;
}

static const struct argp_option upgrade_options[] = {
	{ "dry-run", 'n', NULL, 0, "change nothing, print what would be changed", 0 },
	{ 0 },
};

static const struct argp upgrade_argp = {
	.options = upgrade_options,
	.parser = upgrade_parse,
	.args_doc = "DIR",
	.children = arguments_common,
	.doc = "Bring the journal in DIR to the newest format, and print each change. What is "
	       "in it stays."
	       "\vAn older version may refuse it then. To see what would be changed: "
	       "--dry-run.",
};

static void upgrade_print(void *context, const char *medium, const char *what)
{
	(void)context;
	printf("%s: %s\n", medium, what);
}

static int upgrade_end(const struct upgrade_command *command, unsigned int changes)
{
	if (!changes)
		printf("%s: has the newest format: nothing to change\n", command->dir);
	else
		printf("%s: %u %s%s\n", command->dir, changes,
		       changes == 1 ? "change" : "changes",
		       command->dry_run ? " to be made" : " made");
	return output_flush() ? JNL_REFUSED : JNL_DONE;
}

int cmd_upgrade(int argc, char **argv)
{
	struct upgrade_command command = { 0 };
	struct journal_upgrade_options options = { .change = upgrade_print };
	unsigned int changes = 0;
	char message[512];

	arguments_parse(&upgrade_argp, argc, argv, &command);
	options.dry_run = command.dry_run;
	if (journal_upgrade(command.dir, &options, &changes, message, sizeof(message))) {
		(void)output_flush();
		jnl_error("%s", message);
		return JNL_REFUSED;
	}
	return upgrade_end(&command, changes);
}
