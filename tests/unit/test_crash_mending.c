/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Marker lines whose words are gone, and who makes them anew is killed in the middle of it,
 * or the power goes: what is committed is there each time, and what is retired after that
 * stays so.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/stage.h"
#include "lib/mending.h"
#include "lib/moves.h"
#include "util/math.h"

#define COUNT 8u

/* half of them staged, half direct; one of each is retired */
static void scene(struct place *p, uint64_t ids[COUNT])
{
	uint32_t i;

	for (i = 0; i < COUNT; i++)
		assert_int_equal(place_put(p, i % 2 ? JOURNAL_PATH_DIRECT : JOURNAL_PATH_STAGED,
					   i, &ids[i]), 0);
	assert_int_equal(journal_retire(p->j, ids[0]), 0);
	assert_int_equal(journal_retire(p->j, ids[1]), 0);
	/* an incarnation later nobody takes the lines for those of an old image */
	place_close(p);
	assert_int_equal(place_open(p), 0);
	place_crash(p);
}

static void all_live(struct place *p, const uint64_t *ids)
{
	uint32_t i;

	for (i = 2; i < COUNT; i++)
		assert_int_equal(place_state(p, ids[i]), JOURNAL_LIVE);
	/* what was retired may be back */
	assert_true(place_live(p) <= COUNT);
}

/* It is whole now: what is retired is, and damage is gone. */
static void is_mended(struct place *p, const void *context)
{
	const uint64_t *ids = context;
	uint32_t i, times;

	all_live(p, ids);
	for (i = 2; i < 4; i++)
		assert_int_equal(journal_retire(p->j, ids[i]), 0);
	place_crash(p);
	assert_int_equal(place_check(p), 0);
	for (times = 0; times < 2; times++) {
		assert_int_equal(place_open(p), 0);
		for (i = 2; i < COUNT; i++)
			assert_int_equal(place_state(p, ids[i]), i < 4 ? 0 : JOURNAL_LIVE);
		place_crash(p);
		/* and now the epochs alone: the maps are good, whatever was the matter before */
		mending_spoil_lines(p, 0, 2 * sizeof(__le64));
	}
}

static void p1_lines_are_made_anew(int value)
{
	struct place *p = place_make(NULL);
	uint64_t ids[COUNT];

	scene(p, ids);
	mending_spoil_lines(p, value, sizeof(struct marker_line));
	assert_int_equal(place_check(p), -EUCLEAN);
	mending_each_crash(p, is_mended, ids);
	place_remove(p);
}

static void p1_lines_of_zeros_are_made_anew(void **state)
{
	(void)state;
	p1_lines_are_made_anew(0);
}

static void p1_lines_of_ones_are_made_anew(void **state)
{
	(void)state;
	p1_lines_are_made_anew(0xff);
}

/* Nothing newer is on the medium than a line that reads ones, but a clean close. */
static void direct_alone(bool closed)
{
	struct place *p = place_make(NULL);
	uint64_t ids[3];
	uint32_t i;

	for (i = 0; i < 3; i++)
		assert_int_equal(place_put(p, JOURNAL_PATH_DIRECT, i, &ids[i]), 0);
	if (closed)
		place_close(p);
	else
		place_crash(p);
	mending_spoil_lines(p, 0xff, sizeof(struct marker_line));
	assert_int_equal(place_open(p), closed ? 0 : -EUCLEAN);
	for (i = 0; closed && i < 3; i++)
		assert_int_equal(place_state(p, ids[i]), JOURNAL_LIVE);
	place_remove(p);
}

static void p1_a_line_that_a_clean_close_names(void **state)
{
	(void)state;
	direct_alone(true);
	/* of an old image this is what it looks like */
	direct_alone(false);
}

/* Or what is in the stage: a record there has a higher number than the line. */
static void direct_and_staged(bool direct_first)
{
	struct place *p = place_make(NULL);
	uint64_t direct, staged;

	if (direct_first)
		assert_int_equal(place_put(p, JOURNAL_PATH_DIRECT, 1, &direct), 0);
	assert_int_equal(place_put(p, JOURNAL_PATH_STAGED, 2, &staged), 0);
	if (!direct_first)
		assert_int_equal(place_put(p, JOURNAL_PATH_DIRECT, 1, &direct), 0);
	assert_true(direct >> 9 != staged >> 9 && (direct < staged) == direct_first);
	place_crash(p);
	mending_spoil_lines(p, 0xff, sizeof(struct marker_line));
	/* else it may be an image of before the line was opened */
	assert_int_equal(place_open(p), direct_first ? 0 : -EUCLEAN);
	if (direct_first) {
		assert_int_equal(place_state(p, direct), JOURNAL_LIVE);
		assert_int_equal(place_state(p, staged), JOURNAL_LIVE);
	}
	place_remove(p);
}

static void p1_a_line_that_the_stage_is_newer_than(void **state)
{
	(void)state;
	direct_and_staged(true);
	direct_and_staged(false);
}

/* Or another line. */
static void one_of_two_lines(uint32_t which)
{
	struct place *p = place_make(NULL);
	struct slot_place at[2];
	uint64_t ids[2];
	uint32_t i;

	for (i = 0; i < 2; i++) {
		assert_int_equal(moves_put_alone(p, JOURNAL_PATH_DIRECT, i, &ids[i]), 0);
		assert_true(moves_where(p->j, ids[i], &at[i]));
	}
	assert_true(at[0].line != at[1].line && at[0].number < at[1].number);
	place_crash(p);
	memset(mending_line(p, at[which].line), 0xff, sizeof(struct marker_line));
	mending_show(p);
	assert_int_equal(place_open(p), which ? -EUCLEAN : 0);
	for (i = 0; i < 2 && !which; i++)
		assert_int_equal(place_state(p, ids[i]), JOURNAL_LIVE);
	place_remove(p);
}

static void p1_a_line_that_another_is_newer_than(void **state)
{
	(void)state;
	one_of_two_lines(0);
	one_of_two_lines(1);
}

/* ---- while a log is away -------------------------------------------------------------- */

/* Return: how many of those that were put are not there, while log @which is away */
static uint32_t ones_while_away(uint32_t which)
{
	const struct crash_plan plan = { .logs = 2 };
	struct place *p = place_make(&plan);
	uint64_t ids[COUNT];
	uint32_t i, missing = 0;

	assert_int_equal(place_put(p, JOURNAL_PATH_STAGED, 0, &ids[0]), 0);
	/* the others go on in its line */
	place_close(p);
	assert_int_equal(place_open(p), 0);
	for (i = 1; i < COUNT; i++)
		assert_int_equal(place_put(p, JOURNAL_PATH_SYNCED, i, &ids[i]), 0);
	assert_int_equal(ids[COUNT - 1] >> 9, ids[0] >> 9);
	/* nobody has written their names yet */
	place_crash(p);
	mending_spoil_lines(p, 0xff, sizeof(struct marker_line));
	p->world.away = 1u << which;
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_state(p, ids[0]), JOURNAL_LIVE);
	for (i = 1; i < COUNT; i++)
		missing += place_state(p, ids[i]) != JOURNAL_LIVE;
	assert_true(!missing || place_lost_unnamed(p) >= 2);
	place_crash(p);
	p->world.away = 0;
	assert_int_equal(place_open(p), 0);
	for (i = 0; i < COUNT; i++)
		assert_int_equal(place_state(p, ids[i]), JOURNAL_LIVE);
	place_remove(p);
	return missing;
}

/* What is not found is not retired for that. */
static void p1_a_line_of_ones_while_a_log_is_away(void **state)
{
	(void)state;
	assert_true(ones_while_away(0) + ones_while_away(1) > 0);
}

/* ---- what was moved from such a line ------------------------------------------------ */

/* Its old slot is found again, and retired: the next one does not find it. */
static void is_retired_for_good(struct place *p, const void *context)
{
	const uint64_t *id = context;
	int i;

	assert_int_equal(place_state(p, *id), JOURNAL_LIVE);
	assert_int_equal(place_live(p), 1);
	assert_int_equal(journal_retire(p->j, *id), 0);
	place_crash(p);
	for (i = 0; i < 2; i++) {
		assert_int_equal(place_check(p), 0);
		assert_int_equal(place_open(p), 0);
		assert_int_equal(place_live(p), 0);
		place_crash(p);
	}
}

static void moved_from_a_line_of_zeros(enum journal_path path)
{
	struct place *p = place_make(NULL);
	struct slot_place before, after;
	uint64_t id;

	assert_int_equal(moves_put_alone(p, path, 5, &id), 0);
	assert_true(moves_where(p->j, id, &before));
	assert_int_equal(moves_all(p->j), 1);
	assert_true(moves_where(p->j, id, &after));
	assert_int_not_equal(before.line, after.line);
	place_crash(p);
	memset(mending_line(p, before.line), 0, sizeof(struct marker_line));
	mending_show(p);
	assert_int_equal(place_check(p), -EUCLEAN);
	mending_each_crash(p, is_retired_for_good, &id);
	place_remove(p);
}

static void p2_an_old_slot_is_retired_anew(void **state)
{
	(void)state;
	/* its record certifies itself: nothing but the retire map says that it is retired */
	moved_from_a_line_of_zeros(JOURNAL_PATH_SYNCED);
	moved_from_a_line_of_zeros(JOURNAL_PATH_DIRECT);
}

/* ---- a number that was never issued ------------------------------------------------- */

/* The header of the record whose payload is made from @seed names epoch @number. */
static void renumber(struct place *p, uint64_t seed, uint64_t number)
{
	struct stage_record *record = (void *)(place_find(&p->world.marker, seed) -
					       STAGE_HEADER_BYTES);
	uint64_t at = (uint64_t)((uint8_t *)record - p->world.marker.durable);
	struct marker_geometry g;
	struct stage_meta meta;
	const char *why;
	uint32_t lane;

	assert_int_equal(marker_super_decode((const void *)p->world.marker.durable,
					     p->world.marker.bytes, false, &g, &why), 0);
	lane = (uint32_t)((at - g.stage_offset) / g.ring_bytes);
	assert_int_equal(stage_decode(record, stage_seed(g.nonce, lane),
				      (at - g.stage_offset) % g.ring_bytes, g.ring_bytes, &meta),
			 0);
	meta.id = number << 9 | (meta.id & 511);
	stage_encode(&meta, &(struct stage_last){ 0 }, stage_seed(g.nonce, lane), record);
	mending_show(p);
}

/* Whoever believed it would have no number left to draw. */
static void p4_a_number_out_of_reach_is_ignored(void **state)
{
	static const uint64_t numbers[] = {
		(1ull << 55) - 1, (uint64_t)(UINT32_MAX - 1) << 23, (uint64_t)UINT32_MAX << 23,
	};
	uint64_t ids[3], more;
	struct place *p;
	uint32_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_COUNT(numbers); i++) {
		p = place_make(NULL);
		for (k = 0; k < 3; k++)
			assert_int_equal(place_put(p, JOURNAL_PATH_STAGED, k, &ids[k]), 0);
		place_crash(p);
		renumber(p, 1, numbers[i]);
		assert_int_equal(place_open(p), 0);
		assert_int_equal(place_state(p, ids[0]), JOURNAL_LIVE);
		assert_int_equal(place_state(p, ids[2]), JOURNAL_LIVE);
		assert_int_equal(place_put(p, JOURNAL_PATH_STAGED, 7, &more), 0);
		assert_true(more > ids[2] && more >> 32 < 16);
		place_remove(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p1_lines_of_zeros_are_made_anew),
		cmocka_unit_test(p1_lines_of_ones_are_made_anew),
		cmocka_unit_test(p1_a_line_that_a_clean_close_names),
		cmocka_unit_test(p1_a_line_that_the_stage_is_newer_than),
		cmocka_unit_test(p1_a_line_that_another_is_newer_than),
		cmocka_unit_test(p1_a_line_of_ones_while_a_log_is_away),
		cmocka_unit_test(p2_an_old_slot_is_retired_anew),
		cmocka_unit_test(p4_a_number_out_of_reach_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
