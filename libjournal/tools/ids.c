/* SPDX-License-Identifier: BSD-3-Clause */
#include "ids.h"

#include "arguments.h"

static error_t ids_parse_key(int key, char *value, struct argp_state *state)
{
	struct ids *ids = state->input;

	(void)value;
	switch (key) {
	case ARGP_KEY_ARGS:
		/* all of them in one row: the options have been moved before them */
		ids->dir = state->argv[state->next];
		ids->words = state->argv + state->next + 1;
		ids->count = state->argc - state->next - 1;
		return 0;
	case ARGP_KEY_END:
		if (!ids->dir)
			arguments_refuse(state, "DIR is missing");
		if (!ids->count)
			arguments_refuse(state, "ID is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void ids_parse(int argc, char **argv, const char *args_doc, const char *doc, struct ids *ids)
{
	const struct argp argp = {
		.parser = ids_parse_key,
		.args_doc = args_doc,
		.doc = doc,
		.children = arguments_common,
	};

	arguments_parse(&argp, argc, argv, ids);
}
