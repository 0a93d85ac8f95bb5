/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal itself, through its public header alone.  What is timed is all
 * that an application calls between having the payload and acknowledging it:
 * journal_begin(), journal_append(), journal_commit().
 *
 * jnl-staged   commits in succession, as the floors are, retired from time to
 *              time, untimed, before the stage is full; then the rate, of
 *              transactions that are each retired at once after their commit.
 * jnl-direct   payload in the log, then its bit.
 * jnl-synced   the embedded journal, without NVRAM.
 * jnl-retire   of transactions of the payload's size, staged, in their order.
 * jnl-group64  64 transactions prepared (journal_prepare()); their commit.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

/* per worker, alone in its cache lines: the ids that are live and await their end */
struct ids {
	uint64_t *id;
	size_t count, room;
	size_t next;             /* jnl-retire: the next one */
	struct journal_txn *txn; /* jnl-group64: prepared */
} __attribute__((aligned(128)));

struct jnl_state {
	struct journal *journal;
	struct ids *workers; /* one each; they are written by their threads only */
};

static struct journal *journal_of(struct bench_worker *worker)
{
	return ((struct jnl_state *)worker->bench->state)->journal;
}

static struct ids *ids_of(struct bench_worker *worker)
{
	return worker->state;
}

/* ---- open, close ---------------------------------------------------------- */

static int ids_init(struct bench_case *bench, struct jnl_state *state)
{
	size_t room = (size_t)bench->ops * bench->batch;
	unsigned int i;

	state->workers = aligned_alloc(128, bench->threads * sizeof(*state->workers));
	if (state->workers)
		memset(state->workers, 0, bench->threads * sizeof(*state->workers));
	for (i = 0; state->workers && i < bench->threads; i++) {
		struct ids *ids = &state->workers[i];

		bench->workers[i].state = ids;
		ids->room = room;
		ids->id = malloc(room * sizeof(*ids->id));
		if (!ids->id)
			return -ENOMEM;
		memset(ids->id, 0, room * sizeof(*ids->id)); /* touched */
	}
	return state->workers ? 0 : -ENOMEM;
}

static int jnl_open(struct bench_case *bench, bool embedded)
{
	struct jnl_state *state = calloc(1, sizeof(*state));
	int result;

	bench->state = state;
	if (!state || ids_init(bench, state))
		return message_set(&bench->why, -ENOMEM, "out of memory");
	result = env_journal(bench->env, embedded, &state->journal, &bench->why);
	if (!result) {
		struct journal_info info;

		(void)journal_info(state->journal, &info);
		(void)snprintf(bench->routine, sizeof(bench->routine), "%s",
			       bench->path == JOURNAL_PATH_STAGED ? info.marker.routine :
								    info.logs[0].routine);
	}
	return result;
}

static int nvram_open(struct bench_case *bench)
{
	return jnl_open(bench, false);
}

static int embedded_open(struct bench_case *bench)
{
	return jnl_open(bench, true);
}

static void jnl_close(struct bench_case *bench)
{
	struct jnl_state *state = bench->state;
	unsigned int i;

	for (i = 0; state && state->workers && i < bench->threads; i++)
		free(state->workers[i].id);
	if (state)
		free(state->workers);
	free(state);
}

static int said(struct bench_worker *worker, int error, const char *what)
{
	/* several threads may fail at once; any one text will do */
	if (error && !worker->index)
		(void)message_set(&worker->bench->why, error, "%s: %s", what,
				  journal_error(journal_of(worker)));
	return error;
}

/* ---- a transaction -------------------------------------------------------- */

static int jnl_put(struct bench_worker *worker, struct journal_receipt *receipt)
{
	const struct bench_case *bench = worker->bench;
	struct journal_txn_options options = {
		.path = bench->path,
		.bytes = bench->payload_bytes,
	};
	struct journal_txn *txn;
	int result = journal_begin(journal_of(worker), &options, &txn);

	if (result)
		return result;
	result = journal_append(txn, bench->env->payload, bench->payload_bytes);
	if (result) {
		(void)journal_abort(txn);
		return result;
	}
	return journal_commit(txn, receipt);
}

/* Stored once: threads that all store here would measure each other. */
static void note_survives(struct bench_case *bench, const struct journal_receipt *receipt)
{
	if (atomic_load_explicit(&bench->survives, memory_order_relaxed) != receipt->survives)
		atomic_store_explicit(&bench->survives, receipt->survives, memory_order_relaxed);
}

static int put_op(struct bench_worker *worker)
{
	struct ids *ids = ids_of(worker);
	struct journal_receipt receipt;
	int result = jnl_put(worker, &receipt);

	if (result)
		return said(worker, result, "put");
	note_survives(worker->bench, &receipt);
	ids->id[ids->count++] = receipt.id;
	return receipt.path == worker->bench->path ? 0 : -ENOTSUP;
}

static int retire_all(struct bench_worker *worker)
{
	struct ids *ids = ids_of(worker);
	int result = 0;

	if (ids->count)
		result = journal_retire_many(journal_of(worker), ids->id, ids->count, NULL);
	ids->count = 0;
	return said(worker, result, "retire");
}

#define RETIRE_EVERY 256

static int retire_some(struct bench_worker *worker)
{
	return ids_of(worker)->count < RETIRE_EVERY ? 0 : retire_all(worker);
}

static int put_and_retire(struct bench_worker *worker)
{
	struct journal_receipt receipt;
	int result = jnl_put(worker, &receipt);

	if (result)
		return said(worker, result, "put");
	return said(worker, journal_retire(journal_of(worker), receipt.id), "retire");
}

const struct bench_method jnl_staged = {
	.name = "jnl-staged",
	.mode = "per_s: retired at once",
	.rate = RATE_CYCLE,
	.open = nvram_open,
	.op = put_op,
	.after = retire_some,
	.cycle = put_and_retire,
	.slice_end = retire_all,
	.close = jnl_close,
};

const struct bench_method jnl_direct = {
	.name = "jnl-direct",
	.rate = RATE_WALL,
	.open = nvram_open,
	.op = put_op,
	.slice_end = retire_all,
	.close = jnl_close,
};

const struct bench_method jnl_synced = {
	.name = "jnl-synced",
	.rate = RATE_WALL,
	.open = embedded_open,
	.op = put_op,
	.slice_end = retire_all,
	.close = jnl_close,
};

/* ---- jnl-retire ----------------------------------------------------------- */

static int retire_slice_begin(struct bench_worker *worker)
{
	struct ids *ids = ids_of(worker);
	int result = 0;

	ids->next = 0;
	while (!result && ids->count < worker->bench->ops)
		result = put_op(worker);
	return result;
}

static int retire_op(struct bench_worker *worker)
{
	struct ids *ids = ids_of(worker);

	return journal_retire(journal_of(worker), ids->id[ids->next++]);
}

/* a slice that ran out of time leaves some: they are retired, not timed */
static int retire_slice_end(struct bench_worker *worker)
{
	struct ids *ids = ids_of(worker);
	size_t left = ids->count - ids->next;

	ids->count = 0;
	if (!left)
		return 0;
	return said(worker, journal_retire_many(journal_of(worker), ids->id + ids->next,
						left, NULL), "retire");
}

const struct bench_method jnl_retire = {
	.name = "jnl-retire",
	.open = nvram_open,
	.slice_begin = retire_slice_begin,
	.op = retire_op,
	.slice_end = retire_slice_end,
	.close = jnl_close,
};

/* ---- jnl-group64 ---------------------------------------------------------- */

static int group_fill(struct bench_worker *worker, struct journal_txn *txn)
{
	const struct bench_case *bench = worker->bench;
	uint32_t i;
	int result;

	for (i = 0; i < bench->batch; i++) {
		result = i ? journal_group_next(txn) : 0;
		if (!result)
			result = journal_append(txn, bench->env->payload,
						bench->payload_bytes);
		if (result)
			return result;
	}
	return journal_prepare(txn);
}

static int group_before(struct bench_worker *worker)
{
	struct journal_txn_options options = { .path = worker->bench->path };
	struct ids *ids = ids_of(worker);
	int result = journal_begin(journal_of(worker), &options, &ids->txn);

	if (result)
		return said(worker, result, "group");
	result = group_fill(worker, ids->txn);
	if (result) {
		(void)said(worker, result, "group");
		(void)journal_abort(ids->txn);
	}
	return result;
}

static int group_op(struct bench_worker *worker)
{
	struct ids *ids = ids_of(worker);
	struct journal_receipt receipt;
	int result = journal_commit(ids->txn, &receipt);

	if (result)
		return said(worker, result, "group");
	note_survives(worker->bench, &receipt);
	ids->id[ids->count] = receipt.id; /* the others follow it */
	return receipt.count == worker->bench->batch ? 0 : -EBADMSG;
}

static int group_after(struct bench_worker *worker)
{
	struct ids *ids = ids_of(worker);
	uint32_t i;

	for (i = 1; i < worker->bench->batch; i++)
		ids->id[ids->count + i] = ids->id[ids->count] + i;
	ids->count += worker->bench->batch;
	return 0;
}

const struct bench_method jnl_group64 = {
	.name = "jnl-group64",
	.open = nvram_open,
	.before = group_before,
	.op = group_op,
	.after = group_after,
	.slice_end = retire_all,
	.close = jnl_close,
};
