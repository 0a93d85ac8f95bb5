/* SPDX-License-Identifier: BSD-3-Clause */
/* jnl: the journal on the command line. */
#include <stdio.h>
#include <string.h>

#include "arguments.h"
#include "jnl.h"
#include "output.h"

static const struct jnl_command commands[] = {
	{ "format", cmd_format, "make a journal" },
	{ "put", cmd_put, "one transaction per message; print each ID once it is durable" },
	{ "ls", cmd_ls, "list the live transactions" },
	{ "cat", cmd_cat, "payloads to standard output, byte for byte" },
	{ "retire", cmd_retire, "transactions are finished; print each once that is durable" },
	{ "check", cmd_check, "verify everything, change nothing" },
	{ "info", cmd_info, "geometry, media, class and evidence, health, counters" },
	{ "stat", cmd_stat, "what goes on in it: rates, latencies, fill; live" },
	{ "dump", cmd_dump, "the on-media structures, for people" },
	{ "export", cmd_export, "a backup that put reads again: mbox, bsmtp, tar" },
	{ "serve", cmd_serve, "work in the background, and numbers for Prometheus" },
	{ "resize", cmd_resize, "more room, less room, other disks, while it runs" },
	{ "set-marker", cmd_set_marker, "move to another marker medium, to NVRAM or back" },
	{ "rescue", cmd_rescue, "open what is left when NVRAM is dead, missing or replaced" },
	{ "mirror", cmd_mirror, "mirrored logs: repair copies, bring a leg up to date" },
	{ "upgrade", cmd_upgrade, "bring it to the newest format" },
	{ "destroy", cmd_destroy, "wipe and remove a journal, and what is in it" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct jnl_command *main_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	}
	return NULL;
}

static void main_help(void)
{
	printf("Usage: jnl COMMAND [OPTION...] DIR [ARGUMENT...]\n"
	       "A transaction journal in directory DIR.\n\nCommands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	printf("  %-10s %s\n", "help", "this text, or that of a command");
	printf("\nOptions:\n  --help     this text\n  --version  the version\n\n"
	       "'jnl COMMAND --help' tells the options of a command.\n"
	       "Exit status: 0 done, 1 refused or failed, 2 usage, 3 damage found.\n");
}

static int main_usage(const char *what, const char *why)
{
	jnl_error("%s: %s", what, why);
	fprintf(stderr, "Try 'jnl --help'.\n");
	return JNL_USAGE;
}

static int main_run(const char *name, int argc, char **argv)
{
	const struct jnl_command *command = main_command(name);

	if (!command)
		return main_usage(name, "no such command");
	argv[0] = (char *)command->name;
	return command->run(argc, argv);
}

/* jnl help [COMMAND], and the same with --help */
static int main_help_command(int argc, char **argv)
{
	static char help[] = "--help";
	char *line[] = { NULL, help, NULL };

	if (argc > 2)
		return main_usage("help", "one argument too many");
	if (argc == 2 && strcmp(argv[1], "help") && strcmp(argv[1], "--help") &&
	    strcmp(argv[1], "-h"))
		return main_run(argv[1], 2, line);
	main_help();
	return JNL_DONE;
}

int main(int argc, char **argv)
{
	output_guard();
	if (argc < 2)
		return main_usage("COMMAND", "is missing");
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("jnl %d.%d\n", JOURNAL_VERSION_MAJOR, JOURNAL_VERSION_MINOR);
		return JNL_DONE;
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return main_help_command(argc - 1, argv + 1);
	return main_run(argv[1], argc - 1, argv + 1);
}
