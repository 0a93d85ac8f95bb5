/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many transactions per second are read with a deep queue, in random order
 * from the log, and how many blocks does fio read there?
 *
 *  jnl-reads      transactions of 4096 bytes, put into the stage and destaged,
 *                 so densely packed, 32 outstanding, each verified; in turns with
 *  fio-randread   fio --rw=randread --bs=4k --iodepth=32 --direct=1 on a file of
 *                 about the same size beside the log
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
#define DEPTH     32u
#define ROUNDS    8u
#define READS_MAX 1000000u /* in one slice */

/**
 * struct reader - what is read, and what came of it
 * @ids, @count: transactions in the log, shuffled; @at: the next one
 * @ns:          one sample per read of a slice
 */
struct reader {
	struct bench_env *env;
	struct journal *journal;
	uint64_t *ids;
	size_t count, at;
	uint64_t *ns;
	uint64_t slice_ns;
	unsigned int rounds;
	struct samples samples;
	enum journal_class survives;
	struct fio_job job;
	struct fio_report fio[ROUNDS];
	bool has_fio;
};

/* ---- what there is to read ---------------------------------------------------- */

static void shuffle(uint64_t *ids, size_t count)
{
	uint64_t x = 0x9e3779b97f4a7c15u, id;
	size_t i, k;

	for (i = count; i > 1; i--) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		k = x % i;
		id = ids[k];
		ids[k] = ids[i - 1];
		ids[i - 1] = id;
	}
}

/* Only those that went on to the log: what is in NVRAM is no read of the disk. */
static void keep_those_in_the_log(struct reader *reader)
{
	struct journal_entry entry;
	size_t i, kept = 0;

	for (i = 0; i < reader->count; i++)
		if (!journal_lookup(reader->journal, reader->ids[i], &entry) &&
		    entry.path != JOURNAL_PATH_STAGED)
			reader->ids[kept++] = reader->ids[i];
	reader->count = kept;
}

static int put_all(struct reader *reader)
{
	size_t wanted = (size_t)(reader->env->options.log_bytes / 2 / PAYLOAD);
	struct journal_receipt receipt;
	int result = 0;

	reader->ids = malloc(wanted * sizeof(*reader->ids));
	if (!reader->ids)
		return -ENOMEM;
	while (reader->count < wanted && !result) {
		result = journal_put(reader->journal, reader->env->payload, PAYLOAD, &receipt);
		if (!result)
			reader->ids[reader->count++] = receipt.id;
	}
	if (result)
		return result;
	keep_those_in_the_log(reader);
	shuffle(reader->ids, reader->count);
	return reader->count > DEPTH ? 0 : -ENODATA;
}

static int prepare_journal(struct reader *reader, struct message *why)
{
	struct bench_env *env = reader->env;
	struct journal_info info;
	char dir[2100];
	int result;

	path_join(dir, sizeof(dir), env->dir, "reads");
	result = env_make_journal(dir, env->marker, env->options.log_bytes,
				  env->options.marker_bytes, &reader->journal, why);
	if (result)
		return result;
	result = put_all(reader);
	if (result)
		return message_set(why, result, "filling it: %s", journal_error(reader->journal));
	(void)journal_info(reader->journal, &info);
	reader->survives = info.logs[0].survives;
	return 0;
}

static int prepare(struct reader *reader, struct message *why)
{
	int result = prepare_journal(reader, why);

	if (result)
		return result;
	reader->ns = malloc(READS_MAX * sizeof(*reader->ns));
	if (!reader->ns || samples_init(&reader->samples, (size_t)reader->rounds * READS_MAX,
					reader->rounds))
		return message_set(why, -ENOMEM, "out of memory");
	memset(reader->ns, 1, READS_MAX * sizeof(*reader->ns));
	return 0;
}

/* ---- slices ------------------------------------------------------------------- */

static int submit_one(struct reader *reader, struct journal_reads *reads)
{
	uint64_t id = reader->ids[reader->at++ % reader->count];

	return journal_reads_submit(reads, id, clock_ns());
}

static int take_one(struct reader *reader, struct journal_reads *reads, size_t i)
{
	struct journal_read_result got;
	int result = journal_reads_next(reads, -1, &got);

	result = result ? result : got.error;
	if (!result && got.bytes != PAYLOAD)
		result = -EBADMSG;
	reader->ns[i] = clock_ns() - got.cookie;
	return result;
}

/* As fio does: the queue is kept full until the time is over. */
static int slice(struct reader *reader, struct journal_reads *reads, bool counts)
{
	uint64_t begin = clock_ns(), end;
	size_t submitted = 0, taken = 0;
	int result = 0;

	do {
		end = clock_ns();
		while (!result && submitted - taken < DEPTH) {
			result = submit_one(reader, reads);
			submitted++;
		}
		if (!result)
			result = take_one(reader, reads, taken++);
	} while (!result && end - begin < reader->slice_ns && taken < READS_MAX);
	end = clock_ns();
	if (result || !counts)
		return result;
	return samples_slice(&reader->samples, reader->ns, taken,
			     (double)taken * 1e9 / (double)(end - begin));
}

static int read_slice(struct reader *reader, bool counts)
{
	struct journal_reads *reads;
	int result = journal_reads_open(reader->journal, DEPTH, &reads);

	if (result)
		return result;
	result = slice(reader, reads, counts);
	journal_reads_close(reads);
	return result;
}

/* The file is written, as the log is; the engine is one that works here. */
static int prepare_fio(struct reader *reader, char *path, size_t path_bytes,
		       struct message *why)
{
	struct fio_report report;
	int fd, result;

	path_join(path, path_bytes, reader->env->dir, "fio-file");
	reader->job = (struct fio_job){
		.path = path, .engine = "io_uring", .block_bytes = PAYLOAD, .depth = DEPTH,
		.bytes = round_up((uint64_t)reader->count * PAYLOAD, 1u << 20), .ms = 100,
	};
	fd = file_zero_filled(path, reader->job.bytes, 0);
	if (fd < 0)
		return message_errno(why, fd, "%s", path);
	(void)close(fd);
	result = fio_run(&reader->job, &report, why);
	if (result && result != -ENOENT) {
		reader->job.engine = "libaio";
		result = fio_run(&reader->job, &report, why);
	}
	reader->job.ms = (uint32_t)(reader->slice_ns / 1000000);
	return result;
}

static int rounds(struct reader *reader, struct message *why)
{
	unsigned int i, half;
	int result = read_slice(reader, false);

	for (i = 0; i < reader->rounds; i++)
		for (half = 0; half < 2 && !result; half++)
			if ((i ^ half) & 1)
				result = read_slice(reader, true);
			else if (reader->has_fio)
				result = fio_run(&reader->job, &reader->fio[i], why);
	return result;
}

/* ---- rows --------------------------------------------------------------------- */

static double median_of(const struct reader *reader, size_t offset)
{
	double values[ROUNDS];
	unsigned int i;

	for (i = 0; i < reader->rounds; i++)
		memcpy(&values[i], (const char *)&reader->fio[i] + offset, sizeof(values[i]));
	return median(values, reader->rounds);
}

static double most_of(const struct reader *reader, size_t offset)
{
	double most = 0, value;
	unsigned int i;

	for (i = 0; i < reader->rounds; i++) {
		memcpy(&value, (const char *)&reader->fio[i] + offset, sizeof(value));
		most = value > most ? value : most;
	}
	return most;
}

static double sum_of_reads(const struct reader *reader)
{
	double sum = 0;
	unsigned int i;

	for (i = 0; i < reader->rounds; i++)
		sum += reader->fio[i].n;
	return sum;
}

static double add_row(struct json_object *rows, const struct reader *reader,
		      const char *method, const struct samples_summary *summary,
		      const char *engine)
{
	struct row row = {
		.method = method,
		.payload_bytes = PAYLOAD,
		.threads = 1,
		.batch = 1,
		.summary = *summary,
		.survives = journal_class_name(reader->survives),
	};
	struct json_object *object = rows_add(rows, &row);

	row_add_number(object, "depth", DEPTH);
	row_add_number(object, "slices", reader->rounds);
	row_add_text(object, "engine", engine);
	printf("%-14s %10.0f per_s  p50 %8.0f ns  p99 %8.0f ns\n", method, summary->per_s,
	       summary->p50_ns, summary->p99_ns);
	return summary->per_s;
}

/* the rate, p50 and p90 are medians over the slices, the tail is the worst slice's */
static struct samples_summary fio_summary(const struct reader *reader)
{
#define MEDIAN(field) median_of(reader, offsetof(struct fio_report, field))
#define MOST(field)   most_of(reader, offsetof(struct fio_report, field))
	return (struct samples_summary){
		.n = (size_t)sum_of_reads(reader), .per_s = MEDIAN(per_s),
		.p50_ns = MEDIAN(p50_ns), .p90_ns = MEDIAN(p90_ns), .p99_ns = MOST(p99_ns),
		.p999_ns = MOST(p999_ns), .p9999_ns = MOST(p9999_ns), .max_ns = MOST(max_ns),
	};
}

static void add_rows(struct json_object *rows, struct reader *reader)
{
	struct samples_summary summary;
	struct journal_info info;
	double ours, theirs;

	samples_summarize(&reader->samples, 1, &summary);
	(void)journal_info(reader->journal, &info);
	ours = add_row(rows, reader, "jnl-reads", &summary, info.logs[0].backend);
	if (!reader->has_fio)
		return;
	summary = fio_summary(reader);
	theirs = add_row(rows, reader, "fio-randread", &summary, reader->job.engine);
	printf("%-14s %10.3f\n", "ratio", ours / theirs);
}

static void measure(struct bench_env *env, struct json_object *rows)
{
	struct reader reader = {
		.env = env,
		.rounds = env->options.quick ? 2 : ROUNDS,
		.slice_ns = env->options.quick ? 100000000 : 1000000000,
	};
	struct message why = { "" };
	char path[2100];
	int result = prepare(&reader, &why);

	if (!result) {
		result = prepare_fio(&reader, path, sizeof(path), &why);
		reader.has_fio = !result;
		if (result)
			fprintf(stderr, "bench: fio-randread: left out: %s\n", why.text);
		why.text[0] = '\0';
		result = rounds(&reader, &why);
	}
	if (!result)
		add_rows(rows, &reader);
	else
		fprintf(stderr, "bench: jnl-reads: left out: %s (%s)\n",
			why.text[0] ? why.text : journal_error(reader.journal),
			strerror(-result));
	(void)journal_close(reader.journal);
	samples_free(&reader.samples);
	free(reader.ids);
	free(reader.ns);
}

int main(int argc, char **argv)
{
	return bench_main(argc, argv, measure);
}
