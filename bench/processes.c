/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What it costs to join a journal that others have open, and what many processes
 * commit together.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "lib_clock.h"
#include "lib_main.h"
#include "lib_rows.h"
#include "lib_subject.h"
#include "store/evidence.h"
#include "store/marker_store.h"
#include "util/math.h"

#define PROCESSES_MAX 64u
#define KEPT          2048u /* latencies of one process in one slice */
#define SLICES        5u
/* Commits of each before it is measured: pages are mapped into a process when it first
 * touches them, and of 64 that share two processors each runs for 12 ms of a slice. */
#define WARM          20000u
#define FLOOR_BYTES   (64u << 10) /* what a lane goes round in while all is retired */

/* in memory that all of them share */
struct slice {
	_Atomic uint32_t ready;
	_Atomic bool go, stop;
	_Atomic int error;
	struct {
		_Atomic uint64_t count;
		uint64_t ns[KEPT];
	} process[PROCESSES_MAX];
};

/* ---- children ------------------------------------------------------------------------ */

static void hold(struct subject *subject, uint32_t who)
{
	struct slice *slice = subject->shared;
	struct journal *j;

	(void)who;
	if (journal_open(subject->dir, NULL, &j))
		atomic_store(&slice->error, 1);
	atomic_fetch_add(&slice->ready, 1);
	for (;;)
		(void)pause();
}

static void join(struct subject *subject, uint32_t who)
{
	struct slice *slice = subject->shared;
	uint64_t began = clock_ns();
	struct journal *j;
	int error = journal_open(subject->dir, NULL, &j);

	error = journal_close(j) || error;
	slice->process[who].ns[0] = clock_ns() - began;
	if (error)
		atomic_store(&slice->error, 1);
}

static int put_and_retire(struct subject *subject, struct journal *j, uint64_t *ns)
{
	struct journal_txn_options options = { .path = subject->path, .bytes = 64 };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint64_t began = clock_ns();
	int error = journal_begin(j, &options, &txn);

	if (!error)
		error = journal_append(txn, subject->env->payload, 64);
	if (!error)
		error = journal_commit(txn, &receipt);
	*ns = clock_ns() - began;
	/* of the synced ones the commit alone: they are retired at the end */
	if (!error && subject->path != JOURNAL_PATH_SYNCED)
		error = journal_retire(j, receipt.id);
	return error;
}

static void work(struct subject *subject, uint32_t who)
{
	struct slice *slice = subject->shared;
	uint64_t count = 0, *ns = slice->process[who].ns;
	uint32_t warm = subject->path == JOURNAL_PATH_SYNCED ? 1 : WARM;
	struct journal *j;
	int error = journal_open(subject->dir, NULL, &j);

	for (; !error && warm; warm--)
		error = put_and_retire(subject, j, ns);
	atomic_fetch_add(&slice->ready, 1);
	while (!atomic_load(&slice->go))
		usleep(100);
	for (; !error && !atomic_load_explicit(&slice->stop, memory_order_relaxed); count++)
		error = put_and_retire(subject, j, &ns[count % KEPT]);
	slice->process[who].count = count;
	if (error && !atomic_exchange(&slice->error, 1))
		fprintf(stderr, "bench: process %u: %s\n", who, journal_error(j));
	(void)journal_close(j);
}

/*
 * What the same stores cost without a journal, in a part of NVRAM that is this process's:
 * a record of 64 bytes and its header, a fence; a bit, a fence.  What 64 of these do less
 * than 2 is what it costs to change from one process to the next.
 */
static void floor_op(const struct subject *subject, uint8_t *mine, uint64_t i)
{
	struct marker_store *floor = subject->env->floor;
	uint64_t *line = (uint64_t *)(void *)(mine + FLOOR_BYTES + i / 512 * 64 % FLOOR_BYTES);

	nv_copy(floor, mine + i * 128 % FLOOR_BYTES, subject->env->payload, 128);
	(void)nv_fence(floor);
	nv_and8(floor, line + i / 64 % 8, ~(1ull << i % 64));
	(void)nv_fence(floor);
}

static void floor_work(struct subject *subject, uint32_t who)
{
	struct slice *slice = subject->shared;
	uint8_t *mine = subject->env->floor->map + 2ull * FLOOR_BYTES * who;
	uint64_t count, began;

	for (count = 0; count < WARM; count++)
		floor_op(subject, mine, count);
	atomic_fetch_add(&slice->ready, 1);
	while (!atomic_load(&slice->go))
		usleep(100);
	for (count = 0; !atomic_load_explicit(&slice->stop, memory_order_relaxed); count++) {
		began = clock_ns();
		floor_op(subject, mine, count);
		slice->process[who].ns[count % KEPT] = clock_ns() - began;
	}
	slice->process[who].count = count;
}

/* ---- joining -------------------------------------------------------------------------- */

static uint64_t true_ns(void)
{
	uint64_t began = clock_ns();
	pid_t pid = fork();

	if (!pid) {
		(void)execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	(void)waitpid(pid, NULL, 0);
	return clock_ns() - began;
}

static double per_s(const uint64_t *ns, uint32_t n)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < n; i++)
		sum += ns[i];
	return sum ? (double)n * 1e9 / (double)sum : 0;
}

static int add_row(struct json_object *rows, const struct subject *subject, const char *method,
		   uint32_t processes, struct samples *samples)
{
	struct row row = { .method = method, .payload_bytes = processes ? 64 : 0,
			   .threads = (uint32_t)max_u64(processes, 1),
			   .batch = 1, .survives = journal_class_name(subject->survives) };
	struct json_object *added;

	samples_summarize(samples, 1, &row.summary);
	added = rows_add(rows, &row);
	if (!added)
		return -ENOMEM;
	row_add_text(added, "marker", subject->marker_name);
	row_add_number(added, "processes", row.threads);
	printf("%-16s %-6s %3u processes: p50 %9.0f ns, %10.0f per s\n", method,
	       subject->marker_name, row.threads, row.summary.p50_ns, row.summary.per_s);
	return 0;
}

/* Each by a process that did nothing before, in turns. */
static int measure_join(struct subject *subject, struct json_object *rows)
{
	struct slice *slice = subject->shared;
	uint32_t i, n = subject->env->options.quick ? 20 : 400;
	uint64_t *joins = calloc(n, sizeof(*joins)), *trues = calloc(n, sizeof(*trues));
	struct samples join_samples = { 0 }, true_samples = { 0 };
	pid_t holder = subject_start(subject, hold, 0);
	int error = samples_init(&join_samples, n, 1) || samples_init(&true_samples, n, 1) ||
		    !joins || !trues;

	while (!atomic_load(&slice->ready))
		usleep(1000);
	for (i = 0; i < n && !error; i++) {
		(void)waitpid(subject_start(subject, join, 1), NULL, 0);
		joins[i] = slice->process[1].ns[0];
		trues[i] = true_ns();
		error = atomic_load(&slice->error);
	}
	(void)kill(holder, SIGKILL);
	(void)waitpid(holder, NULL, 0);
	if (!error)
		error = samples_slice(&join_samples, joins, n, per_s(joins, n)) ||
			samples_slice(&true_samples, trues, n, per_s(trues, n));
	if (!error)
		error = add_row(rows, subject, "jnl-join", 0, &join_samples) ||
			add_row(rows, subject, "fork-exec-true", 0, &true_samples);
	samples_free(&join_samples);
	samples_free(&true_samples);
	free(joins);
	free(trues);
	return error ? -EIO : 0;
}

/* ---- many ---------------------------------------------------------------------------------- */

static int gather(struct slice *slice, uint32_t processes, uint64_t took,
		  struct samples *samples)
{
	uint64_t *all = calloc(processes, KEPT * sizeof(*all)), count = 0, kept = 0, one;
	uint32_t i;
	int error;

	for (i = 0; i < processes && all; i++) {
		one = slice->process[i].count;
		count += one;
		one = min_u64(one, KEPT);
		memcpy(all + kept, slice->process[i].ns, one * sizeof(*all));
		kept += one;
	}
	error = all ? samples_slice(samples, all, kept, (double)count * 1e9 / (double)took) :
		      -ENOMEM;
	free(all);
	return error;
}

struct kind {
	const char *method;
	subject_body body;
	uint32_t processes;
};

static int run_slice(struct subject *subject, const struct kind *kind, struct samples *samples)
{
	struct slice *slice = subject->shared;
	pid_t pid[PROCESSES_MAX];
	uint64_t began;
	uint32_t i;

	memset(slice, 0, sizeof(*slice));
	for (i = 0; i < kind->processes; i++)
		pid[i] = subject_start(subject, kind->body, i);
	while (atomic_load(&slice->ready) < kind->processes)
		usleep(1000);
	began = clock_ns();
	atomic_store(&slice->go, true);
	usleep(subject->env->options.quick ? 20000 : 400000);
	atomic_store(&slice->stop, true);
	began = clock_ns() - began;
	for (i = 0; i < kind->processes; i++)
		(void)waitpid(pid[i], NULL, 0);
	return atomic_load(&slice->error) ? -EIO :
					    gather(slice, kind->processes, began, samples);
}

#define KINDS_MAX 5u

static int measure_many(struct subject *subject, struct json_object *rows,
			const struct kind *kinds, uint32_t count)
{
	struct samples samples[KINDS_MAX] = { 0 };
	uint32_t i, k;
	int error = 0;

	for (k = 0; k < count && !error; k++)
		error = samples_init(&samples[k], (size_t)SLICES * kinds[k].processes * KEPT,
				     SLICES);
	for (i = 0; i < SLICES && !error; i++)
		for (k = 0; k < count && !error; k++) {
			error = run_slice(subject, &kinds[k], &samples[k]);
			if (!error && subject->path == JOURNAL_PATH_SYNCED)
				error = subject_retire_all(subject);
		}
	for (k = 0; k < count; k++) {
		if (!error)
			error = add_row(rows, subject, kinds[k].method, kinds[k].processes,
					&samples[k]);
		samples_free(&samples[k]);
	}
	return error;
}

static int measure(struct subject *subject, struct json_object *rows)
{
	static const struct kind staged[KINDS_MAX] = {
		{ "jnl-staged-proc", work, 1 }, { "jnl-staged-proc", work, 2 },
		{ "jnl-staged-proc", work, 64 },
		{ "floor-proc", floor_work, 2 }, { "floor-proc", floor_work, 64 },
	};
	static const struct kind synced[] = {
		{ "jnl-synced-proc", work, 1 }, { "jnl-synced-proc", work, 32 },
	};
	const struct marker_store *floor = subject->env->floor;
	int error = measure_join(subject, rows);

	if (error)
		return error;
	return subject->path == JOURNAL_PATH_SYNCED ?
		       measure_many(subject, rows, synced, 2) :
		       measure_many(subject, rows, staged,
				    floor && floor->bytes >= 2ull * FLOOR_BYTES * PROCESSES_MAX ?
					    5 : 3);
}

static void measure_all(struct bench_env *env, struct json_object *rows)
{
	struct marker_store *floor;
	struct message why;

	if (env_floor(env, &floor, &why))
		fprintf(stderr, "bench: processes: floor-proc: left out: %s\n", why.text);
	subjects_measure(env, rows, "processes", sizeof(struct slice), measure);
}

int main(int argc, char **argv)
{
	return bench_main(argc, argv, measure_all);
}
