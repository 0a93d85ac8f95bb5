/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P14: the marker medium goes away under who has it mapped, without a word: it reads zeros
 * or ones, or is shorter than it was.  That is found by who asks: a round of maintenance,
 * who joins, and the thread beside who stages.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"

#define SUPER  4096u
#define SUPERS (2 * SUPER)
#define MOMENTS 3000u /* a minute: it looks once a second */

static void reads(const struct bed *bed, uint64_t at, int byte, size_t bytes)
{
	uint8_t *all = malloc(bytes);
	int fd = open(bed->marker, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0 && all);
	memset(all, byte, bytes);
	assert_int_equal(pwrite(fd, all, bytes, (off_t)at), bytes);
	(void)close(fd);
	free(all);
}

static struct journal_health health_of(struct journal *j)
{
	struct journal_health health;

	assert_int_equal(journal_health(j, &health), 0);
	return health;
}

static void put_some(struct bed *bed, struct model *model, uint64_t seed)
{
	static const enum journal_path paths[] = { JOURNAL_PATH_STAGED, JOURNAL_PATH_DIRECT };
	struct journal_receipt receipt;
	size_t i;

	for (i = 0; i < 20; i++)
		assert_int_equal(bed_put(bed, model, 100 + 50 * i, seed + i, paths[i & 1],
					 &receipt), 0);
}

/* All is there, commits go on without it, and it opens. */
static void goes_on(struct bed *bed, struct model *model)
{
	struct journal_receipt receipt;

	assert_int_equal(bed_put(bed, model, 100, 500, JOURNAL_PATH_AUTO, &receipt), 0);
	assert_int_equal(receipt.path, JOURNAL_PATH_SYNCED);
	assert_int_equal(journal_retire(bed->j, model->all[0].id), 0);
	model_retire(model, model->all[0].id);
	model_verify(model, bed->j);
	model_verify_reopened(model, bed);
}

static void reads_all(int byte)
{
	struct journal_health health;
	struct model model;
	struct bed bed;

	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	model_make(&model);
	put_some(&bed, &model, 1);
	reads(&bed, 0, byte, SUPERS);
	assert_int_equal(journal_maintain(bed.j, NULL, NULL), 0);
	health = health_of(bed.j);
	assert_int_equal(health.trust, JOURNAL_ABANDONED);
	assert_non_null(strstr(health.why, "superblock"));
	assert_int_equal(health.evacuated_lost, 0);
	goes_on(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

static void p14_a_medium_that_reads_zeros_is_given_up(void **state)
{
	(void)state;
	reads_all(0);
}

static void p14_a_medium_that_reads_ones_is_given_up(void **state)
{
	(void)state;
	reads_all(0xff);
}

/* as at open */
static void either_copy_of_its_superblock_is_enough(void **state)
{
	struct model model;
	struct bed bed;
	uint64_t at;

	(void)state;
	for (at = 0; at < SUPERS; at += SUPER) {
		bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
		model_make(&model);
		put_some(&bed, &model, 1);
		reads(&bed, at, 0, SUPER);
		assert_int_equal(journal_maintain(bed.j, NULL, NULL), 0);
		assert_int_equal(health_of(bed.j).trust, JOURNAL_TRUSTED);
		put_some(&bed, &model, 50);
		model_verify(&model, bed.j);
		model_free(&model);
		bed_remove(&bed);
	}
}

/* Nobody maintains, and all who are there may be asleep. */
static void p14_who_joins_asks_the_medium(void **state)
{
	struct journal *joined;
	struct model model;
	struct bed bed;

	(void)state;
	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	model_make(&model);
	put_some(&bed, &model, 1);
	reads(&bed, 0, 0, SUPERS);
	assert_int_equal(journal_open(bed.dir, NULL, &joined), 0);
	assert_int_equal(health_of(joined).trust, JOURNAL_ABANDONED);
	assert_int_equal(journal_close(joined), 0);
	goes_on(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

static void p14_beside_who_stages_the_medium_is_asked(void **state)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	struct model model;
	struct bed bed;
	unsigned int i;

	(void)state;
	bed_make(&bed, BED_PMEM, 256 << 20, 64 << 20);
	model_make(&model);
	put_some(&bed, &model, 1);
	reads(&bed, 0, 0, SUPERS);
	for (i = 0; i < MOMENTS && health_of(bed.j).trust != JOURNAL_ABANDONED; i++)
		(void)nanosleep(&moment, NULL);
	assert_int_equal(health_of(bed.j).trust, JOURNAL_ABANDONED);
	goes_on(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

/* What was cut off is lost, and named; nobody dies of the question. */
static void cut_to(uint64_t bytes, bool all_there)
{
	struct journal_health health;
	struct model model;
	struct bed bed;
	struct stat st;

	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	model_make(&model);
	put_some(&bed, &model, 1);
	assert_int_equal(stat(bed.marker, &st), 0);
	assert_int_equal(truncate(bed.marker, all_there ? st.st_size - 4096 : (off_t)bytes), 0);
	assert_int_equal(journal_maintain(bed.j, NULL, NULL), 0);
	health = health_of(bed.j);
	assert_int_equal(health.trust, JOURNAL_ABANDONED);
	assert_non_null(strstr(health.why, "truncated"));
	assert_int_equal(health.evacuated_lost, all_there ? 0 : 10);
	if (all_there)
		goes_on(&bed, &model);
	model_free(&model);
	bed_remove(&bed);
}

static void p14_a_medium_that_is_truncated_is_given_up(void **state)
{
	(void)state;
	cut_to(0, true);
	cut_to(0, false);
	cut_to(SUPERS, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_a_medium_that_reads_zeros_is_given_up),
		cmocka_unit_test(p14_a_medium_that_reads_ones_is_given_up),
		cmocka_unit_test(either_copy_of_its_superblock_is_enough),
		cmocka_unit_test(p14_who_joins_asks_the_medium),
		cmocka_unit_test(p14_beside_who_stages_the_medium_is_asked),
		cmocka_unit_test(p14_a_medium_that_is_truncated_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
