/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Which segment is cleaned first, of those that may be: ahead of need the one with the
 * most benefit for its cost, (1 - u) * age / (1 + u); in need the one with the least to
 * move.  And so of lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bed.h"
#include "txn/clean.h"
#include "txn/head.h"
#include "txn/segment.h"

#define BYTES 15000u  /* some seventy to a segment */
#define LARGE 120000u
#define LOG   (48ull << 20)
#define MOST  256u /* transactions of one segment */

struct choice {
	struct bed bed;
	struct model model;
	uint64_t ids[MOST];
	uint32_t count;
};

/* where the stream of commits writes */
static struct segment *stream_at(const struct journal *j)
{
	struct segment *segment = NULL;
	uint32_t i;

	for (i = 0; i < HEADS && !segment; i++)
		if (j->heads[i].s->kind == HEAD_STREAM)
			segment = head_segment(j, &j->heads[i]);
	return segment;
}

static uint64_t put(struct choice *c, uint32_t bytes)
{
	struct journal_receipt receipt;

	assert_int_equal(bed_put(&c->bed, &c->model, bytes, c->model.count,
				 JOURNAL_PATH_SYNCED, &receipt), 0);
	return receipt.id;
}

static void retire(struct choice *c, uint64_t id)
{
	assert_int_equal(journal_retire(c->bed.j, id), 0);
	model_retire(&c->model, id);
}

/* until another segment is begun: what went into the one before, and is live, are c->ids.
 * What began the other one is retired. */
static struct segment *fill_one(struct choice *c, uint32_t bytes)
{
	struct segment *filled = stream_at(c->bed.j);
	uint64_t id = put(c, bytes);

	for (c->count = 0; stream_at(c->bed.j) == filled; id = put(c, bytes)) {
		assert_true(c->count < MOST);
		c->ids[c->count++] = id;
	}
	retire(c, id);
	return filled;
}

/* the segment that is the next one, of which @live transactions live on */
static struct segment *make(struct choice *c, uint32_t live)
{
	struct segment *segment = fill_one(c, BYTES);

	assert_true(live < c->count);
	while (c->count > live)
		retire(c, c->ids[--c->count]);
	return segment;
}

/* segments that live and die; they are what makes others old */
static void churn(struct choice *c, uint32_t segments)
{
	while (segments--) {
		fill_one(c, LARGE);
		while (c->count)
			retire(c, c->ids[--c->count]);
	}
}

static bool is_free(const struct segment *segment)
{
	return segment_state_of(atomic_load(&segment->use)) == SEGMENT_FREE;
}

static void clean(struct choice *c, uint32_t most)
{
	bool gained = false;

	assert_int_equal(clean_step(c->bed.j, most, &gained), 0);
	assert_true(gained);
}

/* @first is cleaned before @second; and @second is no worse off than that */
static void cleaned_in_order(struct choice *c, uint32_t most, const struct segment *first,
			     const struct segment *second)
{
	assert_false(is_free(first));
	clean(c, most);
	assert_true(is_free(first));
	assert_false(is_free(second));
	clean(c, most);
	assert_true(is_free(second));
}

static int choice_make(void **state)
{
	struct choice *c = calloc(1, sizeof(*c));

	bed_make(&c->bed, BED_PMEM, LOG, 0);
	model_make(&c->model);
	retire(c, put(c, BYTES));
	*state = c;
	return 0;
}

static int choice_free(void **state)
{
	struct choice *c = *state;

	model_verify_reopened(&c->model, &c->bed);
	model_free(&c->model);
	bed_remove(&c->bed);
	free(c);
	return 0;
}

/* ---- ahead of need ------------------------------------------------------------------ */

/* Another one's age is more by one in twenty: that weighs less than what lives in it. */
static void of_one_age_the_emptier(void **state)
{
	struct choice *c = *state;
	struct segment *full, *empty;

	full = make(c, 6);
	empty = make(c, 1);
	churn(c, 10);
	cleaned_in_order(c, CLEAN_MOSTLY_DEAD, empty, full);
}

/* whichever comes first in the log */
static void of_equally_empty_ones_the_older(void **state)
{
	struct choice *c = *state;
	struct segment *old, *young;

	churn(c, segments_end(c->bed.j) / 2);
	old = make(c, 3);
	do
		churn(c, 1);
	while (stream_at(c->bed.j) > old);
	young = make(c, 3);
	assert_true(young < old);
	churn(c, 5);
	cleaned_in_order(c, CLEAN_MOSTLY_DEAD, old, young);
}

/* It is worth more to clean what stays clean: an old one, though more lives in it. */
static void much_older_is_worth_more_than_emptier(void **state)
{
	struct choice *c = *state;
	struct segment *old, *young;

	churn(c, segments_end(c->bed.j) / 2);
	old = make(c, 6);
	do
		churn(c, 1);
	while (stream_at(c->bed.j) > old);
	young = make(c, 1);
	assert_true(young < old);
	cleaned_in_order(c, CLEAN_MOSTLY_DEAD, old, young);
}

/* ---- in need -------------------------------------------------------------------------- */

static void in_need_the_least_to_move(void **state)
{
	struct choice *c = *state;
	struct segment *old, *young;

	old = make(c, 6);
	churn(c, 20);
	young = make(c, 3);
	cleaned_in_order(c, CLEAN_NEED, young, old);
}

#define CHOICE_TEST(function) cmocka_unit_test_setup_teardown(function, choice_make, choice_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHOICE_TEST(of_one_age_the_emptier),
		CHOICE_TEST(of_equally_empty_ones_the_older),
		CHOICE_TEST(much_older_is_worth_more_than_emptier),
		CHOICE_TEST(in_need_the_least_to_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
