/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P14: what one process cannot see is not for it to decide.  marker_store_show(),
 * health_raise(), txn_direct_settle() and fsync() are replaced at link time.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/turns.h"
#include "txn/health.h"
#include "txn/takeover.h"
#include "txn/txn_impl.h"

#define STAGED 20u

/* ---- rings that cannot be mapped --------------------------------------------------------- */

int __real_marker_store_show(struct marker_store *store, uint64_t at, uint64_t bytes,
			     uint64_t offset);
int __wrap_marker_store_show(struct marker_store *store, uint64_t at, uint64_t bytes,
			     uint64_t offset);

static int no_rings; /* what mapping them says */

int __wrap_marker_store_show(struct marker_store *store, uint64_t at, uint64_t bytes,
			     uint64_t offset)
{
	/* the head is at 0 */
	return at && no_rings ? no_rings : __real_marker_store_show(store, at, bytes, offset);
}

static void put_staged(struct bed *bed, struct model *model, uint64_t seed)
{
	uint64_t i;

	for (i = 0; i < STAGED; i++)
		assert_int_equal(bed_put(bed, model, 500, seed + i, JOURNAL_PATH_STAGED, NULL), 0);
}

/* The other process has staged on the second NVRAM, which we have not looked at yet. */
static void what_cannot_be_mapped_is_not_lost(enum bed_medium medium)
{
	static const int errors[] = { -ENOMEM, -EMFILE, -ENFILE };
	struct bed bed, other;
	struct model model;
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		bed_make(&bed, medium, 64 << 20, 4 << 20);
		model_make(&model);
		other = bed;
		bed_open(&other, NULL);
		turns_goes_down(&bed);
		turns_comes_back(&bed);
		put_staged(&bed, &model, 1);
		no_rings = errors[i];
		assert_int_equal(journal_distrust(other.j, "a test"), errors[i]);
		assert_int_equal(health_now(other.j), HEALTH_SWITCHING);
		no_rings = 0;
		/* now by somebody who can see it */
		assert_int_equal(turns_one_round(other.j), 0);
		assert_int_equal(turns_trust_of(&bed), JOURNAL_ABANDONED);
		assert_int_equal(bed_info(&bed).lost, 0);
		assert_int_equal(atomic_load(&bed.j->shared->evacuated_not), 0);
		model_verify(&model, other.j);
		bed_close(&other);
		model_verify_reopened(&model, &bed);
		model_free(&model);
		bed_remove(&bed);
	}
}

/* ---- what is published, or claimed, by then ---------------------------------------------- */

int __real_txn_direct_settle(struct journal *j, uint32_t line, struct settled *s);
int __wrap_txn_direct_settle(struct journal *j, uint32_t line, struct settled *s);

static int not_settled;

int __wrap_txn_direct_settle(struct journal *j, uint32_t line, struct settled *s)
{
	return not_settled ? not_settled : __real_txn_direct_settle(j, line, s);
}

/* it is committed by the rest, when the way to where it is durable is barred */
static struct journal_txn *prepared(struct journal *j, enum journal_path path)
{
	const struct journal_txn_options options = { .path = path };
	struct journal_txn *txn;

	assert_int_equal(journal_begin(j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, "undecided", 9), 0);
	assert_int_equal(journal_prepare(txn), 0);
	return txn;
}

static int submitted(struct journal *j, enum journal_path path)
{
	const struct journal_txn_options options = { .path = path };
	struct journal_completion done;
	struct journal_async *async;
	struct journal_txn *txn;
	int error;

	assert_int_equal(journal_async_open(j, 1, &async), 0);
	assert_int_equal(journal_begin(j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, "undecided", 9), 0);
	error = journal_submit(async, txn, 1);
	if (!error)
		error = journal_async_next(async, -1, &done);
	error = error ? error : done.error;
	assert_int_equal(journal_async_close(async), error);
	return error;
}

enum undecided { RETIRE, COMMIT_STAGED, COMMIT_DIRECT, COMMIT_SYNCED, ASYNC_SYNCED, UNDECIDED };

/* NVRAM is being given up, and the other process cannot see what is to be brought away. */
static int undecided_by(struct bed *other, struct model *model, enum undecided what)
{
	struct journal_txn *txn = NULL;
	struct journal_receipt receipt;
	int error;

	if (what == COMMIT_STAGED)
		txn = prepared(other->j, JOURNAL_PATH_STAGED);
	else if (what == COMMIT_DIRECT)
		txn = prepared(other->j, JOURNAL_PATH_DIRECT);
	no_rings = -EMFILE;
	/* nothing was begun: it is not over for that */
	assert_int_equal(journal_distrust(other->j, "a test"), -EMFILE);
	assert_int_equal(journal_failed(other->j), 0);
	if (txn)
		error = journal_commit(txn, &receipt);
	else if (what == RETIRE)
		error = journal_retire(other->j, model->all[0].id);
	else if (what == COMMIT_SYNCED)
		error = journal_put(other->j, "undecided", 9, &receipt);
	else
		error = submitted(other->j, JOURNAL_PATH_AUTO);
	no_rings = 0;
	return error;
}

/* The others have whatever came of it: exactly one may be more, or less. */
static void is_of_one_handle(struct bed *bed, struct bed *other, struct model *model,
			     uint64_t more, uint64_t less)
{
	struct journal_entry entry = { 0 };
	uint64_t count = 0;

	assert_non_null(strstr(journal_error(other->j), "ulimit -n"));
	assert_int_equal(atomic_load(&bed->j->shared->failed), 0);
	assert_int_equal(journal_put(other->j, "x", 1, NULL), -EIO);
	assert_int_equal(journal_close(other->j), -EIO);
	assert_int_equal(turns_one_round(bed->j), 0);
	assert_int_equal(takeover_sweep(bed->j, 0) + bed_info(bed).takeovers, 1);
	assert_int_equal(bed_put(bed, model, 500, 99, JOURNAL_PATH_AUTO, NULL), 0);
	bed_close(bed);
	bed_check(bed, 0);
	bed_open(bed, NULL);
	for (; !journal_next(bed->j, entry.id, &entry); count++)
		assert_int_equal(entry.state, JOURNAL_LIVE);
	assert_in_range(count, model->count - less, model->count + more);
	for (; less < model->count; less++)
		assert_int_equal(bed_verify(bed->j, model->all[less].id, model->all[less].bytes,
					    model->all[less].seed), 0);
}

static void what_cannot_be_told_is_of_one_handle(enum bed_medium medium)
{
	struct bed bed, other;
	struct model model;
	enum undecided what;

	for (what = RETIRE; what < UNDECIDED; what++) {
		bed_make(&bed, medium, 64 << 20, 4 << 20);
		model_make(&model);
		other = bed;
		bed_open(&other, NULL);
		turns_goes_down(&bed);
		turns_comes_back(&bed);
		put_staged(&bed, &model, 1);
		assert_int_equal(undecided_by(&other, &model, what), -EIO);
		is_of_one_handle(&bed, &other, &model, what != RETIRE, what == RETIRE);
		model_free(&model);
		bed_remove(&bed);
	}
}

/* The bits are there, and what else is to be done for them cannot be. */
static void those_committed_together_are_none_of_them_told(enum bed_medium medium)
{
	struct bed bed, other;
	struct model model;

	bed_make(&bed, medium, 64 << 20, 4 << 20);
	model_make(&model);
	other = bed;
	bed_open(&other, NULL);
	put_staged(&bed, &model, 1);
	not_settled = -EMFILE;
	assert_int_equal(submitted(other.j, JOURNAL_PATH_DIRECT), -EIO);
	not_settled = 0;
	is_of_one_handle(&bed, &other, &model, 1, 0);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- a journal.conf that cannot be read -------------------------------------------------- */

bool __real_health_raise(struct journal *j, uint64_t from, uint64_t to, const char *why);
bool __wrap_health_raise(struct journal *j, uint64_t from, uint64_t to, const char *why);

/* He distrusts NVRAM again when journal.conf names it already, and health does not. */
static struct {
	struct bed *who;
	int error;
	enum health_state state;
	void (*then)(struct bed *who); /* in place of that */
} late;

bool __wrap_health_raise(struct journal *j, uint64_t from, uint64_t to, const char *why)
{
	char path[PATH_MAX], away[PATH_MAX];
	struct bed *who = late.who;

	if (who && late.then && health_state_of(to) == HEALTH_TRUSTED) {
		late.who = NULL;
		late.then(who);
	} else if (who && health_state_of(to) == HEALTH_TRUSTED) {
		late.who = NULL;
		(void)snprintf(path, sizeof(path), "%.4000s/journal.conf", who->dir);
		(void)snprintf(away, sizeof(away), "%.4000s/away", who->dir);
		assert_int_equal(rename(path, away), 0);
		late.error = journal_distrust(who->j, "a test");
		late.state = health_now(who->j);
		assert_int_equal(rename(away, path), 0);
	}
	return __real_health_raise(j, from, to, why);
}

static void what_cannot_be_read_is_not_decided(enum bed_medium medium)
{
	struct bed bed, other;
	struct model model;

	bed_make(&bed, medium, 64 << 20, 4 << 20);
	model_make(&model);
	other = bed;
	bed_open(&other, NULL);
	put_staged(&bed, &model, 1);
	turns_goes_down(&bed);
	late.who = &other;
	turns_comes_back(&bed);
	assert_null(late.who);
	assert_int_equal(late.error, -ENOENT);
	assert_int_equal(late.state, HEALTH_RETURNING);
	turns_is_staged(&other, &model, 100, true);
	turns_retire_it(&other, &model, model.all[0].id);
	model_verify(&model, bed.j);
	/* and it can be decided again */
	turns_goes_down(&other);
	bed_close(&other);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- a directory that cannot be synced ------------------------------------------------------ */

int __real_fsync(int fd);
int __wrap_fsync(int fd);

static int no_sync; /* what it says */

int __wrap_fsync(int fd)
{
	if (!no_sync)
		return __real_fsync(fd);
	errno = -no_sync;
	return -1;
}

/* He finds journal.conf renamed, and whoever did that may not have come to sync it. */
static void nobody_else_fails(struct bed *who)
{
	no_sync = -ENOMEM;
	late.error = journal_distrust(who->j, "a test");
	no_sync = 0;
	assert_int_equal(atomic_load(&who->j->shared->failed), 0);
	late.state = health_now(who->j);
}

static void what_cannot_be_synced_is_of_one_handle(enum bed_medium medium)
{
	struct bed bed, other;
	struct model model;

	bed_make(&bed, medium, 64 << 20, 4 << 20);
	model_make(&model);
	other = bed;
	bed_open(&other, NULL);
	put_staged(&bed, &model, 1);
	turns_goes_down(&bed);
	late.who = &other;
	late.then = nobody_else_fails;
	turns_comes_back(&bed);
	late.then = NULL;
	assert_int_equal(late.error, -EIO);
	assert_int_equal(late.state, HEALTH_RETURNING);
	assert_int_equal(journal_close(other.j), -EIO);
	turns_is_staged(&bed, &model, 100, true);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "p14_what_cannot_be_mapped_is_not_lost", what_cannot_be_mapped_is_not_lost,
		  1u << BED_PMEM },
		{ "p14_what_cannot_be_read_is_not_decided", what_cannot_be_read_is_not_decided,
		  1u << BED_PMEM },
		{ "p14_what_cannot_be_told_is_of_one_handle", what_cannot_be_told_is_of_one_handle,
		  1u << BED_PMEM },
		{ "those_committed_together_are_none_of_them_told",
		  those_committed_together_are_none_of_them_told, 1u << BED_PMEM },
		{ "p14_what_cannot_be_synced_is_of_one_handle",
		  what_cannot_be_synced_is_of_one_handle, 1u << BED_PMEM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
