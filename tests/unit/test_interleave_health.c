/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P14: NVRAM is given up, by another, at every instruction of a commit or a retire from
 * its fence on; then that goes on to its end, NVRAM is dead, and the power goes.  What was
 * acknowledged is there, and nothing that was retired.  And the other way round: the
 * commit, or retire, at every instruction of the one who gives it up.  As
 * test_interleave.c.
 *
 * STRIDE: at every so many'th of them, 5 by default (a barrier on all processors takes
 * its time); 1 is all.
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
#include "txn/health.h"
#include "txn/line.h"

struct scene {
	struct sick sick;
	enum journal_path path;
	bool retires; /* the first retires x; else it puts y */
	uint64_t x, y;
	int first, second;
	bool from_fence, worked;
};

static uint32_t stride(void)
{
	const char *given = getenv("STRIDE");

	return given && atoi(given) > 0 ? (uint32_t)atoi(given) : 5;
}

static void scene_hook(struct crash_world *world, void *context)
{
	(void)context;
	world->hook = NULL; /* its first operation */
	step_begin();
}

static void first_works(void *context)
{
	struct scene *s = context;

	if (s->from_fence)
		s->sick.p->world.hook = scene_hook;
	else
		step_begin();
	if (s->retires)
		s->first = journal_retire(s->sick.p->j, s->x);
	else
		s->first = place_put(s->sick.p, s->path, 2, &s->y);
	step_end();
}

static void second_gives_up(void *context)
{
	struct scene *s = context;

	s->sick.p->world.hook = NULL;
	s->second = journal_distrust(s->sick.p->j, "a test");
}

static void first_gives_up(void *context)
{
	struct scene *s = context;

	step_begin();
	s->second = journal_distrust(s->sick.p->j, "a test");
	step_end();
}

static void second_works(void *context)
{
	struct scene *s = context;

	if (s->retires)
		s->first = journal_retire(s->sick.p->j, s->x);
	else
		s->first = place_put(s->sick.p, s->path, 2, &s->y);
	s->worked = true;
}

static void scene_make(struct scene *s, enum journal_path path, bool retires)
{
	memset(s, 0, sizeof(*s));
	s->path = path;
	s->retires = retires;
	s->from_fence = !retires; /* from its claim on, which comes before */
	sick_make(&s->sick);
	assert_int_equal(place_put(s->sick.p, path, 1, &s->x), 0);
	/* what it allocates once is there */
	if (!retires) {
		assert_int_equal(place_put(s->sick.p, path, 3, &s->y), 0);
		assert_int_equal(journal_retire(s->sick.p->j, s->y), 0);
	}
	s->y = 0;
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
	if (s->retires)
		assert_int_equal(place_state(s->sick.p, s->x), 0);
	else
		scene_is_made(s, s->x, 1);
	if (!s->retires)
		scene_is_made(s, s->y, 2);
	assert_int_equal(place_live(s->sick.p), s->retires ? 0 : 2);
	assert_int_equal(place_lost_unnamed(s->sick.p), 0);
}

static void scene_end(struct scene *s)
{
	if (s->second)
		printf("# %s\n", journal_error(s->sick.p->j));
	assert_int_equal(s->first, 0);
	assert_int_equal(s->second, 0);
	assert_int_equal(health_now(s->sick.p->j), HEALTH_ABANDONED);
	scene_look(s);
	sick_cut(&s->sick, CRASH_DROP, 0, true);
	assert_int_equal(sick_open(&s->sick), 0);
	scene_look(s);
	/* once more: what recovery found stays */
	sick_cut(&s->sick, CRASH_DROP, 0, true);
	assert_int_equal(sick_open(&s->sick), 0);
	scene_look(s);
	sick_free(&s->sick);
}

static void everywhere(enum journal_path path, bool retires)
{
	struct scene scene;
	struct step_pair pair = { first_works, second_gives_up, &scene };
	uint32_t place, places, stood = 0;
	struct step_met met;

	if (!step_possible())
		skip();
	scene_make(&scene, path, retires);
	places = step_places(&pair);
	assert_int_equal(scene.first, 0);
	sick_free(&scene.sick);
	assert_true(places > 20);
	for (place = 0; place < places; place += stride()) {
		scene_make(&scene, path, retires);
		met = step_run(&pair, place);
		stood += met.stood;
		if (!met.stood)
			scene.second = journal_distrust(scene.sick.p->j, "a test");
		scene_end(&scene);
	}
	printf("# %u places, stood at %u\n", places, stood);
	assert_true(stood > places / stride() / 2);
}

static void everywhere_in_the_switch(enum journal_path path, bool retires)
{
	struct scene scene;
	struct step_pair pair = { first_gives_up, second_works, &scene };
	uint32_t place, places, stood = 0;

	if (!step_possible())
		skip();
	scene_make(&scene, path, retires);
	places = step_places(&pair);
	assert_int_equal(scene.second, 0);
	sick_free(&scene.sick);
	/* it has many: the same strides as there are tries above */
	for (place = 0; place < places; place += 1 + places / 100 * stride()) {
		scene_make(&scene, path, retires);
		stood += step_run(&pair, place).stood;
		if (!scene.worked)
			second_works(&scene);
		scene_end(&scene);
	}
	printf("# %u places, stood at %u\n", places, stood);
	assert_true(stood > 5);
}

/* ---- nothing is told before there is a list ------------------------------------------- */

/*
 * The second, once NVRAM is not trusted, opens a line that NVRAM will never know of, and
 * commits by the log; then the power goes, wherever the first is.  NVRAM takes nothing
 * any more, but is there, and counts as long as journal.conf names it.
 */
static void second_tells(void *context)
{
	struct scene *s = context;
	struct crash_world *world = &s->sick.p->world;

	if (health_now(s->sick.p->j) == HEALTH_TRUSTED)
		return;
	world->fence_error = -EIO;
	s->first = place_put(s->sick.p, JOURNAL_PATH_SYNCED, 2, &s->y);
	s->worked = true;
	/* told, or not: nothing happens after that */
	world->dead = true;
}

/* no slot of the line that it would go to is left */
static void scene_use_up(struct scene *s)
{
	struct journal *j = s->sick.p->j;
	uint64_t id;

	while (j->own->next != SLOTS_PER_LINE) {
		assert_int_equal(place_put(s->sick.p, JOURNAL_PATH_SYNCED, 5, &id), 0);
		assert_int_equal(journal_retire(j, id), 0);
	}
}

static void scene_is_told(struct scene *s)
{
	bool abandoned = sick_is_abandoned(&s->sick);

	s->sick.p->world.fence_error = 0;
	sick_cut(&s->sick, CRASH_DROP, 0, abandoned);
	assert_int_equal(sick_open(&s->sick), 0);
	scene_is_made(s, s->x, 1);
	if (s->worked && !s->first)
		scene_is_made(s, s->y, 2);
	assert_int_equal(place_lost_unnamed(s->sick.p), 0);
}

static void p14_nothing_is_told_before_the_list_is_in_force(void **state)
{
	struct scene scene;
	struct step_pair pair = { first_gives_up, second_tells, &scene };
	uint32_t place, places, told = 0;

	(void)state;
	if (!step_possible())
		skip();
	scene_make(&scene, JOURNAL_PATH_DIRECT, false);
	scene_use_up(&scene);
	places = step_places(&pair);
	sick_free(&scene.sick);
	for (place = 0; place < places; place += 1 + places / 100 * stride()) {
		scene_make(&scene, JOURNAL_PATH_DIRECT, false);
		scene_use_up(&scene);
		(void)step_run(&pair, place);
		told += scene.worked && !scene.first;
		scene_is_told(&scene);
		sick_free(&scene.sick);
	}
	printf("# %u places, told at %u\n", places, told);
	assert_true(told > 0);
}

static void p14_a_switch_scans_after_it_has_said_so(void **state)
{
	(void)state;
	everywhere_in_the_switch(JOURNAL_PATH_STAGED, false);
	everywhere_in_the_switch(JOURNAL_PATH_DIRECT, false);
}

static void p14_a_retire_beside_a_switch_is_recorded(void **state)
{
	(void)state;
	everywhere_in_the_switch(JOURNAL_PATH_STAGED, true);
	everywhere_in_the_switch(JOURNAL_PATH_DIRECT, true);
}

static void p14_a_synced_commit_waits_for_the_list(void **state)
{
	(void)state;
	everywhere_in_the_switch(JOURNAL_PATH_SYNCED, false);
}

static void p14_a_staged_commit_publishes_before_it_looks(void **state)
{
	(void)state;
	everywhere(JOURNAL_PATH_STAGED, false);
}

static void p14_a_direct_commit_publishes_before_it_looks(void **state)
{
	(void)state;
	everywhere(JOURNAL_PATH_DIRECT, false);
}

static void p14_a_staged_one_is_claimed_before_its_retire_looks(void **state)
{
	(void)state;
	everywhere(JOURNAL_PATH_STAGED, true);
}

static void p14_a_direct_one_is_claimed_before_its_retire_looks(void **state)
{
	(void)state;
	everywhere(JOURNAL_PATH_DIRECT, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_a_staged_commit_publishes_before_it_looks),
		cmocka_unit_test(p14_a_direct_commit_publishes_before_it_looks),
		cmocka_unit_test(p14_a_staged_one_is_claimed_before_its_retire_looks),
		cmocka_unit_test(p14_a_direct_one_is_claimed_before_its_retire_looks),
		cmocka_unit_test(p14_a_switch_scans_after_it_has_said_so),
		cmocka_unit_test(p14_a_retire_beside_a_switch_is_recorded),
		cmocka_unit_test(p14_a_synced_commit_waits_for_the_list),
		cmocka_unit_test(p14_nothing_is_told_before_the_list_is_in_force),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
