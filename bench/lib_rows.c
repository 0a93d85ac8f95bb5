/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib_rows.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct json_object *rows_open(const char *path, bool append)
{
	struct json_object *rows;

	if (!append)
		return json_object_new_array();
	rows = json_object_from_file(path);
	if (rows && json_object_is_type(rows, json_type_array))
		return rows;
	json_object_put(rows);
	return NULL;
}

void row_add_text(struct json_object *row, const char *key, const char *value)
{
	json_object_object_add(row, key, json_object_new_string(value));
}

/* a tenth of a nanosecond is finer than any clock here */
void row_add_number(struct json_object *row, const char *key, double value)
{
	char text[64];

	if (value == floor(value) && fabs(value) < 9e15) {
		json_object_object_add(row, key, json_object_new_int64((int64_t)value));
		return;
	}
	(void)snprintf(text, sizeof(text), "%.1f", value);
	json_object_object_add(row, key, json_object_new_double_s(value, text));
}

struct json_object *rows_add(struct json_object *rows, const struct row *from)
{
	const struct samples_summary *s = &from->summary;
	struct json_object *row = json_object_new_object();

	row_add_text(row, "method", from->method);
	row_add_number(row, "payload_bytes", from->payload_bytes);
	row_add_number(row, "threads", from->threads);
	row_add_number(row, "batch", from->batch);
	row_add_number(row, "n", (double)s->n);
	row_add_number(row, "p50_ns", s->p50_ns);
	row_add_number(row, "p90_ns", s->p90_ns);
	row_add_number(row, "p99_ns", s->p99_ns);
	row_add_number(row, "p999_ns", s->p999_ns);
	row_add_number(row, "p9999_ns", s->p9999_ns);
	row_add_number(row, "max_ns", s->max_ns);
	row_add_number(row, "per_s", s->per_s);
	row_add_text(row, "survives", from->survives);
	json_object_array_add(rows, row);
	return row;
}

/* one row per line, so that a diff and grep are of use */
static void rows_print(struct json_object *rows, FILE *file)
{
	size_t i, count = json_object_array_length(rows);

	fputs("[\n", file);
	for (i = 0; i < count; i++)
		fprintf(file, "%s%s\n",
			json_object_to_json_string_ext(json_object_array_get_idx(rows, i),
						       JSON_C_TO_STRING_SPACED),
			i + 1 < count ? "," : "");
	fputs("]\n", file);
}

int rows_write(struct json_object *rows, const char *path)
{
	char scratch[4096];
	FILE *file;
	int result;

	if (snprintf(scratch, sizeof(scratch), "%s.new", path) >= (int)sizeof(scratch))
		return -ENAMETOOLONG;
	file = fopen(scratch, "w");
	if (!file)
		return -errno;
	rows_print(rows, file);
	result = ferror(file) ? -EIO : 0;
	if (fclose(file) && !result)
		result = -errno;
	if (!result && rename(scratch, path))
		result = -errno;
	if (result)
		(void)remove(scratch);
	return result;
}
