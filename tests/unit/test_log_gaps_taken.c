/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damaged headers in a stream segment that several processes wrote to, by turns, one after
 * the other's death, or by taking over.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image_record.h"
#include "txn/head.h"

#define TEST(test, setup) cmocka_unit_test_setup_teardown(test, setup, image_drop)

static struct journal_info info(void)
{
	struct journal_info got;

	assert_int_equal(journal_info(image_journal, &got), 0);
	return got;
}

static uint32_t put_next;

static int put_one(void)
{
	struct journal *j;

	return journal_open(image_dir, NULL, &j) ||
	       image_put(j, put_next % IMAGE_PUTS, &image_ids[put_next]);
}

/* one writes, then another one, then the first one again */
static int by_turns(void)
{
	struct journal *j;

	if (journal_open(image_dir, NULL, &j))
		return 1;
	for (put_next = IMAGE_PUTS; put_next < 4 * IMAGE_PUTS; put_next++)
		if (put_next % 2)
			image_in_a_process(put_one);
		else if (image_put(j, put_next % IMAGE_PUTS, &image_ids[put_next]))
			return 1;
	return 0;
}

static void who_writes_by_turns_names_the_other(void **state)
{
	const struct log_record *last;
	uint32_t i, which;

	(void)state;
	image_in_a_process(by_turns);
	/* all of them are in one segment, and each but the first says who came before */
	for (i = 1; i < 4 * IMAGE_PUTS; i++) {
		last = image_record_of(image_ids[i - 1]);
		assert_ptr_equal(image_segment_of(i), image_segment_of(0));
		assert_int_equal(image_meta(i).before.id, get_le64(last->id));
		assert_int_equal(image_meta(i).before.type, LOG_DATA);
	}
	assert_int_equal(image_meta(0).before.type, 0);
	for (which = IMAGE_PUTS + 1; which < 2 * IMAGE_PUTS; which += 2)
		image_damage(image_ids[which]); /* of the ones */
	for (which = 2 * IMAGE_PUTS + 2; which < 3 * IMAGE_PUTS + 2; which += 2)
		image_damage(image_ids[which]); /* of the other */
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	for (which = IMAGE_PUTS + 1; which < 2 * IMAGE_PUTS; which += 2)
		image_is_lost(which);
	for (which = 2 * IMAGE_PUTS + 2; which < 3 * IMAGE_PUTS + 2; which += 2)
		image_is_lost(which);
	image_counts_are(4 * IMAGE_PUTS - IMAGE_PUTS, IMAGE_PUTS, 0, 0);
}

/* The segment goes on after a crash, and so do the names. */
static void the_next_writer_names_the_last_record(void **state)
{
	uint64_t id;

	(void)state;
	put_next = IMAGE_PUTS;
	image_in_a_process(put_one);
	assert_ptr_equal(image_segment_of(IMAGE_PUTS), image_segment_of(0));
	assert_int_equal(image_meta(IMAGE_PUTS).before.id, image_ids[IMAGE_PUTS - 1]);
	image_damage(image_ids[IMAGE_PUTS - 1]);
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_is_lost(IMAGE_PUTS - 1);
	image_counts_are(IMAGE_PUTS, 1, 0, 0);
	assert_int_equal(image_put(image_journal, 9, &id), 0);
}

/* he holds the head when he dies: who takes over reads its segment, and seals it */
static int put_three_and_hold(void)
{
	struct journal *j;
	struct head *head;
	uint32_t i;

	if (journal_open(image_dir, NULL, &j))
		return 1;
	for (i = 0; i < 3; i++)
		if (image_put(j, i, &image_ids[IMAGE_PUTS + i]))
			return 1;
	return head_lease(j, HEAD_STREAM, &head);
}

static void after_a_takeover(void (*harm)(uint64_t id))
{
	const struct journal_maintain_options options = { 0 };
	struct journal_info before;
	uint64_t id;

	image_open();
	image_in_a_process(put_three_and_hold);
	before = info();
	harm(image_ids[IMAGE_PUTS + 1]);
	assert_int_equal(journal_maintain(image_journal, &options, NULL), 0);
	assert_int_equal(info().takeovers, before.takeovers + 1);
	assert_int_equal(image_put(image_journal, 9, &id), 0);
	image_close();
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_is_lost(IMAGE_PUTS + 1);
	image_counts_are(IMAGE_PUTS + 3, 1, 0, 0);
}

/* The next one is a copy of the one that fails, in the same segment. */
static void who_takes_over_names_the_copy(void **state)
{
	const struct journal_maintain_options options = { 0 };
	const uint32_t which = IMAGE_PUTS;
	struct log_meta meta, after;

	(void)state;
	image_open();
	image_in_a_process(put_three_and_hold);
	meta = image_meta(which);
	after = image_meta(which + 1);
	meta.seq = after.seq;
	meta.acked = after.acked;
	meta.before = after.before;
	meta.moves = 1;
	memcpy(image_payload_of(image_ids[which + 1]), image_payload_of(image_ids[which]),
	       meta.bytes);
	image_make(which + 1, &meta);
	image_damage(image_ids[which]);
	assert_int_equal(journal_maintain(image_journal, &options, NULL), 0);
	image_close();
	assert_int_equal(image_check(), 0);
	image_open();
	image_all_but(IMAGE_PUTS);
	image_counts_are(IMAGE_PUTS + 2, 0, 0, 0);
}

/* The record behind it does not say that it was durable: it was on its way. */
static void who_takes_over_does_not_name_a_torn_one(void **state)
{
	const struct journal_maintain_options options = { 0 };
	const uint32_t last = IMAGE_PUTS + 2;
	struct log_meta meta;

	(void)state;
	image_open();
	image_in_a_process(put_three_and_hold);
	meta = image_meta(last);
	meta.acked = meta.seq - 2;
	image_write(last, &meta);
	image_damage(image_ids[last - 1]);
	assert_int_equal(journal_maintain(image_journal, &options, NULL), 0);
	image_close();
	assert_int_equal(image_check(), 0);
	image_open();
	image_is_gone(last - 1);
	image_counts_are(IMAGE_PUTS + 2, 0, 0, 0);
}

static void damage_payload(uint64_t id)
{
	image_payload_of(id)[7] ^= 1;
}

static void who_takes_over_keeps_the_name(void **state)
{
	(void)state;
	after_a_takeover(image_damage);
}

static void who_takes_over_keeps_the_name_of_a_payload(void **state)
{
	(void)state;
	after_a_takeover(damage_payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_writes_by_turns_names_the_other, image_synced),
		TEST(the_next_writer_names_the_last_record, image_synced),
		TEST(who_takes_over_keeps_the_name, image_synced),
		TEST(who_takes_over_does_not_name_a_torn_one, image_synced),
		TEST(who_takes_over_names_the_copy, image_synced),
		TEST(who_takes_over_keeps_the_name_of_a_payload, image_synced),
	};

	return cmocka_run_group_tests(tests, image_share, image_unshare);
}
