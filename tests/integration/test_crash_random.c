/* SPDX-License-Identifier: BSD-3-Clause */
/* diskless */
/* Random runs over all paths, cut at every operation.  Linked with CRASH_LDFLAGS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crash_run.h"

static void random_runs_on_nvram(void **state)
{
	struct crash_plan plan = crash_plan_all;

	(void)state;
	plan.name = "nvram";
	assert_int_equal(crash_runs(&plan, crash_seed("nvram", 1), crash_count(3)), 0);
}

static void random_runs_with_digests_in_the_log(void **state)
{
	struct crash_plan plan = crash_plan_all;

	(void)state;
	plan.name = "digests";
	plan.digests_in_log = true;
	plan.block_bytes = 512;
	plan.payload_max = 500;
	assert_int_equal(crash_runs(&plan, crash_seed("digests", 1001), crash_count(2)), 0);
}

static void random_runs_on_a_file(void **state)
{
	struct crash_plan plan = crash_plan_all;

	(void)state;
	plan.name = "file";
	plan.checkpointed = true;
	plan.weight[CRASH_LARGE] = 3;
	assert_int_equal(crash_runs(&plan, crash_seed("file", 2001), crash_count(3)), 0);
}

/* One of the two fails at a random operation, and is well again at the next open. */
static void p16_random_runs_on_logs_that_fail(void **state)
{
	struct crash_plan plan = crash_plan_all;

	(void)state;
	plan.name = "logs";
	plan.logs = 2;
	plan.weight[CRASH_LOG_FAILS] = 3;
	assert_int_equal(crash_runs(&plan, crash_seed("logs", 3001), crash_count(2)), 0);
	plan.name = "logs, a file";
	plan.checkpointed = true;
	assert_int_equal(crash_runs(&plan, crash_seed("logs, a file", 4001), crash_count(2)), 0);
}

/* One leg of the two fails, and is out of date until it was copied, now and then. */
static void random_runs_on_a_mirrored_log(void **state)
{
	struct crash_plan plan = crash_plan_all;

	(void)state;
	plan.name = "mirrored";
	plan.logs = 2;
	plan.mirrored = true;
	plan.weight[CRASH_LOG_FAILS] = 3;
	assert_int_equal(crash_runs(&plan, crash_seed("mirrored", 5001), crash_count(2)), 0);
	plan.name = "mirrored, a file";
	plan.checkpointed = true;
	assert_int_equal(crash_runs(&plan, crash_seed("mirrored, a file", 6001),
				    crash_count(2)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_runs_on_nvram),
		cmocka_unit_test(random_runs_with_digests_in_the_log),
		cmocka_unit_test(random_runs_on_a_file),
		cmocka_unit_test(p16_random_runs_on_logs_that_fail),
		cmocka_unit_test(random_runs_on_a_mirrored_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
