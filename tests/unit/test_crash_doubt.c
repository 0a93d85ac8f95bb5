/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A block of the medium that reads zeros begins or ends within a marker line: of one line
 * the epoch is whole and a map is gone, of the next one the epoch and perhaps a map.  Who
 * makes them anew is killed in the middle of it, or the power goes.  Each time what was
 * acknowledged is there, or named; what a map that is whole says still holds.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/mending.h"
#include "lib/moves.h"

#define LIVE 4u /* of each path; the first two are retired in the end */

struct doubt {
	uint64_t live[2][LIVE], retired[2]; /* staged, direct */
	uint64_t lost;
	bool retired_may_be_back[2], aborted_may_be_back;
};

static const enum journal_path paths[2] = { JOURNAL_PATH_STAGED, JOURNAL_PATH_DIRECT };

static void abort_a_prepared_one(struct place *p)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_DIRECT, .bytes = PLACE_BYTES };
	uint8_t payload[PLACE_BYTES];
	struct journal_txn *txn;

	oracle_payload(99, payload, PLACE_BYTES);
	assert_int_equal(journal_begin(p->j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, payload, PLACE_BYTES), 0);
	assert_int_equal(journal_prepare(txn), 0);
	journal_abort(txn);
}

/* Staged ones in one line, direct ones in the next. */
static void scene(struct place *p, struct doubt *d)
{
	struct slot_place at[2];
	uint32_t i, k;

	for (k = 0; k < 2; k++) {
		assert_int_equal(place_put(p, paths[k], 10 * k, &d->retired[k]), 0);
		if (paths[k] == JOURNAL_PATH_DIRECT)
			abort_a_prepared_one(p);
		for (i = 0; i < LIVE; i++)
			assert_int_equal(place_put(p, paths[k], 10 * k + i + 1, &d->live[k][i]), 0);
		assert_true(moves_where(p->j, d->retired[k], &at[k]));
		assert_int_equal(at[k].line, k);
		assert_int_equal(journal_retire(p->j, d->retired[k]), 0);
	}
	assert_int_equal(place_put(p, JOURNAL_PATH_DIRECT, 98, &d->lost), 0);
	/* an incarnation later nobody takes the lines for those of an old image */
	place_close(p);
	assert_int_equal(place_open(p), 0);
	place_crash(p);
	place_spoil(&p->world.log, place_find(&p->world.log, 98));
}

static bool is_zeros(const __le64 *map)
{
	static const __le64 zeros[MARKER_LINE_WORDS];

	return !memcmp(map, zeros, sizeof(zeros));
}

/* @bytes from @at behind the begin of @line read zeros */
static void spoil(struct place *p, struct doubt *d, uint32_t line, size_t at, size_t bytes)
{
	uint32_t k;

	memset((uint8_t *)mending_line(p, line) + at, 0, bytes);
	mending_show(p);
	for (k = 0; k < 2; k++)
		d->retired_may_be_back[k] = is_zeros(mending_line(p, k)->retire);
	d->aborted_may_be_back = is_zeros(mending_line(p, 1)->commit);
}

static void is_there(struct place *p, const struct doubt *d, uint32_t first, bool lost)
{
	uint32_t i, k, others = d->aborted_may_be_back, known = 2 * (LIVE - first) + lost;

	for (k = 0; k < 2; k++) {
		for (i = 0; i < LIVE; i++)
			assert_int_equal(place_state(p, d->live[k][i]),
					 i < first ? 0 : JOURNAL_LIVE);
		if (!d->retired_may_be_back[k])
			assert_int_equal(place_state(p, d->retired[k]), 0);
		others += d->retired_may_be_back[k];
	}
	assert_int_equal(place_state(p, d->lost), lost ? JOURNAL_LOST : 0);
	assert_true(place_live(p) >= known && place_live(p) <= known + others);
	assert_int_equal(place_lost_unnamed(p), 0);
}

/* It is whole now: what is retired is, and damage is gone. */
static void is_mended(struct place *p, const void *context)
{
	const struct doubt *d = context;
	uint32_t i, k;

	is_there(p, d, 0, true);
	for (k = 0; k < 2; k++)
		for (i = 0; i < 2; i++)
			assert_int_equal(journal_retire(p->j, d->live[k][i]), 0);
	assert_int_equal(journal_retire(p->j, d->lost), 0);
	place_crash(p);
	for (i = 0; i < 2; i++) {
		assert_int_equal(place_check(p), 0);
		assert_int_equal(place_open(p), 0);
		is_there(p, d, 2, false);
		place_crash(p);
	}
}

static void block_of_zeros(uint32_t line, size_t at, size_t bytes)
{
	struct place *p = place_make(NULL);
	struct doubt d;

	scene(p, &d);
	spoil(p, &d, line, at, bytes);
	assert_int_equal(place_check(p), -EUCLEAN);
	mending_each_crash(p, is_mended, &d);
	place_remove(p);
}

/* ends behind the next line's epoch, or behind its commit map */
static void p1_blocks_that_begin_at(size_t at)
{
	uint32_t line;

	for (line = 0; line < 2; line++) {
		block_of_zeros(line, at, sizeof(struct marker_line) - at + 64);
		block_of_zeros(line, at, sizeof(struct marker_line) - at + 128);
	}
}

static void p1_a_block_that_begins_at_a_retire_map(void **state)
{
	(void)state;
	p1_blocks_that_begin_at(offsetof(struct marker_line, retire));
}

static void p1_a_block_that_begins_at_a_commit_map(void **state)
{
	(void)state;
	p1_blocks_that_begin_at(offsetof(struct marker_line, commit));
}

static void p1_a_block_that_ends_at_a_retire_map(void **state)
{
	uint32_t line;

	(void)state;
	for (line = 0; line < 2; line++)
		block_of_zeros(line, 0, offsetof(struct marker_line, retire));
}

/* ---- what is not in doubt ----------------------------------------------------------- */

/* All of a line is retired, it went on to its next epoch, and what lies behind it is gone. */
static void all_is_retired(enum journal_path path, bool open)
{
	struct place *p = place_make(NULL);
	struct marker_line *line;
	uint64_t id;
	int i;

	assert_int_equal(place_put(p, path, 1, &id), 0);
	assert_int_equal(journal_retire(p->j, id), 0);
	place_crash(p);
	line = mending_line(p, 0);
	line->epoch = line->epoch_copy = word_seal(((id >> 9) + 1) << 1 | open);
	memset(line->retire, 0, sizeof(line->retire));
	memset(line + 1, 0, offsetof(struct marker_line, commit));
	mending_show(p);
	for (i = 0; i < 2; i++) {
		assert_int_equal(place_open(p), 0);
		assert_int_equal(place_live(p), 0);
		place_crash(p);
	}
	place_remove(p);
}

static void p1_an_epoch_that_is_whole_finishes_those_before_it(void **state)
{
	uint32_t k;

	(void)state;
	for (k = 0; k < 2; k++) {
		all_is_retired(paths[k], true);
		all_is_retired(paths[k], false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p1_a_block_that_begins_at_a_retire_map),
		cmocka_unit_test(p1_a_block_that_begins_at_a_commit_map),
		cmocka_unit_test(p1_a_block_that_ends_at_a_retire_map),
		cmocka_unit_test(p1_an_epoch_that_is_whole_finishes_those_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
