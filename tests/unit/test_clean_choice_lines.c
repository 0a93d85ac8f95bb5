/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which lines are cleaned first, when one step does not clean all of them: ahead of need
 * those with the most benefit for their cost, (1 - u) * age / (1 + u); in need those with
 * the least to move.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bed.h"
#include "txn/clean_lines.h"
#include "txn/index.h"
#include "txn/move.h"

#define BYTES 8u
#define GROUP 64u

struct lines {
	struct bed bed;
	struct model model;
	uint64_t seed;
};

/* some lines, one after the other */
struct some {
	uint64_t first, end; /* numbers */
	uint32_t live;       /* of each */
};

/* Return: the first id of a group that is in the log */
static uint64_t put_group(struct lines *l)
{
	const struct journal_txn_options options = { .path = JOURNAL_PATH_SYNCED };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint8_t payload[BYTES];
	uint32_t i;

	assert_int_equal(journal_begin(l->bed.j, &options, &txn), 0);
	for (i = 0; i < GROUP; i++) {
		bed_fill(payload, BYTES, l->seed + i);
		if (i)
			assert_int_equal(journal_group_next(txn), 0);
		assert_int_equal(journal_append(txn, payload, BYTES), 0);
	}
	assert_int_equal(journal_commit(txn, &receipt), 0);
	for (i = 0; i < GROUP; i++)
		model_add(&l->model, receipt.id + i, BYTES, l->seed + i);
	l->seed += GROUP;
	return receipt.id;
}

static void retire(struct lines *l, uint64_t id)
{
	assert_int_equal(journal_retire(l->bed.j, id), 0);
	model_retire(&l->model, id);
}

/* Return: the number of a whole line in which @live live */
static uint64_t make_one(struct lines *l, uint32_t live)
{
	uint32_t i, k;
	uint64_t id[SLOTS_PER_LINE / GROUP];

	for (i = 0; i < SLOTS_PER_LINE / GROUP; i++) {
		id[i] = put_group(l);
		assert_int_equal(id[i], id[0] + i * GROUP);
	}
	assert_int_equal(id_slot(id[0]), 0);
	for (k = live; k < SLOTS_PER_LINE; k++)
		retire(l, id[0] + k);
	return id_number(id[0]);
}

static struct some make(struct lines *l, uint32_t count, uint32_t live)
{
	struct some some = { .first = make_one(l, live), .live = live };

	for (some.end = some.first + 1; some.end < some.first + count; some.end++)
		assert_int_equal(make_one(l, live), some.end);
	return some;
}

/* as if others had been opened since */
static void age(struct lines *l)
{
	atomic_fetch_add(&l->bed.j->shared->next_number, 1000);
}

static uint32_t lives_in(const struct journal *j, uint64_t number)
{
	uint32_t word, live = 0, line = index_find(j, number);

	for (word = 0; line != NO_LINE && word < MARKER_LINE_WORDS; word++)
		live += (uint32_t)__builtin_popcountll(
			atomic_load(&j->lines[line].committed[word]) &
			~atomic_load(&j->lines[line].claimed[word]));
	return live;
}

static uint32_t cleaned(const struct lines *l, const struct some *some)
{
	uint64_t number;
	uint32_t count = 0;

	for (number = some->first; number < some->end; number++)
		count += !lives_in(l->bed.j, number);
	return count;
}

/* as many as one step cleans of lines in each of which so many live */
static uint32_t step_cleans(uint32_t live)
{
	return (MOVE_BATCH + live - 1) / live;
}

/* One step: all that it cleans is of these. */
static void these_are_first(struct lines *l, uint32_t most, const struct some *these,
			    const struct some *others)
{
	uint32_t gained;

	assert_true(these->end - these->first >= step_cleans(these->live));
	assert_int_equal(clean_lines_step(l->bed.j, most, &gained), 0);
	assert_int_equal(cleaned(l, these), step_cleans(these->live));
	assert_int_equal(cleaned(l, others), 0);
	assert_int_equal(clean_lines_step(l->bed.j, most, &gained), 0);
	assert_true(cleaned(l, others) > 0);
}

/* on one processor, and with that in one lane */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	assert_int_equal(sched_setaffinity(0, sizeof(here), &here), 0);
}

static int lines_make(void **state)
{
	struct lines *l = calloc(1, sizeof(*l));

	stay_here();
	bed_make(&l->bed, BED_PMEM, 0, 0);
	model_make(&l->model);
	*state = l;
	return 0;
}

static int lines_free(void **state)
{
	struct lines *l = *state;

	model_verify_reopened(&l->model, &l->bed);
	model_free(&l->model);
	bed_remove(&l->bed);
	free(l);
	return 0;
}

/* ---- ahead of need ------------------------------------------------------------------ */

/* The other one is a little older: that weighs less than what lives in it. */
static void of_about_one_age_the_emptier(void **state)
{
	struct lines *l = *state;
	struct some full, empty;

	full = make(l, 1, 64);
	empty = make(l, 8, 32);
	age(l);
	these_are_first(l, CLEAN_LINES_MOSTLY_DEAD, &empty, &full);
}

/* whichever come first among the lines: the lowest that is free is taken */
static void of_equally_empty_ones_the_older(void **state)
{
	struct lines *l = *state;
	struct some first, old, young;
	uint64_t id;

	first = make(l, 2, SLOTS_PER_LINE);
	old = make(l, 8, 32);
	for (id = first.first * SLOTS_PER_LINE; id < first.end * SLOTS_PER_LINE; id++)
		retire(l, id);
	age(l);
	young = make(l, 1, 32);
	assert_true(index_find(l->bed.j, young.first) < index_find(l->bed.j, old.first));
	these_are_first(l, CLEAN_LINES_MOSTLY_DEAD, &old, &young);
}

/* ---- in need -------------------------------------------------------------------------- */

/* whatever their age */
static void in_need_the_least_to_move(void **state)
{
	struct lines *l = *state;
	struct some old, young;

	old = make(l, 4, 80);
	age(l);
	young = make(l, 4, 64);
	these_are_first(l, CLEAN_LINES_NEED, &young, &old);
}

#define LINES_TEST(function) cmocka_unit_test_setup_teardown(function, lines_make, lines_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINES_TEST(of_about_one_age_the_emptier),
		LINES_TEST(of_equally_empty_ones_the_older),
		LINES_TEST(in_need_the_least_to_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
