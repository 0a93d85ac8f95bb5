/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P8: a full log never holds an acknowledged stage hostage.  The log is filled,
 * then the stage, with what its destage costs most; then all of it must find
 * room in the log, although nothing was retired.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "format/log.h"
#include "store/log_store.h"
#include "txn/destage.h"
#include "txn/head.h"
#include "txn/journal_impl.h"
#include "txn/segment.h"

#define LOG_LEAST (9ull << 20)

/* how one more transaction, or group, is put; Return: 0, or what refused it */
typedef int putter(struct bed *bed, struct model *model);

static int put_group(struct bed *bed, struct model *model, uint32_t count, bool commit)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_AUTO };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint32_t i;
	int error = journal_begin(bed->j, &options, &txn);

	if (error)
		return error;
	for (i = 1; i < count && !error; i++)
		error = journal_group_next(txn);
	if (!error && !commit)
		error = journal_prepare(txn);
	if (error || !commit) {
		journal_abort(txn);
		return error;
	}
	error = journal_commit(txn, &receipt);
	for (i = 0; i < count && !error; i++)
		model_add(model, receipt.id + i, 0, 0);
	return error;
}

static int tiny_groups(struct bed *bed, struct model *model)
{
	return put_group(bed, model, JOURNAL_GROUP_MAX, true);
}

/* two do not fit into a word: each gives the rest of its word up */
static int groups_that_skip(struct bed *bed, struct model *model)
{
	return put_group(bed, model, 33, true);
}

/* One a line: the others of the line are prepared and aborted, and take no room. */
static int lines_of_one(struct bed *bed, struct model *model)
{
	int word, error = put_group(bed, model, 1, true);

	for (word = 1; word < (int)MARKER_LINE_WORDS && !error; word++)
		error = put_group(bed, model, JOURNAL_GROUP_MAX, false);
	return error;
}

static int empty_ones(struct bed *bed, struct model *model)
{
	return put_group(bed, model, 1, true);
}

/* few fit into a segment, and each leaves a piece of it over */
static int large_ones(struct bed *bed, struct model *model)
{
	return bed_put(bed, model, bed->j->stage_max_bytes, model->count, JOURNAL_PATH_AUTO, NULL);
}

static void fill_log(struct bed *bed, struct model *model)
{
	uint64_t bytes = 300000;
	int error;

	while (bytes > 1000) {
		error = bed_put(bed, model, bytes, model->count, JOURNAL_PATH_DIRECT, NULL);
		assert_true(!error || error == -ENOSPC);
		bytes = error ? bytes / 2 : bytes;
	}
}

/* Until neither stage nor log takes it.  Return: staged transactions. */
static uint64_t fill_stage(struct bed *bed, struct model *model, putter *put)
{
	int error;

	do
		error = put(bed, model);
	while (!error);
	assert_int_equal(error, -ENOSPC);
	return bed_info(bed).staged_live;
}

static uint64_t staged_bytes(const struct journal *j)
{
	uint64_t bytes = 0;
	uint32_t i;

	for (i = 0; i < j->lane_count; i++)
		bytes += j->lanes[i].s->head - j->lanes[i].s->tail;
	return bytes;
}

static void destage_all(struct journal *j, uint64_t want)
{
	uint32_t i;
	int error;

	for (i = 0; i < j->lane_count; i++) {
		error = destage(j, &j->lanes[i], want, true);
		if (error)
			print_error("lane %u: %s\n", i, journal_error(j));
		assert_int_equal(error, 0);
	}
}

static void retire_everything(struct bed *bed, struct model *model)
{
	uint64_t *ids = malloc((model->count + 1) * sizeof(*ids));
	size_t i, count = 0;

	for (i = 0; i < model->count; i++)
		if (!model->all[i].retired)
			ids[count++] = model->all[i].id;
	assert_int_equal(journal_retire_many(bed->j, ids, count, NULL), 0);
	free(ids);
	model->count = 0;
}

static void hold_nothing_hostage(uint64_t log_bytes, uint32_t stage_max, putter *put)
{
	struct journal_open_options options = { .stage_max_bytes = stage_max };
	struct model model;
	struct bed bed;
	uint64_t staged;

	bed_make(&bed, BED_PMEM, log_bytes, log_bytes / 4);
	bed_close(&bed);
	bed_open(&bed, &options);
	model_make(&model);
	fill_log(&bed, &model);
	staged = fill_stage(&bed, &model, put);
	assert_true(staged > 0);
	print_message("%llu staged in %llu of %llu bytes, %u of %u segments free, reserve %u\n",
		      (unsigned long long)staged, (unsigned long long)staged_bytes(bed.j),
		      (unsigned long long)bed_info(&bed).stage_bytes,
		      bed.j->shared->segments_free, segments_end(bed.j),
		      segments_reserve(bed.j));
	/* some of each lane, then the rest: more begins of a line, more blocks
	 * that are not full */
	destage_all(bed.j, bed.j->geometry.ring_bytes / 4);
	destage_all(bed.j, UINT64_MAX);
	assert_int_equal(bed_info(&bed).staged_live, 0);
	assert_int_equal(staged_bytes(bed.j), 0);
	/* still full, and then not any more */
	assert_int_equal(put(&bed, &model), -ENOSPC);
	model_verify_reopened(&model, &bed);
	retire_everything(&bed, &model);
	assert_int_equal(put(&bed, &model), 0);
	bed_remove(&bed);
	model_free(&model);
}

struct filler {
	struct bed *bed;
	struct model *model;
	pthread_t thread;
	unsigned int number;
	int error;
};

/* All kinds, by all paths, in another order in each thread, until nothing goes. */
static void *fill_by_all_paths(void *argument)
{
	static putter *const puts[] = { tiny_groups, lines_of_one, groups_that_skip, empty_ones };
	struct filler *f = argument;
	unsigned int i, refused = 0;

	for (i = f->number; refused < 16; i++) {
		if (i % 5 == 4)
			f->error = bed_put(f->bed, f->model, 20000, i,
					   i % 2 ? JOURNAL_PATH_SYNCED : JOURNAL_PATH_AUTO, NULL);
		else
			f->error = puts[i % 5](f->bed, f->model);
		if (f->error && f->error != -ENOSPC)
			break;
		refused = f->error ? refused + 1 : 0;
	}
	return NULL;
}

/* Some have begun when the reserve is reached; what they do then is accounted for. */
static void P8_many_threads_fill_it(void **state)
{
	struct filler fillers[12];
	struct model model;
	struct bed bed;
	unsigned int i;

	(void)state;
	bed_make(&bed, BED_PMEM, BED_LOG_BYTES, 0);
	model_make(&model);
	for (i = 0; i < 12; i++) {
		fillers[i] = (struct filler){ .bed = &bed, .model = &model, .number = i };
		assert_int_equal(pthread_create(&fillers[i].thread, NULL, fill_by_all_paths,
						&fillers[i]), 0);
	}
	for (i = 0; i < 12; i++) {
		assert_int_equal(pthread_join(fillers[i].thread, NULL), 0);
		assert_int_equal(fillers[i].error, -ENOSPC);
	}
	assert_true(bed_info(&bed).staged_live > 0);
	destage_all(bed.j, UINT64_MAX);
	assert_int_equal(bed_info(&bed).staged_live, 0);
	bed_reopen(&bed);
	assert_int_equal(bed_info(&bed).live, model_live(&model));
	retire_everything(&bed, &model);
	assert_int_equal(tiny_groups(&bed, &model), 0);
	bed_remove(&bed);
	model_free(&model);
}

/* A record whose header is whole and whose payload is not, as a crash in the middle
 * of a batch leaves it: the next open seals the segment behind it. */
static void tear_head(struct journal *j)
{
	const struct head_shared *head = j->heads[0].s;
	const struct segment *segment = head_segment(j, &j->heads[0]);
	struct log_meta meta = {
		.type = LOG_DATA, .count = 1, .id = id_make(j->lines[0].number, 0),
		.line_epoch = j->lines[0].number, .seq = head->last_record_seq + 1, .bytes = 64,
		.extents = 1, .total_bytes = 64, .payload_crc = 1,
	};
	struct log_io io = {
		.offset = segment_base(j, segment->number) + head->end, .bytes = j->block_bytes,
	};

	assert_int_equal(posix_memalign(&io.buffer, 4096, j->block_bytes), 0);
	memset(io.buffer, 0, j->block_bytes);
	log_record_encode(&meta, segment->seed, head->end, io.buffer);
	assert_int_equal(log_store_write(j->logs[segment_log(j, segment->number)], &io, 1, true),
			 0);
	free(io.buffer);
}

/* It may happen once while what was staged in a full log is destaged. */
static void P8_a_head_that_is_sealed_early(void **state)
{
	struct journal_info info;
	uint32_t lane;
	struct model model;
	struct bed bed;

	(void)state;
	bed_make(&bed, BED_PMEM, BED_LOG_BYTES, 0);
	model_make(&model);
	fill_log(&bed, &model);
	assert_true(fill_stage(&bed, &model, tiny_groups) > 0);
	/* nothing that made room for new ones has taken any of it */
	assert_int_equal(bed.j->shared->segments_free, segments_reserve(bed.j));
	/* the head is the reserve's, and begun */
	for (lane = 0; bed.j->shared->segments_free == segments_reserve(bed.j); lane++)
		assert_int_equal(destage(bed.j, &bed.j->lanes[lane], 1 << 14, true), 0);
	assert_int_equal(bed.j->shared->segments_free, segments_reserve(bed.j) - 1);
	tear_head(bed.j);
	bed_reopen(&bed);
	assert_true(bed_info(&bed).torn > 0);
	assert_true(bed_info(&bed).staged_live > 0);
	destage_all(bed.j, UINT64_MAX);
	info = bed_info(&bed);
	assert_int_equal(info.staged_live, 0);
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

/* Without NVRAM, more retires than the reserve has blocks, and no segment of the
 * others dies of it: what retires is freed by checkpoints alone. */
static void P8_retires_in_a_full_log(void **state)
{
	struct model model;
	struct bed bed;
	size_t i, blocks;

	(void)state;
	bed_make(&bed, BED_FILE, LOG_LEAST, 0);
	model_make(&model);
	/* the smallest there are: a segment has thousands of them */
	while (!tiny_groups(&bed, &model))
		;
	assert_int_equal(tiny_groups(&bed, &model), -ENOSPC);
	blocks = segments_reserve(bed.j) * bed.j->segment_bytes / bed.j->block_bytes;
	assert_true(model.count > 64 * blocks);
	/* never the first of a group, so that every segment lives */
	for (i = 0; i < 2 * blocks; i++) {
		struct model_entry *entry = &model.all[i / 2 * 64 + 1 + i % 2];

		entry->retired = true;
		assert_int_equal(journal_retire(bed.j, entry->id), 0);
	}
	/* what is left of some groups may be packed, but not without end */
	while (!tiny_groups(&bed, &model))
		;
	bed_close(&bed);
	bed_check(&bed, 0);
	bed_open(&bed, NULL);
	assert_int_equal(bed_info(&bed).live, model_live(&model));
	while (!tiny_groups(&bed, &model))
		;
	assert_int_equal(bed_info(&bed).live, model_live(&model));
	retire_everything(&bed, &model);
	assert_int_equal(tiny_groups(&bed, &model), 0);
	bed_remove(&bed);
	model_free(&model);
}

static void P8_lines_of_one_record(void **state)
{
	(void)state;
	hold_nothing_hostage(LOG_LEAST, 0, lines_of_one);
	hold_nothing_hostage(BED_LOG_BYTES, 0, lines_of_one);
}

static void P8_tiny_groups(void **state)
{
	(void)state;
	hold_nothing_hostage(LOG_LEAST, 0, tiny_groups);
	hold_nothing_hostage(BED_LOG_BYTES, 0, tiny_groups);
}

static void P8_groups_that_skip_slots(void **state)
{
	(void)state;
	hold_nothing_hostage(BED_LOG_BYTES, 0, groups_that_skip);
}

static void P8_empty_ones(void **state)
{
	(void)state;
	hold_nothing_hostage(BED_LOG_BYTES, 0, empty_ones);
}

static void P8_large_ones(void **state)
{
	(void)state;
	hold_nothing_hostage(BED_LOG_BYTES, 1u << 20, large_ones);
	hold_nothing_hostage(64u << 20, 1u << 20, large_ones);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(P8_lines_of_one_record),
		cmocka_unit_test(P8_tiny_groups),
		cmocka_unit_test(P8_groups_that_skip_slots),
		cmocka_unit_test(P8_empty_ones),
		cmocka_unit_test(P8_large_ones),
		cmocka_unit_test(P8_many_threads_fill_it),
		cmocka_unit_test(P8_a_head_that_is_sealed_early),
		cmocka_unit_test(P8_retires_in_a_full_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
