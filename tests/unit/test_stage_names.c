/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of records in the stage whose own headers do not verify: the one that follows has
 * them, or the lane.  A writer stages some and dies, or closes; bytes of its image are
 * changed; a fresh handle says what is lost.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "staged.h"

#define PUTS 6u

/* ---- writers ------------------------------------------------------------------------- */

static int six(void)
{
	struct journal *j;

	return staged_open(&j) || staged_puts(j, PUTS, STAGED_BYTES);
}

static int six_and_close(void)
{
	struct journal *j;

	return staged_open(&j) || staged_puts(j, PUTS, STAGED_BYTES) || journal_close(j);
}

static int three_retired_of_six(void)
{
	struct journal *j;

	return staged_open(&j) || staged_puts(j, PUTS, STAGED_BYTES) ||
	       journal_retire(j, staged_said->ids[2]) ||
	       journal_retire(j, staged_said->ids[3]) ||
	       journal_retire(j, staged_said->ids[4]);
}

static int a_group_between(void)
{
	struct journal *j;

	return staged_open(&j) || staged_put(j, STAGED_BYTES) || staged_put_group(j, 64) ||
	       staged_put(j, STAGED_BYTES);
}

static int a_group_at_the_end(void)
{
	struct journal *j;

	return staged_open(&j) || staged_put(j, STAGED_BYTES) || staged_put_group(j, 64) ||
	       journal_close(j);
}

/* once and a half around the ring, the last quarter of which lives */
static int around(void)
{
	uint64_t records = staged_geometry.ring_bytes / stage_record_bytes(STAGED_BYTES);
	uint32_t quarter = (uint32_t)(records / 4), i;
	struct journal *j;

	if (staged_open(&j) || quarter * 6 > STAGED_IDS_MAX)
		return 1;
	/* it ends where the ring does: the void record is to be above the tail */
	for (i = 0; i < quarter * 4 + quarter / 2; i++)
		if (staged_put(j, STAGED_BYTES) ||
		    (i >= quarter && journal_retire(j, staged_said->ids[i - quarter])))
			return 1;
	return 0;
}

/* The first one of all keeps the tail where it is. */
static int a_line_that_moved_on(void)
{
	struct journal *j;
	uint32_t i;

	if (staged_open(&j) || staged_puts(j, 1024, 8))
		return 1;
	for (i = 512; i < 1024; i++)
		if (journal_retire(j, staged_said->ids[i]))
			return 1;
	return staged_puts(j, 10, 8);
}

static int destaged(void)
{
	struct journal_maintain_options options = { .stage_age_ns = 1 };
	struct journal *j;

	return staged_open(&j) || journal_maintain(j, &options, NULL);
}

static int more(void)
{
	struct journal *j;

	return staged_open(&j) || staged_puts(j, PUTS, STAGED_BYTES) || journal_close(j);
}

static int retire_the_third(void)
{
	struct journal *j;

	return staged_open(&j) || journal_retire(j, staged_said->ids[2]) || journal_close(j);
}

/* ---- tests ------------------------------------------------------------------------------ */

static void p5_a_failing_header_is_lost_by_id(void **state)
{
	(void)state;
	staged_in_a_process(six);
	staged_spoil(staged_record(2));
	assert_int_equal(staged_check(), -EUCLEAN);
	staged_counts_are(1, 0);
	staged_lost_are(2, 3);
	assert_int_equal(journal_retire(staged_journal, staged_said->ids[2]), 0);
	staged_counts_are(0, 0);
	staged_close();
	assert_int_equal(staged_check(), 0);
}

/* The ring is its only witness. */
static void it_stays_lost_until_it_is_retired(void **state)
{
	uint32_t i;

	(void)state;
	staged_in_a_process(six);
	staged_spoil(staged_record(2));
	staged_in_a_process(more);
	staged_in_a_process(destaged);
	for (i = 0; i < 2; i++) {
		staged_counts_are(1, 0);
		staged_lost_are(2, 3);
		assert_int_equal(staged_state(1), JOURNAL_LIVE);
		assert_int_equal(staged_state(2 * PUTS - 1), JOURNAL_LIVE);
		staged_close();
	}
	staged_in_a_process(retire_the_third);
	staged_in_a_process(more);
	staged_counts_are(0, 0);
	assert_int_equal(staged_state(2), 0);
	assert_int_equal(staged_check(), 0);
}

static void all_of_a_group_are_lost(void **state)
{
	uint32_t i;

	(void)state;
	staged_in_a_process(a_group_between);
	staged_spoil(staged_record(1));
	staged_counts_are(64, 0);
	staged_lost_are(1, 65);
	for (i = 10; i < 20; i++)
		assert_int_equal(journal_retire(staged_journal, staged_said->ids[i]), 0);
	staged_close();
	staged_counts_are(54, 0);
	assert_int_equal(staged_state(10), 0);
	assert_int_equal(staged_state(20), JOURNAL_LOST);
}

static void the_last_one_of_what_was_closed(void **state)
{
	(void)state;
	staged_in_a_process(six_and_close);
	staged_spoil(staged_record(PUTS - 1));
	assert_int_equal(staged_check(), -EUCLEAN);
	staged_counts_are(1, 0);
	staged_lost_are(PUTS - 1, PUTS);
	/* the writer that comes next has written that down anew */
	staged_close();
	assert_int_equal(staged_check(), -EUCLEAN);
	staged_in_a_process(more);
	staged_counts_are(1, 0);
	staged_lost_are(PUTS - 1, PUTS);
}

static void the_last_group_of_what_was_closed(void **state)
{
	(void)state;
	staged_in_a_process(a_group_at_the_end);
	staged_spoil(staged_record(1));
	staged_counts_are(64, 0);
	staged_lost_are(1, 65);
}

/* The words that name it do not hold together: then it is counted, as before. */
static void the_last_one_with_damaged_words(void **state)
{
	struct stage_record *last;

	(void)state;
	staged_in_a_process(six_and_close);
	last = staged_record(PUTS - 1);
	staged_lane(staged_lane_of(last))->last_position ^= put_le64(1 << 10);
	staged_spoil(last);
	assert_int_equal(staged_check(), -EUCLEAN);
	staged_counts_are(0, 1);
}

static void before_and_with_a_void_record(void **state)
{
	struct stage_record *gap, *before;
	uint32_t i, which = STAGED_IDS_MAX;
	struct stage_meta meta;

	(void)state;
	staged_in_a_process(around);
	gap = staged_header(STAGE_VOID, 0);
	assert_true(staged_header_at((uint64_t)((uint8_t *)gap - staged_image), &meta));
	assert_int_equal(meta.before.count, 1);
	before = gap - meta.before.distance;
	for (i = 0; i < staged_said->count; i++)
		if (get_le64(before->id) == staged_said->ids[i])
			which = i;
	assert_int_not_equal(which, STAGED_IDS_MAX);
	/* nothing is lost with it */
	staged_spoil(gap);
	assert_int_equal(staged_check(), 0);
	/* who comes behind it names the same */
	staged_spoil(before);
	staged_counts_are(1, 0);
	staged_lost_are(which, which + 1);
}

static void before_a_void_record(void **state)
{
	struct stage_record *gap;
	struct stage_meta meta;

	(void)state;
	staged_in_a_process(around);
	gap = staged_header(STAGE_VOID, 0);
	assert_true(staged_header_at((uint64_t)((uint8_t *)gap - staged_image), &meta));
	staged_spoil(gap - meta.before.distance);
	staged_counts_are(1, 0);
}

static void what_is_retired_is_not_named(void **state)
{
	(void)state;
	staged_in_a_process(three_retired_of_six);
	staged_spoil(staged_record(3));
	assert_int_equal(staged_check(), 0);
	staged_counts_are(0, 0);
	assert_int_equal(staged_state(3), 0);
}

static void what_moved_on_is_not_named(void **state)
{
	struct stage_record *old;
	uint64_t epoch;

	(void)state;
	staged_in_a_process(a_line_that_moved_on);
	old = staged_record(512 + 300);
	assert_int_equal(marker_line_epoch(staged_line(get_le32(old->line) % MARKER_LINES_MAX),
					   &epoch), 0);
	assert_true(epoch >> 1 > staged_said->ids[512 + 300] >> 9);
	staged_spoil(old);
	assert_int_equal(staged_check(), 0);
	staged_counts_are(0, 0);
	assert_int_equal(staged_state(1024 + 9), JOURNAL_LIVE);
}

static void of_two_in_a_row_the_second_has_a_name(void **state)
{
	(void)state;
	staged_in_a_process(six);
	staged_spoil(staged_record(2));
	staged_spoil(staged_record(3));
	assert_int_equal(staged_check(), -EUCLEAN);
	staged_counts_are(1, 1);
	staged_lost_are(3, 4);
}

/* All that is known of the second is that it is none to miss. */
static void of_two_in_a_row_the_second_is_retired(void **state)
{
	(void)state;
	staged_in_a_process(three_retired_of_six);
	staged_spoil(staged_record(1));
	staged_spoil(staged_record(2));
	assert_int_equal(staged_check(), -EUCLEAN);
	staged_counts_are(0, 1);
	staged_lost_are(0, 0);
}

/* Destaged, and the tail not moved yet. */
static void a_copy_in_the_log_is_as_good(void **state)
{
	uint8_t *before = malloc(STAGED_IMAGE);

	(void)state;
	assert_non_null(before);
	staged_in_a_process(six);
	memcpy(before, staged_image, STAGED_IMAGE);
	staged_in_a_process(destaged);
	memcpy(staged_image + staged_geometry.lanes_offset, before + staged_geometry.lanes_offset,
	       staged_geometry.lanes * sizeof(struct marker_lane));
	memcpy(staged_image + staged_geometry.stage_offset, before + staged_geometry.stage_offset,
	       staged_geometry.bytes - staged_geometry.stage_offset);
	free(before);
	staged_spoil(staged_record(2));
	assert_int_equal(staged_check(), 0);
	staged_counts_are(0, 0);
	assert_int_equal(staged_state(2), JOURNAL_LIVE);
}

static void the_tail_and_the_first_header(void **state)
{
	struct stage_record *first;

	(void)state;
	staged_in_a_process(six);
	first = staged_record(0);
	staged_lane(staged_lane_of(first))->tail ^= put_le64(1 << 9);
	staged_spoil(first);
	assert_int_equal(staged_check(), -EUCLEAN);
	staged_counts_are(1, 0);
	staged_lost_are(0, 1);
}

static int one_and_close(void)
{
	struct journal *j;

	return staged_open(&j) || staged_put(j, STAGED_BYTES) || journal_close(j);
}

static void the_tail_and_the_only_header(void **state)
{
	struct stage_record *first;

	(void)state;
	staged_in_a_process(one_and_close);
	first = staged_record(0);
	staged_lane(staged_lane_of(first))->tail ^= put_le64(1 << 9);
	staged_spoil(first);
	assert_int_equal(staged_check(), -EUCLEAN);
	staged_counts_are(1, 0);
	staged_lost_are(0, 1);
}

static void its_epoch_is_damaged_too(void **state)
{
	struct stage_record *record;
	struct marker_line *line;

	(void)state;
	staged_in_a_process(six);
	record = staged_record(2);
	line = staged_line(get_le32(record->line) % MARKER_LINES_MAX);
	line->epoch = line->epoch_copy = 0;
	staged_spoil(record);
	assert_int_equal(staged_check(), -EUCLEAN);
	staged_counts_are(1, 0);
	staged_lost_are(2, 3);
}

static int the_last_of_a_line_that_moved_on(void)
{
	struct journal *j;
	uint32_t i;

	if (staged_open(&j) || staged_puts(j, 1024, 8))
		return 1;
	for (i = 512; i < 1024; i++)
		if (journal_retire(j, staged_said->ids[i]))
			return 1;
	return staged_put(j, STAGED_BYTES) || journal_close(j);
}

/* Others say an older one: that it is finished is not known by that. */
static void an_epoch_that_only_it_knows_has_no_ids(void **state)
{
	struct stage_record *record;
	struct marker_line *line;

	(void)state;
	staged_in_a_process(the_last_of_a_line_that_moved_on);
	record = staged_record(1024);
	line = staged_line(get_le32(record->line) % MARKER_LINES_MAX);
	line->epoch = line->epoch_copy = 0;
	staged_spoil(record);
	assert_int_equal(staged_check(), -EUCLEAN);
	staged_counts_are(0, 1);
}

/* The first record of a session names the last one of the session before. */
static void the_last_one_before_a_crash(void **state)
{
	(void)state;
	staged_in_a_process(six);
	staged_in_a_process(more);
	staged_spoil(staged_record(PUTS - 1));
	assert_int_equal(staged_check(), -EUCLEAN);
	staged_counts_are(1, 0);
	staged_lost_are(PUTS - 1, PUTS);
}

static int only_open(void)
{
	struct journal *j;

	return staged_open(&j);
}

/* Who has served it has written that down, also if he is killed. */
static void the_last_one_that_was_recovered(void **state)
{
	(void)state;
	staged_in_a_process(six);
	staged_in_a_process(only_open);
	staged_spoil(staged_record(PUTS - 1));
	assert_int_equal(staged_check(), -EUCLEAN);
	staged_counts_are(1, 0);
	staged_lost_are(PUTS - 1, PUTS);
}

/* No other record says what epoch it was. */
static void an_epoch_that_nobody_knows_has_no_ids(void **state)
{
	struct stage_record *record;
	struct marker_line *line;

	(void)state;
	staged_in_a_process(one_and_close);
	record = staged_record(0);
	line = staged_line(get_le32(record->line) % MARKER_LINES_MAX);
	line->epoch = line->epoch_copy = 0;
	staged_spoil(record);
	assert_int_equal(staged_check(), -EUCLEAN);
	staged_counts_are(0, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, staged_make, staged_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(p5_a_failing_header_is_lost_by_id),
		TEST(it_stays_lost_until_it_is_retired),
		TEST(all_of_a_group_are_lost),
		TEST(the_last_one_of_what_was_closed),
		TEST(the_last_group_of_what_was_closed),
		TEST(the_last_one_with_damaged_words),
		TEST(before_and_with_a_void_record),
		TEST(before_a_void_record),
		TEST(what_is_retired_is_not_named),
		TEST(what_moved_on_is_not_named),
		TEST(of_two_in_a_row_the_second_has_a_name),
		TEST(of_two_in_a_row_the_second_is_retired),
		TEST(a_copy_in_the_log_is_as_good),
		TEST(the_tail_and_the_first_header),
		TEST(the_tail_and_the_only_header),
		TEST(its_epoch_is_damaged_too),
		TEST(the_last_one_before_a_crash),
		TEST(the_last_one_that_was_recovered),
		TEST(an_epoch_that_only_it_knows_has_no_ids),
		TEST(an_epoch_that_nobody_knows_has_no_ids),
	};

	return cmocka_run_group_tests(tests, staged_share, NULL);
}
