/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damaged headers in a stream segment that is open when its writer dies: each record names
 * the one before it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/marker.h"
#include "image.h"
#include "txn/head.h"
#include "util/crc32c.h"

#define TEST(test, setup) cmocka_unit_test_setup_teardown(test, setup, image_drop)
#define GROUP JOURNAL_GROUP_MAX

static void damage(uint64_t id)
{
	image_record_of(id)->time_ns ^= put_le64(1);
}

static struct journal_info info(void)
{
	struct journal_info got;

	assert_int_equal(journal_info(image_journal, &got), 0);
	return got;
}

static int open_and_die(void)
{
	struct journal *j;

	return journal_open(image_dir, NULL, &j);
}

static void close_it(void)
{
	assert_int_equal(journal_close(image_journal), 0);
	image_journal = NULL;
}

static void is_named(void *context, const struct journal_finding *finding)
{
	if (finding->damage && finding->id == *(const uint64_t *)context)
		*(uint64_t *)context = 0;
}

/* whoever comes, and however he goes, until it is retired; then there is nothing to tell */
static void it_stays_lost(uint32_t which, uint64_t live)
{
	uint64_t id = image_ids[which];

	assert_int_equal(journal_check(image_dir, NULL, is_named, &id, NULL, 0), -EUCLEAN);
	assert_int_equal(id, 0);
	image_in_a_process(open_and_die);
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_is_lost(which);
	image_all_but(which);
	image_counts_are(live, 1, 0, 0);
	assert_int_equal(image_put(image_journal, 9, &id), 0);
	close_it();
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_is_lost(which);
	assert_int_equal(journal_retire(image_journal, image_ids[which]), 0);
	image_is_gone(which);
	close_it();
	assert_int_equal(image_check(), 0);
	image_open();
	image_all_but(which);
	image_counts_are(live + 1, 0, 0, 0);
}

static void a_damaged_header_has_a_name(void **state)
{
	(void)state;
	damage(image_ids[2]);
	it_stays_lost(2, IMAGE_PUTS - 1);
}

/* Its last one lies behind what is there, and the next writer must not lose its name. */
static void the_last_header_after_a_close(void **state)
{
	struct log_record *last = image_record_of(image_ids[IMAGE_PUTS - 1]), before;
	uint64_t id;

	(void)state;
	image_open();
	close_it();
	damage(image_ids[IMAGE_PUTS - 1]);
	memcpy(&before, last, sizeof(before));
	image_open();
	assert_int_equal(image_put(image_journal, 9, &id), 0);
	close_it();
	assert_memory_equal(last, &before, sizeof(before));
	it_stays_lost(IMAGE_PUTS - 1, IMAGE_PUTS);
}

static int a_group_and_one_more(void)
{
	const struct journal_txn_options options = { .path = JOURNAL_PATH_SYNCED };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	struct journal *j;
	uint32_t i;
	int error = journal_open(image_dir, NULL, &j);

	if (!error)
		error = journal_begin(j, &options, &txn);
	for (i = 0; i < GROUP && !error; i++) {
		error = i ? journal_group_next(txn) : 0;
		if (!error)
			error = journal_append(txn, "a message", 9);
	}
	if (!error)
		error = journal_commit(txn, &receipt);
	for (i = 0; i < GROUP; i++)
		image_ids[IMAGE_PUTS + i] = receipt.id + i;
	return error ? error : image_put(j, 9, &image_ids[IMAGE_PUTS + GROUP]);
}

static void all_of_a_group_have_names(void **state)
{
	uint32_t i;

	(void)state;
	image_in_a_process(a_group_and_one_more);
	damage(image_ids[IMAGE_PUTS]);
	assert_int_equal(image_check(), -EUCLEAN);
	image_in_a_process(open_and_die);
	image_open();
	for (i = 0; i < GROUP; i++)
		image_is_lost(IMAGE_PUTS + i);
	image_all_but(IMAGE_PUTS);
	image_counts_are(IMAGE_PUTS + 1, GROUP, 0, 0);
}

/* ---- what is retired ------------------------------------------------------------------ */

static int retire_the_third_and_put(void)
{
	struct journal *j;
	uint64_t id;

	return journal_open(image_dir, NULL, &j) || journal_retire(j, image_ids[2]) ||
	       image_put(j, 9, &id);
}

static void what_is_retired_is_not_missed(void **state)
{
	(void)state;
	image_in_a_process(retire_the_third_and_put);
	damage(image_ids[2]);
	assert_int_equal(image_check(), 0);
	image_open();
	image_is_gone(2);
	image_all_but(2);
	image_counts_are(IMAGE_PUTS, 0, 0, 0);
}

static char told[512];

static void tell(void *context, const struct journal_finding *finding)
{
	(void)context;
	if (finding->damage)
		snprintf(told, sizeof(told), "%s", finding->text);
}

static struct log_record *the_retire_record(void)
{
	uint8_t *at = image_segment_of(0);
	struct log_record *record = (struct log_record *)(void *)at;

	while (get_le16(record->magic) != LOG_RECORD_MAGIC || record->type != LOG_RETIRE)
		record = (struct log_record *)(void *)(at += LOG_RECORD_ALIGN);
	return record;
}

/* There is none behind it, but the close has counted it. */
static void the_last_retire_record_is_told_of(void **state)
{
	(void)state;
	image_open();
	assert_int_equal(journal_retire(image_journal, image_ids[2]), 0);
	close_it();
	assert_int_equal(image_check(), 0);
	the_retire_record()->time_ns ^= put_le64(1);
	assert_int_equal(journal_check(image_dir, NULL, tell, NULL, NULL, 0), -EUCLEAN);
	assert_non_null(strstr(told, "1 retire records were acknowledged"));
	image_open();
	image_all_but(2); /* the checkpoint has it, too */
	image_counts_are(IMAGE_PUTS - 1, 0, 0, 0);
}

/* The close has named what is in it; nor is one missed that was retired. */
static void after_a_close_a_row_has_names(void **state)
{
	uint32_t i;

	(void)state;
	image_open();
	assert_int_equal(journal_retire(image_journal, image_ids[4]), 0);
	close_it();
	for (i = 2; i < IMAGE_PUTS; i++)
		damage(image_ids[i]);
	image_open();
	image_is_there(0);
	image_is_there(1);
	image_is_lost(2);
	image_is_lost(3);
	image_is_gone(4);
	image_is_lost(5);
	image_counts_are(2, 3, 0, 0);
	close_it();
	assert_int_equal(image_check(), -EUCLEAN);
}

static void a_retire_record_is_told_of(void **state)
{
	(void)state;
	image_in_a_process(retire_the_third_and_put);
	the_retire_record()->time_ns ^= put_le64(1);
	assert_int_equal(journal_check(image_dir, NULL, tell, NULL, NULL, 0), -EUCLEAN);
	assert_non_null(strstr(told, "a retire record was acknowledged"));
	assert_non_null(strstr(told, "1 in number"));
	image_open();
	image_all_but(IMAGE_PUTS); /* it is back */
	image_counts_are(IMAGE_PUTS + 1, 0, 0, 0);
}

/* ---- records made by hand --------------------------------------------------------------- */

static uint32_t seed_of(const uint8_t *segment)
{
	struct log_segment_meta meta;

	assert_int_equal(log_segment_decode((const void *)segment, image_geometry.nonce, &meta),
			 0);
	return log_seed(image_geometry.nonce, meta.segment, meta.seq);
}

static struct log_meta meta_of(const uint8_t *segment, struct log_record *record)
{
	struct log_meta meta;
	uint64_t offset = (uint64_t)((uint8_t *)record - segment);

	assert_int_equal(log_record_decode(record, seed_of(segment), offset, 1 << 20, &meta), 0);
	return meta;
}

static void write_again(const uint8_t *segment, struct log_record *record, struct log_meta *meta)
{
	uint32_t seed = seed_of(segment);

	meta->payload_crc = crc32c(seed, record + 1, meta->bytes);
	log_record_encode(meta, seed, (uint64_t)((uint8_t *)record - segment), record);
}

/* Record @which is @meta, and the next one says so; Return: the next one, as it is. */
static struct log_meta make(uint32_t which, struct log_meta *meta)
{
	uint8_t *segment = image_segment_of(which);
	struct log_record *record = image_record_of(image_ids[which]);
	struct log_record *next = image_record_of(image_ids[which + 1]);
	struct log_meta after = meta_of(segment, next);

	write_again(segment, record, meta);
	after.before = log_before_of(meta);
	write_again(segment, next, &after);
	image_ids[which] = meta->id;
	return after;
}

static struct log_meta meta_now(uint32_t which)
{
	return meta_of(image_segment_of(which), image_record_of(image_ids[which]));
}

/* it was put to another line */
static struct log_meta as_moved(uint32_t which)
{
	struct log_meta meta = meta_now(which);

	meta.line += 3;
	meta.line_epoch += 3;
	meta.moves = 1;
	return make(which, &meta);
}

static void one_that_was_moved_has_its_own_name(void **state)
{
	(void)state;
	as_moved(2);
	as_moved(4); /* which names the line's epoch */
	assert_int_equal(image_check(), 0);
	damage(image_ids[2]);
	it_stays_lost(2, IMAGE_PUTS - 1);
}

static void one_whose_line_moved_on(void)
{
	struct log_meta after = meta_now(3);

	after.before.id -= 1 << 9;
	after.before.check ^= 1;
	write_again(image_segment_of(3), image_record_of(image_ids[3]), &after);
	damage(image_ids[2]);
}

/* The markers say which epoch the line is in. */
static void the_line_moved_on_since(void **state)
{
	(void)state;
	one_whose_line_moved_on();
	assert_int_equal(image_check(), 0);
	image_open();
	image_all_but(2);
	image_counts_are(IMAGE_PUTS - 1, 0, 0, 0);
}

/* Its epoch is the highest that a record names, and the record that is damaged may have named
 * a higher one. */
static void its_epoch_is_not_known(void **state)
{
	const uint32_t line = meta_now(2).line;
	struct marker_geometry marker;
	struct marker_line *media;
	const char *why;
	char path[200];
	uint8_t *map;
	int fd;

	(void)state;
	one_whose_line_moved_on();
	snprintf(path, sizeof(path), "%s/../markers", image_dir);
	fd = open(path, O_RDWR);
	map = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	close(fd);
	assert_int_equal(marker_super_decode((const void *)map, 2 << 20, false, &marker, &why), 0);
	media = (struct marker_line *)(void *)(map + marker_line_offset(&marker, line));
	media->epoch = media->epoch_copy = put_le64(1);
	munmap(map, 2 << 20);
	image_open();
	image_all_but(2);
	image_counts_are(IMAGE_PUTS - 1, 0, 1, 0);
}

/* They may be older, and nothing else names the epoch: it is not passed over in silence. */
static void the_line_moved_on_perhaps(void **state)
{
	(void)state;
	one_whose_line_moved_on();
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_all_but(2);
	image_counts_are(IMAGE_PUTS - 1, 0, 1, 0);
}

/* the first one in its line since the checkpoint: nothing else tells of the epoch */
static void alone_in_its_epoch(void **state)
{
	struct log_meta meta = meta_now(2);

	(void)state;
	meta.line += 3;
	meta.line_epoch += 3;
	meta.id = meta.line_epoch << 9 | meta.slot;
	make(2, &meta);
	assert_int_equal(image_check(), 0);
	damage(image_ids[2]);
	it_stays_lost(2, IMAGE_PUTS - 1);
}

static void a_copy_that_verifies_is_enough(void **state)
{
	struct log_record *copy = image_record_of(image_ids[4]);
	struct log_meta meta = meta_now(2), after;

	(void)state;
	after = meta_now(4);
	meta.seq = after.seq;
	meta.acked = after.acked;
	meta.before = after.before;
	meta.moves = 1;
	memcpy(copy + 1, image_record_of(image_ids[2]) + 1, meta.bytes);
	make(4, &meta);
	damage(image_ids[2]); /* the first of the two */
	assert_int_equal(image_check(), 0);
	image_open();
	image_all_but(4);
	image_is_there(2);
	image_counts_are(IMAGE_PUTS - 1, 0, 0, 0);
}

/* A piece of a large one that was moved: its last piece would miss it. */
static void a_piece_says_nothing(void **state)
{
	struct log_meta after = meta_now(3);

	(void)state;
	after.before.type = LOG_EXTENT;
	write_again(image_segment_of(3), image_record_of(image_ids[3]), &after);
	damage(image_ids[2]);
	assert_int_equal(image_check(), 0);
	image_open();
	image_all_but(2);
	image_counts_are(IMAGE_PUTS - 1, 0, 0, 0);
}

/* ---- several processes --------------------------------------------------------------- */

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
		assert_int_equal(meta_now(i).before.id, get_le64(last->id));
		assert_int_equal(meta_now(i).before.type, LOG_DATA);
	}
	assert_int_equal(meta_now(0).before.type, 0);
	for (which = IMAGE_PUTS + 1; which < 2 * IMAGE_PUTS; which += 2)
		damage(image_ids[which]); /* of the ones */
	for (which = 2 * IMAGE_PUTS + 2; which < 3 * IMAGE_PUTS + 2; which += 2)
		damage(image_ids[which]); /* of the other */
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
	assert_int_equal(meta_now(IMAGE_PUTS).before.id, image_ids[IMAGE_PUTS - 1]);
	damage(image_ids[IMAGE_PUTS - 1]);
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
	close_it();
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
	meta = meta_now(which);
	after = meta_now(which + 1);
	meta.seq = after.seq;
	meta.acked = after.acked;
	meta.before = after.before;
	meta.moves = 1;
	memcpy(image_payload_of(image_ids[which + 1]), image_payload_of(image_ids[which]),
	       meta.bytes);
	make(which + 1, &meta);
	damage(image_ids[which]);
	assert_int_equal(journal_maintain(image_journal, &options, NULL), 0);
	close_it();
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
	meta = meta_now(last);
	meta.acked = meta.seq - 2;
	write_again(image_segment_of(last), image_record_of(image_ids[last]), &meta);
	damage(image_ids[last - 1]);
	assert_int_equal(journal_maintain(image_journal, &options, NULL), 0);
	close_it();
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
	after_a_takeover(damage);
}

static void who_takes_over_keeps_the_name_of_a_payload(void **state)
{
	(void)state;
	after_a_takeover(damage_payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_damaged_header_has_a_name, image_synced),
		TEST(a_damaged_header_has_a_name, image_synced_bits),
		TEST(the_last_header_after_a_close, image_synced),
		TEST(the_last_header_after_a_close, image_synced_bits),
		TEST(all_of_a_group_have_names, image_synced),
		TEST(what_is_retired_is_not_missed, image_synced),
		TEST(what_is_retired_is_not_missed, image_synced_bits),
		TEST(a_retire_record_is_told_of, image_synced),
		TEST(the_last_retire_record_is_told_of, image_synced),
		TEST(after_a_close_a_row_has_names, image_synced),
		TEST(after_a_close_a_row_has_names, image_synced_bits),
		TEST(one_that_was_moved_has_its_own_name, image_synced),
		TEST(the_line_moved_on_since, image_synced_bits),
		TEST(its_epoch_is_not_known, image_synced_bits),
		TEST(the_line_moved_on_perhaps, image_synced),
		TEST(alone_in_its_epoch, image_synced),
		TEST(a_copy_that_verifies_is_enough, image_synced),
		TEST(a_piece_says_nothing, image_synced),
		TEST(who_writes_by_turns_names_the_other, image_synced),
		TEST(the_next_writer_names_the_last_record, image_synced),
		TEST(who_takes_over_keeps_the_name, image_synced),
		TEST(who_takes_over_does_not_name_a_torn_one, image_synced),
		TEST(who_takes_over_names_the_copy, image_synced),
		TEST(who_takes_over_keeps_the_name_of_a_payload, image_synced),
	};

	return cmocka_run_group_tests(tests, image_share, image_unshare);
}
