/* SPDX-License-Identifier: BSD-3-Clause */
/* A piece of work in a process of its own, which may be killed after it. */
#ifndef BENCH_LIB_CHILD_H
#define BENCH_LIB_CHILD_H

#include <stdbool.h>
#include <stddef.h>

/**
 * child_run() - call @body in a child and bring back @result
 * @body: fills @result; its return value is this function's
 * @kill: end the child by SIGKILL once it has reported, with whatever it has
 *        open; else it leaves body() and exits
 * Return: 0 or negative errno; -ECHILD when it ended without a report.
 */
int child_run(int (*body)(void *argument, void *result), void *argument, void *result,
	      size_t bytes, bool kill);

/**
 * memory_resident() - bytes resident now, without mappings of @excluded
 * @excluded: path of a mapped file; NULL: none
 */
size_t memory_resident(const char *excluded);

#endif
