/* SPDX-License-Identifier: BSD-3-Clause */
/* The benchmark's percentiles, on samples whose answer is known. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* the benchmark is linked with no test */
#include "lib_samples.c"

/* 1 to 10000, the large ones first */
static void descending(uint64_t *ns, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		ns[i] = count - i;
}

static void percentiles_are_exact(void **state)
{
	static uint64_t ns[10000];
	struct samples_summary summary;
	struct samples samples;

	(void)state;
	descending(ns, 10000);
	assert_int_equal(samples_init(&samples, 10000, 1), 0);
	assert_int_equal(samples_slice(&samples, ns, 10000, 5), 0);
	samples_summarize(&samples, 1, &summary);
	assert_int_equal(summary.n, 10000);
	assert_int_equal(summary.p50_ns, 5000);
	assert_int_equal(summary.p90_ns, 9000);
	assert_int_equal(summary.p99_ns, 9900);
	assert_int_equal(summary.p999_ns, 9990);
	assert_int_equal(summary.p9999_ns, 9999);
	assert_int_equal(summary.max_ns, 10000);
	assert_int_equal(summary.per_s, 5);
	samples_free(&samples);
}

static void one_noisy_slice_moves_no_median(void **state)
{
	struct samples_summary summary;
	struct samples samples;
	uint64_t slice;

	(void)state;
	assert_int_equal(samples_init(&samples, 300, 3), 0);
	for (slice = 0; slice < 3; slice++) {
		uint64_t ns[100];

		descending(ns, 100);
		if (slice == 1)
			for (size_t i = 0; i < 100; i++)
				ns[i] *= 1000;
		assert_int_equal(samples_slice(&samples, ns, 100, slice == 1 ? 1 : 10), 0);
	}
	samples_summarize(&samples, 1, &summary);
	assert_int_equal(summary.p50_ns, 50);
	assert_int_equal(summary.p90_ns, 90);
	assert_int_equal(summary.per_s, 10);
	assert_int_equal(summary.p99_ns, 97000); /* 297 of 300, and the noise is seen */
	assert_int_equal(summary.max_ns, 100000);
	samples_free(&samples);
}

static void a_batch_is_divided(void **state)
{
	struct samples_summary summary;
	struct samples samples;
	uint64_t ns[] = { 640, 640, 650 };

	(void)state;
	assert_int_equal(samples_init(&samples, 3, 1), 0);
	assert_int_equal(samples_slice(&samples, ns, 3, 1), 0);
	samples_summarize(&samples, 64, &summary);
	assert_true(summary.p50_ns == 10.0);
	assert_true(summary.max_ns == 650.0 / 64);
	samples_free(&samples);
}

/* 12 slices at full pace, 8 while somebody else had half of the core */
static void slow_slices_are_in_no_median(void **state)
{
	struct samples_summary summary;
	struct samples samples;
	uint64_t slice;

	(void)state;
	assert_int_equal(samples_init(&samples, 20, 20), 0);
	for (slice = 0; slice < 20; slice++) {
		bool slow = slice >= 6 && slice < 14;
		uint64_t ns = slow ? 400 : slice % 2 ? 200 : 210;

		assert_int_equal(samples_slice(&samples, &ns, 1, slow ? 2 : 5), 0);
		samples_pace(&samples, slow ? 160 : 100 + slice);
	}
	assert_int_equal(samples_leave_slow(&samples, 120), 8);
	assert_int_equal(samples.slices, 12);
	samples_summarize(&samples, 1, &summary);
	assert_int_equal(summary.n, 20);
	assert_true(summary.p50_ns == 205.0);
	assert_true(summary.per_s == 5.0);
	assert_int_equal(summary.max_ns, 400);
	/* of few there is no choice */
	assert_int_equal(samples_leave_slow(&samples, 103), 0);
	assert_int_equal(samples.slices, 12);
	samples_free(&samples);
}

static void what_exceeds_the_room_is_refused(void **state)
{
	struct samples samples;
	uint64_t ns[] = { 1, 2, 3 };

	(void)state;
	assert_int_equal(samples_init(&samples, 4, 2), 0);
	assert_int_equal(samples_slice(&samples, ns, 3, 1), 0);
	assert_int_equal(samples_slice(&samples, ns, 3, 1), -ENOSPC);
	assert_int_equal(samples.count, 3);
	samples_free(&samples);
}

static void a_median_of_an_even_count_lies_between(void **state)
{
	double values[] = { 4, 1, 3, 2 };

	(void)state;
	assert_true(median(values, 4) == 2.5);
	assert_true(median(values, 0) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_are_exact),
		cmocka_unit_test(one_noisy_slice_moves_no_median),
		cmocka_unit_test(a_batch_is_divided),
		cmocka_unit_test(slow_slices_are_in_no_median),
		cmocka_unit_test(what_exceeds_the_room_is_refused),
		cmocka_unit_test(a_median_of_an_even_count_lies_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
