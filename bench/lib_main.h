/* SPDX-License-Identifier: BSD-3-Clause */
/* main() of a program that adds its rows to the list. */
#ifndef BENCH_LIB_MAIN_H
#define BENCH_LIB_MAIN_H

#include "lib_env.h"

struct json_object;

/**
 * bench_main() - parse the command line, measure, write the rows
 * @measure: adds to @rows; what cannot be had says why on stderr, and is no failure
 * Return: main()'s.
 */
int bench_main(int argc, char **argv,
	       void (*measure)(struct bench_env *env, struct json_object *rows));

#endif
