/* SPDX-License-Identifier: BSD-3-Clause */
/* SQLite: one INSERT is one transaction, journal_mode=WAL, synchronous=FULL. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "lib_dir.h"

struct sqlite_state {
	sqlite3 *db;
	sqlite3_stmt *insert;
};

static int sqlite_said(struct bench_case *bench, const char *what)
{
	struct sqlite_state *state = bench->state;

	return message_set(&bench->why, -EIO, "%s: %s", what, sqlite3_errmsg(state->db));
}

static int sqlite_set_up(struct bench_case *bench)
{
	static const char set_up[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				     "CREATE TABLE message(id INTEGER PRIMARY KEY, body BLOB)";
	struct sqlite_state *state = bench->state;

	if (sqlite3_exec(state->db, set_up, NULL, NULL, NULL) != SQLITE_OK)
		return sqlite_said(bench, "set up");
	if (sqlite3_prepare_v2(state->db, "INSERT INTO message(body) VALUES(?)", -1,
			       &state->insert, NULL) != SQLITE_OK)
		return sqlite_said(bench, "prepare");
	if (sqlite3_bind_blob(state->insert, 1, bench->env->payload,
			      (int)bench->payload_bytes, SQLITE_STATIC) != SQLITE_OK)
		return sqlite_said(bench, "bind");
	return 0;
}

static int sqlite_open(struct bench_case *bench)
{
	struct sqlite_state *state = calloc(1, sizeof(*state));
	char path[4096], name[64];

	bench->state = state;
	bench->survives = bench->env->disk_class;
	if (!state)
		return message_set(&bench->why, -ENOMEM, "out of memory");
	(void)snprintf(name, sizeof(name), "sqlite-%u.db", bench->payload_bytes);
	path_join(path, sizeof(path), bench->env->dir, name);
	if (sqlite3_open(path, &state->db) != SQLITE_OK)
		return sqlite_said(bench, path);
	return sqlite_set_up(bench);
}

static int sqlite_op(struct bench_worker *worker)
{
	struct sqlite_state *state = worker->bench->state;

	if (sqlite3_step(state->insert) != SQLITE_DONE)
		return sqlite_said(worker->bench, "insert");
	return sqlite3_reset(state->insert) == SQLITE_OK ? 0 : -EIO;
}

static void sqlite_close(struct bench_case *bench)
{
	struct sqlite_state *state = bench->state;

	if (!state)
		return;
	(void)sqlite3_finalize(state->insert);
	(void)sqlite3_close(state->db);
	free(state);
}

const struct bench_method peer_sqlite = {
	.name = "sqlite-wal-full",
	.open = sqlite_open,
	.op = sqlite_op,
	.close = sqlite_close,
};
