/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long a transaction waits because another process was stopped or killed in the
 * middle of its work: a few processes put and retire, one of them gets a signal at a
 * random moment, and the longest call of any other until the end of the slice is one
 * sample.  Slices in which nobody gets a signal come between them: what is as long
 * there is the machine's.
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
#include "util/math.h"

#define PROCESSES 3u /* the last one gets the signal */
#define KEPT      32u /* transactions of each that are not retired yet */
#define SLICE_US  200000u
#define PAYLOAD   (32u << 10)

/* one process, alone in its cache lines */
struct peer {
	_Atomic uint64_t since, longest_ns, commits;
	uint64_t pad[13];
} __attribute__((aligned(128)));

/* in memory that all of them share */
struct slice {
	_Atomic uint32_t ready;
	_Atomic bool go, stop;
	_Atomic int error;
	struct peer peer[PROCESSES];
};

struct kind {
	const char *method;
	int signal; /* 0: none */
	uint64_t random;
	struct samples samples;
};

/* xorshift64*, Vigna 2014 */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/* ---- the processes ----------------------------------------------------------------------- */

static void ended(struct peer *peer)
{
	uint64_t took = clock_ns() - peer->since;

	if (took > peer->longest_ns)
		peer->longest_ns = took;
	peer->since = 0;
}

static int put(struct subject *subject, struct journal *j, uint32_t bytes, uint64_t *id)
{
	struct journal_txn_options options = { .path = subject->path, .bytes = bytes };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	int error = journal_begin(j, &options, &txn);

	if (!error)
		error = journal_append(txn, subject->env->payload, bytes);
	if (!error)
		error = journal_commit(txn, &receipt);
	*id = error ? 0 : receipt.id;
	return error;
}

/* small ones and large ones, so that stage, log and lines are all gone round */
static int put_and_retire(struct subject *subject, struct journal *j, struct peer *peer)
{
	static const uint32_t bytes[] = { 64, 700, 64, 4096, 64, 2000, 64, PAYLOAD };
	struct slice *slice = subject->shared;
	uint64_t id[KEPT] = { 0 };
	uint32_t i;
	int error = 0;

	for (i = 0; !error && !slice->stop; i++) {
		peer->since = clock_ns();
		if (id[i % KEPT])
			error = journal_retire(j, id[i % KEPT]);
		if (!error)
			error = put(subject, j, bytes[i % 8], &id[i % KEPT]);
		ended(peer);
		peer->commits++;
	}
	for (i = 0; i < KEPT && !error; i++)
		if (id[i])
			error = journal_retire(j, id[i]);
	return error;
}

static void run_peer(struct subject *subject, uint32_t who)
{
	struct slice *slice = subject->shared;
	struct journal *j = NULL;
	int error = journal_open(subject->dir, NULL, &j);

	slice->ready++;
	while (!slice->go)
		usleep(100);
	if (!error)
		error = put_and_retire(subject, j, &slice->peer[who]);
	if (error && !atomic_exchange(&slice->error, 1))
		fprintf(stderr, "bench: process %u: %s\n", who,
			j ? journal_error(j) : strerror(-error));
	(void)journal_close(j);
}

/* ---- one slice ----------------------------------------------------------------------------- */

/* of those that got no signal, with the calls that have not come back yet */
static uint64_t longest_of_others(struct slice *slice)
{
	uint64_t longest = 0, now = clock_ns(), since;
	uint32_t i;

	for (i = 0; i < PROCESSES - 1; i++) {
		since = slice->peer[i].since;
		longest = max_u64(longest, slice->peer[i].longest_ns);
		if (since && since < now)
			longest = max_u64(longest, now - since);
	}
	return longest;
}

static void forget_longest(struct slice *slice)
{
	uint32_t i;

	for (i = 0; i < PROCESSES; i++)
		slice->peer[i].longest_ns = 0;
}

static int run_slice(struct subject *subject, struct kind *kind)
{
	struct slice *slice = subject->shared;
	uint64_t longest, began, commits = 0;
	pid_t pid[PROCESSES];
	uint32_t i;

	memset(slice, 0, sizeof(*slice));
	for (i = 0; i < PROCESSES; i++)
		pid[i] = subject_start(subject, run_peer, i);
	while (slice->ready < PROCESSES)
		usleep(1000);
	slice->go = true;
	usleep((useconds_t)(5000 + next_random(&kind->random) % 20000));
	if (kind->signal)
		(void)kill(pid[PROCESSES - 1], kind->signal);
	forget_longest(slice);
	began = clock_ns();
	for (i = 0; i < PROCESSES - 1; i++)
		commits -= slice->peer[i].commits;
	usleep(SLICE_US);
	longest = longest_of_others(slice);
	for (i = 0; i < PROCESSES - 1; i++)
		commits += slice->peer[i].commits;
	began = clock_ns() - began;
	if (kind->signal == SIGSTOP)
		(void)kill(pid[PROCESSES - 1], SIGCONT);
	slice->stop = true;
	for (i = 0; i < PROCESSES; i++)
		(void)waitpid(pid[i], NULL, 0);
	if (slice->error || (kind->signal == SIGKILL && subject_retire_all(subject)))
		return -EIO;
	return samples_slice(&kind->samples, &longest, 1, (double)commits * 1e9 / (double)began);
}

/* ---- rows ---------------------------------------------------------------------------------- */

static int add_row(struct json_object *rows, const struct subject *subject, struct kind *kind)
{
	struct row row = { .method = kind->method, .threads = PROCESSES, .batch = 1,
			   .survives = journal_class_name(subject->survives) };
	struct json_object *added;

	samples_summarize(&kind->samples, 1, &row.summary);
	added = rows_add(rows, &row);
	if (!added)
		return -ENOMEM;
	row_add_text(added, "marker", subject->marker_name);
	row_add_number(added, "processes", PROCESSES);
	printf("%-16s %-6s longest wait: p50 %7.2f ms, p99 %7.2f ms, max %7.2f ms\n",
	       kind->method, subject->marker_name, row.summary.p50_ns / 1e6,
	       row.summary.p99_ns / 1e6, row.summary.max_ns / 1e6);
	return 0;
}

static int measure_kinds(struct subject *subject, struct json_object *rows)
{
	struct kind kinds[] = { { .method = "jnl-wait-none" },
				{ .method = "jnl-wait-stopped", .signal = SIGSTOP },
				{ .method = "jnl-wait-killed", .signal = SIGKILL } };
	uint32_t i, k, slices = subject->env->options.quick ? 2 : 40;
	int error = 0;

	for (k = 0; k < 3 && !error; k++) {
		kinds[k].random = 0x6a6f75726e616cull;
		error = samples_init(&kinds[k].samples, slices, slices);
	}
	for (i = 0; i < slices && !error; i++)
		for (k = 0; k < 3 && !error; k++)
			error = run_slice(subject, &kinds[k]);
	for (k = 0; k < 3; k++) {
		if (!error)
			error = add_row(rows, subject, &kinds[k]);
		samples_free(&kinds[k].samples);
	}
	return error;
}

static void measure_all(struct bench_env *env, struct json_object *rows)
{
	subjects_measure(env, rows, "waits", sizeof(struct slice), measure_kinds);
}

int main(int argc, char **argv)
{
	return bench_main(argc, argv, measure_all);
}
