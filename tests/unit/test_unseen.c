/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P14: what one process cannot see is not for it to decide.  marker_store_show() and
 * health_raise() are replaced at link time.
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
#include "txn/journal_impl.h"

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

/* ---- a journal.conf that cannot be read -------------------------------------------------- */

bool __real_health_raise(struct journal *j, uint64_t from, uint64_t to, const char *why);
bool __wrap_health_raise(struct journal *j, uint64_t from, uint64_t to, const char *why);

/* He distrusts NVRAM again when journal.conf names it already, and health does not. */
static struct {
	struct bed *who;
	int error;
	enum health_state state;
} late;

bool __wrap_health_raise(struct journal *j, uint64_t from, uint64_t to, const char *why)
{
	char path[PATH_MAX], away[PATH_MAX];
	struct bed *who = late.who;

	if (who && health_state_of(to) == HEALTH_TRUSTED) {
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

int main(void)
{
	static const struct bed_test tests[] = {
		{ "p14_what_cannot_be_mapped_is_not_lost", what_cannot_be_mapped_is_not_lost,
		  1u << BED_PMEM },
		{ "p14_what_cannot_be_read_is_not_decided", what_cannot_be_read_is_not_decided,
		  1u << BED_PMEM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
