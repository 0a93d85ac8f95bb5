/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many durable commits per second from one thread, when it does not wait for each?
 *
 *  jnl-async   journal_submit() of 4096 bytes on an embedded journal, 1 to 1024
 *              outstanding at all times; in turns with
 *  jnl-one-by-one   the same, each by journal_commit(): the thread waits
 *
 * A latency is from before journal_begin() to the completion in the thread's hands.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib_clock.h"
#include "lib_dir.h"
#include "lib_env.h"
#include "lib_main.h"
#include "lib_rows.h"
#include "store/evidence.h"
#include "util/math.h"

#define PAYLOAD     4096u
#define ROUNDS      6u
#define COMMITS_MAX 40000u /* in one slice */

/* 0: one that waits */
static const unsigned int depths[] = { 0, 1, 4, 16, 64, 256, 1024 };
#define KINDS ARRAY_COUNT(depths)

/**
 * struct writer - what is written to, and what came of it
 * @ids, @count: live ones of a slice
 * @ns:          one sample per commit of it
 */
struct writer {
	struct bench_env *env;
	struct journal *journal;
	uint64_t *ids, *ns;
	size_t count;
	uint64_t slice_ns;
	unsigned int rounds;
	struct samples samples[KINDS];
	enum journal_class survives;
};

static int begin_one(struct writer *w, struct journal_txn **txn)
{
	struct journal_txn_options options = { .bytes = PAYLOAD };
	int result = journal_begin(w->journal, &options, txn);

	if (result)
		return result;
	result = journal_append(*txn, w->env->payload, PAYLOAD);
	if (result)
		(void)journal_abort(*txn);
	return result;
}

static void note(struct writer *w, uint64_t began, const struct journal_receipt *receipt)
{
	w->ns[w->count] = clock_ns() - began;
	w->ids[w->count++] = receipt->id;
	w->survives = receipt->survives;
}

static int commit_one(struct writer *w)
{
	uint64_t began = clock_ns();
	struct journal_receipt receipt;
	struct journal_txn *txn;
	int result = begin_one(w, &txn);

	if (!result)
		result = journal_commit(txn, &receipt);
	if (!result)
		note(w, began, &receipt);
	return result;
}

static int submit_one(struct writer *w, struct journal_async *async)
{
	uint64_t began = clock_ns();
	struct journal_txn *txn;
	int result = begin_one(w, &txn);

	return result ? result : journal_submit(async, txn, began);
}

/* What is there, and at least one. */
static int take_some(struct writer *w, struct journal_async *async)
{
	struct journal_completion done;
	int result = journal_async_next(async, -1, &done);

	while (!result) {
		if (done.error)
			return done.error;
		note(w, done.cookie, &done.receipt);
		result = journal_async_next(async, 0, &done);
	}
	return result == -ETIMEDOUT || result == -ENODATA ? 0 : result;
}

static int go_waiting(struct writer *w, uint64_t end)
{
	int result = 0;

	while (!result && clock_ns() < end && w->count < COMMITS_MAX)
		result = commit_one(w);
	return result;
}

static int go(struct writer *w, unsigned int depth, uint64_t end)
{
	struct journal_async *async;
	size_t submitted = 0;
	int result;

	if (!depth)
		return go_waiting(w, end);
	result = journal_async_open(w->journal, depth, &async);
	if (result)
		return result;
	while (!result && clock_ns() < end && submitted < COMMITS_MAX) {
		while (!result && submitted - w->count < depth && submitted < COMMITS_MAX) {
			result = submit_one(w, async);
			submitted++;
		}
		if (!result)
			result = take_some(w, async);
	}
	while (!result && w->count < submitted)
		result = take_some(w, async);
	(void)journal_async_close(async);
	return result;
}

static int slice(struct writer *w, unsigned int kind, bool counts)
{
	uint64_t begin = clock_ns(), end;
	int result;

	w->count = 0;
	result = go(w, depths[kind], begin + w->slice_ns);
	end = clock_ns();
	if (!result && counts)
		result = samples_slice(&w->samples[kind], w->ns, w->count,
				       (double)w->count * 1e9 / (double)(end - begin));
	if (w->count && !result)
		result = journal_retire_many(w->journal, w->ids, w->count, NULL);
	return result;
}

static int rounds(struct writer *w)
{
	unsigned int i, k;
	int result = 0;

	for (i = 0; i <= w->rounds; i++)
		for (k = 0; k < KINDS && !result; k++)
			result = slice(w, i & 1 ? KINDS - 1 - k : k, i);
	return result;
}

static int prepare(struct writer *w, struct message *why)
{
	unsigned int k;
	int result = env_journal(w->env, true, &w->journal, why);

	if (result)
		return result;
	w->ids = calloc(COMMITS_MAX, sizeof(*w->ids));
	w->ns = calloc(COMMITS_MAX, sizeof(*w->ns));
	if (!w->ids || !w->ns)
		return message_set(why, -ENOMEM, "out of memory");
	for (k = 0; k < KINDS && !result; k++)
		result = samples_init(&w->samples[k], (size_t)w->rounds * COMMITS_MAX, w->rounds);
	return result;
}

static void add_rows(struct json_object *rows, struct writer *w)
{
	unsigned int k;

	for (k = 0; k < KINDS; k++) {
		struct row row = {
			.method = depths[k] ? "jnl-async" : "jnl-one-by-one",
			.payload_bytes = PAYLOAD, .threads = 1, .batch = 1,
			.survives = journal_class_name(w->survives),
		};
		struct json_object *object;

		samples_summarize(&w->samples[k], 1, &row.summary);
		object = rows_add(rows, &row);
		row_add_number(object, "depth", depths[k] ? depths[k] : 1);
		row_add_number(object, "slices", w->rounds);
		printf("%-15s depth %4u %10.0f per_s  p50 %9.0f ns  p99 %9.0f ns\n", row.method,
		       depths[k] ? depths[k] : 1, row.summary.per_s, row.summary.p50_ns,
		       row.summary.p99_ns);
	}
}

static void measure(struct bench_env *env, struct json_object *rows)
{
	struct writer w = {
		.env = env,
		.rounds = env->options.quick ? 2 : ROUNDS,
		.slice_ns = env->options.quick ? 20000000 : 200000000,
	};
	struct message why = { "" };
	unsigned int k;
	int result = prepare(&w, &why);

	if (!result)
		result = rounds(&w);
	if (!result)
		add_rows(rows, &w);
	else
		fprintf(stderr, "bench: jnl-async: left out: %s (%s)\n",
			why.text[0] ? why.text : journal_error(w.journal), strerror(-result));
	for (k = 0; k < KINDS; k++)
		samples_free(&w.samples[k]);
	free(w.ids);
	free(w.ns);
}

int main(int argc, char **argv)
{
	return bench_main(argc, argv, measure);
}
