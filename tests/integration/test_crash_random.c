/* SPDX-License-Identifier: BSD-3-Clause */
/* Random runs over all paths, cut at every operation.  Linked with CRASH_LDFLAGS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crash_run.h"

static const struct crash_plan nvram = {
	.name = "nvram",
	.generations = 6, .ops = 60,
	.weight = { [CRASH_PUT] = 30, [CRASH_DIRECT] = 10, [CRASH_SYNCED] = 10, [CRASH_GROUP] = 8,
		    [CRASH_LARGE] = 1, [CRASH_PREPARE] = 6, [CRASH_ABORT] = 5, [CRASH_RETIRE] = 15,
		    [CRASH_RETIRE_MANY] = 4, [CRASH_RETIRE_ALL] = 2, [CRASH_CLOSE] = 1 },
};

static void random_runs_on_nvram(void **state)
{
	(void)state;
	assert_int_equal(crash_runs(&nvram, crash_seed("nvram", 1), crash_count(10)), 0);
}

static void random_runs_with_digests_in_the_log(void **state)
{
	struct crash_plan plan = nvram;

	(void)state;
	plan.name = "digests";
	plan.digests_in_log = true;
	plan.block_bytes = 512;
	plan.payload_max = 500;
	assert_int_equal(crash_runs(&plan, crash_seed("digests", 1001), crash_count(5)), 0);
}

static void random_runs_on_a_file(void **state)
{
	struct crash_plan plan = nvram;

	(void)state;
	plan.name = "file";
	plan.checkpointed = true;
	plan.weight[CRASH_LARGE] = 3;
	assert_int_equal(crash_runs(&plan, crash_seed("file", 2001), crash_count(10)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_runs_on_nvram),
		cmocka_unit_test(random_runs_with_digests_in_the_log),
		cmocka_unit_test(random_runs_on_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
