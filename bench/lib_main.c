/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib_main.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib_rows.h"
#include "util/message.h"

int bench_main(int argc, char **argv,
	       void (*measure)(struct bench_env *env, struct json_object *rows))
{
	struct bench_options options;
	struct json_object *rows;
	struct bench_env env;
	struct message why;
	int result;

	bench_options_parse(&options, argc, argv);
	(void)setvbuf(stdout, NULL, _IOLBF, 0); /* nothing is left for a child to print */
	rows = rows_open(options.json, options.append);
	result = rows ? env_open(&env, &options, &why) :
			message_set(&why, -EINVAL, "%s: not a list of rows", options.json);
	if (result) {
		fprintf(stderr, "bench: %s\n", why.text);
		json_object_put(rows);
		return 1;
	}
	measure(&env, rows);
	result = rows_write(rows, options.json);
	if (result)
		fprintf(stderr, "bench: %s: %s\n", options.json, strerror(-result));
	env_close(&env);
	json_object_put(rows);
	return result ? 1 : 0;
}
