/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * The rules of moving to another line, each by the schedule under which the model fails
 * without it (P2, tests/model/p2.pml; docs/decisions/0009-models.md): x is moved by M,
 * retired by R, the line where it was is taken by P for y, T takes over from M.  Each
 * of them is led by hand to where the rule is all that counts (actor.h), and there the
 * power fails, or y lives.
 *
 * STRIDE: where one stands everywhere, at every so many'th instruction; by default at 400
 * of them.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actor.h"
#include "moves.h"
#include "moving.h"
#include "scene.h"
#include "txn/clean_lines.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/stream.h"
#include "txn/takeover_impl.h"

/* ---- who does what ------------------------------------------------------------------- */

static void puts_y(void *scene)
{
	struct scene *s = scene;

	s->second = scene_put(s, 1, s->seed + 1, &s->y);
}

static void takes_over(void *scene)
{
	struct scene *s = scene;

	s->second = takeover_moves(s->p->j, s->p->j->member - 1);
}

/* ---- before ---------------------------------------------------------------------------- */

/* and w in the next one: moved in the same batch, after it */
static void scene_x_w(struct scene *s)
{
	moving_x(s);
	assert_int_equal(scene_put(s, 1, 77, &s->w), 0);
	moves_leave(s->p->j);
}

static struct slot_place place_of(const struct scene *s, uint64_t id)
{
	struct slot_place at;

	assert_true(moves_where(s->p->j, id, &at));
	return at;
}

/* ---- after ------------------------------------------------------------------------------ */

static void x_is_gone_and_y_lives(struct scene *s, bool durably)
{
	assert_int_equal(place_state(s->p, s->x), 0);
	scene_y_lives(s);
	if (!durably)
		return;
	moving_power_fails(s);
	assert_int_equal(place_state(s->p, s->x), 0);
	scene_y_lives(s);
}

/* The power fails after one schedule in so many: it takes its time. */
#define FAILS 64u

static void scene_over(struct scene *s)
{
	uint64_t ids[3] = { s->x, s->y, s->w };

	(void)journal_retire_many(s->p->j, ids, 3, NULL);
	assert_int_equal(place_live(s->p), 0);
	moves_leave(s->p->j);
	line_leave(s->p->j, &s->p->j->lanes[0].s->from);
}

/* ---- the mover --------------------------------------------------------------------------- */

/* M looks at the claim after it has announced: R, who claimed before, did not see that, and
 * the copy would live after a crash. */
static void p2_recheck(void **state)
{
	struct scene s;
	struct actor *m;

	(void)state;
	moving_make(&s);
	moving_x(&s);
	m = actor_make(moving_moves, &s);
	assert_true(ACTOR_AT(m, moved_announce, 1));
	moving_retires(&s);
	assert_int_equal(s.retired, 0);
	if (ACTOR_AT(m, stream_wait, 1) && moving_at_fence(&s, m))
		actor_killed(m);
	else
		actor_end(m);
	moving_power_fails(&s);
	assert_int_equal(place_state(s.p, s.x), 0);
	place_remove(s.p);
}

/* M has a cell on the line of x while it announces: else that is another's by then, and what
 * M finds there not claimed is y. */
static void p2_cell_while_it_announces(void **state)
{
	struct scene s;
	struct actor *m;

	(void)state;
	moving_make(&s);
	moving_x(&s);
	m = actor_make(moving_moves, &s);
	assert_true(ACTOR_AT(m, moved_add, 1));
	moving_retires(&s);
	assert_int_equal(s.retired, 0);
	puts_y(&s);
	if (ACTOR_AT(m, stream_wait, 1) && moving_at_fence(&s, m))
		actor_killed(m);
	else
		actor_end(m);
	moving_power_fails(&s);
	assert_int_equal(place_state(s.p, s.x), 0);
	scene_y_lives(&s);
	place_remove(s.p);
}

/* M has a cell on its own line: else that is another's when M gives its slot up. */
static void p2_mover_cell(void **state)
{
	struct slots_from *own;
	struct slot_place to;
	struct scene s;
	struct actor *m;

	(void)state;
	moving_make(&s);
	moving_x(&s);
	own = &s.p->j->shared->clean[0].moving;
	moves_use_up(s.p->j, own, SLOTS_PER_LINE - 1);
	to = (struct slot_place){ own->line_number, own->line, SLOTS_PER_LINE - 1 };
	m = actor_make(moving_moves, &s);
	assert_true(ACTOR_AT(m, stream_wait, 1));
	moving_retires(&s);
	assert_int_equal(s.retired, 0);
	assert_true(slot_is_claimed(s.p->j, &to));
	moves_use_up(s.p->j, s.p->j->own, SLOTS_PER_LINE - 1);
	puts_y(&s);
	actor_end(m);
	assert_int_equal(s.first, 0);
	x_is_gone_and_y_lives(&s, true);
	place_remove(s.p);
}

/* ---- who retires ---------------------------------------------------------------------------- */

#define PLACES 400u

/* How far one may be led at all is found out first. */
#define NO_PLACE UINT32_MAX

struct places {
	uint32_t count, stride, met;
};

/* Return: with NO_PLACE, how many places there are on the way to the first fence */
static uint32_t led_on(const struct scene *s, struct actor *actor, uint32_t place)
{
	if (place == NO_PLACE)
		return actor_places(actor, (void (*)(void))s->p->j->marker->persist.fence);
	(void)actor_on(actor, place); /* by the clock it may go another way, to its end */
	return 0;
}

static void places_are(struct places *places, uint32_t count)
{
	const char *given = getenv("STRIDE");

	places->count = count;
	places->stride = given && atoi(given) > 0 ? (uint32_t)atoi(given) : 1 + count / PLACES;
	places->met = 0;
}

static void places_were(const struct places *places)
{
	print_message("# %d places, each %dth; y in the slot of x at %d\n", (int)places->count,
		      (int)places->stride, (int)places->met);
	assert_true(places->count > 50 && places->met > 5);
}

/* @steer: to where R is to be led, before it is led on by so many places */
struct sweep {
	void (*make)(struct scene *s);
	bool (*steer)(struct actor *r, struct actor *m);
	enum journal_path y_path;
};

/* R stands; M comes to its end, so the line where x was is another's, and y in x's slot;
 * R goes on.  Return: as led_on(). */
static uint32_t sweep_at(const struct sweep *sweep, struct scene *s, uint32_t place,
			 struct places *places)
{
	struct actor *r, *m;
	struct slot_place x, y;
	uint32_t count;

	sweep->make(s);
	x = place_of(s, s->x);
	m = actor_make(moving_moves, s);
	r = actor_make(moving_retires, s);
	assert_true(sweep->steer(r, m));
	count = led_on(s, r, place);
	actor_end(m);
	assert_int_equal(s->first, 0);
	s->path = sweep->y_path;
	puts_y(s);
	y = place_of(s, s->y);
	places->met += y.line == x.line && y.slot == x.slot;
	actor_end(r);
	assert_int_equal(s->retired, 0);
	x_is_gone_and_y_lives(s, place % FAILS == 0);
	scene_over(s);
	return count;
}

static void sweep_all(const struct sweep *sweep)
{
	struct places places = { 0 };
	struct scene s;
	uint32_t place;

	moving_make(&s);
	places_are(&places, sweep_at(sweep, &s, NO_PLACE, &places));
	for (place = 0; place < places.count; place += places.stride)
		(void)sweep_at(sweep, &s, place, &places);
	places_were(&places);
	place_remove(s.p);
}

/* M has published, cleared and fenced; R has claimed the new slot, and is about to claim
 * the old one. */
static bool at_the_other_slot(struct actor *r, struct actor *m)
{
	return ACTOR_AT(m, moved_settle, 1) && ACTOR_AT(r, moved_find, 2);
}

/* The other slot's line is another's meanwhile, unless R has a cell, until its bit is
 * cleared; and that R sees. */
static void p2_epoch_and_cell_of_the_other_slot(void **state)
{
	static const struct sweep sweep = { scene_x_w, at_the_other_slot, JOURNAL_PATH_DIRECT };

	(void)state;
	sweep_all(&sweep);
}

/* M has looked once more, and R is about to take its first cell. */
static bool at_its_cell(struct actor *r, struct actor *m)
{
	return ACTOR_AT(m, line_publish, 1) && ACTOR_AT(r, sched_getcpu, 1);
}

/* M clears the bit for R, and frees the line: but for the cell of R. */
static void p2_cell_until_the_bit_is_cleared(void **state)
{
	static const struct sweep sweep = { moving_x, at_its_cell, JOURNAL_PATH_DIRECT };

	(void)state;
	sweep_all(&sweep);
}

/* the same when x was moved before; the line that it had first is somebody's */
static void scene_moved_x(struct scene *s)
{
	moving_x(s);
	assert_int_equal(moves_some(s->p->j), 1);
	moves_leave(s->p->j);
	moves_use_up(s->p->j, s->p->j->own, 64);
}

static void p2_cell_until_the_bit_of_a_moved_one_is_cleared(void **state)
{
	static const struct sweep sweep = { scene_moved_x, at_its_cell, JOURNAL_PATH_STAGED };

	(void)state;
	sweep_all(&sweep);
}

/* ---- a line whose number is away ---------------------------------------------------------- */

static uint32_t line_of_x;

static bool number_is_away(void *scene)
{
	const struct scene *s = scene;

	return !atomic_load(&s->p->j->lines[line_of_x].number);
}

static void retires_z(void *scene)
{
	struct scene *s = scene;

	s->second = journal_retire(s->p->j, s->z);
}

/*
 * x and z are in one line, w in another one.  Z has retired z; M has cleared the bit of x,
 * flushed it, not fenced, and its cell is at the line of w; P has found the line without
 * anybody in it that lives, takes its number away, and stands there.
 */
struct away {
	struct scene s;
	struct actor *m, *p;
	bool cleared; /* else M has claimed the slot of x, and no more */
	bool away;    /* the number is */
};

static bool x_is_claimed(void *scene)
{
	const struct scene *s = scene;

	return atomic_load(&s->p->j->lines[line_of_x].claimed[0]) & 1;
}

static void away_make(struct away *a)
{
	struct scene *s = &a->s;
	struct actor *z;

	moving_make(s);
	assert_int_equal(scene_put(s, 1, ++s->seed, &s->x), 0);
	line_of_x = place_of(s, s->x).line;
	moves_use_up(s->p->j, s->p->j->own, 64);
	assert_int_equal(scene_put(s, 1, s->seed, &s->z), 0);
	moves_leave(s->p->j);
	/* more than two, so that x is moved first */
	assert_int_equal(scene_put(s, 3, s->seed, &s->w), 0);
	moves_leave(s->p->j);
	z = actor_make(retires_z, s);
	a->m = actor_make(moving_moves, s);
	a->p = actor_make(puts_y, s);
	assert_true(ACTOR_AT(a->m, stream_wait, 1));
	assert_true(ACTOR_AT(z, line_word_done, 1));
	assert_true(ACTOR_AT(a->m, moved_publish, 1));
	assert_true(actor_when(a->m, x_is_claimed, s));
	assert_true(!a->cleared || ACTOR_AT(a->m, moved_publish, 1));
	actor_end(z);
	assert_int_equal(s->second, 0);
	a->away = actor_when(a->p, number_is_away, s);
}

static void away_and_retired(bool cleared)
{
	struct away a = { .cleared = cleared };

	away_make(&a);
	assert_true(a.away == cleared);
	moving_retires(&a.s);
	assert_int_equal(a.s.retired, 0);
	actor_killed(a.m);
	actor_killed(a.p);
	moving_power_fails(&a.s);
	assert_int_equal(place_state(a.s.p, a.s.x), 0);
	place_remove(a.s.p);
}

/* R clears nothing there, but what is cleared becomes durable. */
static void p2_away(void **state)
{
	(void)state;
	away_and_retired(true);
}

/* What is claimed and not cleared P sees before it takes the number away: else R would
 * clear nothing, either. */
static void p2_pending(void **state)
{
	(void)state;
	away_and_retired(false);
}

/* ---- who takes over ---------------------------------------------------------------------- */

/* Nor does T, who ends the move. */
static void p2_taker_away(void **state)
{
	struct away a = { .cleared = true };
	struct actor *t;

	(void)state;
	away_make(&a);
	assert_true(a.away);
	actor_killed(a.m);
	t = actor_make(takes_over, &a.s);
	actor_end(t);
	assert_int_equal(a.s.second, 0);
	moving_retires(&a.s);
	assert_int_equal(a.s.retired, 0);
	actor_killed(a.p);
	moving_power_fails(&a.s);
	assert_int_equal(place_state(a.s.p, a.s.x), 0);
	place_remove(a.s.p);
}

/* A copy that was not published is durably retired before its slot is not named any more. */
static void p2_taker_abort(void **state)
{
	struct actor *m, *t;
	struct scene s;

	(void)state;
	moving_make(&s);
	moving_x(&s);
	m = actor_make(moving_moves, &s);
	assert_true(ACTOR_AT(m, line_publish, 1));
	actor_killed(m);
	t = actor_make(takes_over, &s);
	assert_true(ACTOR_AT(t, takeover_line, 1));
	actor_killed(t);
	moving_retires(&s);
	assert_int_equal(s.retired, 0);
	moving_power_fails(&s);
	assert_int_equal(place_state(s.p, s.x), 0);
	place_remove(s.p);
}

/* M is dead, and its cell is on the line of w; so the line of x is another's, at any place
 * of T. */
static uint32_t taker_at(struct scene *s, uint32_t place, struct places *places)
{
	struct actor *m, *t;
	struct slot_place x, y;
	uint32_t count;
	int error;

	/* not the lowest line: T's cell is on that, to begin with */
	assert_int_equal(line_renew(s->p->j, &s->p->j->lanes[0].s->from), 0);
	scene_x_w(s);
	x = place_of(s, s->x);
	assert_true(x.line);
	m = actor_make(moving_moves, s);
	assert_true(ACTOR_AT(m, moved_publish, 2));
	actor_killed(m);
	t = actor_make(takes_over, s);
	assert_true(ACTOR_AT(t, sched_getcpu, 1)); /* about to take a cell */
	count = led_on(s, t, place);
	line_complete(s->p->j, x.line);
	puts_y(s);
	error = s->second;
	y = place_of(s, s->y);
	places->met += y.line == x.line && y.slot == x.slot;
	actor_end(t);
	assert_int_equal(s->second | error, 0);
	scene_y_lives(s);
	assert_int_equal(place_state(s->p, s->x), JOURNAL_LIVE);
	/* and forgets who is dead */
	moving_power_fails(s);
	scene_y_lives(s);
	assert_int_equal(place_live(s->p), 3);
	scene_over(s);
	return count;
}

static void p2_taker_epoch(void **state)
{
	struct places places = { 0 };
	struct scene s;
	uint32_t place;

	(void)state;
	moving_make(&s);
	places_are(&places, taker_at(&s, NO_PLACE, &places));
	for (place = 0; place < places.count; place += places.stride)
		(void)taker_at(&s, place, &places);
	places_were(&places);
	place_remove(s.p);
}

/* ---- recovery ------------------------------------------------------------------------------ */

/* Of two copies the loser is durably retired before anybody is served. */
static void p2_loser_fence(void **state)
{
	struct actor *m, *r;
	struct scene s;

	(void)state;
	moving_make(&s);
	moving_x(&s);
	m = actor_make(moving_moves, &s);
	assert_true(ACTOR_AT(m, moved_publish, 1) && moving_at_fence(&s, m));
	actor_killed(m);
	moving_power_fails(&s);
	assert_int_equal(place_state(s.p, s.x), JOURNAL_LIVE);
	r = actor_make(moving_retires, &s);
	actor_end(r);
	assert_int_equal(s.retired, 0);
	moving_power_fails(&s);
	assert_int_equal(place_state(s.p, s.x), 0);
	place_remove(s.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p2_recheck),
		cmocka_unit_test(p2_cell_while_it_announces),
		cmocka_unit_test(p2_mover_cell),
		cmocka_unit_test(p2_epoch_and_cell_of_the_other_slot),
		cmocka_unit_test(p2_cell_until_the_bit_is_cleared),
		cmocka_unit_test(p2_cell_until_the_bit_of_a_moved_one_is_cleared),
		cmocka_unit_test(p2_away),
		cmocka_unit_test(p2_pending),
		cmocka_unit_test(p2_taker_away),
		cmocka_unit_test(p2_taker_abort),
		cmocka_unit_test(p2_taker_epoch),
		cmocka_unit_test(p2_loser_fence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
