/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Torn or damaged (P10): what the watermark of a stream segment tells.  A writer
 * commits some and dies, bytes of the log are changed, a fresh handle says what
 * is there.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image.h"

#define TEST(test, setup) cmocka_unit_test_setup_teardown(test, setup, image_drop)

static void p10_the_last_record_failing_is_torn(void **state)
{
	(void)state;
	image_payload_of(image_ids[IMAGE_PUTS - 1])[7] ^= 1;
	assert_int_equal(image_check(), 0);
	image_open();
	image_all_but(IMAGE_PUTS - 1);
	image_is_gone(IMAGE_PUTS - 1);
	image_counts_are(IMAGE_PUTS - 1, 0, 0, 1);
}

static void p10_a_failing_payload_below_the_watermark_is_lost_by_id(void **state)
{
	(void)state;
	image_payload_of(image_ids[2])[7] ^= 1;
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_all_but(2);
	image_is_lost(2);
	image_counts_are(IMAGE_PUTS - 1, 1, 0, 0);
	assert_int_equal(journal_retire(image_journal, image_ids[2]), 0);
	image_is_gone(2);
}

static void p10_a_gap_below_the_watermark_is_damage(void **state)
{
	(void)state;
	image_record_of(image_ids[2])->time_ns ^= put_le64(1);
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_all_but(2);
	image_counts_are(IMAGE_PUTS - 1, 0, 1, 0);
}

static int nothing_more(void)
{
	struct journal *j;

	return journal_open(image_dir, NULL, &j);
}

/* the next writers go on in the segment, and its watermark goes on with them */
static void p10_damage_shows_after_another_crash(void **state)
{
	uint64_t id;

	(void)state;
	image_in_a_process(nothing_more);
	image_open();
	assert_int_equal(image_put(image_journal, 9, &id), 0);
	assert_int_equal(journal_close(image_journal), 0);
	image_payload_of(image_ids[2])[7] ^= 1;
	image_record_of(image_ids[3])->time_ns ^= put_le64(1);
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_is_lost(2);
	image_is_there(1);
	image_is_there(4);
	image_counts_are(IMAGE_PUTS - 1, 1, 1, 0);
}

/* What was torn once stays that: not lost, when its segment is sealed and read
 * again, and not committed. */
static void p10_torn_stays_torn(void **state)
{
	(void)state;
	image_payload_of(image_ids[IMAGE_PUTS - 1])[7] ^= 1;
	image_in_a_process(image_fill_segments);
	assert_int_equal(image_check(), 0);
	image_open();
	image_all_but(IMAGE_PUTS - 1);
	image_is_gone(IMAGE_PUTS - 1);
	image_counts_are(IMAGE_PUTS - 1 + 15, 0, 0, 0);
	assert_int_equal(journal_close(image_journal), 0);
	/* and is not written over: the block that failed as it was, and it fits */
	image_payload_of(image_ids[IMAGE_PUTS - 1])[7] ^= 1;
	image_open();
	image_all_but(IMAGE_PUTS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(p10_the_last_record_failing_is_torn, image_synced),
		TEST(p10_a_failing_payload_below_the_watermark_is_lost_by_id, image_synced),
		TEST(p10_a_gap_below_the_watermark_is_damage, image_synced),
		TEST(p10_damage_shows_after_another_crash, image_synced),
		TEST(p10_torn_stays_torn, image_synced),
	};

	return cmocka_run_group_tests(tests, image_share, image_unshare);
}
