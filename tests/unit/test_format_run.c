/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs of segments: which of them fit together, and where a number is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "format/run.h"
#include "util/math.h"

#define MIB (1ull << 20)

static const struct log_geometry geometry = { .segment_bytes = MIB, .digest_bytes = 4096 };

/* two logs, resized once: 8 segments of each, and 4 more */
static const struct log_runs given = {
	.of = {
		{ 0, 8, 0, 2, 8192, 40960 },
		{ 1, 8, 1, 2, 8192, 40960 },
		{ 0, 4, 16, 2, 9 * MIB, 9 * MIB + 16384 },
		{ 1, 4, 17, 2, 9 * MIB, 9 * MIB + 16384 },
	},
	.count = 4,
};

static const char *why;

static int check(const struct log_runs *runs, uint32_t logs)
{
	return log_runs_check(runs, &geometry, logs, &why);
}

static void what_fits(void **state)
{
	(void)state;
	assert_int_equal(check(&given, 3), 0);
	assert_int_equal(log_runs_end(&given), 24);
	assert_int_equal(log_runs_total(&given), 24);
	assert_int_equal(log_runs_in(&given, 1), 12);
	assert_int_equal(log_runs_first(&given, 1), 1);
	assert_int_equal(log_runs_first(&given, 2), 0);
	assert_int_equal(log_runs_bytes(&given, &geometry, 0), 13 * MIB + 16384);
	assert_int_equal(log_runs_bytes(&given, &geometry, 2), 0);
}

static void digests_are_in_the_next_log(void **state)
{
	(void)state;
	assert_int_equal(log_runs_next(&given, 0), 1);
	assert_int_equal(log_runs_next(&given, 1), 0);
	assert_int_equal(log_runs_digest(&given, &geometry, 1, 0), 8192);
	assert_int_equal(log_runs_digest(&given, &geometry, 1, 7), 8192 + 7 * 4096);
	assert_int_equal(log_runs_digest(&given, &geometry, 1, 8), 9 * MIB);
	assert_int_equal(log_runs_digest(&given, &geometry, 1, 12), 0);
}

/* the order in which they are told is not the one in which they lie */
static void in_another_order(void **state)
{
	struct log_runs runs = given;

	(void)state;
	runs.of[0] = given.of[2];
	runs.of[2] = given.of[0];
	assert_int_equal(check(&runs, 3), 0);
	runs.of[0].digests_offset -= MIB;
	assert_int_equal(check(&runs, 3), -EUCLEAN);
}

static bool no_memory;

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);

void *__wrap_calloc(size_t count, size_t bytes)
{
	return no_memory ? NULL : __real_calloc(count, bytes);
}

static void without_memory(void **state)
{
	int error;

	(void)state;
	no_memory = true;
	error = check(&given, 3);
	no_memory = false;
	assert_int_equal(error, -ENOMEM);
	assert_string_equal(why, "no memory");
}

static void one_log_alone_has_its_own(void **state)
{
	struct log_runs runs = given;

	(void)state;
	runs.count = 1;
	assert_int_equal(log_runs_next(&runs, 0), 0);
	assert_int_equal(check(&runs, 1), 0);
}

static void what_does_not_fit(void **state)
{
	struct log_runs runs = given;

	(void)state;
	assert_int_equal(check(&given, 1), -EUCLEAN); /* a log that is not there */
	assert_int_equal(check(&given, 7), -EUCLEAN); /* one without segments */
	runs.count = 3;
	assert_int_equal(check(&runs, 3), -EUCLEAN); /* fewer than the other */
	runs.count = 0;
	assert_int_equal(check(&runs, 3), -EUCLEAN);
	runs = given;
	runs.of[2].first = 14; /* twice the same number */
	assert_int_equal(check(&runs, 3), -EUCLEAN);
	runs = given;
	runs.of[2].digests_offset -= MIB; /* into the last segment */
	assert_int_equal(check(&runs, 3), -EUCLEAN);
	runs = given;
	runs.of[2].segments_offset -= 4096; /* no room for the digests */
	assert_int_equal(check(&runs, 3), -EUCLEAN);
}

static void printed_and_read(void **state)
{
	static const char *const bad[] = {
		"", "0", "0 8 0 2 8192", "0 8 0 2 8192 40960 ", " 0 8 0 2 8192 40960",
		"16 8 0 2 8192 40960", "0 0 0 2 8192 40960", "0 8 0 0 8192 40960",
		"0 8 268435456 1 8192 40960", "0 8 0 268435456 8192 40960",
		"0 268435456 0 1 8192 40960", "0 2 0 268435455 8192 40960 1",
		"0 3 0 134217728 8192 40960", "4294967296 8 0 2 8192 40960",
		"0 8 0 2 4096 40960", "0 8 0 2 8193 40960", "0 8 0 2 8192 40961",
		"0 8 0 2 40960 8192", "0 -8 0 2 8192 40960", "0 8 0 2 8192 18446744073709547520",
	};
	char text[LOG_RUN_CHARS];
	struct log_run run;
	size_t i;

	(void)state;
	for (i = 0; i < given.count; i++) {
		log_run_print(&given.of[i], text);
		assert_int_equal(log_run_parse(text, &run), 0);
		assert_memory_equal(&run, &given.of[i], sizeof(run));
	}
	for (i = 0; i < ARRAY_COUNT(bad); i++)
		assert_int_equal(log_run_parse(bad[i], &run), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits),
		cmocka_unit_test(digests_are_in_the_next_log),
		cmocka_unit_test(in_another_order),
		cmocka_unit_test(without_memory),
		cmocka_unit_test(one_log_alone_has_its_own),
		cmocka_unit_test(what_does_not_fit),
		cmocka_unit_test(printed_and_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
