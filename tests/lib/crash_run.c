/* SPDX-License-Identifier: BSD-3-Clause */
#include "crash_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash_clean.h"
#include "crash_look.h"
#include "fault.h"
#include "moves.h"
#include "scratch.h"
#include "util/assert.h"

struct crash_run {
	const struct crash_plan *plan;
	struct crash_look look;
	struct crash_world world;
	struct oracle oracle;
	struct oracle_list list;
	struct scratch scratch;
	struct journal *j;
	uint64_t random;
	uint8_t *payload;
	uint32_t refused;
	uint64_t cleaned, moved;
	uint32_t every;
};

const struct crash_plan crash_plan_all = {
	.name = "all",
	.generations = 6, .ops = 60,
	.weight = { [CRASH_PUT] = 30, [CRASH_DIRECT] = 10, [CRASH_SYNCED] = 10, [CRASH_GROUP] = 8,
		    [CRASH_LARGE] = 1, [CRASH_PREPARE] = 6, [CRASH_ABORT] = 5, [CRASH_RETIRE] = 15,
		    [CRASH_RETIRE_MANY] = 4, [CRASH_RETIRE_ALL] = 2, [CRASH_CLOSE] = 1,
		    [CRASH_CLEAN] = 5, [CRASH_MOVE] = 5 },
};

#define PAYLOAD_ROOM (3u << 20)

static uint32_t below(struct crash_run *run, uint32_t limit)
{
	return (uint32_t)(fault_random(&run->random) % limit);
}

static uint32_t or_default(uint32_t value, uint32_t usual)
{
	return value ? value : usual;
}

/* ---- operations ------------------------------------------------------------ */

/* What an operation may return while the medium is well. */
static int run_error(struct crash_run *run, const char *what, int error)
{
	if (!error || run->world.dead || *run->oracle.why)
		return error;
	/* of several pieces, some of which its log has not flushed */
	if (error == -ENOSPC || error == -EMSGSIZE ||
	    (error == -EIO && run->world.failing && !run->plan->mirrored)) {
		run->refused++;
		return 0; /* nothing happened */
	}
	return oracle_wrong(&run->oracle, "%s: %s: %s", what, strerror(-error),
			    journal_error(run->j));
}

static uint32_t run_size(struct crash_run *run)
{
	uint32_t max = or_default(run->plan->payload_max, 3000);
	switch (below(run, 8)) {
	case 0:
		return below(run, 16);
	case 1:
		return below(run, max * 3);
	default:
		return below(run, max);
	}
}

/* Append a payload, in pieces or in place. */
static int run_append(struct crash_run *run, struct journal_txn *txn, uint64_t seed,
		      uint32_t bytes)
{
	uint32_t at = 0, part;
	void *where;
	int error = 0;

	oracle_payload(seed, run->payload, bytes);
	if (bytes && bytes < 65536 && !below(run, 6)) {
		error = journal_reserve(txn, bytes, &where);
		if (!error)
			memcpy(where, run->payload, bytes);
		return error;
	}
	for (; at < bytes && !error; at += part) {
		part = below(run, 3) ? bytes - at : 1 + below(run, bytes - at);
		error = journal_append(txn, run->payload + at, part);
	}
	return error;
}

static int run_fill(struct crash_run *run, struct journal_txn *txn, uint32_t count,
		    uint32_t bytes)
{
	uint64_t seed;
	uint32_t i;
	int error = 0;

	oracle_begin(&run->oracle);
	for (i = 0; i < count && !error; i++) {
		seed = fault_random(&run->random);
		if (i)
			error = journal_group_next(txn);
		if (i)
			bytes = below(run, 200);
		if (error)
			break;
		oracle_add_flight(&run->oracle, seed, bytes);
		error = run_append(run, txn, seed, bytes);
	}
	return error;
}

static int run_committed(struct crash_run *run, int error,
			 const struct journal_receipt *receipt)
{
	if (run->world.dead || *run->oracle.why)
		return -1; /* in flight for ever */
	if (error == -EIO && strstr(journal_error(run->j), "recovery decides"))
		run->world.dead = true;
	if (run->world.dead)
		return -1;
	if (error) {
		oracle_not_committed(&run->oracle);
		return run_error(run, "commit", error);
	}
	if (receipt->count != run->oracle.flight_count)
		return oracle_wrong(&run->oracle, "a receipt for %u, not %u", receipt->count,
				    run->oracle.flight_count);
	return oracle_committed(&run->oracle, receipt->id) ? 0 : -1;
}

/* Return: whether @txn is open; @error as run_error(). */
static bool run_begin(struct crash_run *run, enum journal_path path, uint32_t bytes,
		      struct journal_txn **txn, int *error)
{
	struct journal_txn_options options = { .path = path, .bytes = bytes };

	crash_set_cpu((int)below(run, 4));
	*error = journal_begin(run->j, &options, txn);
	if (!*error)
		return true;
	if (*error != -ENOTSUP)
		*error = run_error(run, "begin", *error);
	else
		*error = 0;
	return false;
}

static int run_put(struct crash_run *run, enum journal_path path, uint32_t count,
		   uint32_t bytes, bool prepare)
{
	struct journal_receipt receipt;
	struct journal_txn *txn;
	int error;

	if (!run_begin(run, path, below(run, 2) && count == 1 ? bytes : 0, &txn, &error))
		return error;
	error = run_fill(run, txn, count, bytes);
	if (!error && prepare)
		error = journal_prepare(txn);
	if (error) {
		(void)journal_abort(txn);
		oracle_not_committed(&run->oracle);
		return run_error(run, "append", error);
	}
	error = journal_commit(txn, &receipt);
	return run_committed(run, error, &receipt);
}

/* Never committed: no crash may show it. */
static int run_abort(struct crash_run *run, bool prepare)
{
	uint32_t bytes = run_size(run), count = below(run, 3) ? 1 : 1 + below(run, 8);
	struct journal_txn *txn;
	int error;

	if (!run_begin(run, JOURNAL_PATH_AUTO, 0, &txn, &error))
		return error;
	error = run_fill(run, txn, count, bytes);
	oracle_not_committed(&run->oracle);
	if (!error && prepare)
		error = journal_prepare(txn);
	(void)journal_abort(txn);
	return run_error(run, "abort", error);
}

/* Two are open at a time, one of them prepared. */
static int run_prepare(struct crash_run *run)
{
	struct journal_txn *txn;
	uint64_t seed = fault_random(&run->random);
	uint32_t bytes = run_size(run);
	struct journal_receipt receipt;
	int error;

	if (!below(run, 3))
		return run_abort(run, true);
	if (!run_begin(run, JOURNAL_PATH_AUTO, 0, &txn, &error))
		return error;
	error = run_append(run, txn, seed, bytes);
	if (!error)
		error = journal_prepare(txn);
	if (!error)
		error = run_put(run, JOURNAL_PATH_AUTO, 1, run_size(run), false);
	if (error) {
		(void)journal_abort(txn);
		return run_error(run, "prepare", error);
	}
	oracle_begin(&run->oracle);
	oracle_add_flight(&run->oracle, seed, bytes);
	error = journal_commit(txn, &receipt);
	return run_committed(run, error, &receipt);
}

/* ---- retiring -------------------------------------------------------------- */

static uint32_t run_live(struct crash_run *run, uint64_t *ids, uint32_t room)
{
	uint32_t i, count = 0;

	for (i = 0; i < run->oracle.count && count < room; i++)
		if (run->oracle.all[i].state == ORACLE_LIVE)
			ids[count++] = run->oracle.all[i].id;
	return count;
}

#define LIVE_MAX 4096u

static int run_retire(struct crash_run *run, uint32_t keep, bool one)
{
	static uint64_t ids[LIVE_MAX];
	uint32_t i, first, live = run_live(run, ids, LIVE_MAX), count;
	int error;

	if (live <= keep)
		return 0;
	count = one ? 1 : live - keep;
	first = below(run, live - count + 1);
	for (i = first; i < first + count; i++)
		oracle_state(&run->oracle, ids[i], ORACLE_RETIRING);
	error = one ? journal_retire(run->j, ids[first]) :
		      journal_retire_many(run->j, ids + first, count, NULL);
	if (run->world.dead || *run->oracle.why)
		return -1;
	for (i = first; i < first + count; i++)
		oracle_state(&run->oracle, ids[i],
			     error == -ENOSPC ? ORACLE_LIVE : ORACLE_RETIRED);
	return run_error(run, "retire", error);
}

static int run_retire_some(struct crash_run *run)
{
	uint64_t ids[LIVE_MAX];
	uint32_t live = run_live(run, ids, LIVE_MAX);

	return live ? run_retire(run, live - 1 - below(run, live), false) : 0;
}

/* ---- opening and closing ---------------------------------------------------- */

/* Both legs are good again, or the world ends in it. */
static int run_mirror(struct crash_run *run)
{
	char text[256] = "";
	int error = journal_mirror(crash_look_dir(&run->look, 0), NULL, text, sizeof(text));

	if (error && !run->world.dead && !*run->oracle.why)
		oracle_wrong(&run->oracle, "mirror: %s", text);
	return *run->oracle.why ? -1 : 0;
}

static int run_open(struct crash_run *run)
{
	int error;

	crash_set_cpu(0);
	run->world.failing = 0;
	if (run->plan->mirrored && !below(run, 3) && run_mirror(run))
		return -1;
	error = journal_open(crash_look_dir(&run->look, 0), &crash_open_options, &run->j);
	if (error && !run->world.dead && !*run->oracle.why)
		oracle_wrong(&run->oracle, "open: %s: %s", strerror(-error),
			     journal_error(run->j));
	return error || *run->oracle.why ? -1 : 0;
}

static int run_close(struct crash_run *run)
{
	struct journal *j = run->j;
	int error;

	run->j = NULL;
	if (run->world.dead) {
		crash_throw_away(j);
		return -EIO;
	}
	error = journal_close(j);
	if (error && !run->world.dead)
		return oracle_wrong(&run->oracle, "close: %s", strerror(-error));
	return error;
}

static int run_reopen(struct crash_run *run)
{
	int error = run_close(run);

	if (!error)
		error = run_open(run);
	if (!error)
		error = oracle_check(&run->oracle, run->j, &run->list, false);
	return error;
}

static int run_log_fails(struct crash_run *run)
{
	struct journal_leg legs[JOURNAL_LEGS];

	JASSERT(run->plan->logs > 1);
	/* not the one that has to do alone */
	if (run->plan->mirrored && (journal_legs(run->j, 0, legs) ||
				    legs[0].state != JOURNAL_LEG_GOOD ||
				    legs[1].state != JOURNAL_LEG_GOOD))
		return 0;
	if (!run->world.failing)
		run->world.failing = 1u << below(run, run->plan->logs);
	return 0;
}

/* All that can be, or what is in lines that came to their end by themselves. */
static int run_move(struct crash_run *run)
{
	int moved = below(run, 3) ? moves_all(run->j) : moves_some(run->j);

	if (moved < 0)
		return run_error(run, "move", moved);
	run->moved += (uint32_t)moved;
	return 0;
}

static int run_op(struct crash_run *run, enum crash_op op)
{
	uint32_t live_max = or_default(run->plan->live_max, 40);

	switch (op) {
	case CRASH_PUT:
		return run_put(run, JOURNAL_PATH_AUTO, 1, run_size(run), false);
	case CRASH_DIRECT:
		return run_put(run, JOURNAL_PATH_DIRECT, 1, below(run, 4) ? run_size(run) :
			       below(run, 300000), below(run, 2));
	case CRASH_SYNCED:
		return run_put(run, JOURNAL_PATH_SYNCED, 1, below(run, 4) ? run_size(run) :
			       below(run, 300000), below(run, 2));
	case CRASH_GROUP:
		return run_put(run, below(run, 4), below(run, 3) ? 2 + below(run, 8) : 64,
			       below(run, 200), below(run, 4) == 0);
	case CRASH_LARGE:
		return run_put(run, below(run, 2) ? JOURNAL_PATH_SYNCED : JOURNAL_PATH_AUTO, 1,
			       1000000 + below(run, 1300000), below(run, 2));
	case CRASH_PREPARE:
		return run_prepare(run);
	case CRASH_ABORT:
		return run_abort(run, below(run, 2));
	case CRASH_RETIRE:
		return run_retire(run, 0, true);
	case CRASH_RETIRE_MANY:
		return run_retire_some(run);
	case CRASH_RETIRE_ALL:
		return run_retire(run, below(run, live_max / 4 + 1), false);
	case CRASH_CLEAN:
		return run_error(run, "clean",
				 crash_clean(run->j, below(run, 4), &run->cleaned));
	case CRASH_LOG_FAILS:
		return run_log_fails(run);
	case CRASH_MOVE:
		return run_move(run);
	default:
		return run_reopen(run);
	}
}

static enum crash_op run_choose(struct crash_run *run)
{
	uint32_t i, total = 0, at;

	for (i = 0; i < CRASH_OPS; i++)
		total += run->plan->weight[i];
	at = below(run, total);
	for (i = 0; at >= run->plan->weight[i]; i++)
		at -= run->plan->weight[i];
	return (enum crash_op)i;
}

/* ---- generations ------------------------------------------------------------ */

static int run_ops(struct crash_run *run)
{
	static uint64_t ids[LIVE_MAX];
	uint32_t i, live_max = or_default(run->plan->live_max, 40);
	int error = 0;

	for (i = 0; i < run->plan->ops && !error; i++) {
		error = run_op(run, run_choose(run));
		if (!error && run_live(run, ids, LIVE_MAX) > live_max)
			error = run_retire(run, live_max / 2, false);
	}
	return error;
}

static int run_generation(struct crash_run *run, uint32_t generation)
{
	bool crash = generation && below(run, 8);

	/* most ends lie inside the run, some inside the recovery before it */
	if (crash)
		run->world.die_at = run->world.operations + 1 +
				    below(run, below(run, 4) ? run->plan->ops * 2 : 12);
	if (!run_open(run) && !oracle_check(&run->oracle, run->j, &run->list, true))
		(void)run_ops(run);
	if (*run->oracle.why)
		run->world.dead = true;
	/* idle now, when the run did not end before */
	if (!run->world.dead && crash)
		run->world.dead = true;
	(void)run_close(run);
	if (run->world.dead)
		crash_world_cut(&run->world, below(run, 2) ? CRASH_MIXED :
				(enum crash_how)below(run, 4), fault_random(&run->random));
	return *run->oracle.why ? -1 : 0;
}

/* so many times fewer looks, where a tool makes each of them long */
static uint32_t crash_share(void)
{
	const char *given = getenv("TEST_SHARE");

	return or_default(given ? (uint32_t)strtoul(given, NULL, 0) : 0, 1);
}

static void run_hook(struct crash_world *world, void *context)
{
	struct crash_run *run = context;

	if (*run->oracle.why || world->operations % run->every)
		return;
	if (crash_look(&run->look, world, &run->oracle, fault_random(&run->random)))
		world->dead = true;
}

static int run_generations(struct crash_run *run)
{
	uint32_t generation;
	int error = 0;

	run->world.hook = run_hook;
	run->world.context = run;
	for (generation = 0; generation < run->plan->generations && !error; generation++)
		error = run_generation(run, generation);
	return error;
}

static int run_make(struct crash_run *run, uint64_t seed)
{
	const struct crash_plan *plan = run->plan;

	/* thousands of recoveries: their megabytes need not come from the kernel */
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 25);
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 28);
	run->random = seed;
	crash_set_random(seed);
	crash_world_make(&run->world);
	run->world.checkpointed = plan->checkpointed;
	run->world.block_bytes = or_default(plan->block_bytes, 4096);
	run->world.log_count = plan->logs;
	run->world.mirrored = plan->mirrored;
	run->payload = malloc(PAYLOAD_ROOM);
	JASSERT(run->payload && !scratch_make(&run->scratch, NULL));
	crash_world_enter(&run->world);
	if (crash_look_make(&run->look, plan, &run->scratch, &run->world, &run->oracle))
		return -1;
	run->world.no_dsync = plan->no_dsync; /* once formatted */
	return 0;
}

int crash_run(const struct crash_plan *plan, uint64_t seed, char why[512])
{
	struct crash_run *run = calloc(1, sizeof(*run));
	int error;

	JASSERT(run);
	run->plan = plan;
	run->every = or_default(plan->every, 1) * crash_share();
	error = run_make(run, seed);
	if (!error)
		error = run_generations(run);
	crash_world_enter(NULL);
	crash_set_cpu(-1);
	printf("# %s: %" PRIu64 " points, a look at 1 in %u, %" PRIu64 " crashes recovered, "
	       "%u transactions, %u refused, %" PRIu64 " segments cleaned, %" PRIu64 " moved to "
	       "other lines\n", plan->name,
	       run->world.operations, run->every, run->look.looked, run->oracle.count,
	       run->refused, run->cleaned, run->moved);
	memcpy(why, run->oracle.why, 512);
	crash_look_free(&run->look);
	crash_world_free(&run->world);
	oracle_free(&run->oracle);
	free(run->list.ids);
	free(run->payload);
	scratch_remove(&run->scratch);
	free(run);
	return *why ? -1 : error;
}

uint64_t crash_seed(const char *test, uint64_t usual)
{
	const char *given = getenv("SEED");
	uint64_t seed = given && *given ? strtoull(given, NULL, 0) : usual;

	printf("# %s: SEED=%" PRIu64 "\n", test, seed);
	(void)fflush(stdout);
	return seed;
}

uint32_t crash_count(uint32_t runs)
{
	const char *given = getenv("RUNS");

	return given && *given ? (uint32_t)strtoul(given, NULL, 0) : runs;
}

int crash_runs(const struct crash_plan *plan, uint64_t seed, uint32_t runs)
{
	const char *only = getenv("CASE");
	char why[512];
	uint32_t i;
	int failed = 0;

	if (only && *only && strcmp(only, plan->name))
		return 0;
	for (i = 0; i < runs; i++) {
		if (!crash_run(plan, seed + i, why))
			continue;
		printf("# %s\n# again: TEST_SHARE=%u SEED=%" PRIu64 " RUNS=1 CASE=%s %s\n", why,
		       crash_share(), seed + i, plan->name, program_invocation_name);
		failed++;
	}
	(void)fflush(stdout);
	return failed;
}
