/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The orders of moving and retiring: what is fenced before what, and what is looked at after
 * what (P2, tests/model/p2.pml).  As test_interleave_rules.c; here R comes wherever M is,
 * and M wherever R is, on the part of the way that an order is about.  Then the power fails,
 * and a fence is one of who has flushed (crash_world.h).
 *
 * STRIDE: at every so many'th instruction; by default at 100 of them.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "moves.h"
#include "moving.h"
#include "txn/line.h"
#include "txn/moved.h"
#include "txn/stream.h"

#define PLACES 100u

/* R has said that x is retired: it is, whoever was killed, and stays so. */
static void x_is_gone(struct scene *s)
{
	assert_int_equal(s->retired, 0);
	moving_power_fails(s);
	assert_int_equal(place_state(s->p, s->x), 0);
	moving_power_fails(s);
	assert_int_equal(place_state(s->p, s->x), 0);
}

/* M is killed before its fence, if it comes to one. */
static void m_goes_on(struct scene *s, struct actor *m)
{
	if (ACTOR_AT(m, stream_wait, 1) && moving_at_fence(s, m))
		actor_killed(m);
	else
		actor_end(m);
}

static void r_retires(struct scene *s)
{
	struct actor *r = actor_make(moving_retires, s);

	actor_end(r);
}

/* ---- fences ------------------------------------------------------------------------------ */

/* The old bit is durable before M lets go of the old slot: R names it no more. */
static void p2_moved_fence(void **state)
{
	struct scene s;
	struct actor *m;

	(void)state;
	moving_make(&s);
	moving_x(&s);
	m = actor_make(moving_moves, &s);
	assert_true(ACTOR_AT(m, moved_settle, 1));
	actor_end(m);
	assert_int_equal(s.first, 0);
	r_retires(&s);
	x_is_gone(&s);
	place_remove(s.p);
}

/* So is the bit of a copy that M does not publish.  R has claimed x, which M sees, and will
 * find that there is no other slot any more. */
static void p2_undo_fence(void **state)
{
	struct actor *m, *r;
	struct scene s;

	(void)state;
	moving_make(&s);
	moving_x(&s);
	m = actor_make(moving_moves, &s);
	r = actor_make(moving_retires, &s);
	assert_true(ACTOR_AT(m, stream_wait, 1));
	assert_true(ACTOR_AT(r, moved_find, 1));
	actor_end(m);
	assert_int_equal(s.first, 0);
	actor_end(r);
	x_is_gone(&s);
	place_remove(s.p);
}

/* Nothing is said before its fence: neither where x was first, nor where it was moved. */
static void p2_retire_fence(void **state)
{
	struct actor *m;
	struct scene s;

	(void)state;
	moving_make(&s);
	moving_x(&s);
	r_retires(&s);
	x_is_gone(&s);
	moving_x(&s);
	m = actor_make(moving_moves, &s);
	actor_end(m);
	r_retires(&s);
	x_is_gone(&s);
	place_remove(s.p);
}

/* ---- who looks after whom ------------------------------------------------------------------ */

/* How far one may be led at all is found out first. */
#define NO_PLACE UINT32_MAX

struct sweep {
	struct scene s;
	bool moved; /* x was before */
	uint32_t count, stride;
};

/* to the @place'th place on the way to @limit */
static void led_on(struct sweep *sweep, struct actor *actor, void (*limit)(void), uint32_t place)
{
	const char *given = getenv("STRIDE");

	if (place != NO_PLACE) {
		assert_true(actor_on(actor, place));
		return;
	}
	sweep->count = actor_places(actor, limit);
	sweep->stride = given && atoi(given) > 0 ? (uint32_t)atoi(given) :
			1 + sweep->count / PLACES;
	print_message("# %d places, each %dth\n", (int)sweep->count, (int)sweep->stride);
	assert_true(sweep->count > 5);
}

static void everywhere(void (*stands)(struct sweep *sweep, uint32_t place), bool moved)
{
	struct sweep sweep = { .moved = moved };
	uint32_t place;

	moving_make(&sweep.s);
	stands(&sweep, NO_PLACE);
	for (place = 0; place < sweep.count; place += sweep.stride)
		stands(&sweep, place);
	place_remove(sweep.s.p);
}

/* Before it looks whether x is claimed M has announced the copy, and the line says that
 * something is moved from it: R, who looks at both after its claim, finds them. */
static void m_stands(struct sweep *sweep, uint32_t place)
{
	struct scene *s = &sweep->s;
	struct actor *m;

	moving_x(s);
	m = actor_make(moving_moves, s);
	assert_true(ACTOR_AT(m, moved_add, 1));
	led_on(sweep, m, (void (*)(void))stream_append, place);
	r_retires(s);
	m_goes_on(s, m);
	x_is_gone(s);
}

static void p2_recheck_order(void **state)
{
	(void)state;
	everywhere(m_stands, false);
}

/* R looks at the line and at the entry after its claim: what it knew before is of before M.
 * M has looked once more, and is about to publish. */
static void r_stands(struct sweep *sweep, uint32_t place)
{
	struct scene *s = &sweep->s;
	struct actor *m, *r;

	moving_x(s);
	if (sweep->moved) {
		assert_int_equal(moves_some(s->p->j), 1);
		moves_leave(s->p->j);
	}
	m = actor_make(moving_moves, s);
	r = actor_make(moving_retires, s);
	led_on(sweep, r, (void (*)(void))s->p->j->marker->persist.flush, place);
	if (ACTOR_AT(m, line_publish, 1)) {
		actor_end(r);
		actor_killed(m);
	} else {
		actor_end(m);
		actor_end(r);
	}
	x_is_gone(s);
}

static void p2_reread(void **state)
{
	(void)state;
	everywhere(r_stands, false);
}

static void p2_reread_of_one_that_was_moved(void **state)
{
	(void)state;
	everywhere(r_stands, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p2_moved_fence),
		cmocka_unit_test(p2_undo_fence),
		cmocka_unit_test(p2_retire_fence),
		cmocka_unit_test(p2_recheck_order),
		cmocka_unit_test(p2_reread),
		cmocka_unit_test(p2_reread_of_one_that_was_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
