/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How much goes through the stage for good, and how much does fio write there?
 *
 *  jnl-sustained  journal_put() of 4096 bytes by one thread, into a stage that is full,
 *                 nothing retired: so all of it goes to the log; in turns with
 *  fio-seqwrite   fio --rw=write --bs=1M --direct=1 on a written file beside the log,
 *                 one at a time; fio-seqwrite-8: eight
 *
 * fio flushes nothing; all that the journal has destaged is flushed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib_clock.h"
#include "lib_dir.h"
#include "lib_env.h"
#include "lib_main.h"
#include "lib_rows.h"
#include "reads_fio.h"
#include "store/evidence.h"
#include "util/math.h"

#define PAYLOAD   4096u
#define FIO_BYTES (1u << 20)
#define ROUNDS    5u

/**
 * struct writer - what is written, and what came of it
 * @puts:    of a slice: half of the log
 * @destaged: transactions, when the slice began
 */
struct writer {
	struct bench_env *env;
	struct journal *journal;
	uint64_t *ids, *ns;
	size_t puts;
	unsigned int rounds;
	struct samples samples;
	enum journal_class survives;
	struct fio_job job[2];
	struct fio_report fio[2][ROUNDS];
	bool has_fio;
};

static uint64_t destaged(struct writer *w)
{
	struct journal_info info;

	(void)journal_info(w->journal, &info);
	return info.destaged;
}

static int put_one(struct writer *w, size_t i)
{
	uint64_t began = clock_ns();
	struct journal_receipt receipt;
	int result = journal_put(w->journal, w->env->payload, PAYLOAD, &receipt);

	if (result)
		return result;
	w->ns[i] = clock_ns() - began;
	w->ids[i] = receipt.id;
	w->survives = receipt.survives;
	return 0;
}

/* What counts is what left the stage for the log meanwhile, not what is in it. */
static int slice(struct writer *w, bool counts)
{
	uint64_t begin = clock_ns(), before = destaged(w), moved;
	size_t i = 0;
	int result = 0;

	while (i < w->puts && !result)
		result = put_one(w, i++);
	moved = destaged(w) - before;
	if (!result && counts)
		result = samples_slice(&w->samples, w->ns, w->puts,
				       (double)moved * 1e9 / (double)(clock_ns() - begin));
	if (!result)
		result = journal_retire_many(w->journal, w->ids, w->puts, NULL);
	return result;
}

static int prepare_journal(struct writer *w, struct message *why)
{
	struct bench_env *env = w->env;
	char dir[2100];

	path_join(dir, sizeof(dir), env->dir, "sustained");
	return env_make_journal(dir, env->marker, env->options.log_bytes,
				env->options.marker_bytes, &w->journal, why);
}

static int prepare(struct writer *w, struct message *why)
{
	int result = prepare_journal(w, why);

	if (result)
		return result;
	w->puts = (size_t)(w->env->options.log_bytes / 2 / PAYLOAD);
	w->ids = calloc(w->puts, sizeof(*w->ids));
	w->ns = calloc(w->puts, sizeof(*w->ns));
	if (!w->ids || !w->ns || samples_init(&w->samples, w->rounds * w->puts, w->rounds))
		return message_set(why, -ENOMEM, "out of memory");
	memset(w->ids, 1, w->puts * sizeof(*w->ids)); /* touched */
	memset(w->ns, 1, w->puts * sizeof(*w->ns));
	return 0;
}

static int prepare_fio(struct writer *w, char *path, size_t path_bytes, struct message *why)
{
	struct fio_report report;
	unsigned int k;
	int fd, result;

	path_join(path, path_bytes, w->env->dir, "fio-file");
	for (k = 0; k < 2; k++)
		w->job[k] = (struct fio_job){
			.path = path, .engine = "io_uring", .write = true, .ms = 100,
			.block_bytes = FIO_BYTES, .depth = k ? 8 : 1,
			.bytes = round_up(w->env->options.log_bytes / 2, FIO_BYTES),
		};
	fd = file_zero_filled(path, w->job[0].bytes, 0);
	if (fd < 0)
		return message_errno(why, fd, "%s", path);
	(void)close(fd);
	result = fio_run(&w->job[0], &report, why);
	if (result && result != -ENOENT) {
		w->job[0].engine = w->job[1].engine = "libaio";
		result = fio_run(&w->job[0], &report, why);
	}
	w->job[0].ms = w->job[1].ms = w->env->options.quick ? 50 : 600;
	return result;
}

static int round_of(struct writer *w, unsigned int i, struct message *why)
{
	int result = 0;
	unsigned int k, what;

	for (k = 0; k < 3 && !result; k++) {
		what = (i + k) % 3;
		if (what == 2)
			result = slice(w, true);
		else if (w->has_fio)
			result = fio_run(&w->job[what], &w->fio[what][i], why);
	}
	return result;
}

/* ---- rows --------------------------------------------------------------------- */

static void add_row(struct json_object *rows, const struct writer *w, const char *method,
		    uint32_t bytes, const struct samples_summary *summary)
{
	struct row row = {
		.method = method, .payload_bytes = bytes, .threads = 1, .batch = 1,
		.summary = *summary, .survives = journal_class_name(w->survives),
	};
	struct json_object *object = rows_add(rows, &row);

	row_add_number(object, "slices", w->rounds);
	row_add_number(object, "bytes_per_s", summary->per_s * bytes);
	printf("%-16s %8.1f MiB/s  p50 %8.0f ns  p99 %8.0f ns  max %9.0f ns\n", method,
	       summary->per_s * bytes / 1048576, summary->p50_ns, summary->p99_ns,
	       summary->max_ns);
}

static struct samples_summary fio_summary(const struct writer *w, unsigned int k)
{
	const struct fio_report *reports = w->fio[k];
	struct samples_summary s = { 0 };
	double rate[ROUNDS], p50[ROUNDS], p90[ROUNDS];
	unsigned int i;

	for (i = 0; i < w->rounds; i++) {
		rate[i] = reports[i].per_s;
		p50[i] = reports[i].p50_ns;
		p90[i] = reports[i].p90_ns;
		s.n += (size_t)reports[i].n;
		s.p99_ns = s.p99_ns > reports[i].p99_ns ? s.p99_ns : reports[i].p99_ns;
		s.p999_ns = s.p999_ns > reports[i].p999_ns ? s.p999_ns : reports[i].p999_ns;
		s.p9999_ns = s.p9999_ns > reports[i].p9999_ns ? s.p9999_ns : reports[i].p9999_ns;
		s.max_ns = s.max_ns > reports[i].max_ns ? s.max_ns : reports[i].max_ns;
	}
	s.per_s = median(rate, w->rounds);
	s.p50_ns = median(p50, w->rounds);
	s.p90_ns = median(p90, w->rounds);
	return s;
}

static void add_rows(struct json_object *rows, struct writer *w)
{
	struct samples_summary summary;

	samples_summarize(&w->samples, 1, &summary);
	add_row(rows, w, "jnl-sustained", PAYLOAD, &summary);
	if (!w->has_fio)
		return;
	summary = fio_summary(w, 0);
	add_row(rows, w, "fio-seqwrite", FIO_BYTES, &summary);
	summary = fio_summary(w, 1);
	add_row(rows, w, "fio-seqwrite-8", FIO_BYTES, &summary);
}

static void measure(struct bench_env *env, struct json_object *rows)
{
	struct writer w = { .env = env, .rounds = env->options.quick ? 1 : ROUNDS };
	struct message why = { "" };
	char path[2100];
	unsigned int i;
	int result = prepare(&w, &why);

	if (!result) {
		result = prepare_fio(&w, path, sizeof(path), &why);
		w.has_fio = !result;
		if (result)
			fprintf(stderr, "bench: fio-seqwrite: left out: %s\n", why.text);
		why.text[0] = '\0';
		result = slice(&w, false);
	}
	for (i = 0; i < w.rounds && !result; i++)
		result = round_of(&w, i, &why);
	if (!result)
		add_rows(rows, &w);
	else
		fprintf(stderr, "bench: jnl-sustained: left out: %s (%s)\n",
			why.text[0] ? why.text : journal_error(w.journal), strerror(-result));
	(void)journal_close(w.journal);
	samples_free(&w.samples);
	free(w.ids);
	free(w.ns);
}

int main(int argc, char **argv)
{
	return bench_main(argc, argv, measure);
}
