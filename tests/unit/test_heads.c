/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Heads: many writers at a time leave segments open; these must not make the log full
 * for who comes after them, nor may the writers take all of it together.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "txn/clock.h"
#include "txn/head.h"
#include "txn/journal_impl.h"

#define LOG_LEAST (9ull << 20)

/* as many writers do: each its own head, with a segment, until none is left */
static uint32_t open_all(struct journal *j, bool reserved, struct head **heads)
{
	uint32_t count = 0;
	int error;

	for (;;) {
		assert_int_equal(head_lease(j, HEAD_EXTENTS, &heads[count]), 0);
		error = head_roll(j, heads[count], HEAD_EXTENTS, reserved);
		if (error)
			break;
		count++;
	}
	assert_int_equal(error, -ENOSPC);
	head_return(heads[count]);
	assert_true(count > heads_wanted(j));
	return count;
}

static void heads_at_rest_do_not_fill_the_log(enum bed_medium medium)
{
	struct journal_receipt receipt;
	struct head *heads[HEADS];
	struct bed bed = { 0 };
	struct model model;
	uint32_t i, count;

	model_make(&model);
	bed_make(&bed, medium, LOG_LEAST, 0);
	count = open_all(bed.j, false, heads);
	for (i = 0; i < count; i++)
		head_return(heads[i]);
	assert_int_equal(bed_put(&bed, &model, 100, 1, JOURNAL_PATH_SYNCED, &receipt), 0);
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

/* ... while those that are being written to are left alone */
static void heads_in_use_are_kept(enum bed_medium medium)
{
	struct journal_receipt receipt;
	struct head *heads[HEADS];
	struct bed bed = { 0 };
	struct model model;
	uint32_t i, count;

	model_make(&model);
	bed_make(&bed, medium, LOG_LEAST, 0);
	count = open_all(bed.j, false, heads);
	assert_int_equal(bed_put(&bed, &model, 100, 1, JOURNAL_PATH_SYNCED, &receipt), -ENOSPC);
	for (i = 0; i < count; i++) {
		assert_non_null(head_segment(bed.j, heads[i]));
		head_return(heads[i]);
	}
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

/* ... but retiring goes on: what was set aside for it may be in use by others' heads */
static void P11_retired_without_room_for_a_record(enum bed_medium medium)
{
	struct journal_receipt receipt;
	struct head *heads[HEADS], *stream;
	struct bed bed = { 0 };
	struct model model;
	uint32_t i, count;

	model_make(&model);
	bed_make(&bed, medium, LOG_LEAST, 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(bed_put(&bed, &model, 100, i, JOURNAL_PATH_SYNCED, &receipt), 0);
	assert_int_equal(head_lease(bed.j, HEAD_STREAM, &stream), 0);
	assert_non_null(head_segment(bed.j, stream));
	count = open_all(bed.j, true, heads);
	assert_int_equal(journal_retire(bed.j, receipt.id), 0);
	model_retire(&model, receipt.id);
	head_return(stream);
	for (i = 0; i < count; i++)
		head_return(heads[i]);
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

/* Nothing but time passes: the test cannot fail because it is slow. */
static void one_more_at_a_time_when_few_segments_are_left(enum bed_medium medium)
{
	struct head *heads[HEADS], *more;
	struct bed bed = { 0 };
	uint64_t granted;
	uint32_t i, count;

	bed_make(&bed, medium, LOG_LEAST, 0);
	count = open_all(bed.j, false, heads);
	granted = clock_monotonic_ns();
	atomic_store(&bed.j->shared->head_granted_ns, granted);
	assert_int_equal(head_lease(bed.j, HEAD_EXTENTS, &more), 0);
	assert_true(clock_monotonic_ns() - granted >= 60000000);
	assert_true(atomic_load(&bed.j->shared->head_granted_ns) > granted);
	head_return(more);
	for (i = 0; i < count; i++)
		head_return(heads[i]);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "heads_at_rest_do_not_fill_the_log", heads_at_rest_do_not_fill_the_log, BED_ALL },
		{ "heads_in_use_are_kept", heads_in_use_are_kept, BED_ALL },
		{ "P11_retired_without_room_for_a_record", P11_retired_without_room_for_a_record,
		  1u << BED_FILE },
		{ "one_more_at_a_time_when_few_segments_are_left",
		  one_more_at_a_time_when_few_segments_are_left, 1u << BED_FILE },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
