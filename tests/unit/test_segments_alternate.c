/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Several logs take turns: where one stream goes round all of them, each of its segments is
 * on another log than the one before, from one end of the logs to the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bed.h"
#include "txn/head.h"
#include "txn/segment.h"
#include "txn/streams.h"

#define BYTES   100000u
#define FEW_LOG (9ull << 20) /* so small that there is one stream for all of them */
#define ROLLS   24u

/* where the one stream of commits writes */
static const struct segment *stream_at(const struct journal *j)
{
	const struct segment *segment = NULL;
	uint32_t i;

	for (i = 0; i < HEADS && !segment; i++)
		if (j->heads[i].s->kind == HEAD_STREAM)
			segment = head_segment(j, &j->heads[i]);
	assert_non_null(segment);
	return segment;
}

/* it is retired at once: segments are there for ever */
static void put(struct bed *bed, struct model *model)
{
	struct journal_receipt receipt;

	assert_int_equal(bed_put(bed, model, BYTES, model->count, JOURNAL_PATH_SYNCED, &receipt),
			 0);
	assert_int_equal(journal_retire(bed->j, receipt.id), 0);
	model_retire(model, receipt.id);
}

static const struct segment *put_until_next(struct bed *bed, struct model *model)
{
	const struct segment *before = stream_at(bed->j);

	do
		put(bed, model);
	while (stream_at(bed->j) == before);
	return stream_at(bed->j);
}

static void consecutive_ones_are_on_other_logs(enum bed_medium medium, uint32_t logs)
{
	uint32_t i, before, turns[BED_LOGS_MAX] = { 0 };
	struct model model;
	struct bed bed;

	bed_make_logs(&bed, medium, logs, logs * FEW_LOG, 1u << 20);
	model_make(&model);
	put(&bed, &model);
	assert_int_equal(streams_count(bed.j), 1);
	before = stream_at(bed.j)->log;
	for (i = 0; i < ROLLS; i++) {
		const struct segment *now = put_until_next(&bed, &model);

		assert_int_equal(now->log, (before + 1) % logs);
		before = now->log;
		turns[now->log]++;
	}
	for (i = 0; i < logs; i++)
		assert_int_equal(turns[i], ROLLS / logs);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

static void of_two_logs_the_other(enum bed_medium medium)
{
	consecutive_ones_are_on_other_logs(medium, 2);
}

static void three_logs_take_turns(enum bed_medium medium)
{
	consecutive_ones_are_on_other_logs(medium, 3);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "of_two_logs_the_other", of_two_logs_the_other,
		  1u << BED_FILE | 1u << BED_SIM },
		{ "three_logs_take_turns", three_logs_take_turns, 1u << BED_SIM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
