/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long does journal_open() take after a crash, and how much memory does it
 * take?  With NVRAM and without:
 *
 *  recovery-empty  the log written full, everything retired, the writer ended
 *                  by SIGKILL after its last acknowledgement, then closed
 *                  cleanly
 *  recovery-1m     1,000,000 transactions of 256 bytes live, put in groups of
 *                  64, the writer ended by SIGKILL; in turns with
 *  floor-read      an O_DIRECT read of as many log bytes, 1 MiB at a time with
 *                  a deep queue
 *
 * Every open is in a process of its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib_child.h"
#include "lib_dir.h"
#include "lib_env.h"
#include "lib_main.h"
#include "lib_rows.h"
#include "recovery_child.h"
#include "recovery_floor.h"
#include "store/evidence.h"

#define OPENS 6

static int one_open(struct subject *subject, struct open_report *report, const char *name)
{
	int result;

	*report = (struct open_report){ 0 };
	result = child_run(recovery_open, subject, report, sizeof(*report), !subject->clean);
	if (!result && (report->live != subject->live || report->lost)) {
		fprintf(stderr, "bench: %s, %s: %" PRIu64 " live and %" PRIu64 " lost, "
			"expected %" PRIu64 " live\n", name, subject->marker_name,
			report->live, report->lost, subject->live);
		return -EBADMSG;
	}
	if (result)
		fprintf(stderr, "bench: %s, %s: left out: %s (%s)\n", name,
			subject->marker_name, report->text, strerror(-result));
	return result;
}

/* @ns is in the order of the opens; the first, after the writer's end, counts
 * for itself in first_ns */
static struct json_object *add_row(struct json_object *rows, const char *method,
				   struct subject *subject, const uint64_t *ns,
				   enum journal_class survives)
{
	struct json_object *object;
	struct samples samples;
	uint64_t copy[OPENS];
	struct row row = {
		.method = method,
		.payload_bytes = subject->live ? LIVE_PAYLOAD : 0,
		.threads = 1,
		.batch = 1,
		.survives = journal_class_name(survives),
	};

	if (samples_init(&samples, OPENS, 1))
		return NULL;
	memcpy(copy, ns, sizeof(copy));
	(void)samples_slice(&samples, copy, OPENS, 0);
	samples_summarize(&samples, 1, &row.summary);
	row.summary.per_s = row.summary.p50_ns ? 1e9 / row.summary.p50_ns : 0;
	samples_free(&samples);
	object = rows_add(rows, &row);
	row_add_text(object, "marker", subject->marker_name);
	row_add_number(object, "first_ns", (double)ns[0]);
	return object;
}

static int empty_row(struct subject *subject, struct json_object *rows, uint64_t log_bytes)
{
	const char *name = "recovery-empty";
	struct open_report report;
	struct json_object *row;
	uint64_t ns[OPENS];
	int i, result = 0;

	for (i = 0; i < OPENS && !result; i++) {
		result = one_open(subject, &report, name);
		ns[i] = report.ns;
	}
	if (result)
		return result;
	row = add_row(rows, name, subject, ns, report.survives);
	if (!row)
		return -ENOMEM;
	row_add_text(row, "after", subject->clean ? "close" : "SIGKILL");
	row_add_number(row, "log_bytes", (double)log_bytes);
	row_add_number(row, "log_bytes_read", (double)report.log_bytes_read);
	return 0;
}

static int say_writer(struct subject *subject, int result, const struct writer_report *report)
{
	if (result)
		fprintf(stderr, "bench: recovery, %s: writer, after %" PRIu64 " puts: left "
			"out: %s (%s)\n", subject->marker_name, report->put, report->text,
			strerror(-result));
	return result;
}

static int measure_empty(struct subject *subject, struct json_object *rows)
{
	struct writer_report writer = { 0 };
	int result = child_run(recovery_write_full, subject, &writer, sizeof(writer), true);

	if (say_writer(subject, result, &writer))
		return result;
	subject->clean = false;
	result = empty_row(subject, rows, writer.log_bytes);
	if (result)
		return result;
	/* the first close makes it clean; what is timed comes after it */
	subject->clean = true;
	result = child_run(recovery_open, subject, &(struct open_report){ 0 },
			   sizeof(struct open_report), false);
	return result ? result : empty_row(subject, rows, writer.log_bytes);
}

static int live_rows(struct subject *subject, struct json_object *rows,
		     struct read_floor *floor)
{
	const char *name = "recovery-1m";
	uint64_t ours[OPENS], floors[OPENS];
	struct open_report report;
	struct json_object *row;
	int i, result = 0;

	for (i = 0; i < OPENS && !result; i++) {
		/* either one first: some disks are faster for the first bytes after a pause */
		result = i & 1 ? 0 : read_floor_once(floor, &floors[i]);
		if (!result)
			result = one_open(subject, &report, name);
		if (!result && i & 1)
			result = read_floor_once(floor, &floors[i]);
		ours[i] = report.ns;
	}
	if (result)
		return result;
	row = add_row(rows, name, subject, ours, report.survives);
	if (!row)
		return -ENOMEM;
	row_add_number(row, "live", (double)report.live);
	row_add_number(row, "log_bytes_read", (double)report.log_bytes_read);
	row_add_number(row, "library_bytes", (double)report.memory_bytes);
	row = add_row(rows, "floor-read", subject, floors, report.survives);
	if (!row)
		return -ENOMEM;
	row_add_number(row, "log_bytes_read", (double)floor->bytes);
	return 0;
}

static int measure_live(struct subject *subject, struct json_object *rows)
{
	struct writer_report writer = { 0 };
	struct read_floor floor = { 0 };
	struct message why;
	int result;

	subject->live = subject->env->options.quick ? 20000 : 1000000;
	subject->clean = false;
	result = child_run(recovery_write_live, subject, &writer, sizeof(writer), true);
	if (say_writer(subject, result, &writer))
		return result;
	result = read_floor_open(&floor, writer.log_name, writer.log_bytes_written, &why);
	if (result)
		fprintf(stderr, "bench: floor-read: left out: %s\n", why.text);
	else
		result = live_rows(subject, rows, &floor);
	read_floor_close(&floor);
	return result;
}

static int measure(struct bench_env *env, struct json_object *rows, bool embedded)
{
	struct subject subject = {
		.env = env,
		.marker = embedded ? NULL : env->marker,
		.marker_name = embedded ? "file" : "nvram",
	};
	int result;

	path_join(subject.dir, sizeof(subject.dir), env->dir, subject.marker_name);
	result = measure_empty(&subject, rows);
	if (!result)
		result = measure_live(&subject, rows);
	dir_remove(subject.dir);
	return result;
}

/* one that fails has said why, and the other is measured all the same */
static void measure_all(struct bench_env *env, struct json_object *rows)
{
	(void)measure(env, rows, false);
	(void)measure(env, rows, true);
}

int main(int argc, char **argv)
{
	return bench_main(argc, argv, measure_all);
}
