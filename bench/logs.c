/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Do the rates of several log disks add up?  Commits of one process on a journal of one,
 * two and four logs, in turns.
 *
 * There are not so many disks in most machines.  So each log is a file in memory, beside
 * the NVRAM of the other programs, and a disk is imitated: a durable write takes
 * DISK_FIXED_NS, again for each piece of it that does not lie behind the one before, and its
 * bytes at DISK_BYTES_PER_S; on a disk with a queue whatever else is under way there, on
 * one without it one after the other.  What is measured is whether the library keeps
 * several disks busy, and not a disk.
 *
 *  jnl-logs    synced, with many under way: one thread that submits (depth); and with
 *              threads that each wait for their own
 *  jnl-logs-direct  the payload to the log, then a bit of NVRAM
 *  ...-turns   on disks that do one write after the other
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends.h"
#include "lib_clock.h"
#include "lib_dir.h"
#include "lib_main.h"
#include "lib_rows.h"
#include "store/evidence.h"
#include "util/math.h"

#define DISK_FIXED_NS    2000000ull
#define DISK_BYTES_PER_S 50000000ull
#define LOG_BYTES        (288ull << 20) /* of all logs: segments of 2 MiB */
#define LOGS_MOST        4u
#define PAYLOAD          4096u
#define PAYLOAD_DIRECT   65536u
#define DEPTH            4096u
#define DEPTH_DIRECT     256u
#define THREADS_MOST     64u
#define ROUNDS           5u
#define MARKER_BYTES     (16ull << 20)
#define COMMITS_MAX      40000u /* in one slice */

int __real_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message);
int __wrap_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message);

/* ---- the disks ------------------------------------------------------------------------ */

static struct disk {
	struct log_store *store;
	_Atomic uint64_t free_ns; /* until then it is busy */
} disks[6 * LOGS_MOST];
static _Atomic uint64_t disk_busy_ns, disk_writes; /* of all of them, in one slice */
static uint32_t disk_count;
static bool disk_queues;
static const struct log_store_ops *disk_real;
static struct log_store_ops disk_ops;

static struct disk *disk_of(const struct log_store *store)
{
	struct disk *disk = disks;

	while (disk->store != store)
		disk++;
	return disk;
}

static uint64_t disk_takes(const struct log_io *io, unsigned int count)
{
	uint64_t bytes = 0, pieces = 0;
	unsigned int i;

	for (i = 0; i < count; i++) {
		bytes += io[i].bytes;
		pieces += !i || io[i].offset != io[i - 1].offset + io[i - 1].bytes;
	}
	return pieces * DISK_FIXED_NS + bytes * 1000000000 / DISK_BYTES_PER_S;
}

static int disk_write(struct log_store *store, struct log_io *io, unsigned int count, bool durable)
{
	struct disk *disk = disk_of(store);
	uint64_t now = clock_ns(), begins = atomic_load(&disk->free_ns), ends, from, takes;
	struct timespec until;
	int error = disk_real->write(store, io, count, false);

	if (error || !durable)
		return error;
	takes = disk_takes(io, count);
	atomic_fetch_add(&disk_busy_ns, takes);
	atomic_fetch_add(&disk_writes, 1);
	do {
		from = disk_queues ? now : max_u64(begins, now);
		ends = from + takes;
	} while (!atomic_compare_exchange_weak(&disk->free_ns, &begins, ends));
	until = (struct timespec){ .tv_sec = (time_t)(ends / 1000000000),
				   .tv_nsec = (long)(ends % 1000000000) };
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
	return 0;
}

/* one that is being made is written as it is */
int __wrap_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message)
{
	int error = __real_backend_open_log(path, flags, bytes, progress, store, message);

	if (error || flags & LOG_CREATE || disk_count == ARRAY_COUNT(disks))
		return error;
	disk_real = (*store)->ops;
	disk_ops = *disk_real;
	disk_ops.write = disk_write;
	disk_ops.share = NULL;
	(*store)->ops = &disk_ops;
	disks[disk_count++].store = *store;
	return 0;
}

/* ---- commits -------------------------------------------------------------------------- */

/* @depth: under way, of one thread; 0: @threads, each of which waits */
static const struct kind {
	uint32_t logs, depth, threads;
	bool queues, direct;
} kinds[] = {
	{ 1, DEPTH, 1, true, false }, { 2, DEPTH, 1, true, false }, { 4, DEPTH, 1, true, false },
	{ 1, DEPTH, 1, false, false }, { 2, DEPTH, 1, false, false }, { 4, DEPTH, 1, false, false },
	{ 1, 0, 2, true, false }, { 2, 0, 2, true, false },
	{ 1, 0, 16, true, false }, { 2, 0, 16, true, false }, { 4, 0, 16, true, false },
	{ 1, 0, 16, false, false }, { 2, 0, 16, false, false }, { 4, 0, 16, false, false },
	{ 1, 0, 64, false, false }, { 2, 0, 64, false, false }, { 4, 0, 64, false, false },
	{ 1, 0, 16, false, true }, { 2, 0, 16, false, true }, { 4, 0, 16, false, true },
	{ 1, DEPTH_DIRECT, 1, false, true }, { 2, DEPTH_DIRECT, 1, false, true },
	{ 4, DEPTH_DIRECT, 1, false, true },
};
#define KINDS ARRAY_COUNT(kinds)

struct bench_logs {
	const struct bench_env *env;
	uint8_t payload[PAYLOAD_DIRECT];
	struct journal *journal[2][LOGS_MOST + 1]; /* embedded, with NVRAM; by number of logs */
	const struct kind *kind; /* of this slice */
	uint64_t ids[COMMITS_MAX], ns[COMMITS_MAX], began[DEPTH];
	_Atomic uint32_t count;
	struct samples samples[KINDS];
	uint64_t slice_ns;
	/* of all slices of a kind */
	uint64_t commits[KINDS], writes[KINDS], busy_ns[KINDS], took_ns[KINDS];
};

/* a thread, in one slice */
struct committer {
	struct bench_logs *b;
	struct journal *j;
	pthread_t thread;
	uint64_t end;
	int error;
};

static uint32_t payload_of(const struct kind *k)
{
	return k->direct ? PAYLOAD_DIRECT : PAYLOAD;
}

static int begin_one(const struct bench_logs *b, struct journal *j, struct journal_txn **txn)
{
	uint32_t bytes = payload_of(b->kind);
	struct journal_txn_options options = {
		.bytes = bytes,
		.path = b->kind->direct ? JOURNAL_PATH_DIRECT : JOURNAL_PATH_AUTO,
	};
	int error = journal_begin(j, &options, txn);

	if (!error)
		error = journal_append(*txn, b->payload, bytes);
	return error;
}

static void note(struct bench_logs *b, const struct journal_receipt *receipt, uint64_t began)
{
	uint32_t at = atomic_fetch_add(&b->count, 1);

	b->ids[at] = receipt->id;
	b->ns[at] = clock_ns() - began;
}

static void *one_by_one(void *context)
{
	struct committer *c = context;
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint64_t began;

	while (!c->error && clock_ns() < c->end && c->b->count < COMMITS_MAX - THREADS_MOST) {
		began = clock_ns();
		c->error = begin_one(c->b, c->j, &txn);
		if (!c->error)
			c->error = journal_commit(txn, &receipt);
		if (!c->error)
			note(c->b, &receipt, began);
	}
	return NULL;
}

static int go_threads(struct bench_logs *b, struct journal *j, uint32_t threads, uint64_t end)
{
	struct committer c[THREADS_MOST];
	uint32_t i, started;
	int error = 0;

	for (i = 0; i < threads && !error; i++) {
		c[i] = (struct committer){ .b = b, .j = j, .end = end };
		error = -pthread_create(&c[i].thread, NULL, one_by_one, &c[i]);
	}
	started = error ? i - 1 : i;
	for (i = 0; i < started; i++) {
		pthread_join(c[i].thread, NULL);
		error = error ? error : c[i].error;
	}
	return error;
}

static int submit_one(struct bench_logs *b, struct journal *j, struct journal_async *a,
		      uint64_t cookie)
{
	struct journal_txn *txn;
	int error;

	b->began[cookie] = clock_ns();
	error = begin_one(b, j, &txn);
	return error ? error : journal_submit(a, txn, cookie);
}

static int go_async(struct bench_logs *b, struct journal *j, uint64_t end)
{
	struct journal_completion done;
	struct journal_async *a;
	uint32_t depth = b->kind->depth;
	uint64_t i;
	int error = journal_async_open(j, depth, &a), closed;

	if (error)
		return error;
	for (i = 0; i < depth && !error; i++)
		error = submit_one(b, j, a, i);
	while (!error && !(error = journal_async_next(a, -1, &done)) && !(error = done.error)) {
		note(b, &done.receipt, b->began[done.cookie]);
		if (clock_ns() < end && b->count < COMMITS_MAX - depth)
			error = submit_one(b, j, a, done.cookie);
	}
	closed = journal_async_close(a);
	return error == -ENODATA ? closed : error;
}

/* what is still under way at the end is waited for, and counts with its time */
static int slice(struct bench_logs *b, uint32_t kind, bool counts)
{
	const struct kind *k = &kinds[kind];
	struct journal *j = b->journal[k->direct][k->logs];
	uint64_t began = clock_ns(), took;
	int error;

	b->count = 0;
	b->kind = k;
	disk_queues = k->queues;
	disk_busy_ns = disk_writes = 0;
	error = k->depth ? go_async(b, j, began + b->slice_ns) :
			   go_threads(b, j, k->threads, began + b->slice_ns);
	took = clock_ns() - began;
	b->commits[kind] += b->count;
	b->writes[kind] += disk_writes;
	b->busy_ns[kind] += disk_busy_ns;
	b->took_ns[kind] += took;
	if (!error && b->count)
		error = journal_retire_many(j, b->ids, b->count, NULL);
	if (!error && counts)
		error = samples_slice(&b->samples[kind], b->ns, b->count,
				      (double)b->count * 1e9 / (double)took);
	return error;
}

/* ---- journals ------------------------------------------------------------------------- */

static int make(struct bench_logs *b, bool direct, uint32_t logs, struct message *why)
{
	char dir[2100], marker[2200], log[LOGS_MOST][2200];
	const char *paths[LOGS_MOST];
	struct journal_format_options format = {
		.logs = paths, .log_count = logs, .log_bytes = LOG_BYTES,
		.require = JOURNAL_CLASS_PROCESS,
	};
	uint32_t i;
	int error;

	(void)snprintf(dir, sizeof(dir), "%s/logs-%s%u", b->env->nvram_dir, direct ? "direct-" : "",
		       logs);
	(void)snprintf(marker, sizeof(marker), "pmem:%s.nvram", dir);
	if (direct) {
		format.marker = marker;
		format.marker_bytes = MARKER_BYTES;
	}
	for (i = 0; i < logs; i++) {
		(void)snprintf(log[i], sizeof(log[i]), "%s-disk%u", dir, i);
		paths[i] = log[i];
		error = dir_make(log[i]);
		if (error)
			return message_errno(why, error, "%s", log[i]);
	}
	error = journal_format(dir, &format, why->text, sizeof(why->text));
	if (!error)
		error = journal_open(dir, NULL, &b->journal[direct][logs]);
	if (error && b->journal[direct][logs])
		(void)message_set(why, error, "%s", journal_error(b->journal[direct][logs]));
	return error;
}

static int prepare(struct bench_logs *b, struct message *why)
{
	uint32_t k;
	int error = 0;

	for (k = 0; k < KINDS && !error; k++) {
		error = samples_init(&b->samples[k], (size_t)ROUNDS * COMMITS_MAX, ROUNDS);
		if (!error && !b->journal[kinds[k].direct][kinds[k].logs])
			error = make(b, kinds[k].direct, kinds[k].logs, why);
	}
	return error;
}

static const char *method_of(const struct kind *k)
{
	if (k->direct)
		return k->queues ? "jnl-logs-direct" : "jnl-logs-direct-turns";
	return k->queues ? "jnl-logs" : "jnl-logs-turns";
}

static void add_row(struct json_object *rows, struct bench_logs *b, uint32_t kind)
{
	const struct kind *k = &kinds[kind];
	struct row row = {
		.method = method_of(k),
		.payload_bytes = payload_of(k), .threads = k->threads, .batch = 1,
		.survives = journal_class_name(JOURNAL_CLASS_PROCESS), /* nothing is synced */
	};
	double busy = (double)b->busy_ns[kind] / ((double)b->took_ns[kind] * k->logs);
	double writes = (double)b->writes[kind] / (double)b->commits[kind];
	struct json_object *object;

	samples_summarize(&b->samples[kind], 1, &row.summary);
	object = rows_add(rows, &row);
	row_add_number(object, "logs", k->logs);
	row_add_number(object, "depth", k->depth ? k->depth : 1);
	row_add_number(object, "busy", busy);
	row_add_number(object, "writes", writes);
	row_add_text(object, "disk", k->queues ?
		     "imitated: 2 ms and 50 MB/s for each durable write, with a queue" :
		     "imitated: 2 ms and 50 MB/s for each durable write, one after the other");
	printf("%-21s %u logs, %4u under way, %2u threads: %8.0f per_s  p50 %9.0f ns  busy %.2f  "
	       "writes %.4f\n", row.method, k->logs, k->depth ? k->depth : k->threads,
	       k->threads, row.summary.per_s, row.summary.p50_ns, busy, writes);
}

static void measure(struct bench_env *env, struct json_object *rows)
{
	struct bench_logs *b = calloc(1, sizeof(*b));
	struct message why = { "" };
	uint32_t i, k, rounds = env->options.quick ? 1 : ROUNDS;
	int error = b ? 0 : -ENOMEM;

	if (error)
		return;
	b->env = env;
	b->slice_ns = env->options.quick ? 50000000 : 400000000;
	error = prepare(b, &why);
	for (i = 0; i < rounds && !error; i++)
		for (k = 0; k < KINDS && !error; k++)
			error = slice(b, i & 1 ? KINDS - 1 - k : k, true);
	if (error)
		fprintf(stderr, "bench: jnl-logs: left out: %s (%s)\n", why.text, strerror(-error));
	for (k = 0; k < KINDS; k++) {
		if (!error)
			add_row(rows, b, k);
		samples_free(&b->samples[k]);
	}
	for (k = 0; k <= LOGS_MOST; k++) {
		(void)journal_close(b->journal[false][k]);
		(void)journal_close(b->journal[true][k]);
	}
	free(b);
}

int main(int argc, char **argv)
{
	return bench_main(argc, argv, measure);
}
