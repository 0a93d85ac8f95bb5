/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What recovery makes of a stage (P5): a writer stages some and dies, bytes of
 * its image are changed, a fresh handle says what is there.
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
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/marker.h"
#include "format/stage.h"
#include "journal.h"

#define PUTS  6u
#define BYTES 1000u
#define IMAGE (2u << 20)

static char base[128], dir[160];
static uint64_t *ids; /* of what the writer staged; shared with it */
static uint8_t *image;
static struct marker_geometry geometry;
static struct journal *journal;

static void payload(uint8_t *to, uint32_t which)
{
	uint32_t i;

	for (i = 0; i < BYTES; i++)
		to[i] = (uint8_t)(which * 37 + i);
}

static struct journal *open_journal(unsigned int flags)
{
	struct journal_open_options options = { .flags = flags };
	struct journal *j;

	if (journal_open(dir, &options, &j))
		fail_msg("%s", journal_error(j));
	return j;
}

static int stage(struct journal *j, uint32_t which, bool commit, uint64_t *id)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_STAGED, .bytes = BYTES };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint8_t data[BYTES];

	payload(data, which);
	if (journal_begin(j, &options, &txn) || journal_append(txn, data, BYTES))
		return -EIO;
	if (!commit)
		return journal_abort(txn);
	if (journal_commit(txn, &receipt))
		return -EIO;
	*id = receipt.id;
	return 0;
}

/* lanes are picked by processor: one is enough, and where it is is known then */
static void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static void in_a_process_that_dies(int (*work)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		stay_here();
		_exit(work() ? 1 : 0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int stage_all(void)
{
	struct journal *j;
	uint32_t i;

	if (journal_open(dir, NULL, &j))
		return 1;
	for (i = 0; i < PUTS; i++)
		if (stage(j, i, true, &ids[i]))
			return 1;
	return 0;
}

static int make(void **state)
{
	struct journal_format_options options = {
		.log_bytes = 16 << 20, .marker_bytes = IMAGE, .require = JOURNAL_CLASS_PROCESS,
	};
	const char *tmp = getenv("TMPDIR");
	char uri[200], message[512] = "", path[200];
	const char *why;
	int fd;

	(void)state;
	snprintf(base, sizeof(base), "%s/stage.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/j", base);
	snprintf(uri, sizeof(uri), "sim:%s/nvram", base);
	options.marker = uri;
	if (journal_format(dir, &options, message, sizeof(message)))
		fail_msg("%s", message);
	in_a_process_that_dies(stage_all);
	snprintf(path, sizeof(path), "%s/nvram", base);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	image = mmap(NULL, IMAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(image != MAP_FAILED);
	close(fd);
	assert_int_equal(marker_super_decode((struct marker_super *)image, IMAGE, false,
					     &geometry, &why), 0);
	return 0;
}

static int drop(void **state)
{
	char command[200];

	(void)state;
	journal_close(journal);
	journal = NULL;
	munmap(image, IMAGE);
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

/* the record of the @which-th put, wherever its lane is */
static struct stage_record *record_of(uint32_t which)
{
	struct stage_record *record;
	uint64_t at;

	for (at = geometry.stage_offset; at < geometry.bytes; at += STAGE_ALIGN) {
		record = (struct stage_record *)(image + at);
		if (get_le16(record->magic) == STAGE_MAGIC && get_le64(record->id) == ids[which])
			return record;
	}
	fail_msg("no record of put %u", which);
	return NULL;
}

static void expect_all_but(struct journal *j, uint32_t missing)
{
	uint8_t wanted[BYTES], got[BYTES];
	struct journal_entry entry;
	size_t bytes;
	uint32_t i;

	for (i = 0; i < PUTS; i++) {
		if (i == missing)
			continue;
		assert_int_equal(journal_lookup(j, ids[i], &entry), 0);
		assert_int_equal(entry.state, JOURNAL_LIVE);
		assert_int_equal(journal_read(j, ids[i], got, sizeof(got), &bytes), 0);
		payload(wanted, i);
		assert_int_equal(bytes, BYTES);
		assert_memory_equal(got, wanted, BYTES);
	}
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

static void all_of_it_is_there(void **state)
{
	struct journal_info info;

	(void)state;
	journal = open_journal(JOURNAL_RDONLY);
	expect_all_but(journal, PUTS);
	assert_int_equal(journal_info(journal, &info), 0);
	assert_int_equal(info.live, PUTS);
	assert_int_equal(info.torn, 0);
	assert_int_equal(check(), 0);
}

static void torn_is(uint32_t which, uint64_t torn)
{
	struct journal_entry entry;
	struct journal_info info;

	journal = open_journal(0);
	expect_all_but(journal, which);
	assert_int_equal(journal_lookup(journal, ids[which], &entry), -ENOENT);
	assert_int_equal(journal_info(journal, &info), 0);
	assert_int_equal(info.live, PUTS - 1);
	assert_int_equal(info.lost, 0);
	assert_int_equal(info.lost_unnamed, 0);
	assert_int_equal(info.torn, torn);
}

static void p5_the_last_record_failing_is_torn(void **state)
{
	(void)state;
	((uint8_t *)(record_of(PUTS - 1) + 1))[BYTES / 2] ^= 1;
	assert_int_equal(check(), 0);
	torn_is(PUTS - 1, 1);
}

static void p5_the_last_header_failing_is_torn(void **state)
{
	(void)state;
	record_of(PUTS - 1)->time_ns ^= put_le64(1);
	assert_int_equal(check(), 0);
	torn_is(PUTS - 1, 1);
}

static void p5_the_last_header_missing_is_nothing(void **state)
{
	(void)state;
	memset(record_of(PUTS - 1), 0xff, STAGE_HEADER_BYTES);
	assert_int_equal(check(), 0);
	torn_is(PUTS - 1, 0);
}

static void p5_a_failing_payload_before_a_valid_record_is_lost_by_id(void **state)
{
	struct journal_entry entry;
	struct journal_info info;
	uint8_t got[BYTES];
	size_t bytes;

	(void)state;
	((uint8_t *)(record_of(2) + 1))[0] ^= 1;
	assert_int_equal(check(), -EUCLEAN);
	journal = open_journal(0);
	expect_all_but(journal, 2);
	assert_int_equal(journal_lookup(journal, ids[2], &entry), 0);
	assert_int_equal(entry.state, JOURNAL_LOST);
	assert_int_equal(journal_read(journal, ids[2], got, sizeof(got), &bytes), -EBADMSG);
	assert_int_equal(journal_info(journal, &info), 0);
	assert_int_equal(info.lost, 1);
	assert_int_equal(info.torn, 0);
	assert_int_equal(journal_retire(journal, ids[2]), 0);
	assert_int_equal(journal_lookup(journal, ids[2], &entry), -ENOENT);
}

static void p5_a_failing_header_before_a_valid_record_is_damage(void **state)
{
	struct journal_info info;

	(void)state;
	record_of(2)->bytes ^= put_le32(64);
	assert_int_equal(check(), -EUCLEAN);
	journal = open_journal(0);
	expect_all_but(journal, 2);
	assert_int_equal(journal_info(journal, &info), 0);
	assert_int_equal(info.live, PUTS - 1);
	assert_int_equal(info.lost + info.lost_unnamed, 1);
	assert_int_equal(info.torn, 0);
}

/* Same bytes, same place, but never committed; and then a fence by the same
 * thread brings them to the medium. */
static int give_up_the_same(void)
{
	struct journal *j;
	uint64_t id;

	if (journal_open(dir, NULL, &j) || stage(j, PUTS - 1, false, &id))
		return 1;
	return journal_retire(j, ids[0]);
}

/*
 * The header of a torn record stays behind where the next one will lie.  If the
 * same payload is appended there again, header and payload fit together: what
 * recovery has once called not committed must not come back by that.
 */
static void p5_a_torn_record_does_not_come_back(void **state)
{
	struct journal_entry entry;
	uint8_t *at;

	(void)state;
	at = (uint8_t *)(record_of(PUTS - 1) + 1);
	memset(at + BYTES / 2, 0, 64);
	in_a_process_that_dies(give_up_the_same);
	journal = open_journal(0);
	assert_int_equal(journal_lookup(journal, ids[PUTS - 1], &entry), -ENOENT);
	assert_int_equal(journal_lookup(journal, ids[0], &entry), -ENOENT);
	assert_int_equal(journal_lookup(journal, ids[1], &entry), 0);
}

static int stage_after_crash(void)
{
	struct journal *j;

	return journal_open(dir, NULL, &j) || stage(j, PUTS, true, &ids[PUTS]);
}

static void p4_ids_are_not_issued_again(void **state)
{
	struct journal_entry entry;
	uint32_t i;

	(void)state;
	/* the record of the last put is gone without a trace, its id too */
	memset(record_of(PUTS - 1), 0xff, STAGE_HEADER_BYTES);
	in_a_process_that_dies(stage_after_crash);
	for (i = 0; i < PUTS; i++)
		assert_true(ids[PUTS] > ids[i]);
	journal = open_journal(JOURNAL_RDONLY);
	assert_int_equal(journal_lookup(journal, ids[PUTS], &entry), 0);
}

static void everything_is_there_after_all(void)
{
	struct journal_receipt receipt;
	uint32_t i;

	assert_int_equal(check(), -EUCLEAN);
	journal = open_journal(0);
	expect_all_but(journal, PUTS);
	assert_int_equal(journal_put(journal, "next", 4, &receipt), 0);
	for (i = 0; i < PUTS; i++)
		assert_true(receipt.id > ids[i]);
	assert_int_equal(journal_close(journal), 0);
	/* and the writer has mended it */
	assert_int_equal(check(), 0);
	journal = open_journal(0);
	expect_all_but(journal, PUTS);
}

/* tails of all lanes: which one was used does not matter then */
static void p5_a_damaged_tail_hides_nothing(void **state)
{
	struct marker_lane *lanes = (struct marker_lane *)(image + geometry.lanes_offset);
	uint32_t i;

	(void)state;
	for (i = 0; i < geometry.lanes; i++)
		lanes[i].tail ^= put_le64(1ull << 9);
	everything_is_there_after_all();
}

static void p4_a_damaged_incarnation_reissues_nothing(void **state)
{
	(void)state;
	((struct marker_state *)(image + geometry.state_offset))->incarnation ^= put_le64(2);
	everything_is_there_after_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_of_it_is_there, make, drop),
		cmocka_unit_test_setup_teardown(p5_the_last_record_failing_is_torn, make, drop),
		cmocka_unit_test_setup_teardown(p5_the_last_header_failing_is_torn, make, drop),
		cmocka_unit_test_setup_teardown(p5_the_last_header_missing_is_nothing, make, drop),
		cmocka_unit_test_setup_teardown(
			p5_a_failing_payload_before_a_valid_record_is_lost_by_id, make, drop),
		cmocka_unit_test_setup_teardown(
			p5_a_failing_header_before_a_valid_record_is_damage, make, drop),
		cmocka_unit_test_setup_teardown(p5_a_torn_record_does_not_come_back, make, drop),
		cmocka_unit_test_setup_teardown(p4_ids_are_not_issued_again, make, drop),
		cmocka_unit_test_setup_teardown(p5_a_damaged_tail_hides_nothing, make, drop),
		cmocka_unit_test_setup_teardown(p4_a_damaged_incarnation_reissues_nothing, make,
						drop),
	};

	ids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ids == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
