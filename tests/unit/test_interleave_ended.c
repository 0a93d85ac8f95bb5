/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * R retires the last one that lives in its line, and is killed when its slot is claimed and
 * still names a place in the log.  T takes over, and between the bits and the places somebody
 * looks for a free line, and tries this one.  When it is opened, its slots must name nothing
 * (txn/line.c, line_quiet()).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "actor.h"
#include "moves.h"
#include "moving.h"
#include "scene.h"
#include "txn/index.h"
#include "txn/line.h"
#include "txn/takeover_impl.h"

#define LARGE 1300000u /* two pieces: the final record is read between claim and take */

/* of txn/slots.h, which has a struct place of its own */
void slot_take_large_begins(void) __asm__("slot_take_large");

static void takes_over(void *scene)
{
	struct scene *s = scene;

	s->first = takeover_all(s->p->j, s->p->j->member - 1);
}

static bool bit_is_cleared(void *scene)
{
	const struct scene *s = scene;
	const struct marker_line *media = line_media(s->p->j, 0);

	return !(get_le64(media->retire[0]) & 1);
}

static void put_and_leave(struct scene *s)
{
	uint64_t id;

	assert_int_equal(place_put(s->p, s->path, s->seed++, &id), 0);
	assert_int_equal(journal_retire(s->p->j, id), 0);
	moves_leave(s->p->j);
}

static void claimed_and_not_taken(const struct crash_plan *plan)
{
	struct scene s = { .path = JOURNAL_PATH_SYNCED, .seed = 1000 };
	struct actor *r, *t;
	uint32_t i;

	if (!actors_possible())
		skip();
	s.p = place_make(plan);
	s.x = moves_put_large(s.p, s.path, LARGE);
	assert_int_equal(index_find(s.p->j, id_number(s.x)), 0);
	assert_int_equal(id_slot(s.x), 0);
	r = actor_make(moving_retires, &s);
	assert_true(ACTOR_AT(r, slot_take_large_begins, 1));
	actor_killed(r);
	line_complete(s.p->j, 0);
	t = actor_make(takes_over, &s);
	assert_true(actor_when(t, bit_is_cleared, &s));
	put_and_leave(&s);
	actor_end(t);
	assert_int_equal(s.first, 0);
	/* the lowest line first: in it, too */
	for (i = 0; i < 3; i++)
		put_and_leave(&s);
	assert_int_equal(place_check(s.p), 0);
	place_remove(s.p);
}

static void p2_claimed_and_not_taken(void **state)
{
	(void)state;
	claimed_and_not_taken(NULL);
}

static void p2_claimed_and_not_taken_on_a_file(void **state)
{
	(void)state;
	claimed_and_not_taken(&moves_plan_file);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(p2_claimed_and_not_taken),
		cmocka_unit_test(p2_claimed_and_not_taken_on_a_file),
	};

	return cmocka_run_group_tests_name("claimed and not taken", tests, NULL, NULL);
}
