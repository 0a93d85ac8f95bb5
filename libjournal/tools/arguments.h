/* SPDX-License-Identifier: BSD-3-Clause */
/* Command lines, on glibc's argp. */
#ifndef TOOLS_ARGUMENTS_H
#define TOOLS_ARGUMENTS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * arguments_parse() - argp_parse() for one command
 * @argp: its children are arguments_common
 * @argv: argv[0] is the command's name
 *
 * Exits 2 with the reason on stderr when the line does not make sense, 0
 * after --help.
 */
void arguments_parse(const struct argp *argp, int argc, char **argv, void *input);

/* the option --help, which argp's own would print under another name */
extern const struct argp_child arguments_common[];

/* "jnl: COMMAND: why", where to look, exit 2 */
__attribute__((format(printf, 2, 3), noreturn))
void arguments_refuse(const struct argp_state *state, const char *format, ...);

/* The value of --size.  What is no size exits 2; what no size of anything here can be is told,
 * and *@refused: exit 1, once all else makes sense */
void arguments_size(const struct argp_state *state, const char *value, uint64_t *bytes,
		    bool *refused);

/* Keys that no option of a command has whose one argument is DIR.
 * Return: as a parser of argp */
error_t arguments_only_dir(int key, char *value, const struct argp_state *state,
			   const char **dir);

/* what commands with DIR and perhaps --json want */
struct arguments {
	const char *dir;
	bool json;
};

/* parse a command that takes DIR and, if @json, the option --json; @doc as argp */
void arguments_dir(int argc, char **argv, const char *doc, bool json,
		   struct arguments *arguments);

#endif
