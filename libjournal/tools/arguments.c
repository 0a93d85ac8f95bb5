/* SPDX-License-Identifier: BSD-3-Clause */
#include "arguments.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jnl.h"
#include "words.h"

/* While a line is parsed argv[0] is "jnl: put": getopt_long() starts its
 * messages with it, and their form is "jnl: what: why". */
#define ARGUMENTS_PREFIX "jnl: "
#define ARGUMENTS_NAME_CHARS 32

__attribute__((noreturn))
static void arguments_usage(const char *command)
{
	fprintf(stderr, "Try 'jnl %s --help'.\n", command);
	exit(JNL_USAGE);
}

void arguments_refuse(const struct argp_state *state, const char *format, ...)
{
	const char *command = state->argv[0] + strlen(ARGUMENTS_PREFIX);
	char why[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	jnl_error("%s: %s", command, why);
	arguments_usage(command);
}

static void arguments_help(struct argp_state *state)
{
	char name[ARGUMENTS_NAME_CHARS];

	(void)snprintf(name, sizeof(name), "jnl %s",
		       state->argv[0] + strlen(ARGUMENTS_PREFIX));
	state->name = name;
	argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
}

static error_t arguments_common_parse(int key, char *value, struct argp_state *state)
{
	(void)value;
	switch (key) {
	case ARGP_KEY_INIT:
		/* after a bad option: no hint by argp, which does not know our name */
		state->err_stream = NULL;
		return 0;
	case 'h':
		arguments_help(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option arguments_common_options[] = {
	{ "help", 'h', NULL, 0, "this text", -1 },
	{ 0 },
};

static const struct argp arguments_common_argp = {
	.options = arguments_common_options,
	.parser = arguments_common_parse,
};

const struct argp_child arguments_common[] = {
	{ &arguments_common_argp, 0, NULL, 0 },
	{ 0 },
};

/* a command's own parser, and what that is to get */
struct arguments_guarded {
	argp_parser_t parser;
	void *input;
};

/* The first argument is DIR everywhere: an empty one has no name to be told of by. */
static error_t arguments_guard(int key, char *value, struct argp_state *state)
{
	struct arguments_guarded *guarded = state->input;
	error_t err;

	if (key == ARGP_KEY_ARG && !state->arg_num && !value[0])
		arguments_refuse(state, "DIR is empty");
	state->input = guarded->input;
	err = guarded->parser(key, value, state);
	state->input = guarded;
	return err;
}

void arguments_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	struct arguments_guarded guarded = { argp->parser, input };
	struct argp with_guard = *argp;
	char *command = argv[0];
	char name[ARGUMENTS_NAME_CHARS];
	error_t err;

	(void)snprintf(name, sizeof(name), ARGUMENTS_PREFIX "%s", command);
	argv[0] = name;
	with_guard.parser = arguments_guard;
	err = argp_parse(&with_guard, argc, argv, ARGP_NO_HELP, NULL, &guarded);
	argv[0] = command;
	if (err)
		arguments_usage(command);
}

void arguments_size(const struct argp_state *state, const char *value, uint64_t *bytes,
		    bool *refused)
{
	int err = words_size(value, bytes);

	if (err == -EINVAL)
		arguments_refuse(state, "--size %s: no size: a number, then K, M, G, T or nothing",
				 value);
	/* zero means the default to the library; nobody who writes it means that */
	if (!err && *bytes)
		return;
	jnl_error("--size %s: not sensible", value);
	*refused = true;
}

error_t arguments_only_dir(int key, char *value, const struct argp_state *state,
			   const char **dir)
{
	switch (key) {
	case ARGP_KEY_ARG:
		if (*dir)
			arguments_refuse(state, "one argument too many: %s", value);
		*dir = value;
		return 0;
	case ARGP_KEY_END:
		if (!*dir)
			arguments_refuse(state, "DIR is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t arguments_dir_parse(int key, char *value, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	if (key != 'j')
		return arguments_only_dir(key, value, state, &arguments->dir);
	arguments->json = true;
	return 0;
}

void arguments_dir(int argc, char **argv, const char *doc, bool json,
		   struct arguments *arguments)
{
	static const struct argp_option with_json[] = {
		{ "json", 'j', NULL, 0, "print JSON", 0 },
		{ 0 },
	};
	const struct argp argp = {
		.options = json ? with_json : NULL,
		.parser = arguments_dir_parse,
		.args_doc = "DIR",
		.doc = doc,
		.children = arguments_common,
	};

	arguments_parse(&argp, argc, argv, arguments);
}
