/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/* A log, a stage and markers that are full, and that are not any more. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bed.h"

#define SMALL_LOG (9ull << 20)

/* Put until it is refused; Return: how many. */
static size_t fill_up(struct bed *bed, struct model *model, uint64_t bytes,
		      enum journal_path path)
{
	size_t put = 0;
	int error;

	while (!(error = bed_put(bed, model, bytes, model->count, path, NULL)))
		put++;
	assert_int_equal(error, -ENOSPC);
	assert_true(strlen(journal_error(bed->j)) > 10);
	return put;
}

static void retire_all(struct bed *bed, struct model *model)
{
	uint64_t *ids = malloc((model->count + 1) * sizeof(*ids));
	size_t i, count = 0;

	for (i = 0; i < model->count; i++)
		if (!model->all[i].retired) {
			model->all[i].retired = true;
			ids[count++] = model->all[i].id;
		}
	/* half one by one, half together */
	for (i = 0; i < count / 64; i++)
		assert_int_equal(journal_retire(bed->j, ids[i]), 0);
	assert_int_equal(journal_retire_many(bed->j, ids + i, count - i, NULL), 0);
	free(ids);
}

static void fill_again(enum bed_medium medium, enum journal_path path, uint64_t bytes,
		       int rounds)
{
	struct model model;
	struct bed bed;
	size_t first = 0, put;
	int round;

	bed_make(&bed, medium, SMALL_LOG, 2u << 20);
	model_make(&model);
	if (medium == BED_MSYNC || medium == BED_SIM)
		rounds = 3;
	for (round = 0; round < rounds; round++) {
		put = fill_up(&bed, &model, bytes, path);
		first = round ? first : put;
		/* the same each time, but for how the heads stand */
		assert_true(put * 2 > first && put < first * 2);
		/* refused again, and nothing of it is there */
		assert_int_equal(bed_put(&bed, &model, bytes, 1, path, NULL), -ENOSPC);
		if (round % 4 == 0)
			model_verify_reopened(&model, &bed);
		retire_all(&bed, &model);
		if (round % 4 == 1)
			model_verify_reopened(&model, &bed);
		/* what is retired needs no more memory of the model */
		model.count = 0;
	}
	bed_remove(&bed);
	model_free(&model);
}

static void full_of_large_ones(enum bed_medium medium)
{
	fill_again(medium, JOURNAL_PATH_AUTO, 300000, 10);
}

static void full_of_small_ones(enum bed_medium medium)
{
	fill_again(medium, JOURNAL_PATH_AUTO, 6000, 2);
}

static void full_of_synced_ones(enum bed_medium medium)
{
	fill_again(medium, JOURNAL_PATH_SYNCED, 40000, 10);
}

static void full_of_several_extents(enum bed_medium medium)
{
	fill_again(medium, JOURNAL_PATH_AUTO, 2500000, 10);
}

/* ---- the stage ---- */

/* One at a time each has a block of the log for itself, of which it needs little: when
 * the log is full of blocks, they are moved together. */
static void small_ones_that_were_synced_alone_are_packed(enum bed_medium medium)
{
	const uint64_t log_bytes = 9 << 20;
	struct journal_receipt receipt;
	struct bed bed = { 0 };
	struct model model;
	uint64_t i, count = log_bytes / 4096;

	model_make(&model);
	bed_make(&bed, medium, log_bytes, 0);
	for (i = 0; i < count; i++)
		assert_int_equal(bed_put(&bed, &model, 20, i, JOURNAL_PATH_SYNCED, &receipt), 0);
	assert_true(bed_info(&bed).cleaned > 0);
	model_verify_reopened(&model, &bed);
	/* it is known of segments that were sealed before the journal was opened, too */
	for (i = 0; i < count; i++)
		assert_int_equal(bed_put(&bed, &model, 20, i, JOURNAL_PATH_SYNCED, &receipt), 0);
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

static void retired_before_destage_never_touches_the_disk(enum bed_medium medium)
{
	struct journal_info before, after;
	struct journal_receipt receipt;
	struct bed bed;
	int i;

	bed_make(&bed, medium, 0, 0);
	before = bed_info(&bed);
	/* several times what the stage holds */
	for (i = 0; i < 1200; i++) {
		assert_int_equal(bed_put(&bed, NULL, 2000, i, JOURNAL_PATH_STAGED, &receipt), 0);
		assert_int_equal(journal_retire(bed.j, receipt.id), 0);
	}
	after = bed_info(&bed);
	assert_true(1200ull * 2000 > 2 * after.stage_bytes);
	assert_int_equal(after.log_bytes_written, before.log_bytes_written);
	assert_int_equal(after.destaged, 0);
	assert_true(after.elided > 500);
	assert_int_equal(after.commits_staged, 1200);
	bed_remove(&bed);
}

static void a_full_stage_is_destaged(enum bed_medium medium)
{
	struct journal_info info;
	struct model model;
	struct bed bed;
	size_t i;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	for (i = 0; i < 1200; i++) {
		assert_int_equal(bed_put(&bed, &model, i * 7 % 4000, i, 0, NULL), 0);
		if (i % 3 == 0) {
			assert_int_equal(journal_retire(bed.j, model.all[i / 2].id),
					 model.all[i / 2].retired ? -ENOENT : 0);
			model.all[i / 2].retired = true;
		}
	}
	info = bed_info(&bed);
	assert_true(info.destaged > 100);
	assert_true(info.staged_live > 0 && info.staged_live_bytes > 0);
	assert_true(info.staged_oldest_time_ns > 0);
	assert_int_equal(info.live, model_live(&model));
	for (i = 0; i < model.count; i++)
		assert_int_equal(bed_verify(bed.j, model.all[i].id, model.all[i].bytes,
					    model.all[i].seed),
				 model.all[i].retired ? -ENOENT : 0);
	model_verify_reopened(&model, &bed);
	for (i = 0; i < model.count; i += 2)
		if (!model.all[i].retired) {
			assert_int_equal(journal_retire(bed.j, model.all[i].id), 0);
			model.all[i].retired = true;
		}
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

/* ---- marker lines ---- */

static void few_lines_serve_many_transactions(enum bed_medium medium)
{
	uint64_t ids[100];
	struct journal_receipt receipt;
	struct journal_info info;
	struct bed bed;
	uint8_t payload[16];
	int i;

	bed_make(&bed, medium, 0, 1u << 20);
	for (i = 0; i < 300000; i++) {
		if (i >= 100)
			assert_int_equal(journal_retire(bed.j, ids[i % 100]), 0);
		assert_int_equal(journal_put(bed.j, payload, sizeof(payload), &receipt), 0);
		ids[i % 100] = receipt.id;
	}
	info = bed_info(&bed);
	assert_int_equal(info.live, 100);
	assert_true(info.line_recycles >= 300000 / 512);
	assert_true(300000 / 512 > 2 * info.lines);
	bed_reopen(&bed);
	assert_int_equal(bed_info(&bed).live, 100);
	bed_remove(&bed);
}

static void lines_run_out(enum bed_medium medium)
{
	struct journal_info info;
	struct model model;
	struct bed bed;
	size_t i;
	int error;


	bed_make(&bed, medium, 64u << 20, 1u << 20);
	model_make(&model);
	info = bed_info(&bed);
	while (!(error = bed_put(&bed, &model, 16, model.count, 0, NULL)))
		assert_true(model.count <= info.lines * 512ull);
	assert_int_equal(error, -ENOSPC);
	assert_non_null(strstr(journal_error(bed.j), "no free line"));
	/* one is set aside to move to */
	assert_true(model.count > (info.lines - info.lanes - 2) * 512ull);
	assert_int_equal(bed_put(&bed, &model, 60000, 1, 0, NULL), -ENOSPC);
	for (i = 0; i < model.count; i++) {
		assert_int_equal(journal_retire(bed.j, model.all[i].id), 0);
		model.all[i].retired = true;
	}
	model.count = 0;
	for (i = 0; i < 2000; i++)
		assert_int_equal(bed_put(&bed, &model, 16, i, 0, NULL), 0);
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

/* A process that puts one message and ends costs a slot, not a line or segment. */
static void short_processes_are_cheap(enum bed_medium medium)
{
	int i, rounds = medium == BED_PMEM ? 1000 : 60;
	struct journal_info info;
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, SMALL_LOG, 1u << 20);
	model_make(&model);
	for (i = 0; i < rounds; i++) {
		assert_int_equal(bed_put(&bed, &model, 100, i, i % 7 ? 0 : JOURNAL_PATH_SYNCED,
					 NULL), 0);
		bed_reopen(&bed);
	}
	info = bed_info(&bed);
	assert_true(info.lines - info.lines_free <= info.lanes + 1u + (unsigned int)rounds / 512);
	assert_true(info.segments - info.segments_free <= 4);
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "full_of_large_ones", full_of_large_ones, BED_ALL },
		{ "full_of_small_ones", full_of_small_ones, 1u << BED_PMEM | 1u << BED_FILE },
		{ "full_of_synced_ones", full_of_synced_ones, BED_ALL },
		{ "small_ones_that_were_synced_alone_are_packed",
		  small_ones_that_were_synced_alone_are_packed,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "full_of_several_extents", full_of_several_extents, BED_ALL },
		{ "retired_before_destage_never_touches_the_disk",
		  retired_before_destage_never_touches_the_disk, BED_NVRAM },
		{ "p6_a_full_stage_is_destaged", a_full_stage_is_destaged, BED_NVRAM },
		{ "p1_few_lines_serve_many_transactions", few_lines_serve_many_transactions,
		  1u << BED_PMEM },
		{ "lines_run_out", lines_run_out, 1u << BED_PMEM },
		{ "p8_short_processes_are_cheap", short_processes_are_cheap, BED_ALL },
	};

	return bed_run(tests, sizeof(tests) / sizeof(*tests));
}
