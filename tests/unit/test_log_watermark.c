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

/* all its members; how long each was stands in the payload, and is not known any more */
static void p10_a_failing_group_below_the_watermark_is_lost_by_id(void **state)
{
	uint32_t i;

	(void)state;
	image_in_a_process(image_group_and_one_more);
	image_payload_of(image_ids[IMAGE_PUTS])[7] ^= 1;
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	for (i = 0; i < IMAGE_GROUP; i++)
		image_is_lost(IMAGE_PUTS + i);
	image_all_but(IMAGE_PUTS);
	image_counts_are(IMAGE_PUTS + 1, IMAGE_GROUP, 0, 0);
}

/* of two in a row the second has a name, of the record behind it */
static void p10_a_gap_below_the_watermark_is_damage(void **state)
{
	(void)state;
	image_record_of(image_ids[2])->time_ns ^= put_le64(1);
	image_record_of(image_ids[3])->time_ns ^= put_le64(1);
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_is_there(1);
	image_is_gone(2);
	image_is_lost(3);
	image_is_there(4);
	image_counts_are(IMAGE_PUTS - 2, 1, 1, 0);
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
	/* the close has named it */
	image_is_lost(3);
	image_is_there(1);
	image_is_there(4);
	image_counts_are(IMAGE_PUTS - 1, 2, 0, 0);
}

/* Its last record has no later one before the close; the next writer's has it. */
static void p10_the_last_record_before_a_crash_is_vouched_for(void **state)
{
	uint64_t id;

	(void)state;
	image_open();
	assert_int_equal(image_put(image_journal, 9, &id), 0);
	assert_int_equal(journal_close(image_journal), 0);
	image_payload_of(image_ids[IMAGE_PUTS - 1])[7] ^= 1;
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_is_lost(IMAGE_PUTS - 1);
	image_counts_are(IMAGE_PUTS, 1, 0, 0);
}

/* without what it says of the record before it */
static uint64_t own(__le64 field)
{
	return get_le64(field) & ((1u << LOG_SEQ_BITS) - 1);
}

/* the same payload at the same place, of two writers, torn: no part of the one's
 * header completes the other's */
static void p10_the_next_writer_writes_other_headers(void **state)
{
	uint64_t id;

	(void)state;
	image_open();
	assert_int_equal(image_put(image_journal, 9, &id), 0);
	assert_int_equal(own(image_record_of(id)->seq), IMAGE_PUTS + 1);
	assert_int_equal(own(image_record_of(id)->acked), IMAGE_PUTS);
	assert_int_equal(get_le32(image_record_of(id)->incarnation),
			 get_le32(image_record_of(image_ids[0])->incarnation) + 1);
}

#define MANY 1024u /* in one retire record */

static int retire_in_two_records(void)
{
	static uint64_t many[MANY + JOURNAL_GROUP_MAX];
	struct journal_receipt receipt;
	struct journal_txn *txn;
	struct journal *j;
	uint32_t i, k;

	if (journal_open(image_dir, NULL, &j))
		return 1;
	for (i = 0; i < MANY + JOURNAL_GROUP_MAX; i += JOURNAL_GROUP_MAX) {
		if (journal_begin(j, NULL, &txn) || journal_append(txn, "x", 1))
			return 1;
		for (k = 1; k < JOURNAL_GROUP_MAX; k++)
			if (journal_group_next(txn) || journal_append(txn, "x", 1))
				return 1;
		if (journal_commit(txn, &receipt))
			return 1;
		for (k = 0; k < JOURNAL_GROUP_MAX; k++)
			many[i + k] = receipt.id + k;
	}
	return journal_retire_many(j, many, i, NULL);
}

/* the retire record of number @which, or NULL */
static struct log_record *retire_record(uint32_t which)
{
	struct log_record *record;
	uint64_t at;

	for (at = image_geometry.segments_offset; at < IMAGE_LOG_BYTES; at += LOG_RECORD_ALIGN) {
		record = (struct log_record *)(image_map + at);
		if (get_le16(record->magic) == LOG_RECORD_MAGIC &&
		    record->type == LOG_RETIRE && !which--)
			return record;
	}
	return NULL;
}

/* Two records of one batch, the first did not arrive.  What the next writer
 * writes says nothing about it. */
static void p10_a_torn_hole_never_becomes_damage(void **state)
{
	struct journal_info info;
	uint64_t id;
	uint32_t i;

	(void)state;
	image_in_a_process(retire_in_two_records);
	assert_non_null(retire_record(1));
	assert_null(retire_record(2));
	retire_record(0)->header_crc ^= put_le32(1);
	assert_int_equal(image_check(), 0);
	image_open();
	assert_int_equal(journal_info(image_journal, &info), 0);
	assert_int_equal(info.torn, 1);
	for (i = 0; i < 5; i++)
		assert_int_equal(image_put(image_journal, 9, &id), 0);
	assert_int_equal(journal_close(image_journal), 0);
	assert_int_equal(image_check(), 0);
	image_open();
	image_all_but(IMAGE_PUTS);
	assert_int_equal(journal_info(image_journal, &info), 0);
	assert_int_equal(info.lost_unnamed, 0);
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

/* Eleven of these fill the segment, the retire record is the last in it. */
static int retire_last_in_segment(void)
{
	static uint8_t much[90000];
	struct journal_receipt receipt;
	struct journal *j;
	uint32_t i;

	if (journal_open(image_dir, NULL, &j))
		return 1;
	for (i = 0; i < 12; i++)
		if ((i == 11 && journal_retire(j, image_ids[0])) ||
		    journal_put(j, much, sizeof(much), &receipt))
			return 1;
	return 0;
}

static void the_last_of_a_sealed_segment(uint64_t unnamed)
{
	struct log_record *retire = retire_record(0);
	const struct summary_head *digest = (const struct summary_head *)
		(image_segment_of(1) + image_geometry.segment_bytes - image_geometry.digest_bytes);

	assert_int_equal(get_le64(digest->last_record_seq), IMAGE_PUTS + 12);
	assert_int_equal(own(retire->seq), IMAGE_PUTS + 12);
	assert_int_equal(image_check(), 0);
	if (unnamed)
		retire->header_crc ^= put_le32(1);
	else
		*(uint8_t *)(retire + 1) ^= 1;
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_all_but(IMAGE_PUTS); /* what it retired is back, and said to be */
	image_counts_are(IMAGE_PUTS + 12, 0, unnamed, 0);
}

static void p10_the_last_header_of_a_sealed_segment_fails(void **state)
{
	(void)state;
	image_in_a_process(retire_last_in_segment);
	the_last_of_a_sealed_segment(1);
}

static void p10_the_last_payload_of_a_sealed_segment_fails(void **state)
{
	(void)state;
	image_in_a_process(retire_last_in_segment);
	the_last_of_a_sealed_segment(0);
}

/* Its digests are gone: a segment that is open, beside the newer one. */
static void open_again(uint8_t *segment)
{
	uint64_t number = (uint64_t)(segment - image_map - image_geometry.segments_offset) /
			  image_geometry.segment_bytes;

	memset(segment + image_geometry.segment_bytes - image_geometry.digest_bytes, 0,
	       image_geometry.digest_bytes);
	memset(image_map + image_geometry.digests_offset + number * image_geometry.digest_bytes, 0,
	       image_geometry.digest_bytes);
}

/* The newer has a hole and is sealed, the older goes on: so both are read whole
 * again, and the digest does not vouch for what is in the hole. */
static void p10_a_torn_hole_is_sealed_as_one(void **state)
{
	struct journal_info info;
	uint32_t i;

	(void)state;
	image_in_a_process(image_fill_segments);
	image_in_a_process(retire_in_two_records);
	open_again(image_segment_of(0));
	retire_record(0)->header_crc ^= put_le32(1);
	for (i = 0; i < 3; i++) {
		assert_int_equal(image_check(), 0);
		image_open();
		assert_int_equal(journal_info(image_journal, &info), 0);
		assert_int_equal(info.torn, 1);
		assert_int_equal(info.lost_unnamed, 0);
		assert_int_equal(journal_close(image_journal), 0);
		image_journal = NULL;
	}
	image_open();
	image_all_but(IMAGE_PUTS);
}

/* Each has its own watermark: that of the newer is lower, and counts for itself. */
static void p10_several_open_segments(void **state)
{
	uint64_t id;

	(void)state;
	image_in_a_process(image_fill_segments);
	open_again(image_segment_of(0));
	assert_int_equal(image_check(), 0);
	image_payload_of(image_ids[IMAGE_PUTS - 1])[7] ^= 1;
	image_record_of(image_ids[2])->time_ns ^= put_le64(1);
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_is_lost(IMAGE_PUTS - 1);
	image_is_there(1);
	image_is_lost(2);
	image_counts_are(IMAGE_PUTS - 2 + 15, 2, 0, 0);
	assert_int_equal(image_put(image_journal, 9, &id), 0);
	assert_int_equal(journal_close(image_journal), 0);
	image_open();
	image_is_there(1);
	image_is_lost(2);
	image_counts_are(IMAGE_PUTS - 2 + 16, 2, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(p10_the_last_record_failing_is_torn, image_synced),
		TEST(p10_a_failing_payload_below_the_watermark_is_lost_by_id, image_synced),
		TEST(p10_a_failing_group_below_the_watermark_is_lost_by_id, image_synced),
		TEST(p10_a_gap_below_the_watermark_is_damage, image_synced),
		TEST(p10_damage_shows_after_another_crash, image_synced),
		TEST(p10_the_last_record_before_a_crash_is_vouched_for, image_synced),
		TEST(p10_the_next_writer_writes_other_headers, image_synced),
		TEST(p10_a_torn_hole_never_becomes_damage, image_synced),
		TEST(p10_torn_stays_torn, image_synced),
		TEST(p10_the_last_header_of_a_sealed_segment_fails, image_synced),
		TEST(p10_the_last_payload_of_a_sealed_segment_fails, image_synced),
		TEST(p10_several_open_segments, image_synced),
		TEST(p10_a_torn_hole_is_sealed_as_one, image_synced),
	};

	return cmocka_run_group_tests(tests, image_share, image_unshare);
}
