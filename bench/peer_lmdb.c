/* SPDX-License-Identifier: BSD-3-Clause */
/* LMDB, synchronous as it is by default: one put is one transaction.  Keys
 * come round after KEYS, so that the file stays of a size. */
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "lib_dir.h"

#define KEYS 16384
#define MAP_BYTES (512u << 20)

struct lmdb_state {
	MDB_env *env;
	MDB_dbi dbi;
};

static int lmdb_said(struct bench_case *bench, const char *what, int error)
{
	return message_set(&bench->why, -EIO, "%s: %s", what, mdb_strerror(error));
}

static int lmdb_table(struct lmdb_state *state)
{
	MDB_txn *txn;
	int error = mdb_txn_begin(state->env, NULL, 0, &txn);

	if (error)
		return error;
	error = mdb_dbi_open(txn, NULL, MDB_INTEGERKEY | MDB_CREATE, &state->dbi);
	if (!error)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return error;
}

static int lmdb_open(struct bench_case *bench)
{
	struct lmdb_state *state = calloc(1, sizeof(*state));
	char path[4096], name[64];
	int error;

	bench->state = state;
	bench->survives = bench->env->disk_class;
	if (!state)
		return message_set(&bench->why, -ENOMEM, "out of memory");
	(void)snprintf(name, sizeof(name), "lmdb-%u", bench->payload_bytes);
	path_join(path, sizeof(path), bench->env->dir, name);
	error = mdb_env_create(&state->env);
	if (!error)
		error = mdb_env_set_mapsize(state->env, MAP_BYTES);
	if (!error)
		error = mdb_env_open(state->env, path, MDB_NOSUBDIR, 0600);
	if (!error)
		error = lmdb_table(state);
	return error ? lmdb_said(bench, path, error) : 0;
}

static int lmdb_op(struct bench_worker *worker)
{
	struct lmdb_state *state = worker->bench->state;
	size_t number = worker->sequence % KEYS;
	MDB_val key = { sizeof(number), &number };
	MDB_val data = { worker->bench->payload_bytes, worker->bench->env->payload };
	MDB_txn *txn;
	int error = mdb_txn_begin(state->env, NULL, 0, &txn);

	if (error)
		return lmdb_said(worker->bench, "begin", error);
	error = mdb_put(txn, state->dbi, &key, &data, 0);
	if (error)
		mdb_txn_abort(txn);
	else
		error = mdb_txn_commit(txn);
	return error ? lmdb_said(worker->bench, "put", error) : 0;
}

static void lmdb_close(struct bench_case *bench)
{
	struct lmdb_state *state = bench->state;

	if (state && state->env)
		mdb_env_close(state->env);
	free(state);
}

const struct bench_method peer_lmdb = {
	.name = "lmdb-sync",
	.open = lmdb_open,
	.op = lmdb_op,
	.close = lmdb_close,
};
