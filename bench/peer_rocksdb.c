/* SPDX-License-Identifier: BSD-3-Clause */
/* RocksDB: one put with sync=true is one transaction; all else by default. */
#include <errno.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "lib_dir.h"

struct rocksdb_state {
	rocksdb_t *db;
	rocksdb_options_t *options;
	rocksdb_writeoptions_t *sync;
};

static int rocksdb_said(struct bench_case *bench, char *error)
{
	if (!error)
		return 0;
	(void)message_set(&bench->why, -EIO, "%s", error);
	rocksdb_free(error);
	return -EIO;
}

static int rocksdb_case_open(struct bench_case *bench)
{
	struct rocksdb_state *state = calloc(1, sizeof(*state));
	char path[4096], name[64], *error = NULL;

	bench->state = state;
	bench->survives = bench->env->disk_class;
	if (!state)
		return message_set(&bench->why, -ENOMEM, "out of memory");
	(void)snprintf(name, sizeof(name), "rocksdb-%u", bench->payload_bytes);
	path_join(path, sizeof(path), bench->env->dir, name);
	state->options = rocksdb_options_create();
	rocksdb_options_set_create_if_missing(state->options, 1);
	state->sync = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(state->sync, 1);
	state->db = rocksdb_open(state->options, path, &error);
	return rocksdb_said(bench, error);
}

static int rocksdb_op(struct bench_worker *worker)
{
	struct rocksdb_state *state = worker->bench->state;
	uint64_t key = __builtin_bswap64(worker->sequence);
	char *error = NULL;

	rocksdb_put(state->db, state->sync, (const char *)&key, sizeof(key),
		    (const char *)worker->bench->env->payload,
		    worker->bench->payload_bytes, &error);
	return rocksdb_said(worker->bench, error);
}

static void rocksdb_case_close(struct bench_case *bench)
{
	struct rocksdb_state *state = bench->state;

	if (!state)
		return;
	if (state->db)
		rocksdb_close(state->db);
	if (state->sync)
		rocksdb_writeoptions_destroy(state->sync);
	if (state->options)
		rocksdb_options_destroy(state->options);
	free(state);
}

const struct bench_method peer_rocksdb = {
	.name = "rocksdb-sync",
	.open = rocksdb_case_open,
	.op = rocksdb_op,
	.close = rocksdb_case_close,
};
