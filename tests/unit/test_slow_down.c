/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who stages more than goes to the disk is slowed, and not stopped.  Nothing is destaged
 * here, so that the stage fills; how long who fills it sleeps is noted, and nobody sleeps.
 * nanosleep() is replaced at link time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "txn/journal_impl.h"

#define BYTES      5000u
#define SLOWS_AT   60u     /* percent of the stage */
#define HALF_NS    50000u  /* half way between that and full */
#define FILLED     90u
#define FILL_STEP  5u      /* percent: a lane is first looked at when a quarter of it is full */

int __real_nanosleep(const struct timespec *request, struct timespec *rest);
int __wrap_nanosleep(const struct timespec *request, struct timespec *rest);

static _Thread_local const struct journal *noted; /* the thread that puts has one */
static struct {
	uint64_t ns[101]; /* by fill: the last one */
	uint32_t count[101];
	bool others; /* of the same fill they differ */
} sleeps;

static uint32_t fill_of(const struct journal *j)
{
	uint64_t used = 0;
	uint32_t i;

	for (i = 0; i < j->lane_count; i++)
		used += atomic_load(&j->lanes[i].s->used);
	return (uint32_t)(used * 100 / (j->lane_count * j->geometry.ring_bytes));
}

int __wrap_nanosleep(const struct timespec *request, struct timespec *rest)
{
	uint64_t ns = (uint64_t)request->tv_sec * 1000000000 + (uint64_t)request->tv_nsec;
	uint32_t fill;

	if (!noted)
		return __real_nanosleep(request, rest);
	fill = fill_of(noted);
	sleeps.others |= sleeps.count[fill] && sleeps.ns[fill] != ns;
	sleeps.ns[fill] = ns;
	sleeps.count[fill]++;
	return 0;
}

/* no thread takes anything out of the stage: as if the disk had stopped */
static void hold_the_stage(struct journal *j)
{
	atomic_store(&j->background.age.begun, true);
	j->background.started = true;
}

static void fill_it(struct bed *bed, struct model *model)
{
	uint64_t i;

	noted = bed->j;
	for (i = 0; fill_of(bed->j) < FILLED; i++)
		assert_int_equal(bed_put(bed, model, BYTES, i, JOURNAL_PATH_STAGED, NULL), 0);
	noted = NULL;
	assert_int_equal(bed_info(bed).destaged, 0);
}

/* x / (1 - x), where x is how far it is from SLOWS_AT to full */
static uint64_t expected(uint32_t fill)
{
	return (uint64_t)HALF_NS * (fill - SLOWS_AT) / (100 - fill);
}

static void the_fuller_it_is_the_longer_they_sleep(void **state)
{
	struct model model;
	struct bed bed;
	uint32_t fill, last = SLOWS_AT;

	(void)state;
	memset(&sleeps, 0, sizeof(sleeps));
	bed_make(&bed, BED_PMEM, 160u << 20, 16u << 20);
	model_make(&model);
	hold_the_stage(bed.j);
	fill_it(&bed, &model);
	for (fill = 0; fill <= SLOWS_AT; fill++)
		assert_int_equal(sleeps.count[fill], 0);
	for (; fill < FILLED; fill++) {
		if (!sleeps.count[fill])
			continue;
		assert_in_range(fill, last + 1, last + FILL_STEP);
		assert_int_equal(sleeps.ns[fill], expected(fill));
		last = fill;
	}
	assert_true(last + FILL_STEP >= FILLED);
	assert_true(sleeps.ns[last] > 2 * HALF_NS);
	assert_false(sleeps.others);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fuller_it_is_the_longer_they_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
