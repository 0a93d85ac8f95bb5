/* SPDX-License-Identifier: BSD-3-Clause */
#include "ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends.h"
#include "crash_clean.h"
#include "fault.h"
#include "moves.h"
#include "txn/lane.h"
#include "txn/health.h"
#include "txn/line.h"
#include "txn/returning.h"
#include "txn/takeover_impl.h"
#include "util/assert.h"

#define TINY    8u    /* with its header twelve words: each image of it is looked at */
#define SMALL   700u
#define LARGE   1100000u /* more than a segment */

/* ---- commits ------------------------------------------------------------------- */

static struct oracle *flight(struct run *run)
{
	return &run->flight[writers_self()];
}

static uint8_t *payload(struct run *run)
{
	return run->payload[writers_self()];
}

static int fill(struct run *run, struct journal_txn *txn, uint32_t count, uint32_t bytes)
{
	uint64_t seed;
	uint32_t i;
	int error = 0;

	oracle_begin(flight(run));
	for (i = 0; i < count && !error; i++) {
		seed = ++run->seed;
		if (i)
			error = journal_group_next(txn);
		oracle_add_flight(flight(run), seed, bytes);
		oracle_payload(seed, payload(run), bytes);
		if (!error)
			error = journal_append(txn, payload(run), bytes);
	}
	return error;
}

/* Return: 1: it is open; 0: no such path here; -1 */
static int begin(struct run *run, enum journal_path path, uint32_t bytes, struct journal_txn **txn)
{
	struct journal_txn_options options = { .path = path, .bytes = bytes };
	int error = journal_begin(run->j, &options, txn);

	return error ? run_error(run, "begin", error) : 1;
}

static int commit(struct run *run, struct journal_txn *txn)
{
	struct oracle *mine = flight(run);
	struct journal_receipt receipt;
	int error = journal_commit(txn, &receipt);

	if (error) {
		oracle_not_committed(mine);
		return run_error(run, "commit", error);
	}
	JASSERT(receipt.count == mine->flight_count);
	run->oracle.flight_count = mine->flight_count;
	memcpy(run->oracle.flight, mine->flight, sizeof(mine->flight));
	oracle_not_committed(mine);
	return oracle_committed(&run->oracle, receipt.id) ? 0 : -1;
}

static int put(struct run *run, enum journal_path path, uint32_t count, uint32_t bytes,
	       bool prepare)
{
	struct journal_txn *txn;
	int error = begin(run, path, count * bytes, &txn);

	if (error <= 0)
		return error;
	error = fill(run, txn, count, bytes);
	if (!error && prepare)
		error = journal_prepare(txn);
	if (error) {
		(void)journal_abort(txn);
		oracle_not_committed(flight(run));
		return run_error(run, "append", error);
	}
	return commit(run, txn);
}

static int op_put(struct run *run)
{
	return put(run, JOURNAL_PATH_AUTO, 1, TINY, false);
}

static int op_put_more(struct run *run)
{
	return put(run, JOURNAL_PATH_AUTO, 1, SMALL, false);
}

static int op_direct(struct run *run)
{
	return put(run, JOURNAL_PATH_DIRECT, 1, SMALL, false);
}

static int op_synced(struct run *run)
{
	return put(run, JOURNAL_PATH_SYNCED, 1, SMALL, false);
}

static int op_large(struct run *run)
{
	return put(run, JOURNAL_PATH_AUTO, 1, LARGE, false);
}

static int op_group(struct run *run)
{
	return put(run, JOURNAL_PATH_AUTO, 3, TINY, false);
}

static int op_group_direct(struct run *run)
{
	return put(run, JOURNAL_PATH_DIRECT, 5, TINY, true);
}

static int op_group_synced(struct run *run)
{
	return put(run, JOURNAL_PATH_SYNCED, 2, TINY, false);
}

/* Another one is committed while it is prepared. */
static int op_prepare(struct run *run)
{
	struct oracle_txn first;
	struct journal_txn *txn;
	int error = begin(run, JOURNAL_PATH_AUTO, TINY, &txn);

	if (error <= 0)
		return error;
	error = fill(run, txn, 1, TINY);
	first = flight(run)->flight[0];
	oracle_not_committed(flight(run));
	if (!error)
		error = journal_prepare(txn);
	if (error) {
		(void)journal_abort(txn);
		return run_error(run, "prepare", error);
	}
	if (op_put(run))
		return -1;
	oracle_begin(flight(run));
	oracle_add_flight(flight(run), first.seed, first.bytes);
	return commit(run, txn);
}

/* Never committed: no crash may show it. */
static int op_abort(struct run *run)
{
	struct journal_txn *txn;
	int error = begin(run, JOURNAL_PATH_AUTO, TINY, &txn);

	if (error <= 0)
		return error;
	error = fill(run, txn, 2, TINY);
	oracle_not_committed(flight(run));
	if (!error)
		error = journal_prepare(txn);
	(void)journal_abort(txn);
	return run_error(run, "abort", error);
}

/* ---- retires --------------------------------------------------------------------- */

#define LIVE_MAX 256u

static uint32_t live(struct run *run, uint64_t *ids)
{
	uint32_t i, count = 0;

	for (i = 0; i < run->oracle.count && count < LIVE_MAX; i++)
		if (run->oracle.all[i].state == ORACLE_LIVE)
			ids[count++] = run->oracle.all[i].id;
	return count;
}

static int retire(struct run *run, const uint64_t *ids, uint32_t count)
{
	uint32_t i;
	int error;

	for (i = 0; i < count; i++)
		oracle_state(&run->oracle, ids[i], ORACLE_RETIRING);
	error = count == 1 ? journal_retire(run->j, ids[0]) :
			     journal_retire_many(run->j, ids, count, NULL);
	for (i = 0; i < count; i++)
		oracle_state(&run->oracle, ids[i], error ? ORACLE_LIVE : ORACLE_RETIRED);
	return run_error(run, "retire", error);
}

static int op_retire(struct run *run)
{
	uint64_t ids[LIVE_MAX];

	return live(run, ids) ? retire(run, ids, 1) : 0;
}

static int op_retire_last(struct run *run)
{
	uint64_t ids[LIVE_MAX];
	uint32_t count = live(run, ids);

	return count ? retire(run, ids + count - 1, 1) : 0;
}

static int op_retire_all(struct run *run)
{
	uint64_t ids[LIVE_MAX];
	uint32_t count = live(run, ids);

	return count ? retire(run, ids, count) : 0;
}

/* ---- in the background --------------------------------------------------------------- */

static int op_destage(struct run *run)
{
	struct journal_maintain_options options = { .stage_age_ns = 1 };

	return run_error(run, "maintain", journal_maintain(run->j, &options, NULL));
}

/* Retired before it is destaged: it never comes to the disk. */
static int op_elide(struct run *run)
{
	if (op_put(run) || op_put(run) || op_retire_last(run))
		return -1;
	return op_destage(run);
}

static int clean(struct run *run, uint32_t draw)
{
	uint64_t moved = 0;
	int error = crash_clean(run->j, draw, &moved);

	return error == -EBUSY ? 0 /* another one is at it */ : run_error(run, "clean", error);
}

static int op_clean(struct run *run)
{
	return clean(run, 0);
}

static int op_clean_extents(struct run *run)
{
	return clean(run, 1);
}

static int op_move(struct run *run)
{
	int moved = moves_all(run->j);

	if (moved == -EBUSY) /* another one is at it */
		return 0;
	return moved < 0 ? run_error(run, "move", moved) : 0;
}

/* No slot is left in the line that @from takes from, and none of what was taken lives. */
static int use_up(struct run *run, struct slots_from *from)
{
	uint32_t next, count;
	int error = line_renew(run->j, from);

	while (!error && from->next < SLOTS_PER_LINE) {
		next = from->next;
		count = 64 - next % 64;
		error = line_take(run->j, from, count, &next);
		if (!error)
			line_dead(run->j, from->line, from->line_number, next, count);
	}
	return run_error(run, "using up a line", error);
}

/* The next commit of each path opens a line: all of them were used before, so it is recycled. */
static int op_turn(struct run *run)
{
	if (use_up(run, run->j->own) ||
	    (run->j->lane_count && use_up(run, &run->j->lanes[0].s->from)))
		return -1;
	return put(run, JOURNAL_PATH_SYNCED, 1, TINY, false) ||
	       put(run, JOURNAL_PATH_STAGED, 1, TINY, false) ? -1 : 0;
}

/* ---- processes ------------------------------------------------------------------------ */

static int op_reopen(struct run *run)
{
	return run_close(run) || run_open(run) ? -1 : 0;
}

static int op_kill(struct run *run)
{
	return run_killed(run, CRASH_KILL);
}

static int op_power(struct run *run)
{
	return run_killed(run, CRASH_DROP);
}

/* ---- a thread that is killed, and all that its process had is taken over -------------- */

struct killed {
	struct run *run;
	enum journal_path path;
};

static void killed_puts(void *context)
{
	struct killed *k = context;

	if (writers_self())
		(void)put(k->run, k->path, 1, TINY, false);
}

/* at its first operation, or the one after it: what it wrote is in a cache */
static int take_over(struct run *run, enum journal_path path, uint32_t at)
{
	struct killed k = { run, path };
	struct schedule alone = { .count = 0 };
	struct oracle_list list = { 0 };
	int error;

	writers_run(&alone, killed_puts, &k, at);
	/* its writes are over when it is known to be dead (P7: a lock on their file) */
	crash_writes_done(&run->world, false, true);
	error = run_error(run, "takeover", takeover_all(run->j, run->j->member - 1));
	/* what was served is there from now on */
	run->oracle.flight_count = run->flight[1].flight_count;
	memcpy(run->oracle.flight, run->flight[1].flight, sizeof(run->oracle.flight));
	if (!error)
		error = oracle_check(&run->oracle, run->j, &list, true);
	oracle_not_committed(&run->flight[1]);
	free(list.ids);
	return error;
}

static int op_takeover(struct run *run)
{
	return take_over(run, JOURNAL_PATH_AUTO, 1);
}

static int op_takeover_direct(struct run *run)
{
	return take_over(run, JOURNAL_PATH_DIRECT, 2);
}

/* ---- room ------------------------------------------------------------------------------- */

extern __typeof__(backend_extend_log) __wrap_backend_extend_log;
extern __typeof__(backend_trim_log) __wrap_backend_trim_log;

/* The medium stays as long as it was made: what was cut off, and what is in use again, is
 * zeros, as of a file. */
static int zeros(const char *path, uint64_t from, uint64_t to, struct message *message)
{
	static const uint8_t none[CRASH_SECTOR];
	struct crash_world *world = crash_world_entered();
	uint64_t base = crash_log_base(world, path);

	JASSERT(to <= crash_log_bytes(world));
	if (!crash_operation(world))
		return message_set(message, -EIO, "the power is gone");
	for (; from < to; from += CRASH_SECTOR) {
		crash_log_put(world, false, base + from, none, CRASH_SECTOR);
		crash_log_put(world, true, base + from, none, CRASH_SECTOR);
	}
	return 0;
}

int __wrap_backend_extend_log(const char *path, uint64_t from, uint64_t to,
			      const struct journal_progress *progress, struct message *message)
{
	(void)progress;
	return zeros(path, from, to, message);
}

int __wrap_backend_trim_log(const char *path, uint64_t bytes, struct message *message)
{
	return zeros(path, bytes, crash_log_bytes(crash_world_entered()), message);
}

/* Of each log three segments less, which are all that can go, or as many as before. */
static int op_resize(struct run *run)
{
	const struct crash_plan *plan = &run->config->plan;
	uint32_t logs = plan->logs && !plan->mirrored ? plan->logs : 1;
	uint64_t all = logs * crash_log_bytes(&run->base);
	struct journal_resize_options options = { .bytes = all };
	struct journal_resized done;
	int error;

	if (!run->smaller)
		options.bytes -= logs * (3u << 20);
	error = journal_resize(run->j, &options, &done);
	if (error == -EBUSY) /* another one is at it */
		return 0;
	if (run_error(run, "resize", error))
		return -1;
	run->smaller = done.bytes < all;
	return 0;
}

/* NVRAM is given up: what it holds is brought to the log, and all goes on there (P14). */
static int op_distrust(struct run *run)
{
	if (!run->config->stand_in)
		return 0;
	return run_error(run, "distrust", journal_distrust(run->j, "the explorer"));
}

/* ... and is gone back to. */
static int op_return(struct run *run)
{
	if (!run->config->stand_in)
		return 0;
	if (health_now(run->j) == HEALTH_TRUSTED && op_distrust(run))
		return -1;
	return run_error(run, "return", returning_try(run->j));
}

/* The medium fails once: what was in flight is undecided, and recovery decides. */
static int op_fails(struct run *run)
{
	struct journal_txn *txn;
	int error = begin(run, JOURNAL_PATH_AUTO, TINY, &txn);

	if (error <= 0)
		return error;
	error = fill(run, txn, 1, TINY);
	if (error)
		return run_error(run, "append", error);
	run->world.fence_error = run->world.write_error = -EIO;
	error = journal_commit(txn, NULL);
	if (error != -EIO)
		return oracle_wrong(&run->oracle, "a commit on a medium that fails: %d", error);
	/* sticky: all is well again, and is not believed */
	run->world.fence_error = run->world.write_error = 0;
	error = journal_begin(run->j, NULL, &txn);
	if (!error) {
		(void)journal_append(txn, payload(run), TINY);
		error = journal_commit(txn, NULL);
	}
	if (error != -EIO)
		return oracle_wrong(&run->oracle, "P16: a medium has failed, and is used: %d",
				    error);
	return run_killed(run, CRASH_DROP);
}

const struct op ops[] = {
	{ "put", op_put, BESIDE },
	{ "put-more", op_put_more, ALONE },
	{ "direct", op_direct, BESIDE },
	{ "synced", op_synced, BESIDE },
	{ "large", op_large, BESIDE_LONG },
	{ "group", op_group, BESIDE },
	{ "group-direct", op_group_direct, BESIDE },
	{ "group-synced", op_group_synced, BESIDE },
	{ "prepare", op_prepare, BESIDE },
	{ "abort", op_abort, BESIDE },
	{ "retire", op_retire, BESIDE },
	{ "retire-last", op_retire_last, BESIDE },
	{ "retire-all", op_retire_all, BESIDE },
	{ "destage", op_destage, BESIDE },
	{ "elide", op_elide, ALONE },
	{ "clean", op_clean, BESIDE_LONG },
	{ "clean-extents", op_clean_extents, BESIDE_LONG },
	{ "move", op_move, BESIDE },
	{ "turn", op_turn, BESIDE },
	{ "reopen", op_reopen, ALONE },
	{ "kill", op_kill, ALONE },
	{ "power", op_power, ALONE },
	{ "takeover", op_takeover, ALONE },
	{ "takeover-direct", op_takeover_direct, ALONE },
	{ "fails", op_fails, ALONE },
	{ "distrust", op_distrust, ALONE },
	{ "return", op_return, ALONE },
	{ "resize", op_resize, BESIDE_LONG },
};
const uint32_t op_count = sizeof(ops) / sizeof(ops[0]);

/* ---- what was before -------------------------------------------------------------------- */

/* Each line was used by what is finished, and is in the log still; and of each path one lives. */
static int warm(struct run *run)
{
	uint32_t i;

	for (i = 0; i < run->config->plan.lines; i++)
		if (op_turn(run) || op_direct(run))
			return -1;
	if (op_retire_all(run) || op_destage(run))
		return -1;
	return op_put(run) || op_direct(run) || op_synced(run) || op_group(run) ||
	       op_clean(run) || op_destage(run) || op_put_more(run) || op_retire(run) ? -1 : 0;
}

/* ... and all of it lies where the log ends: that is moved when it becomes smaller. */
static int warm_at_the_end(struct run *run)
{
	struct shared *shared = run->j->shared;
	uint32_t log, logs = run->j->conf.log_count, end = segments_end(run->j);

	for (log = 0; log < logs; log++)
		atomic_store(&shared->segment_hint[log], end - 3 * logs);
	return warm(run);
}

#define PLAN(as, ...) .name = as, .plan = { .name = as, .lines = 6, __VA_ARGS__ }
const struct config configs[] = {
	{ PLAN("nvram"), .warm = warm },
	{ PLAN("file", .checkpointed = true), .warm = warm },
	{ PLAN("fresh") },
	{ PLAN("digests", .digests_in_log = true), .warm = warm },
	{ PLAN("two-logs", .logs = 2), .warm = warm },
	{ PLAN("mirrored", .logs = 2, .mirrored = true), .warm = warm },
	{ PLAN("mirrored-file", .logs = 2, .mirrored = true, .checkpointed = true), .warm = warm },
	{ PLAN("health"), .warm = warm, .stand_in = true },
	{ PLAN("at-the-end"), .warm = warm_at_the_end },
	{ PLAN("at-the-ends", .logs = 2), .warm = warm_at_the_end },
	{ PLAN("no-cache"), .warm = warm, .no_cache = true },
	/* a disk that forgets what was durable: what is found on it is a proof of the judge */
	{ PLAN("forgets", .no_dsync = true), .warm = warm },
};
const uint32_t config_count = sizeof(configs) / sizeof(configs[0]);
