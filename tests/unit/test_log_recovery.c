/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What recovery makes of the log (P9, P10): a writer commits some and dies,
 * bytes of the log are changed, a fresh handle says what is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/log.h"
#include "format/summary.h"
#include "journal.h"

#define PUTS      6u
#define BYTES     1000u
#define LOG_BYTES (16u << 20)

static char base[128], dir[160];
static uint64_t *ids; /* of what the writer committed; shared with it */
static uint8_t *image;
static struct log_geometry geometry;
static struct journal *journal;
static enum journal_path path_wanted;

static void payload(uint8_t *to, uint32_t which)
{
	uint32_t i;

	for (i = 0; i < BYTES; i++)
		to[i] = (uint8_t)(which * 37 + i);
}

static int put(struct journal *j, uint32_t which, uint64_t *id)
{
	struct journal_txn_options options = { .path = path_wanted, .bytes = BYTES };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint8_t data[BYTES];

	payload(data, which);
	if (journal_begin(j, &options, &txn) || journal_append(txn, data, BYTES) ||
	    journal_commit(txn, &receipt))
		return -EIO;
	*id = receipt.id;
	return 0;
}

static void in_a_process_that_dies(int (*work)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (!pid)
		_exit(work() ? 1 : 0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int put_all(void)
{
	struct journal *j;
	uint32_t i;

	if (journal_open(dir, NULL, &j))
		return 1;
	for (i = 0; i < PUTS; i++)
		if (put(j, i, &ids[i]))
			return 1;
	return 0;
}

static void map_log(void)
{
	const char *why;
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/log", dir);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	image = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(image != MAP_FAILED);
	close(fd);
	assert_int_equal(log_super_decode((struct log_super *)image, LOG_BYTES, false, &geometry,
					  &why), 0);
}

static int make(const char *scheme, enum journal_path path)
{
	struct journal_format_options options = {
		.log_bytes = LOG_BYTES, .marker_bytes = 2 << 20,
		.require = JOURNAL_CLASS_PROCESS,
	};
	const char *tmp = getenv("TMPDIR");
	char uri[200], message[512] = "";

	path_wanted = path;
	snprintf(base, sizeof(base), "%s/log.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/j", base);
	snprintf(uri, sizeof(uri), "%s:%s/markers", scheme, base);
	options.marker = uri;
	if (journal_format(dir, &options, message, sizeof(message)))
		fail_msg("%s", message);
	in_a_process_that_dies(put_all);
	map_log();
	return 0;
}

static int synced(void **state)
{
	(void)state;
	return make("file", JOURNAL_PATH_SYNCED);
}

static int direct(void **state)
{
	(void)state;
	return make("sim", JOURNAL_PATH_DIRECT);
}

static int drop(void **state)
{
	char command[200];

	(void)state;
	journal_close(journal);
	journal = NULL;
	munmap(image, LOG_BYTES);
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

/* the first place where @id has a record with a payload */
static struct log_record *record_of(uint64_t id)
{
	struct log_record *record;
	uint64_t at;

	for (at = geometry.segments_offset; at < LOG_BYTES; at += LOG_RECORD_ALIGN) {
		record = (struct log_record *)(image + at);
		if (get_le16(record->magic) == LOG_RECORD_MAGIC && get_le64(record->id) == id &&
		    record->type != LOG_RETIRE)
			return record;
	}
	fail_msg("no record of %llx", (unsigned long long)id);
	return NULL;
}

static uint8_t *payload_of(uint64_t id)
{
	return (uint8_t *)(record_of(id) + 1);
}

static void open_writing(void)
{
	if (journal_open(dir, NULL, &journal))
		fail_msg("%s", journal_error(journal));
}

static void is_there(uint32_t which)
{
	uint8_t wanted[BYTES], got[BYTES];
	size_t bytes;

	payload(wanted, which);
	assert_int_equal(journal_read(journal, ids[which], got, sizeof(got), &bytes), 0);
	assert_int_equal(bytes, BYTES);
	assert_memory_equal(got, wanted, BYTES);
}

static void all_but_are_there(uint32_t missing)
{
	uint32_t i;

	for (i = 0; i < PUTS; i++)
		if (i != missing)
			is_there(i);
}

static void found(void *context, const struct journal_finding *finding)
{
	*(int *)context += finding->damage;
}

static int check(void)
{
	int damage = 0, error = journal_check(dir, NULL, found, &damage, NULL, 0);

	assert_true(!error == !damage);
	return error;
}

static void counts_are(uint64_t live, uint64_t lost, uint64_t unnamed, uint64_t torn)
{
	struct journal_info info;

	assert_int_equal(journal_info(journal, &info), 0);
	assert_int_equal(info.live, live);
	assert_int_equal(info.lost, lost);
	assert_int_equal(info.lost_unnamed, unnamed);
	assert_int_equal(info.torn, torn);
}

static void is_lost(uint32_t which)
{
	struct journal_entry entry;

	assert_int_equal(journal_lookup(journal, ids[which], &entry), 0);
	assert_int_equal(entry.state, JOURNAL_LOST);
}

static void is_gone(uint32_t which)
{
	struct journal_entry entry;

	assert_int_equal(journal_lookup(journal, ids[which], &entry), -ENOENT);
}

static void all_of_it_is_there(void **state)
{
	(void)state;
	assert_int_equal(check(), 0);
	open_writing();
	all_but_are_there(PUTS);
	counts_are(PUTS, 0, 0, 0);
}

/* ---- synced ----------------------------------------------------------------- */

static void p10_the_last_record_failing_is_torn(void **state)
{
	(void)state;
	payload_of(ids[PUTS - 1])[7] ^= 1;
	assert_int_equal(check(), 0);
	open_writing();
	all_but_are_there(PUTS - 1);
	is_gone(PUTS - 1);
	counts_are(PUTS - 1, 0, 0, 1);
}

static void p10_a_failing_payload_below_the_watermark_is_lost_by_id(void **state)
{
	(void)state;
	payload_of(ids[2])[7] ^= 1;
	assert_int_equal(check(), -EUCLEAN);
	open_writing();
	all_but_are_there(2);
	is_lost(2);
	counts_are(PUTS - 1, 1, 0, 0);
	assert_int_equal(journal_retire(journal, ids[2]), 0);
	is_gone(2);
}

static void p10_a_gap_below_the_watermark_is_damage(void **state)
{
	(void)state;
	record_of(ids[2])->time_ns ^= put_le64(1);
	assert_int_equal(check(), -EUCLEAN);
	open_writing();
	all_but_are_there(2);
	counts_are(PUTS - 1, 0, 1, 0);
}

static int nothing_more(void)
{
	struct journal *j;

	return journal_open(dir, NULL, &j);
}

/* the watermark is each incarnation's own: a later one must not hide it */
static void p10_damage_shows_after_another_crash(void **state)
{
	uint64_t id;

	(void)state;
	in_a_process_that_dies(nothing_more);
	open_writing();
	assert_int_equal(put(journal, 9, &id), 0);
	assert_int_equal(journal_close(journal), 0);
	payload_of(ids[2])[7] ^= 1;
	record_of(ids[3])->time_ns ^= put_le64(1);
	assert_int_equal(check(), -EUCLEAN);
	open_writing();
	is_lost(2);
	is_there(1);
	is_there(4);
	counts_are(PUTS - 1, 1, 1, 0);
}

/* several segments, and no close */
static int fill_segments(void)
{
	static uint8_t much[100000];
	struct journal_receipt receipt;
	struct journal *j;
	uint32_t i;

	if (journal_open(dir, NULL, &j))
		return 1;
	for (i = 0; i < 15; i++)
		if (journal_put(j, much, sizeof(much), &receipt))
			return 1;
	return 0;
}

/* What was torn once stays that: not lost, when its segment is sealed and read
 * again, and not committed. */
static void p10_torn_stays_torn(void **state)
{
	(void)state;
	payload_of(ids[PUTS - 1])[7] ^= 1;
	in_a_process_that_dies(fill_segments);
	assert_int_equal(check(), 0);
	open_writing();
	all_but_are_there(PUTS - 1);
	is_gone(PUTS - 1);
	counts_are(PUTS - 1 + 15, 0, 0, 0);
	assert_int_equal(journal_close(journal), 0);
	/* and is not written over: the block that failed as it was, and it fits */
	payload_of(ids[PUTS - 1])[7] ^= 1;
	open_writing();
	all_but_are_there(PUTS - 1);
}

static void leftovers_of_an_older_use_are_nothing(void **state)
{
	struct journal_entry entry = { .id = 0 };
	uint32_t round;

	(void)state;
	/* more than the log holds, retired each time */
	for (round = 0; round < 15; round++) {
		in_a_process_that_dies(fill_segments);
		open_writing();
		for (entry.id = 0; !journal_next(journal, entry.id, &entry);)
			assert_int_equal(journal_retire(journal, entry.id), 0);
		assert_int_equal(journal_close(journal), 0);
		assert_int_equal(check(), 0);
	}
	open_writing();
	counts_are(0, 0, 0, 0);
}

/* ---- sealed ----------------------------------------------------------------- */

/* of the segment that the put's record lies in */
static uint8_t *segment_of(uint32_t which)
{
	uint64_t offset = (uint64_t)((uint8_t *)record_of(ids[which]) - image) -
			  geometry.segments_offset;

	return image + geometry.segments_offset + offset / geometry.segment_bytes *
						  geometry.segment_bytes;
}

static void sealed_damaged_record_is_lost_by_id(void **state)
{
	(void)state;
	in_a_process_that_dies(fill_segments);
	record_of(ids[PUTS - 1])->id ^= put_le64(1ull << 40);
	assert_int_equal(check(), -EUCLEAN);
	open_writing();
	all_but_are_there(PUTS - 1);
	counts_are(PUTS - 1 + 15, 1, 0, 0);
	is_lost(PUTS - 1);
}

static void either_digest_will_do(void **state)
{
	uint8_t *segment = segment_of(0);

	(void)state;
	in_a_process_that_dies(fill_segments);
	memset(segment + geometry.segment_bytes - geometry.digest_bytes, 0x55, 64);
	assert_int_equal(check(), -EUCLEAN);
	open_writing();
	all_but_are_there(PUTS);
	counts_are(PUTS + 15, 0, 0, 0);
}

static void a_damaged_header_loses_nothing(void **state)
{
	uint8_t *segment = segment_of(0);

	(void)state;
	in_a_process_that_dies(fill_segments);
	memset(segment, 0x55, 64);
	assert_int_equal(check(), -EUCLEAN);
	open_writing();
	all_but_are_there(PUTS);
	counts_are(PUTS + 15, 0, 0, 0);
}

/* ---- direct ----------------------------------------------------------------- */

static void p9_a_set_bit_and_a_bad_record_is_lost_by_id(void **state)
{
	(void)state;
	payload_of(ids[PUTS - 1])[7] ^= 1;
	record_of(ids[1])->time_ns ^= put_le64(1);
	assert_int_equal(check(), -EUCLEAN);
	open_writing();
	is_lost(PUTS - 1);
	is_lost(1);
	is_there(0);
	is_there(2);
	counts_are(PUTS - 2, 2, 0, 0);
}

static int prepare_only(void)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_DIRECT, .bytes = BYTES };
	/* it dies with them open, which is no leak */
	static struct journal_txn *txn;
	static struct journal *j;
	uint8_t data[BYTES];

	payload(data, 9);
	return journal_open(dir, NULL, &j) || journal_begin(j, &options, &txn) ||
	       journal_append(txn, data, BYTES) || journal_prepare(txn);
}

static void p9_a_record_without_its_bit_is_nothing(void **state)
{
	(void)state;
	in_a_process_that_dies(prepare_only);
	assert_int_equal(check(), 0);
	open_writing();
	all_but_are_there(PUTS);
	counts_are(PUTS, 0, 0, 0);
}

#define TEST(test, setup) cmocka_unit_test_setup_teardown(test, setup, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_of_it_is_there, synced),
		TEST(p10_the_last_record_failing_is_torn, synced),
		TEST(p10_a_failing_payload_below_the_watermark_is_lost_by_id, synced),
		TEST(p10_a_gap_below_the_watermark_is_damage, synced),
		TEST(p10_damage_shows_after_another_crash, synced),
		TEST(p10_torn_stays_torn, synced),
		TEST(leftovers_of_an_older_use_are_nothing, synced),
		TEST(sealed_damaged_record_is_lost_by_id, synced),
		TEST(either_digest_will_do, synced),
		TEST(a_damaged_header_loses_nothing, synced),
		TEST(all_of_it_is_there, direct),
		TEST(p9_a_set_bit_and_a_bad_record_is_lost_by_id, direct),
		TEST(p9_a_record_without_its_bit_is_nothing, direct),
	};

	ids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ids == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
