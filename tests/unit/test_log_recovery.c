/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What recovery makes of the log (P9; P10 is test_log_watermark.c): a writer
 * commits some and dies, bytes of the log are changed, a fresh handle says what is
 * there.
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

static void all_of_it_is_there(void **state)
{
	(void)state;
	assert_int_equal(image_check(), 0);
	image_open();
	image_all_but(IMAGE_PUTS);
	image_counts_are(IMAGE_PUTS, 0, 0, 0);
}

static void leftovers_of_an_older_use_are_nothing(void **state)
{
	struct journal_entry entry = { .id = 0 };
	uint32_t round;

	(void)state;
	/* more than the log holds, retired each time */
	for (round = 0; round < 15; round++) {
		image_in_a_process(image_fill_segments);
		image_open();
		for (entry.id = 0; !journal_next(image_journal, entry.id, &entry);)
			assert_int_equal(journal_retire(image_journal, entry.id), 0);
		assert_int_equal(journal_close(image_journal), 0);
		assert_int_equal(image_check(), 0);
	}
	image_open();
	image_counts_are(0, 0, 0, 0);
}

/* ---- sealed ----------------------------------------------------------------- */

static void sealed_damaged_record_is_lost_by_id(void **state)
{
	(void)state;
	image_in_a_process(image_fill_segments);
	image_record_of(image_ids[IMAGE_PUTS - 1])->id ^= put_le64(1ull << 40);
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_all_but(IMAGE_PUTS - 1);
	image_counts_are(IMAGE_PUTS - 1 + 15, 1, 0, 0);
	image_is_lost(IMAGE_PUTS - 1);
}

static void either_digest_will_do(void **state)
{
	uint8_t *segment = image_segment_of(0);

	(void)state;
	image_in_a_process(image_fill_segments);
	memset(segment + image_geometry.segment_bytes - image_geometry.digest_bytes, 0x55, 64);
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_all_but(IMAGE_PUTS);
	image_counts_are(IMAGE_PUTS + 15, 0, 0, 0);
}

static void a_damaged_header_loses_nothing(void **state)
{
	uint8_t *segment = image_segment_of(0);

	(void)state;
	image_in_a_process(image_fill_segments);
	memset(segment, 0x55, 64);
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_all_but(IMAGE_PUTS);
	image_counts_are(IMAGE_PUTS + 15, 0, 0, 0);
}

/* ---- direct ----------------------------------------------------------------- */

static void p9_a_set_bit_and_a_bad_record_is_lost_by_id(void **state)
{
	(void)state;
	image_payload_of(image_ids[IMAGE_PUTS - 1])[7] ^= 1;
	image_record_of(image_ids[1])->time_ns ^= put_le64(1);
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_is_lost(IMAGE_PUTS - 1);
	image_is_lost(1);
	image_is_there(0);
	image_is_there(2);
	image_counts_are(IMAGE_PUTS - 2, 2, 0, 0);
}

static int prepare_only(void)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_DIRECT, .bytes = IMAGE_BYTES };
	/* it dies with them open, which is no leak */
	static struct journal_txn *txn;
	static struct journal *j;
	uint8_t data[IMAGE_BYTES];

	image_payload(data, 9);
	return journal_open(image_dir, NULL, &j) || journal_begin(j, &options, &txn) ||
	       journal_append(txn, data, IMAGE_BYTES) || journal_prepare(txn);
}

static void p9_a_record_without_its_bit_is_nothing(void **state)
{
	(void)state;
	image_in_a_process(prepare_only);
	assert_int_equal(image_check(), 0);
	image_open();
	image_all_but(IMAGE_PUTS);
	image_counts_are(IMAGE_PUTS, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_of_it_is_there, image_synced),
		TEST(leftovers_of_an_older_use_are_nothing, image_synced),
		TEST(sealed_damaged_record_is_lost_by_id, image_synced),
		TEST(either_digest_will_do, image_synced),
		TEST(a_damaged_header_loses_nothing, image_synced),
		TEST(all_of_it_is_there, image_direct),
		TEST(p9_a_set_bit_and_a_bad_record_is_lost_by_id, image_direct),
		TEST(p9_a_record_without_its_bit_is_nothing, image_direct),
	};

	return cmocka_run_group_tests(tests, image_share, image_unshare);
}
