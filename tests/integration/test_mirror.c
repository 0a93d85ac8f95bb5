/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * A journal on a mirrored log: a copy that is damaged while the journal runs is read from
 * the other leg and repaired, by whatever way it is read; a leg that goes away while several
 * have it open is left for all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"

#define BYTES 9000u

static char legs[2][PATH_MAX];

static void find_legs(struct bed *bed)
{
	char pattern[PATH_MAX + 8];
	glob_t found;
	int i;

	for (i = 0; i < 2; i++) {
		(void)snprintf(pattern, sizeof(pattern), "%s/*",
			       i ? bed->mirrors[0] : bed->logs[0]);
		assert_int_equal(glob(pattern, 0, NULL, &found), 0);
		assert_int_equal(found.gl_pathc, 1);
		(void)snprintf(legs[i], sizeof(legs[i]), "%s", found.gl_pathv[0]);
		globfree(&found);
	}
}

/* where the payload of @seed is in the file of a leg; past the page cache's back: the
 * journal reads directly */
static off_t place_of_bytes(int leg, uint64_t seed, size_t bytes)
{
	uint8_t *payload = bed_payload(bytes, seed), *all, *at;
	struct stat st;
	int fd = open(legs[leg], O_RDONLY | O_CLOEXEC);
	off_t offset;

	assert_int_equal(fstat(fd, &st), 0);
	all = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, all, (size_t)st.st_size), st.st_size);
	close(fd);
	at = memmem(all, (size_t)st.st_size, payload, bytes);
	assert_non_null(at);
	offset = at - all;
	free(all);
	free(payload);
	return offset;
}

static off_t place_of(int leg, uint64_t seed)
{
	return place_of_bytes(leg, seed, BYTES);
}

static void spoil_at(int leg, off_t at)
{
	int fd = open(legs[leg], O_RDWR | O_CLOEXEC);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	assert_int_equal(fsync(fd), 0);
	close(fd);
}

static void spoil(int leg, uint64_t seed)
{
	spoil_at(leg, place_of(leg, seed) + 4500);
}

static struct journal_leg leg_of(struct bed *bed, int leg)
{
	struct journal_leg both[JOURNAL_LEGS];

	assert_int_equal(journal_legs(bed->j, 0, both), 0);
	return both[leg];
}

#define PUTS 24u

static uint64_t ids[PUTS];

/* some are in segments that are full, some in the one that is written */
static void begin(struct bed *bed, enum bed_medium medium)
{
	struct journal_receipt receipt;
	uint64_t i, unused;

	bed_make_mirrored(bed, medium);
	find_legs(bed);
	for (i = 0; i < PUTS; i++) {
		assert_int_equal(bed_put(bed, NULL, BYTES, i, i & 1 || !bed_has_nvram(bed) ?
					 JOURNAL_PATH_SYNCED : JOURNAL_PATH_DIRECT, &receipt), 0);
		ids[i] = receipt.id;
		/* so that segments are left */
		for (unused = 0; unused < 3; unused++)
			assert_int_equal(bed_put(bed, NULL, 30000, 1000 + unused,
						 JOURNAL_PATH_SYNCED, NULL), 0);
	}
}

static void by_read(struct bed *bed, uint64_t which)
{
	/* the copy that is bad comes by turns */
	assert_int_equal(bed_verify(bed->j, ids[which], BYTES, which), 0);
	assert_int_equal(bed_verify(bed->j, ids[which], BYTES, which), 0);
}

static void by_reads(struct bed *bed, uint64_t which)
{
	uint8_t *payload = bed_payload(BYTES, which);
	struct journal_read_result result;
	struct journal_reads *reads;
	unsigned int i;

	assert_int_equal(journal_reads_open(bed->j, 8, &reads), 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(journal_reads_submit(reads, ids[which], i), 0);
	for (i = 0; i < 8; i++) {
		assert_int_equal(journal_reads_next(reads, -1, &result), 0);
		assert_int_equal(result.error, 0);
		assert_int_equal(result.bytes, BYTES);
		assert_memory_equal(result.data, payload, BYTES);
	}
	journal_reads_close(reads);
	free(payload);
}

static void by_recovery(struct bed *bed, uint64_t which)
{
	/* whoever opens reads what lives: one of both, by turns */
	(void)which;
	bed_reopen(bed);
	bed_reopen(bed);
	bed_reopen(bed);
	bed_reopen(bed);
}

static void repaired(enum bed_medium medium, void (*look)(struct bed *bed, uint64_t which),
		     bool counted)
{
	static const uint64_t which[] = { 3, 4, PUTS - 2, PUTS - 1 };
	struct journal_leg leg;
	struct bed bed;
	unsigned int i;

	begin(&bed, medium);
	for (i = 0; i < 8; i++) {
		spoil((int)(i & 1), which[i / 2]);
		look(&bed, which[i / 2]);
		if (!counted)
			by_read(&bed, which[i / 2]);
		/* it is there again, whole: place_of() finds it */
		(void)place_of((int)(i & 1), which[i / 2]);
		leg = leg_of(&bed, (int)(i & 1));
		assert_int_equal(leg.state, JOURNAL_LEG_GOOD);
		if (!counted)
			continue;
		assert_int_equal(leg.damaged, i / 2 + 1);
		assert_int_equal(leg.repaired, i / 2 + 1);
		assert_true(leg.repaired_time_ns && leg.damaged_offset);
	}
	if (counted)
		assert_int_equal(bed_info(&bed).copies_repaired, 8);
	assert_int_equal(bed_info(&bed).lost, 0);
	bed_close(&bed);
	bed_check(&bed, 0);
	bed_remove(&bed);
}

static void a_read_repairs_what_is_damaged(enum bed_medium medium)
{
	repaired(medium, by_read, true);
}

static void reads_with_deep_queues_do(enum bed_medium medium)
{
	repaired(medium, by_reads, true);
}

static void an_open_does(enum bed_medium medium)
{
	repaired(medium, by_recovery, false);
}

/* Who reads beside it writes nothing, and finds all. */
static void who_only_reads_repairs_nothing(enum bed_medium medium)
{
	struct journal_open_options options = { .flags = JOURNAL_RDONLY };
	struct bed bed, reader;

	begin(&bed, medium);
	spoil(1, 4);
	reader = bed;
	bed_open(&reader, &options);
	by_read(&reader, 4);
	by_reads(&reader, 4);
	bed_close(&reader);
	bed_check(&bed, -EUCLEAN);
	by_read(&bed, 4);
	bed_check(&bed, 0);
	bed_remove(&bed);
}

#define SMALL 100u
#define SMALLS 16u

/* Several records share a block, and of two such each is good on another leg: who repairs
 * the one does not write the other one's damage over what is good of it. */
static void neighbours_keep_what_they_have(enum bed_medium medium)
{
	static const struct journal_maintain_options at_once = { 1, 1, 0 };
	struct journal_receipt receipt;
	struct journal_maintained done;
	uint64_t small[SMALLS], i, unstaged = 0;
	struct bed bed;

	bed_make_mirrored(&bed, medium);
	find_legs(&bed);
	for (i = 0; i < SMALLS; i++) {
		assert_int_equal(bed_put(&bed, NULL, SMALL, i, JOURNAL_PATH_STAGED, &receipt), 0);
		small[i] = receipt.id;
	}
	/* what is as old as the clock is coarse is not old */
	for (i = 0; i < 2000 && unstaged < SMALLS; i++, (void)usleep(1000)) {
		assert_int_equal(journal_maintain(bed.j, &at_once, &done), 0);
		unstaged += done.unstaged;
	}
	for (i = 0; i < SMALLS; i++)
		spoil_at((int)(i & 1), place_of_bytes((int)(i & 1), i, SMALL) + 50);
	/* four times each: the copy that is bad comes by turns */
	for (i = 0; i < 4 * SMALLS; i++)
		assert_int_equal(bed_verify(bed.j, small[i / 4], SMALL, i / 4), 0);
	for (i = 0; i < SMALLS; i++)
		(void)place_of_bytes((int)(i & 1), i, SMALL);
	assert_int_equal(bed_info(&bed).copies_repaired, SMALLS);
	bed_check(&bed, 0);
	bed_remove(&bed);
}

/* Both are bad: lost, as without a mirror, and nothing is "repaired" from either. */
static void both_copies_are_damaged(enum bed_medium medium)
{
	struct bed bed;

	begin(&bed, medium);
	spoil(0, 4);
	spoil(1, 4);
	assert_int_equal(bed_verify(bed.j, ids[4], BYTES, 4), -EBADMSG);
	assert_int_equal(leg_of(&bed, 0).repaired + leg_of(&bed, 1).repaired, 0);
	assert_int_equal(bed_verify(bed.j, ids[5], BYTES, 5), 0);
	bed_remove(&bed);
}

static uint32_t health_of(struct bed *bed)
{
	struct journal_health health;

	assert_int_equal(journal_health(bed->j, &health), 0);
	return health.legs_out;
}

/* Two handles, as two processes: what one meets holds for the other. */
static void a_leg_that_goes_is_left_for_all(enum bed_medium medium)
{
	struct pollfd told = { .events = POLLIN };
	struct bed bed, other;
	struct model model;
	char message[512], away[PATH_MAX + 8];

	begin(&bed, medium);
	(void)snprintf(away, sizeof(away), "%s.away", bed.mirrors[0]);
	model_make(&model);
	bed_close(&bed);
	assert_int_equal(rename(bed.mirrors[0], away), 0); /* its disk is not mounted */
	bed_open(&bed, NULL);
	other = bed;
	bed_open(&other, NULL);
	told.fd = journal_health_fd(bed.j);
	assert_true(told.fd >= 0);
	assert_int_equal(bed_put(&other, &model, BYTES, 77, JOURNAL_PATH_SYNCED, NULL), 0);
	assert_int_equal(health_of(&bed), 1);
	assert_int_equal(poll(&told, 1, 0), 0);
	assert_int_equal(bed_put(&bed, &model, BYTES, 78, JOURNAL_PATH_SYNCED, NULL), 0);
	assert_int_equal(leg_of(&bed, 1).state, JOURNAL_LEG_MISSING);
	assert_int_equal(leg_of(&other, 1).state, JOURNAL_LEG_MISSING);
	assert_true(leg_of(&bed, 1).left_time_ns && leg_of(&bed, 1).why[0]);
	assert_int_equal(bed_info(&other).legs_out, 1);
	assert_int_equal(journal_mirror(bed.dir, NULL, message, sizeof(message)), -ENOENT);
	assert_int_equal(bed_put(&bed, &model, BYTES, 79, JOURNAL_PATH_SYNCED, NULL), 0);
	assert_int_equal(rename(away, bed.mirrors[0]), 0);
	/* both have the journal open */
	assert_int_equal(health_of(&bed), 1);
	assert_int_equal(journal_mirror(bed.dir, NULL, message, sizeof(message)), 0);
	assert_int_equal(poll(&told, 1, 0), 1);
	assert_int_equal(health_of(&bed), 0);
	assert_int_equal(leg_of(&bed, 1).state, JOURNAL_LEG_GOOD);
	assert_int_equal(bed_info(&bed).legs_out, 0);
	assert_int_equal(bed_put(&bed, &model, BYTES, 80, JOURNAL_PATH_SYNCED, NULL), 0);
	assert_int_equal(bed_put(&other, &model, BYTES, 81, JOURNAL_PATH_SYNCED, NULL), 0);
	bed_close(&other);
	(void)place_of(1, 77);
	(void)place_of(1, 78);
	(void)place_of(1, 80);
	(void)place_of(1, 81);
	bed_remove(&bed);
	model_free(&model);
}

/* How what was written became durable is counted for all who share the log. */
static void what_became_durable_is_counted(enum bed_medium medium)
{
	struct journal_info info;
	struct bed bed, other;

	bed_make_mirrored(&bed, medium);
	assert_int_equal(bed_put(&bed, NULL, BYTES, 1, JOURNAL_PATH_SYNCED, NULL), 0);
	other = bed;
	bed_open(&other, NULL);
	info = bed_info(&other);
	assert_true(info.log_writes);
	assert_true(info.log_flushes + info.log_dsyncs + info.log_unsynced);
	bed_close(&other);
	bed_remove(&bed);
}

static void no_leg_no_answer(enum bed_medium medium)
{
	struct journal_leg both[JOURNAL_LEGS];
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	if (!bed.mirrored) {
		assert_int_equal(journal_legs(bed.j, 0, both), -ENOENT);
		assert_int_equal(journal_legs(bed.j, 1, both), -EINVAL);
	}
	bed_remove(&bed);
}

#define MEDIA (1u << BED_FILE | 1u << BED_PMEM)

int main(void)
{
	static const struct bed_test tests[] = {
		{ "a_read_repairs_what_is_damaged", a_read_repairs_what_is_damaged, MEDIA },
		{ "reads_with_deep_queues_do", reads_with_deep_queues_do, MEDIA },
		{ "an_open_does", an_open_does, MEDIA },
		{ "who_only_reads_repairs_nothing", who_only_reads_repairs_nothing, MEDIA },
		{ "neighbours_keep_what_they_have", neighbours_keep_what_they_have,
		  1u << BED_PMEM },
		{ "both_copies_are_damaged", both_copies_are_damaged, MEDIA },
		{ "a_leg_that_goes_is_left_for_all", a_leg_that_goes_is_left_for_all, MEDIA },
		{ "what_became_durable_is_counted", what_became_durable_is_counted, MEDIA },
		{ "no_leg_no_answer", no_leg_no_answer, MEDIA },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
