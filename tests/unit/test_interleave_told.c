/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who tells those that wait for a batch is stopped before each instruction, and somebody comes
 * by who was woken for another: he may wake the rest only when those who are about to sleep
 * would not sleep any more, or one of them sleeps for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/step.h"
#include "txn/stream_sleep.h"

#define TICKET 7u
#define BEFORE 41u /* what they have seen who are about to sleep */

struct telling {
	struct stream stream;
	struct stream_bed *bed;
	bool early;
};

static void tells(void *context)
{
	struct telling *t = context;

	t->bed->told = BEFORE;
	t->bed->rest = false;
	t->bed->sleepers = 2;
	step_begin();
	assert_ptr_equal(stream_tell(&t->stream, TICKET), t->bed);
	step_end();
}

static void comes_by(void *context)
{
	struct telling *t = context;

	if (atomic_load(&t->bed->rest) && atomic_load(&t->bed->told) == BEFORE)
		t->early = true;
}

static void the_rest_is_woken_when_nobody_falls_asleep(void **state)
{
	struct telling t = { .bed = &t.stream.beds[TICKET & 1] };
	struct step_pair pair = { tells, comes_by, &t };
	uint32_t count, i;

	(void)state;
	if (!step_possible())
		skip();
	count = step_places(&pair);
	assert_true(count > 5);
	for (i = 0; i < count; i++)
		(void)step_run(&pair, i);
	assert_false(t.early);
	assert_true(t.bed->rest);
	assert_int_equal(t.bed->told, BEFORE + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rest_is_woken_when_nobody_falls_asleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
