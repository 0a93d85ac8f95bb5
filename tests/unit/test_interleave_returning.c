/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P14, the way back: NVRAM is given up and gone back to, or only gone back to, at every
 * instruction of a commit, of a retire, of the opening of a line; and the other way
 * round.  Then the power goes.  What was acknowledged is there, and nothing that was
 * retired.  As test_interleave_health.c.
 *
 * STRIDE: at every so many'th of them, 40 by default; 1 is all.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/sick.h"
#include "lib/step.h"
#include "txn/lane.h"
#include "txn/returning.h"

enum works { PUTS, RETIRES, OPENS_A_LINE };

struct scene {
	struct sick sick;
	enum journal_path path;
	enum works works;
	bool down; /* NVRAM is given up before the two */
	uint64_t x, y;
	int works_error, turns_error;
	bool worked, turned;
};

static uint32_t stride(void)
{
	const char *given = getenv("STRIDE");

	return given && atoi(given) > 0 ? (uint32_t)atoi(given) : 40;
}

/* ---- what the two do: no assertion in it -------------------------------------------- */

static void work(struct scene *s)
{
	struct journal *j = s->sick.p->j;

	if (s->works == RETIRES)
		s->works_error = journal_retire(j, s->x);
	else
		s->works_error = place_put(s->sick.p, s->path, 2, &s->y);
	s->worked = true;
}

static void turn(struct scene *s)
{
	struct journal *j = s->sick.p->j;

	s->turns_error = s->down ? 0 : journal_distrust(j, "a test");
	if (!s->turns_error)
		s->turns_error = returning_try(j);
	s->turned = true;
}

static void first_works(void *context)
{
	step_begin();
	work(context);
	step_end();
}

static void second_turns(void *context)
{
	turn(context);
}

static void first_turns(void *context)
{
	step_begin();
	turn(context);
	step_end();
}

static void second_works(void *context)
{
	work(context);
}

/* ---- before and after --------------------------------------------------------------- */

/* the next slot is one of a line that nobody has opened */
static void scene_use_up(struct scene *s)
{
	struct journal *j = s->sick.p->j;
	uint64_t id;
	uint32_t i;

	for (i = 0; i < SLOTS_PER_LINE && j->own->next != SLOTS_PER_LINE; i++) {
		assert_int_equal(place_put(s->sick.p, JOURNAL_PATH_SYNCED, 5, &id), 0);
		assert_int_equal(journal_retire(j, id), 0);
	}
	assert_int_equal(j->own->next, SLOTS_PER_LINE);
}

static void scene_make(struct scene *s, const struct scene *like)
{
	memset(s, 0, sizeof(*s));
	s->path = like->path;
	s->works = like->works;
	s->down = like->down;
	sick_make(&s->sick);
	assert_int_equal(place_put(s->sick.p, s->path, 1, &s->x), 0);
	if (s->works != RETIRES) {
		assert_int_equal(place_put(s->sick.p, s->path, 3, &s->y), 0);
		assert_int_equal(journal_retire(s->sick.p->j, s->y), 0);
	}
	s->y = 0;
	if (s->works == OPENS_A_LINE)
		scene_use_up(s);
	if (s->down) {
		assert_int_equal(journal_distrust(s->sick.p->j, "a test"), 0);
		s->path = JOURNAL_PATH_AUTO;
	}
}

static void scene_is_made(struct scene *s, uint64_t id, uint64_t seed)
{
	uint8_t want[PLACE_BYTES], got[PLACE_BYTES];
	size_t bytes;

	oracle_payload(seed, want, sizeof(want));
	assert_int_equal(journal_read(s->sick.p->j, id, got, sizeof(got), &bytes), 0);
	assert_int_equal(bytes, sizeof(got));
	assert_memory_equal(got, want, sizeof(want));
}

static void scene_look(struct scene *s)
{
	if (s->works == RETIRES) {
		assert_int_equal(place_state(s->sick.p, s->x), 0);
	} else {
		scene_is_made(s, s->x, 1);
		scene_is_made(s, s->y, 2);
	}
	assert_int_equal(place_live(s->sick.p), s->works == RETIRES ? 0 : 2);
	assert_int_equal(place_lost_unnamed(s->sick.p), 0);
}

static void scene_end(struct scene *s)
{
	uint64_t z;

	if (s->works_error || s->turns_error)
		printf("# %s\n", journal_error(s->sick.p->j));
	assert_int_equal(s->works_error, 0);
	assert_int_equal(s->turns_error, 0);
	assert_int_equal(health_now(s->sick.p->j), HEALTH_TRUSTED);
	assert_int_equal(health_turn(health_word_now(s->sick.p->j)), 2);
	scene_look(s);
	sick_cut(&s->sick, CRASH_DROP, 0, false);
	assert_false(sick_is_abandoned(&s->sick));
	assert_int_equal(sick_open(&s->sick), 0);
	scene_look(s);
	/* it goes on there; not before, for that would fence what somebody has forgotten */
	assert_int_equal(place_put(s->sick.p, JOURNAL_PATH_STAGED, 7, &z), 0);
	assert_int_equal(journal_retire(s->sick.p->j, z), 0);
	/* once more: what recovery found stays */
	sick_cut(&s->sick, CRASH_DROP, 0, false);
	assert_int_equal(sick_open(&s->sick), 0);
	scene_look(s);
	assert_int_equal(place_check(s->sick.p), 0);
	sick_free(&s->sick);
}

static void once(struct step_pair *pair, struct scene *s, uint32_t place, uint32_t *stood)
{
	*stood += step_run(pair, place).stood;
	if (!s->turned)
		turn(s);
	if (!s->worked)
		work(s);
	scene_end(s);
}

static void everywhere(const struct scene *like, bool works_first, uint32_t step)
{
	struct scene s;
	struct step_pair pair = { works_first ? first_works : first_turns,
				  works_first ? second_turns : second_works, &s };
	uint32_t place, places, stood = 0, tries = 0;

	if (!step_possible())
		skip();
	scene_make(&s, like);
	places = step_places(&pair);
	sick_free(&s.sick);
	assert_true(places > 50);
	for (place = 0; place < places; place += works_first ? step : 1 + places / 200 * step) {
		scene_make(&s, like);
		once(&pair, &s, place, &stood);
		tries++;
	}
	printf("# %u places, stood at %u of %u\n", places, stood, tries);
	assert_true(stood > tries / 2);
}

/* ---- down and up in the middle of it -------------------------------------------------- */

static void p14_that_all_is_well_again_is_not_enough_for_a_staged_commit(void **state)
{
	(void)state;
	everywhere(&(struct scene){ .path = JOURNAL_PATH_STAGED, .works = PUTS }, true, stride());
}

static void p14_that_all_is_well_again_is_not_enough_for_a_direct_commit(void **state)
{
	(void)state;
	everywhere(&(struct scene){ .path = JOURNAL_PATH_DIRECT, .works = PUTS }, true, stride());
}

static void p14_that_all_is_well_again_is_not_enough_for_a_retire(void **state)
{
	(void)state;
	everywhere(&(struct scene){ .path = JOURNAL_PATH_STAGED, .works = RETIRES }, true,
		   stride());
	everywhere(&(struct scene){ .path = JOURNAL_PATH_DIRECT, .works = RETIRES }, true,
		   stride());
}

/* ---- up in the middle of it ----------------------------------------------------------- */

static void p14_a_retire_is_on_the_medium_that_comes_back(void **state)
{
	const struct scene like = { .path = JOURNAL_PATH_STAGED, .works = RETIRES, .down = true };

	(void)state;
	everywhere(&like, true, stride());
	everywhere(&like, false, stride());
}

static void p14_a_synced_commit_is_on_the_medium_that_comes_back(void **state)
{
	const struct scene like = { .path = JOURNAL_PATH_STAGED, .works = PUTS, .down = true };

	(void)state;
	everywhere(&like, true, stride());
	everywhere(&like, false, stride());
}

static void p14_a_line_is_opened_on_the_medium_that_comes_back(void **state)
{
	const struct scene like = { .path = JOURNAL_PATH_SYNCED, .works = OPENS_A_LINE,
				    .down = true };

	(void)state;
	everywhere(&like, true, stride());
	everywhere(&like, false, stride());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_that_all_is_well_again_is_not_enough_for_a_staged_commit),
		cmocka_unit_test(p14_that_all_is_well_again_is_not_enough_for_a_direct_commit),
		cmocka_unit_test(p14_that_all_is_well_again_is_not_enough_for_a_retire),
		cmocka_unit_test(p14_a_retire_is_on_the_medium_that_comes_back),
		cmocka_unit_test(p14_a_synced_commit_is_on_the_medium_that_comes_back),
		cmocka_unit_test(p14_a_line_is_opened_on_the_medium_that_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
