/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A crash between the two legs of a mirrored log: what was on its way is on one of them
 * only.  What the next who writes serves must not depend on which leg is there later.
 * Linked with CRASH_LDFLAGS: media in memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crash_place.h"
#include "format/leg.h"

static const struct crash_plan mirrored = { .logs = 2, .mirrored = true };

/* The disk of a leg is dead from now on. */
static void kill_leg(struct place *p, unsigned int leg)
{
	uint64_t at = leg * p->world.log.bytes / 2;

	memset(p->world.log.now + at, 0, LEG_HEAD_BYTES);
	memset(p->world.log.durable + at, 0, LEG_HEAD_BYTES);
}

/* The power goes at the @nth operation of a commit.  Return: whether it was met. */
static bool cut_at(struct place *p, enum journal_path path, uint64_t nth, enum crash_how how)
{
	uint64_t id;
	bool met;

	p->world.die_at = p->world.operations + nth;
	(void)place_put(p, path, 100, &id);
	met = p->world.dead;
	p->world.dead = true;
	crash_throw_away(p->j);
	p->j = NULL;
	crash_world_cut(&p->world, how, nth);
	return met;
}

/* Return: whether the commit was cut */
static bool served_alike(const struct crash_plan *plan, enum journal_path path, uint64_t nth,
			 enum crash_how how, unsigned int leg, unsigned int *alone)
{
	struct place *p = place_make(plan);
	uint32_t live;
	uint64_t id;
	bool met;

	assert_int_equal(place_put(p, path, 1, &id), 0);
	met = cut_at(p, path, nth, how);
	assert_int_equal(place_open(p), 0);
	live = place_live(p);
	*alone += live == 2;
	place_crash(p);
	kill_leg(p, leg);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_live(p), live);
	assert_int_equal(place_state(p, id), JOURNAL_LIVE);
	assert_int_equal(place_lost_unnamed(p), 0);
	place_remove(p);
	return met;
}

static void p7_what_was_on_its_way_is_on_both(void **state)
{
	static const enum crash_how hows[] = { CRASH_KEEP, CRASH_MIXED, CRASH_DROP };
	static const enum journal_path paths[] = { JOURNAL_PATH_SYNCED, JOURNAL_PATH_DIRECT };
	struct crash_plan plan = mirrored;
	unsigned int i, alone = 0;
	uint64_t nth;

	(void)state;
	for (i = 0; i < 3 * 2 * 2 * 2; i++) {
		plan.checkpointed = i / 12;
		if (plan.checkpointed && paths[i / 3 % 2] == JOURNAL_PATH_DIRECT)
			continue;
		for (nth = 1; served_alike(&plan, paths[i / 3 % 2], nth, hows[i % 3], i / 6 % 2,
					   &alone); nth++)
			;
		assert_in_range(nth, 3, 20);
	}
	/* some of them were there, on one leg only */
	assert_true(alone > 4);
}

/* Its header is on one leg, and it is gone on with: what is acknowledged in it then needs
 * the header on the other one. */
static void a_segment_that_was_being_opened(void **state)
{
	struct crash_plan plan = mirrored;
	struct place *p;
	uint64_t ids[3], nth;
	unsigned int i;
	bool met = true;

	(void)state;
	for (nth = 1; met; nth++) {
		plan.checkpointed = nth & 1;
		p = place_make(&plan);
		/* the first one opens a segment */
		met = cut_at(p, JOURNAL_PATH_SYNCED, nth / 2 + 1, CRASH_KEEP);
		assert_int_equal(place_check(p), 0);
		assert_int_equal(place_open(p), 0);
		for (i = 0; i < 3; i++)
			assert_int_equal(place_put(p, JOURNAL_PATH_SYNCED, i, &ids[i]), 0);
		place_crash(p);
		kill_leg(p, 0);
		assert_int_equal(place_open(p), 0);
		for (i = 0; i < 3; i++)
			assert_int_equal(place_state(p, ids[i]), JOURNAL_LIVE);
		place_remove(p);
	}
	assert_true(nth > 8);
}

/* Who only reads sees it, too, and a check is content. */
static void what_is_on_one_leg_is_no_damage(void **state)
{
	struct place *p;
	uint64_t id, nth;
	bool met = true;

	(void)state;
	for (nth = 1; met; nth++) {
		p = place_make(&mirrored);
		assert_int_equal(place_put(p, JOURNAL_PATH_SYNCED, 1, &id), 0);
		met = cut_at(p, JOURNAL_PATH_SYNCED, nth, CRASH_KEEP);
		assert_int_equal(place_check(p), 0);
		place_remove(p);
	}
	assert_true(nth > 3);
}

/* Three were acknowledged; what each leg has damaged, the other one has. */
static void p10_damage_on_either_leg_is_answered_by_the_other(void **state)
{
	struct place *p = place_make(&mirrored);
	uint64_t ids[3], half = p->world.log.bytes / 2;
	uint8_t *at;
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(place_put(p, JOURNAL_PATH_SYNCED, 10 + (uint64_t)i, &ids[i]), 0);
	place_crash(p);
	for (i = 0; i < 2; i++) {
		at = place_find(&p->world.log, 10 + (uint64_t)i) + (i ? -20 : 5);
		place_spoil(&p->world.log, at + (i ? half : 0));
	}
	assert_int_equal(place_check(p), -EUCLEAN);
	assert_int_equal(place_open(p), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(place_state(p, ids[i]), JOURNAL_LIVE);
	assert_int_equal(place_lost_unnamed(p), 0);
	/* it is repaired: either leg will do */
	place_crash(p);
	assert_int_equal(place_check(p), 0);
	kill_leg(p, 0);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_live(p), 3);
	place_remove(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p7_what_was_on_its_way_is_on_both),
		cmocka_unit_test(a_segment_that_was_being_opened),
		cmocka_unit_test(what_is_on_one_leg_is_no_damage),
		cmocka_unit_test(p10_damage_on_either_leg_is_answered_by_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
