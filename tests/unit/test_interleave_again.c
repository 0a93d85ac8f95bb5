/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a dead cleaner was moving is taken over, and cannot be ended: without durable bits
 * that takes a checkpoint, and two others are stopped in theirs.  It is taken over once more,
 * later, and then nothing of it is held any more (txn/takeover_move.c).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "actor.h"
#include "moves.h"
#include "moving.h"
#include "scene.h"
#include "txn/clean.h"
#include "txn/line.h"
#include "txn/stand_in.h"
#include "txn/takeover_impl.h"

/* ---- two others are stopped in their checkpoints ------------------------------------------ */

static const struct marker_store_ops *ops_before;
static struct marker_store_ops ops_stopped;
static unsigned int refused;

static int checkpoint_not(struct marker_store *store, uint64_t bytes, uint32_t who)
{
	(void)store;
	(void)bytes;
	(void)who;
	refused++;
	return -EAGAIN;
}

static void others_stop(struct scene *s)
{
	struct marker_store *store = checkpoint_store(s->p->j);

	refused = 0;
	ops_before = store->ops;
	ops_stopped = *ops_before;
	ops_stopped.checkpoint = checkpoint_not;
	store->ops = &ops_stopped;
}

static void others_go_on(struct scene *s)
{
	assert_true(refused);
	checkpoint_store(s->p->j)->ops = ops_before;
}

#define LARGE 1300000u /* two pieces */

/* ---- the scene ------------------------------------------------------------------------------ */

/* x is in a line that nobody goes on in; M, who moves it, is killed @at. */
static void mover_dies(struct scene *s, uint32_t bytes, void (*at)(void))
{
	struct actor *m;

	if (!actors_possible())
		skip();
	*s = (struct scene){ .path = JOURNAL_PATH_SYNCED, .seed = 1000 };
	s->p = place_make(&moves_plan_file);
	s->x = moves_put_large(s->p, s->path, bytes);
	m = actor_make(moving_moves, s);
	assert_true(actor_at(m, at, 1));
	actor_killed(m);
}

static int taken_over(struct scene *s)
{
	return takeover_moves(s->p->j, s->p->j->member - 1);
}

static void taken_over_later(struct scene *s, bool by_all)
{
	uint32_t number = s->p->j->member - 1;
	unsigned int tries;

	/* as often as that */
	for (tries = 0; tries < 2; tries++) {
		others_stop(s);
		assert_int_equal(taken_over(s), -EAGAIN);
		others_go_on(s);
	}
	assert_int_equal(place_state(s->p, s->x), JOURNAL_LIVE);
	if (by_all) {
		assert_int_equal(takeover_all(s->p->j, number), 0);
	} else {
		assert_int_equal(taken_over(s), 0);
		clean_takeover(s->p->j, number + 1);
	}
	assert_int_equal(place_state(s->p, s->x), JOURNAL_LIVE);
	scene_retire(s, s->x);
	assert_int_equal(place_state(s->p, s->x), 0);
	moves_nothing_is_held(s->p->j);
	place_crash(s->p);
	assert_int_equal(place_open(s->p), 0);
	assert_int_equal(place_state(s->p, s->x), 0);
	assert_int_equal(place_check(s->p), 0);
	place_remove(s->p);
}

/* It is committed in its new slot; where it was is given up by who takes over. */
static void p7_an_end_that_has_to_wait(void **state)
{
	struct scene s;

	(void)state;
	mover_dies(&s, SCENE_BYTES, (void (*)(void))moved_publish);
	taken_over_later(&s, false);
	mover_dies(&s, SCENE_BYTES, (void (*)(void))moved_publish);
	taken_over_later(&s, true);
}

/* The same of one in several pieces. */
static void p7_of_a_large_one(void **state)
{
	struct scene s;

	(void)state;
	mover_dies(&s, LARGE, (void (*)(void))moved_publish);
	taken_over_later(&s, false);
	mover_dies(&s, LARGE, (void (*)(void))moved_publish);
	taken_over_later(&s, true);
}

/* The copy was not committed: its slot goes, and x stays where it was. */
static void p7_an_undoing_that_has_to_wait(void **state)
{
	struct scene s;

	(void)state;
	mover_dies(&s, SCENE_BYTES, (void (*)(void))line_publish);
	taken_over_later(&s, false);
	mover_dies(&s, LARGE, (void (*)(void))line_publish);
	taken_over_later(&s, true);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(p7_an_end_that_has_to_wait),
		cmocka_unit_test(p7_of_a_large_one),
		cmocka_unit_test(p7_an_undoing_that_has_to_wait),
	};

	return cmocka_run_group_tests_name("takeover again", tests, NULL, NULL);
}
