/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A limit of one process fails one handle, and nobody else's: what it left undecided is
 * there as of one who was killed, until somebody takes over.  Two handles, and a limit that
 * is set while the other one works.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/turns.h"
#include "txn/cell.h"
#include "txn/clean.h"
#include "txn/clean_lines.h"
#include "txn/health.h"
#include "txn/head.h"
#include "txn/logs.h"
#include "txn/member.h"
#include "txn/takeover.h"

#define MIB (1ull << 20)

/* ---- limits --------------------------------------------------------------------------- */

static struct rlimit before;

/* from now on it is @at; @at 0: as it was */
static void limit(__rlimit_resource_t which, rlim_t at)
{
	struct rlimit now;

	(void)signal(SIGXFSZ, SIG_IGN);
	if (at)
		assert_int_equal(getrlimit(which, &before), 0);
	now = before;
	if (at)
		now.rlim_cur = at;
	assert_int_equal(setrlimit(which, &now), 0);
}

static void small_files(void)
{
	limit(RLIMIT_FSIZE, 4096);
}

static void any_files(void)
{
	limit(RLIMIT_FSIZE, 0);
}

static void no_files(void)
{
	limit(RLIMIT_NOFILE, 3);
}

static void more_files(void)
{
	limit(RLIMIT_NOFILE, 0);
}

/* ---- two handles ---------------------------------------------------------------------- */

struct two {
	struct bed bed, other;
	struct model model;
};

static void two_make(struct two *t, enum bed_medium medium)
{
	bed_make(&t->bed, medium, 64 * MIB, 4 * MIB);
	model_make(&t->model);
	t->other = t->bed;
	bed_open(&t->other, NULL);
}

static uint32_t other_heads(const struct two *t, uint32_t member, uint64_t *end)
{
	uint32_t i, count = 0;

	*end = 0;
	for (i = 0; i < HEADS; i++) {
		if (atomic_load(&t->bed.j->heads[i].s->lease) != member)
			continue;
		*end += t->bed.j->heads[i].s->end;
		count++;
	}
	return count;
}

/* the last one that it took for a direct or synced commit is neither committed nor given up */
static bool slot_is_undecided(const struct journal *j)
{
	const struct line *line = &j->lines[atomic_load(&j->own->line)];
	uint32_t slot = atomic_load(&j->own->next) - 1;

	return !((atomic_load(&line->committed[slot / 64]) |
		  atomic_load(&line->claimed[slot / 64])) >> (slot & 63) & 1);
}

static uint32_t other_cells(const struct two *t, uint32_t member)
{
	uint32_t i, count = 0;

	for (i = 0; i < CELLS; i++)
		count += atomic_load(&t->bed.j->cells[i].hazard) >> 32 == member;
	return count;
}

static uint32_t other_jobs(const struct two *t, uint32_t member)
{
	uint32_t i, count = 0;

	for (i = 0; i < CLEAN_JOBS; i++)
		count += atomic_load(&t->bed.j->shared->clean[i].who) == member;
	return count;
}

/* It alone has failed, says why, and does nothing any more. */
static void other_has_failed(struct two *t, const char *why)
{
	struct journal_receipt receipt;

	assert_non_null(strstr(journal_error(t->other.j), why));
	assert_int_equal(atomic_load(&t->bed.j->shared->failed), 0);
	assert_int_equal(journal_put(t->other.j, "x", 1, &receipt), -EIO);
	assert_non_null(strstr(journal_error(t->other.j), why));
	assert_int_equal(journal_retire(t->other.j, 512), -EIO);
}

/* It is closed; it is a dead one, also for its own process. */
static void other_is_taken_over(struct two *t)
{
	uint32_t member = t->other.j->member;
	uint64_t end;

	assert_int_equal(takeover_sweep(t->bed.j, 0), 0);
	assert_int_equal(journal_close(t->other.j), -EIO);
	assert_int_equal(member_state_of(t->bed.j, member - 1), MEMBER_ALIVE);
	assert_int_equal(takeover_sweep(t->bed.j, 0), 1);
	assert_int_equal(member_state_of(t->bed.j, member - 1), MEMBER_FREE);
	assert_int_equal(other_heads(t, member, &end), 0);
	assert_int_equal(other_jobs(t, member), 0);
	assert_int_equal(other_cells(t, member), 0);
}

static void two_end(struct two *t)
{
	model_verify(&t->model, t->bed.j);
	model_verify_reopened(&t->model, &t->bed);
	model_free(&t->model);
	bed_remove(&t->bed);
}

/* ---- the log -------------------------------------------------------------------------- */

static int put_async(struct bed *bed, enum journal_path path)
{
	struct journal_txn_options options = { .path = path };
	struct journal_completion done = { .error = 1 };
	struct journal_async *async;
	struct journal_txn *txn;
	int error = journal_async_open(bed->j, 1, &async);

	assert_int_equal(error, 0);
	assert_int_equal(journal_begin(bed->j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, "async", 5), 0);
	error = journal_submit(async, txn, 1);
	if (!error)
		error = journal_async_next(async, -1, &done);
	error = error ? error : done.error;
	assert_int_equal(journal_async_close(async), error);
	return error;
}

static void log_fails(enum bed_medium medium, enum journal_path path, bool async)
{
	uint64_t end, later;
	struct two t;
	uint32_t member, i;

	two_make(&t, medium);
	assert_int_equal(bed_put(&t.other, &t.model, 3000, 1, path, NULL), 0);
	member = t.other.j->member;
	small_files();
	assert_int_equal(async ? put_async(&t.other, path) :
				 bed_put(&t.other, &t.model, 3000, 2, path, NULL), -EIO);
	any_files();
	other_has_failed(&t, "ulimit -f");
	assert_true(slot_is_undecided(t.other.j));
	/* where it wrote nobody writes before that was read */
	assert_true(other_heads(&t, member, &end));
	for (i = 0; i < 20; i++)
		assert_int_equal(bed_put(&t.bed, &t.model, 3000, 10 + i, path, NULL), 0);
	assert_true(other_heads(&t, member, &later));
	assert_int_equal(later, end);
	model_verify(&t.model, t.bed.j);
	other_is_taken_over(&t);
	assert_int_equal(bed_put(&t.bed, &t.model, 3000, 40, path, NULL), 0);
	two_end(&t);
}

static void the_log_may_not_be_written_by_one(enum bed_medium medium)
{
	log_fails(medium, JOURNAL_PATH_SYNCED, false);
	if (medium != BED_FILE)
		log_fails(medium, JOURNAL_PATH_DIRECT, false);
}

static void nor_by_its_worker(enum bed_medium medium)
{
	log_fails(medium, medium == BED_FILE ? JOURNAL_PATH_SYNCED : JOURNAL_PATH_DIRECT, true);
}

/* One that was added after it was opened. */
static void a_log_may_not_be_opened_by_one(enum bed_medium medium)
{
	char path[PATH_MAX];
	const char *add = path;
	struct journal_resize_options options = { .add = &add, .add_count = 1 };
	struct two t;
	uint32_t i;
	int error = 0;

	two_make(&t, medium);
	assert_int_equal(mkdir(scratch_path(&t.bed.disk, "added", path), 0700), 0);
	assert_int_equal(journal_resize(t.bed.j, &options, NULL), 0);
	no_files();
	for (i = 0; i < 40 && !error; i++)
		error = bed_put(&t.other, &t.model, 30000, i, JOURNAL_PATH_SYNCED, NULL);
	assert_int_equal(error, -EIO);
	more_files();
	other_has_failed(&t, "ulimit -n");
	assert_int_equal(atomic_load(&t.bed.j->shared->log_failed[1]), 0);
	for (i = 0; i < 40; i++)
		assert_int_equal(bed_put(&t.bed, &t.model, 30000, 50 + i, JOURNAL_PATH_SYNCED,
					 NULL), 0);
	other_is_taken_over(&t);
	two_end(&t);
}

/* Nobody takes over: the next one recovers. */
static void one_who_is_alone_leaves_it_to_the_next(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	char index[PATH_MAX];

	bed_make(&bed, medium, 64 * MIB, 4 * MIB);
	(void)snprintf(index, sizeof(index), "%s", bed.j->shared_file.path);
	model_make(&model);
	assert_int_equal(bed_put(&bed, &model, 3000, 1, JOURNAL_PATH_SYNCED, NULL), 0);
	small_files();
	assert_int_equal(bed_put(&bed, &model, 3000, 2, JOURNAL_PATH_SYNCED, NULL), -EIO);
	any_files();
	assert_int_equal(journal_close(bed.j), -EIO);
	assert_int_equal(access(index, F_OK), -1);
	bed.j = NULL;
	bed_check(&bed, 0);
	bed_open(&bed, NULL);
	model_verify(&model, bed.j);
	assert_int_equal(bed_put(&bed, &model, 3000, 3, JOURNAL_PATH_SYNCED, NULL), 0);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- what the cleaner moves ----------------------------------------------------------- */

/* What it announced is still its own, and the lines are kept. */
static void who_moves_may_not_write_the_log(enum bed_medium medium)
{
	enum journal_path path = medium == BED_FILE ? JOURNAL_PATH_SYNCED : JOURNAL_PATH_DIRECT;
	uint32_t i, member, gained;
	struct two t;

	two_make(&t, medium);
	member = t.other.j->member;
	/* a line, and the first of the next one */
	for (i = 0; i < SLOTS_PER_LINE + 1; i++)
		assert_int_equal(bed_put(&t.bed, &t.model, 100, i, path, NULL), 0);
	for (i = 0; i < SLOTS_PER_LINE - 5; i++)
		turns_retire_it(&t.bed, &t.model, t.model.all[i].id);
	small_files();
	assert_int_equal(clean_lines_step(t.other.j, SLOTS_PER_LINE, &gained), -EIO);
	any_files();
	other_has_failed(&t, "ulimit -f");
	assert_int_equal(other_jobs(&t, member), 1);
	assert_int_equal(other_cells(&t, member), 2);
	model_verify(&t.model, t.bed.j);
	other_is_taken_over(&t);
	model_verify(&t.model, t.bed.j);
	assert_int_equal(clean_lines_step(t.bed.j, SLOTS_PER_LINE, &gained), 0);
	assert_true(gained);
	two_end(&t);
}

/* ---- NVRAM is given up ---------------------------------------------------------------- */

static void gives_up(enum bed_medium medium, void (*begin)(void), void (*end)(void),
		     const char *why)
{
	struct two t;
	uint32_t i;

	two_make(&t, medium);
	for (i = 0; i < 20; i++)
		turns_is_staged(&t.other, &t.model, i, true);
	begin();
	assert_int_equal(journal_distrust(t.other.j, "a test"), -EIO);
	end();
	other_has_failed(&t, why);
	/* by another one: all of it */
	assert_int_equal(turns_trust_of(&t.bed), JOURNAL_ABANDONED);
	assert_int_equal(bed_info(&t.bed).lost, 0);
	turns_is_staged(&t.bed, &t.model, 30, false);
	other_is_taken_over(&t);
	turns_comes_back(&t.bed);
	two_end(&t);
}

static void nvram_may_not_be_given_up_by_one(enum bed_medium medium)
{
	gives_up(medium, small_files, any_files, "ulimit -f");
	gives_up(medium, no_files, more_files, "ulimit -n");
}

/* ---- the index ------------------------------------------------------------------------ */

static int opens_first(const char *dir)
{
	struct rlimit small = { 20 * MIB, 20 * MIB };
	struct journal_receipt receipt;
	struct journal_info info = { 0 };
	struct journal *j;
	int error;

	(void)signal(SIGXFSZ, SIG_DFL);
	if (setrlimit(RLIMIT_FSIZE, &small))
		return 1;
	error = journal_open(dir, NULL, &j);
	if (!error)
		error = journal_put(j, "x", 1, &receipt);
	if (!error)
		error = journal_retire(j, receipt.id);
	if (!error)
		error = journal_info(j, &info);
	if (!error && !strstr(info.index_private, "ulimit -f"))
		error = 2;
	if (error)
		print_error("%d: %s, index: %s\n", error, journal_error(j), info.index_private);
	return journal_close(j) || error;
}

/* It is larger than what most limits allow, though little of it is there. */
static void the_index_may_not_be_made_by_one(enum bed_medium medium)
{
	struct bed bed;
	pid_t pid;

	bed_make(&bed, medium, 0, 0);
	bed_close(&bed);
	pid = child_fork();
	if (!pid)
		child_exit(opens_first(bed.dir));
	child_ends(pid, 0);
	bed_open(&bed, NULL);
	bed_remove(&bed);
}

int main(void)
{
	const unsigned int some = 1u << BED_FILE | 1u << BED_PMEM;
	const struct bed_test tests[] = {
		{ "the_log_may_not_be_written_by_one", the_log_may_not_be_written_by_one, some },
		{ "nor_by_its_worker", nor_by_its_worker, some },
		{ "a_log_may_not_be_opened_by_one", a_log_may_not_be_opened_by_one, some },
		{ "one_who_is_alone_leaves_it_to_the_next", one_who_is_alone_leaves_it_to_the_next,
		  some },
		{ "who_moves_may_not_write_the_log", who_moves_may_not_write_the_log, some },
		{ "p14_nvram_may_not_be_given_up_by_one", nvram_may_not_be_given_up_by_one,
		  1u << BED_PMEM },
		{ "the_index_may_not_be_made_by_one", the_index_may_not_be_made_by_one, some },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
