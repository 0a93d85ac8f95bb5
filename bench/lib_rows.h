/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of rows that a benchmark program writes: build/bench.json. */
#ifndef BENCH_LIB_ROWS_H
#define BENCH_LIB_ROWS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib_samples.h"

/* the fields every row has; more may be added to the object that comes back */
struct row {
	const char *method;
	uint32_t payload_bytes, threads, batch;
	struct samples_summary summary;
	const char *survives;
};

/* An empty list, or with @append what is in @path.  NULL: not a list, or want
 * of memory. */
struct json_object *rows_open(const char *path, bool append);
struct json_object *rows_add(struct json_object *rows, const struct row *row);
/* Replace @path by the list.  Return: 0 or negative errno. */
int rows_write(struct json_object *rows, const char *path);

void row_add_text(struct json_object *row, const char *key, const char *value);
void row_add_number(struct json_object *row, const char *key, double value);

#endif
