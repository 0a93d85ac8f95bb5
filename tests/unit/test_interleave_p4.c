/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P4: an incarnation that others can see is durable already.  Who raises it stands where it
 * has just become visible; whoever uses it by then fences only what he has flushed himself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "actor.h"
#include "crash_place.h"
#include "moves.h"
#include "txn/checkpoint.h"

struct raise {
	struct place *p;
	uint64_t wanted;
	int error;
};

static void raises(void *context)
{
	struct raise *r = context;
	struct journal *j = r->p->j;

	pthread_mutex_lock(&j->lines_lock);
	r->error = incarnation_raise(j, r->wanted);
	pthread_mutex_unlock(&j->lines_lock);
}

static bool is_seen(void *context)
{
	const struct raise *r = context;

	return atomic_load(&r->p->j->shared->incarnation) == r->wanted;
}

static uint64_t durable(const struct place *p)
{
	const uint8_t *now = (const uint8_t *)&state_media(p->j)->incarnation;
	uint64_t incarnation = 0;
	__le64 word;

	memcpy(&word, p->world.marker.durable + (now - p->j->marker->map), sizeof(word));
	assert_int_equal(word_unseal(word, &incarnation), 0);
	return incarnation;
}

static void raised_on(const struct crash_plan *plan)
{
	struct raise r = { .error = -1 };
	struct actor *a;

	if (!actors_possible())
		skip();
	r.p = place_make(plan);
	r.wanted = atomic_load(&r.p->j->shared->incarnation) + 1;
	assert_int_equal(durable(r.p), r.wanted - 1);
	a = actor_make(raises, &r);
	assert_true(actor_when(a, is_seen, &r));
	assert_int_equal(durable(r.p), r.wanted);
	actor_end(a);
	assert_int_equal(r.error, 0);
	/* and the next who opens has one of his own */
	place_crash(r.p);
	assert_int_equal(place_open(r.p), 0);
	assert_true(atomic_load(&r.p->j->shared->incarnation) > r.wanted);
	place_remove(r.p);
}

static void p4_raised_on_nvram(void **state)
{
	(void)state;
	raised_on(NULL);
}

static void p4_raised_on_a_file(void **state)
{
	(void)state;
	raised_on(&moves_plan_file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p4_raised_on_nvram),
		cmocka_unit_test(p4_raised_on_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
