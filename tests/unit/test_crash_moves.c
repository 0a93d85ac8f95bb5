/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moving to another line (P2, docs/decisions/0009): what is there after a move, a crash
 * in the middle of one, the death of a mover.  Linked with CRASH_LDFLAGS.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "crash_place.h"
#include "moves.h"
#include "txn/head.h"
#include "txn/line.h"
#include "txn/moved.h"
#include "txn/segment.h"

static struct journal_info info(struct place *p)
{
	struct journal_info info;

	assert_int_equal(journal_info(p->j, &info), 0);
	return info;
}

static int readable(struct place *p, uint64_t id, uint64_t seed)
{
	uint8_t expected[PLACE_BYTES], got[PLACE_BYTES];
	size_t got_bytes;
	int error = journal_read(p->j, id, got, sizeof(got), &got_bytes);

	oracle_payload(seed, expected, PLACE_BYTES);
	if (!error && (got_bytes != PLACE_BYTES || memcmp(expected, got, PLACE_BYTES)))
		error = -EILSEQ;
	return error;
}

static struct slot_place place_of(struct place *p, uint64_t id)
{
	struct slot_place at;

	assert_true(moves_where(p->j, id, &at));
	return at;
}

/* ---- same id, new slot ---------------------------------------------------------------- */

static void found_under_its_id(struct place *p, uint64_t id, uint64_t seed)
{
	struct journal_entry entry;

	assert_int_equal(readable(p, id, seed), 0);
	assert_int_equal(place_live(p), 1);
	assert_int_equal(journal_next(p->j, 0, &entry), 0);
	assert_true(entry.id == id);
	assert_int_equal(entry.bytes, PLACE_BYTES);
	assert_int_equal(info(p).live, 1);
}

static void p2_a_moved_one_keeps_its_id(enum journal_path path)
{
	struct place *p = place_make(path == JOURNAL_PATH_SYNCED ? &moves_plan_file : NULL);
	struct slot_place before, at;
	uint64_t id;
	uint32_t i;

	assert_int_equal(moves_put_alone(p, path, 5, &id), 0);
	before = place_of(p, id);
	for (i = 0; i < 5; i++) {
		assert_int_equal(moves_all(p->j), 1);
		at = place_of(p, id);
		assert_false(slot_place_same(&at, &before));
		before = at;
		found_under_its_id(p, id, 5);
		if (i % 2)
			place_close(p);
		else
			place_crash(p);
		assert_int_equal(place_check(p), 0);
		assert_int_equal(place_open(p), 0);
		found_under_its_id(p, id, 5);
	}
	assert_int_equal(journal_retire(p->j, id), 0);
	assert_int_equal(journal_retire(p->j, id), -ENOENT);
	assert_int_equal(readable(p, id, 5), -ENOENT);
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_live(p), 0);
	assert_int_equal(journal_retire(p->j, id), -ENOENT);
	moves_nothing_is_held(p->j);
	place_remove(p);
}

static void p2_a_moved_one_keeps_its_id_on_nvram(void **state)
{
	(void)state;
	p2_a_moved_one_keeps_its_id(JOURNAL_PATH_DIRECT);
}

static void p2_a_moved_one_keeps_its_id_on_a_file(void **state)
{
	(void)state;
	p2_a_moved_one_keeps_its_id(JOURNAL_PATH_SYNCED);
}

/* ---- what is staged ------------------------------------------------------------------- */

static void leave_lanes(struct journal *j)
{
	uint32_t i;

	for (i = 0; i < j->lane_count; i++)
		line_leave(j, &j->lanes[i].s->from);
}

/* It is destaged, and moved; so its line is free. */
static void p2_a_staged_one_pins_no_line(void **state)
{
	struct place *p = place_make(NULL);
	struct slot_place before, at;
	uint64_t id, other;

	(void)state;
	/* one that is retired lies before it: that never touches the disk */
	assert_int_equal(place_put(p, JOURNAL_PATH_STAGED, 4, &other), 0);
	assert_int_equal(place_put(p, JOURNAL_PATH_STAGED, 5, &id), 0);
	assert_int_equal(journal_retire(p->j, other), 0);
	before = place_of(p, id);
	leave_lanes(p->j);
	/* somebody has its lane: not now, but it is not forgotten */
	atomic_store(&p->j->lanes[0].s->lease, p->j->member);
	assert_int_equal(moves_all(p->j), 0);
	atomic_store(&p->j->lanes[0].s->lease, 0);
	assert_int_equal(info(p).lines_cleaned_not, 0);
	assert_int_equal(moves_all(p->j), 1);
	at = place_of(p, id);
	assert_false(slot_place_same(&at, &before));
	assert_int_equal(line_state_of(p->j->lines[before.line].use), LINE_FREE);
	found_under_its_id(p, id, 5);
	assert_int_equal(info(p).staged_live, 0);
	assert_int_equal(info(p).destaged, 1);
	place_crash(p);
	assert_int_equal(place_check(p), 0);
	assert_int_equal(place_open(p), 0);
	found_under_its_id(p, id, 5);
	assert_int_equal(journal_retire(p->j, id), 0);
	moves_nothing_is_held(p->j);
	place_remove(p);
}

/* What was announced when the log failed stays so, and is not announced again. */
static void p16_a_log_that_fails_in_a_move_ends_all_moves(void **state)
{
	struct place *p = place_make(NULL);
	uint64_t id;

	(void)state;
	assert_int_equal(moves_put_alone(p, JOURNAL_PATH_SYNCED, 5, &id), 0);
	/* the mover's stream is open, so that it is the copy that fails */
	assert_int_equal(moves_all(p->j), 1);
	p->world.write_error = -EIO;
	assert_int_equal(moves_all(p->j), -EIO);
	p->world.write_error = 0;
	assert_true(moves_some(p->j) <= 0);
	assert_int_equal(readable(p, id, 5), 0);
	assert_int_equal(journal_close(p->j), -EIO);
	p->j = NULL;
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	found_under_its_id(p, id, 5);
	place_remove(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p2_a_moved_one_keeps_its_id_on_nvram),
		cmocka_unit_test(p2_a_moved_one_keeps_its_id_on_a_file),
		cmocka_unit_test(p2_a_staged_one_pins_no_line),
		cmocka_unit_test(p16_a_log_that_fails_in_a_move_ends_all_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
