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
#include <unistd.h>

#include <cmocka.h>

#include "format/marker.h"
#include "image_record.h"

#define TEST(test, setup) cmocka_unit_test_setup_teardown(test, setup, image_drop)

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
	image_close();
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	image_is_lost(which);
	assert_int_equal(journal_retire(image_journal, image_ids[which]), 0);
	image_is_gone(which);
	image_close();
	assert_int_equal(image_check(), 0);
	image_open();
	image_all_but(which);
	image_counts_are(live + 1, 0, 0, 0);
}

static void a_damaged_header_has_a_name(void **state)
{
	(void)state;
	image_damage(image_ids[2]);
	it_stays_lost(2, IMAGE_PUTS - 1);
}

/* Its last one lies behind what is there, and the next writer must not lose its name. */
static void the_last_header_after_a_close(void **state)
{
	struct log_record *last = image_record_of(image_ids[IMAGE_PUTS - 1]), before;
	uint64_t id;

	(void)state;
	image_open();
	image_close();
	image_damage(image_ids[IMAGE_PUTS - 1]);
	memcpy(&before, last, sizeof(before));
	image_open();
	assert_int_equal(image_put(image_journal, 9, &id), 0);
	image_close();
	assert_memory_equal(last, &before, sizeof(before));
	it_stays_lost(IMAGE_PUTS - 1, IMAGE_PUTS);
}

static void all_of_a_group_have_names(void **state)
{
	uint32_t i;

	(void)state;
	image_in_a_process(image_group_and_one_more);
	image_damage(image_ids[IMAGE_PUTS]);
	assert_int_equal(image_check(), -EUCLEAN);
	image_in_a_process(open_and_die);
	image_open();
	for (i = 0; i < IMAGE_GROUP; i++)
		image_is_lost(IMAGE_PUTS + i);
	image_all_but(IMAGE_PUTS);
	image_counts_are(IMAGE_PUTS + 1, IMAGE_GROUP, 0, 0);
}

static int three_more(void)
{
	struct journal *j;
	uint32_t i;
	int error = journal_open(image_dir, NULL, &j);

	for (i = 0; i < 3 && !error; i++)
		error = image_put(j, 9, &image_ids[IMAGE_PUTS + IMAGE_GROUP + 1 + i]);
	return error;
}

/* A group that a close has named is several transactions, and one record: it stands in for
 * none of those that came after. */
static void a_group_hides_nothing(void **state)
{
	uint32_t i;

	(void)state;
	image_in_a_process(image_group_and_one_more);
	image_open();
	image_close();
	image_in_a_process(three_more);
	image_damage(image_ids[IMAGE_PUTS]);
	for (i = 0; i < 3; i++)
		image_damage(image_ids[IMAGE_PUTS + IMAGE_GROUP + i]);
	assert_int_equal(image_check(), -EUCLEAN);
	image_open();
	for (i = 0; i < IMAGE_GROUP + 1; i++)
		image_is_lost(IMAGE_PUTS + i);
	/* of the two behind it one is named by the last */
	image_is_lost(IMAGE_PUTS + IMAGE_GROUP + 2);
	image_counts_are(IMAGE_PUTS + 1, IMAGE_GROUP + 2, 1, 0);
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
	image_damage(image_ids[2]);
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

/* the first, the second ... */
static struct log_record *retire_record(uint32_t which)
{
	uint8_t *at = image_segment_of(0);
	struct log_record *record;

	for (;; at += LOG_RECORD_ALIGN) {
		record = (struct log_record *)(void *)at;
		if (get_le16(record->magic) == LOG_RECORD_MAGIC && record->type == LOG_RETIRE &&
		    !which--)
			return record;
	}
}

static void count_retires(void *context, const struct journal_finding *finding)
{
	*(uint32_t *)context += finding->damage && strstr(finding->text, "retire record");
}

/* There is none behind it, but the close has counted it. */
static void the_last_retire_record_is_told_of(void **state)
{
	(void)state;
	image_open();
	assert_int_equal(journal_retire(image_journal, image_ids[2]), 0);
	image_close();
	assert_int_equal(image_check(), 0);
	retire_record(0)->time_ns ^= put_le64(1);
	assert_int_equal(journal_check(image_dir, NULL, tell, NULL, NULL, 0), -EUCLEAN);
	assert_non_null(strstr(told, "1 retire records were acknowledged"));
	image_open();
	image_all_but(2); /* the checkpoint has it, too */
	image_counts_are(IMAGE_PUTS - 1, 0, 0, 0);
}

static uint32_t told_of_retires(void)
{
	uint32_t times = 0;

	assert_int_equal(journal_check(image_dir, NULL, count_retires, &times, NULL, 0), -EUCLEAN);
	return times;
}

/* one is named by the record behind it, and not counted once more */
static void a_retire_record_is_told_of_once(void **state)
{
	(void)state;
	image_open();
	assert_int_equal(journal_retire(image_journal, image_ids[2]), 0);
	assert_int_equal(journal_retire(image_journal, image_ids[3]), 0);
	image_close();
	retire_record(0)->time_ns ^= put_le64(1);
	assert_int_equal(told_of_retires(), 1);
}

static int put_retire_put(void)
{
	struct journal *j;
	uint64_t id;

	return journal_open(image_dir, NULL, &j) || image_put(j, 9, &image_ids[IMAGE_PUTS]) ||
	       journal_retire(j, image_ids[3]) || image_put(j, 9, &id);
}

/* Those of after the close are not those that it has counted. */
static void retire_records_of_after_the_close(void **state)
{
	(void)state;
	image_open();
	assert_int_equal(journal_retire(image_journal, image_ids[2]), 0);
	image_close();
	image_in_a_process(put_retire_put);
	retire_record(0)->time_ns ^= put_le64(1);
	image_damage(image_ids[IMAGE_PUTS]); /* which would name it */
	assert_int_equal(told_of_retires(), 1);
	retire_record(1)->time_ns ^= put_le64(1);
	assert_int_equal(told_of_retires(), 2);
	image_open();
	assert_int_equal(info().lost_unnamed, 1);
}

static int a_group_behind_a_retire(void)
{
	struct journal *j;

	if (journal_open(image_dir, NULL, &j) || journal_retire(j, image_ids[0]))
		return 1;
	return image_group_and_one_more();
}

/* Nor does a group in a sealed segment stand in for a retire record. */
static void a_group_hides_no_retire_record(void **state)
{
	(void)state;
	image_in_a_process(a_group_behind_a_retire);
	image_in_a_process(image_fill_segments);
	assert_int_equal(image_check(), 0);
	retire_record(0)->time_ns ^= put_le64(1);
	image_damage(image_ids[IMAGE_PUTS]);
	image_damage(image_ids[IMAGE_PUTS + IMAGE_GROUP]);
	image_open();
	assert_int_equal(info().lost, IMAGE_GROUP + 1);
	assert_int_equal(info().lost_unnamed, 1);
}

/* The close has named what is in it; nor is one missed that was retired. */
static void after_a_close_a_row_has_names(void **state)
{
	uint32_t i;

	(void)state;
	image_open();
	assert_int_equal(journal_retire(image_journal, image_ids[4]), 0);
	image_close();
	for (i = 2; i < IMAGE_PUTS; i++)
		image_damage(image_ids[i]);
	image_open();
	image_is_there(0);
	image_is_there(1);
	image_is_lost(2);
	image_is_lost(3);
	image_is_gone(4);
	image_is_lost(5);
	image_counts_are(2, 3, 0, 0);
	image_close();
	assert_int_equal(image_check(), -EUCLEAN);
}

static void a_retire_record_is_told_of(void **state)
{
	(void)state;
	image_in_a_process(retire_the_third_and_put);
	retire_record(0)->time_ns ^= put_le64(1);
	assert_int_equal(journal_check(image_dir, NULL, tell, NULL, NULL, 0), -EUCLEAN);
	assert_non_null(strstr(told, "a retire record was acknowledged"));
	assert_non_null(strstr(told, "1 in number"));
	image_open();
	image_all_but(IMAGE_PUTS); /* it is back */
	image_counts_are(IMAGE_PUTS + 1, 0, 0, 0);
}

/* ---- records made by hand --------------------------------------------------------------- */

/* it was put to another line */
static struct log_meta as_moved(uint32_t which)
{
	struct log_meta meta = image_meta(which);

	meta.line += 3;
	meta.line_epoch += 3;
	meta.moves = 1;
	return image_make(which, &meta);
}

static void one_that_was_moved_has_its_own_name(void **state)
{
	(void)state;
	as_moved(2);
	as_moved(4); /* which names the line's epoch */
	assert_int_equal(image_check(), 0);
	image_damage(image_ids[2]);
	it_stays_lost(2, IMAGE_PUTS - 1);
}

static void one_whose_line_moved_on(void)
{
	struct log_meta after = image_meta(3);

	after.before.id -= 1 << 9;
	after.before.check ^= 1;
	image_write(3, &after);
	image_damage(image_ids[2]);
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
	const uint32_t line = image_meta(2).line;
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
	struct log_meta meta = image_meta(2);

	(void)state;
	meta.line += 3;
	meta.line_epoch += 3;
	meta.id = meta.line_epoch << 9 | meta.slot;
	image_make(2, &meta);
	assert_int_equal(image_check(), 0);
	image_damage(image_ids[2]);
	it_stays_lost(2, IMAGE_PUTS - 1);
}

static void a_copy_that_verifies_is_enough(void **state)
{
	struct log_record *copy = image_record_of(image_ids[4]);
	struct log_meta meta = image_meta(2), after;

	(void)state;
	after = image_meta(4);
	meta.seq = after.seq;
	meta.acked = after.acked;
	meta.before = after.before;
	meta.moves = 1;
	memcpy(copy + 1, image_record_of(image_ids[2]) + 1, meta.bytes);
	image_make(4, &meta);
	image_damage(image_ids[2]); /* the first of the two */
	assert_int_equal(image_check(), 0);
	image_open();
	image_all_but(4);
	image_is_there(2);
	image_counts_are(IMAGE_PUTS - 1, 0, 0, 0);
}

/* A piece of a large one that was moved: its last piece would miss it. */
static void a_piece_says_nothing(void **state)
{
	struct log_meta after = image_meta(3);

	(void)state;
	after.before.type = LOG_EXTENT;
	image_write(3, &after);
	image_damage(image_ids[2]);
	assert_int_equal(image_check(), 0);
	image_open();
	image_all_but(2);
	image_counts_are(IMAGE_PUTS - 1, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_damaged_header_has_a_name, image_synced),
		TEST(a_damaged_header_has_a_name, image_synced_bits),
		TEST(the_last_header_after_a_close, image_synced),
		TEST(the_last_header_after_a_close, image_synced_bits),
		TEST(all_of_a_group_have_names, image_synced),
		TEST(a_group_hides_nothing, image_synced),
		TEST(a_group_hides_nothing, image_synced_bits),
		TEST(what_is_retired_is_not_missed, image_synced),
		TEST(what_is_retired_is_not_missed, image_synced_bits),
		TEST(a_retire_record_is_told_of, image_synced),
		TEST(the_last_retire_record_is_told_of, image_synced),
		TEST(a_retire_record_is_told_of_once, image_synced),
		TEST(retire_records_of_after_the_close, image_synced),
		TEST(a_group_hides_no_retire_record, image_synced),
		TEST(after_a_close_a_row_has_names, image_synced),
		TEST(after_a_close_a_row_has_names, image_synced_bits),
		TEST(one_that_was_moved_has_its_own_name, image_synced),
		TEST(the_line_moved_on_since, image_synced_bits),
		TEST(its_epoch_is_not_known, image_synced_bits),
		TEST(the_line_moved_on_perhaps, image_synced),
		TEST(alone_in_its_epoch, image_synced),
		TEST(a_copy_that_verifies_is_enough, image_synced),
		TEST(a_piece_says_nothing, image_synced),
	};

	return cmocka_run_group_tests(tests, image_share, image_unshare);
}
