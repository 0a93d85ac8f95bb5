/* SPDX-License-Identifier: BSD-3-Clause */
/* A leg of a mirrored log that is brought up to date, and what may cut that off. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/mirror_place.h"
#include "store/log_copies.h"

static void what_is_out_of_date_is_copied(void **state)
{
	struct mirror_place *p = *state;
	uint64_t i;

	mirror_place_hide(p, 1, false);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	for (i = 0; i < MIRROR_BYTES / MIRROR_UNIT; i += 37)
		assert_int_equal(mirror_place_put(p, i, (int)i % 255 + 1), 0);
	mirror_place_close(p);
	mirror_place_hide(p, 1, true);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(log_copies_renew(p->store, NULL, &p->message), 0);
	assert_int_equal(mirror_place_good(p), 3);
	assert_int_equal(mirror_place_says(p, 0), LEGS_ALL);
	assert_int_equal(mirror_place_says(p, 1), LEGS_ALL);
	for (i = 0; i < MIRROR_BYTES / MIRROR_UNIT; i += 37)
		assert_int_equal(mirror_place_get_of(p, 1, i), i % 255 + 1);
	/* it is written again, and may be left again */
	assert_int_equal(mirror_place_put(p, 1, 77), 0);
	assert_int_equal(mirror_place_get_of(p, 1, 1), 77);
	fault_log_arm(mirror_leg[0], FAULT_LOG_WRITE, 1, -EIO, true);
	assert_int_equal(mirror_place_put(p, 1, 78), 0);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(mirror_place_good(p), 2);
}

static int cleared(void *context, struct message *message)
{
	(void)message;
	*(bool *)context = true;
	return 0;
}

/*
 * Cut at each of its writes and flushes: good only with all that there is.  What is said in
 * DIR is taken away before its own head says that it has all; if that head cannot be
 * written, DIR says so again, and has to.
 */
static void copying_may_be_cut_off(void **state)
{
	struct mirror_place *p = *state;
	uint64_t nth;
	bool both, said_good;
	struct log_renew how = { .whole = cleared, .context = &said_good };

	for (nth = 1; nth < 100; nth++) {
		mirror_place_hide(p, 0, false);
		assert_int_equal(mirror_place_reopen(p, 0), 0);
		assert_int_equal(mirror_place_put(p, 300, (int)nth), 0);
		mirror_place_close(p);
		mirror_place_hide(p, 0, true);
		assert_int_equal(mirror_place_reopen(p, 0), 0);
		assert_int_equal(mirror_place_good(p), 2);
		fault_log_hold(mirror_leg[0]);
		fault_log_cut_at(mirror_leg[0], nth, FAULT_LOG_DROP, nth);
		said_good = false;
		if (!log_copies_renew(p->store, &how, &p->message))
			break;
		if (said_good)
			p->of.left = log_copies_left(p->store) & 3;
		assert_int_equal(mirror_place_reopen(p, 0), 0);
		assert_int_equal(mirror_place_get(p, 300), nth);
		assert_int_equal(mirror_place_get(p, 300), nth);
		both = mirror_place_good(p) == 3;
		if (both)
			assert_int_equal(mirror_place_get_of(p, 0, 300), nth);
		/* alone it is nothing, from the beginning of the copying to its end */
		mirror_place_close(p);
		mirror_place_hide(p, 1, false);
		assert_int_equal(mirror_place_reopen(p, 0), both || nth == 1 ? 0 : -EUCLEAN);
		mirror_place_close(p);
		mirror_place_hide(p, 1, true);
		p->of.left = 0;
	}
	assert_in_range(nth, 5, 50);
}

static int holds_nothing(void *context, struct message *message)
{
	(void)message;
	assert_int_equal(fault_log_held(mirror_leg[1]), 0);
	*(bool *)context = true;
	return 0;
}

static void all_is_durable_before_it_is_said(void **state)
{
	struct mirror_place *p = *state;
	bool said = false;
	const struct log_renew how = { .whole = holds_nothing, .context = &said };

	mirror_place_hide(p, 1, false);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(mirror_place_put(p, 300, 3), 0);
	mirror_place_close(p);
	mirror_place_hide(p, 1, true);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	fault_log_hold(mirror_leg[1]);
	assert_int_equal(log_copies_renew(p->store, &how, &p->message), 0);
	assert_true(said);
}

static void what_is_nowhere_is_made(void **state)
{
	struct mirror_place *p = *state;

	assert_int_equal(mirror_place_put(p, 9, 9), 0);
	mirror_place_close(p);
	assert_int_equal(unlink(p->path[1]), 0);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(log_copies_renew(p->store, NULL, &p->message), 0);
	assert_int_equal(mirror_place_good(p), 3);
	assert_int_equal(mirror_place_get_of(p, 1, 9), 9);
	/* what a crash has left of making it is no reason to stop */
	mirror_place_close(p);
	assert_int_equal(truncate(p->path[1], 0), 0);
	assert_int_equal(truncate(p->path[1], MIRROR_BYTES), 0);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(log_copies_renew(p->store, NULL, &p->message), 0);
	/* but something else is */
	mirror_place_close(p);
	assert_int_equal(unlink(p->path[1]), 0);
	scratch_put(&p->scratch, "second", "somebody's mail");
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(log_copies_renew(p->store, NULL, &p->message), -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MIRROR_TEST(what_is_out_of_date_is_copied),
		MIRROR_TEST(copying_may_be_cut_off),
		MIRROR_TEST(all_is_durable_before_it_is_said),
		MIRROR_TEST(what_is_nowhere_is_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
