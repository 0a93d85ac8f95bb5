/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Several logs, one of which fails: at each of its writes and flushes, from then on.
 * Commits and retires go on; what was acknowledged is there, and at the next open,
 * too.  The stores are wrapped at link time.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends.h"
#include "lib/bed.h"
#include "lib/fault_log.h"
#include "txn/head.h"
#include "txn/logs.h"

int __real_backend_open_marker(const char *uri, unsigned int flags, uint64_t bytes,
			       struct marker_store **store, struct message *message);
int __real_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message);
int __wrap_backend_open_marker(const char *uri, unsigned int flags, uint64_t bytes,
			       struct marker_store **store, struct message *message);
int __wrap_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message);

/* the log whose path has this in it fails, once opened */
static const char *victim;
static enum fault_log_kind kind;
static uint64_t nth;
static struct log_store *the_log;

int __wrap_backend_open_marker(const char *uri, unsigned int flags, uint64_t bytes,
			       struct marker_store **store, struct message *message)
{
	return __real_backend_open_marker(uri, flags, bytes, store, message);
}

int __wrap_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message)
{
	int error = __real_backend_open_log(path, flags, bytes, progress, store, message);

	if (error || !victim || !strstr(path, victim))
		return error;
	the_log = *store = fault_log_wrap(*store);
	assert_non_null(the_log);
	fault_log_arm(the_log, kind, nth, -EIO, true);
	return 0;
}

#define PUTS 90

static uint64_t size_of(unsigned int i)
{
	return i % 31 == 30 ? 1200000 : i % 5 == 4 ? 60000 : i * 37;
}

/* Puts and retires.  Return: how many puts failed, each of several pieces. */
static unsigned int live(struct bed *bed, struct model *model, uint64_t seed)
{
	struct journal_receipt receipt;
	struct model_entry *entry;
	unsigned int i, failed = 0;
	int error;

	for (i = 0; i < PUTS; i++) {
		error = bed_put(bed, model, size_of(i), seed + i, i % 4 == 3 ?
				JOURNAL_PATH_SYNCED : JOURNAL_PATH_AUTO, &receipt);
		if (error) {
			assert_int_equal(error, -EIO);
			assert_true(size_of(i) > 1000000);
			failed++;
		}
		if (i % 3 || model->count < 4)
			continue;
		entry = &model->all[model->count - 4];
		if (entry->retired)
			continue;
		assert_int_equal(journal_retire(bed->j, entry->id), 0);
		entry->retired = true;
	}
	return failed;
}

/* Return: whether the fault was met */
static bool a_life_with(enum bed_medium medium, unsigned int logs, const char *which,
			enum fault_log_kind what, uint64_t n)
{
	unsigned int i, failed, out = 0;
	struct journal_info info;
	struct model model;
	struct bed bed;

	/* of two: with a stream for each (streams.h) */
	bed_make_logs(&bed, medium, logs, logs == 2 ? 36u << 20 : logs * (12u << 20), 1u << 20);
	model_make(&model);
	assert_int_equal(live(&bed, &model, 1), 0);
	bed_close(&bed);
	victim = which;
	kind = what;
	nth = n;
	bed_open(&bed, NULL);
	failed = live(&bed, &model, 1000);
	victim = NULL;
	/* a piece that could not be flushed takes its transaction along, and no other */
	assert_true(failed <= 1);
	model_verify(&model, bed.j);
	info = bed_info(&bed);
	for (i = 0; i < info.log_count; i++)
		out += info.logs[i].failed;
	assert_int_equal(info.lost, 0);
	bed_close(&bed);
	/* it can be read, and recovery needs it */
	bed_open(&bed, NULL);
	model_verify(&model, bed.j);
	/* what failed was only said to have failed: the medium is in order */
	assert_int_equal(bed_info(&bed).logs[0].failed, 0);
	assert_int_equal(live(&bed, &model, 2000), 0);
	model_verify(&model, bed.j);
	bed_close(&bed);
	bed_open(&bed, NULL);
	model_verify(&model, bed.j);
	bed_remove(&bed);
	model_free(&model);
	assert_true(out <= 1);
	return out;
}

static void each_fails(enum bed_medium medium, unsigned int logs, const char *which,
		       enum fault_log_kind what, uint64_t least)
{
	uint64_t n;

	/* the first ones are those of the open */
	for (n = 1; a_life_with(medium, logs, which, what, n); n += 1 + n / 4)
		;
	assert_true(n > least);
	print_message("%s: up to %d\n", which, (int)n);
}

static void p16_a_log_fails_and_the_rest_goes_on(enum bed_medium medium)
{
	each_fails(medium, 2, "disk0", FAULT_LOG_WRITE, 5);
	each_fails(medium, 2, "disk1", FAULT_LOG_WRITE, 5);
}

static void p16_one_of_three_fails(enum bed_medium medium)
{
	each_fails(medium, 3, "disk1", FAULT_LOG_WRITE, 3);
}

static void p16_a_flush_fails_and_the_rest_goes_on(enum bed_medium medium)
{
	each_fails(medium, 2, "disk0", FAULT_LOG_FLUSH, 1);
	each_fails(medium, 2, "disk1", FAULT_LOG_FLUSH, 1);
}

/* ---- with many under way ------------------------------------------------------------ */

static void submit(struct bed *bed, struct journal_async *async, uint64_t i)
{
	const struct journal_txn_options options = {
		.path = bed_has_nvram(bed) ? JOURNAL_PATH_DIRECT : JOURNAL_PATH_SYNCED,
	};
	struct journal_txn *txn;
	uint8_t *payload = bed_payload(3000, i);

	assert_int_equal(journal_begin(bed->j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, payload, 3000), 0);
	assert_int_equal(journal_submit(async, txn, i), 0);
	free(payload);
}

/* one that nobody else is beside */
static int submit_alone(struct bed *bed, struct journal_async *async, struct model *model,
			uint64_t i)
{
	struct journal_completion done;

	submit(bed, async, i);
	assert_int_equal(journal_async_next(async, -1, &done), 0);
	if (!done.error)
		model_add(model, done.receipt.id, 3000, done.cookie);
	return done.error;
}

/*
 * What was acknowledged is there; what was not may be, and is never called lost.  How
 * many writes of those under way go to this disk is another number each time: the fault
 * is met behind them at the latest, when the segments of 1 MiB that the two disks take in
 * turn, each with about 250 of these, come back to it.
 */
static void many_under_way_with(enum bed_medium medium, uint64_t n)
{
	struct journal_completion done;
	struct journal_async *async;
	struct model model;
	struct bed bed;
	uint64_t i;
	int error = 0;

	bed_make_logs(&bed, medium, 2, 36ull << 20, 1u << 20);
	model_make(&model);
	bed_close(&bed);
	victim = "disk0";
	kind = FAULT_LOG_WRITE;
	nth = n;
	bed_open(&bed, NULL);
	assert_int_equal(journal_async_open(bed.j, 256, &async), 0);
	for (i = 0; i < 200; i++)
		submit(&bed, async, i);
	while (!journal_async_next(async, -1, &done))
		if (!done.error)
			model_add(&model, done.receipt.id, 3000, done.cookie);
		else
			assert_int_equal(done.error, -EIO);
	for (; !bed_info(&bed).logs[0].failed; i++) {
		assert_true(i < 200 + 3 * 350);
		error = submit_alone(&bed, async, &model, i);
	}
	/* the rest goes on */
	if (error)
		assert_int_equal(error, -EIO);
	assert_int_equal(submit_alone(&bed, async, &model, i), 0);
	assert_int_equal(journal_async_close(async), 0);
	victim = NULL;
	bed_reopen(&bed);
	assert_int_equal(bed_info(&bed).lost, 0);
	for (i = 0; i < model.count; i++)
		assert_int_equal(bed_verify(bed.j, model.all[i].id, 3000, model.all[i].seed), 0);
	bed_remove(&bed);
	model_free(&model);
}

static void p16_a_log_fails_with_many_under_way(enum bed_medium medium)
{
	uint64_t n;

	/* the first one is that of a segment's header */
	for (n = 1; n < 10; n++)
		many_under_way_with(medium, n);
}

/* ---- and NVRAM is given up ----------------------------------------------------------- */

static bool stream_is_on(const struct journal *j, uint32_t log)
{
	const struct segment *segment;
	uint32_t i;

	for (i = 0; i < HEADS; i++) {
		segment = head_segment(j, &j->heads[i]);
		if (segment && j->heads[i].s->kind == HEAD_STREAM)
			return segment->log == log;
	}
	return false;
}

/* Retires are records then, as without it: those on the log that fails are in a list. */
static void p16_a_log_fails_when_nvram_has(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	uint64_t i = 0, before;

	bed_make_logs(&bed, medium, 2, 24ull << 20, 1u << 20);
	model_make(&model);
	bed_close(&bed);
	victim = "disk0";
	nth = 0;
	bed_open(&bed, NULL);
	victim = NULL;
	assert_int_equal(journal_distrust(bed.j, "a test"), 0);
	do
		assert_int_equal(bed_put(&bed, &model, 30000, i++, JOURNAL_PATH_AUTO, NULL), 0);
	while (!stream_is_on(bed.j, 0));
	fault_log_arm(the_log, FAULT_LOG_WRITE, 1, -EIO, true);
	/* not because it is time for one */
	atomic_store(&bed.j->shared->segments_since_checkpoint, 0);
	before = bed.j->shared->checkpoints;
	assert_int_equal(journal_retire(bed.j, model.all[0].id), 0);
	model.all[0].retired = true;
	assert_true(bed_info(&bed).logs[0].failed);
	assert_true(bed.j->shared->checkpoints > before);
	model_verify(&model, bed.j);
	bed_reopen(&bed);
	model_verify(&model, bed.j);
	model_free(&model);
	bed_remove(&bed);
}

/* journal.conf has it no more, and the mapping does not say so yet. */
static void a_log_that_was_removed_meanwhile_is_gone(enum bed_medium medium)
{
	struct log_store *store;
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	store = logs_meet(bed.j, JOURNAL_LOGS_MAX - 1);
	assert_true(store->gone);
	assert_non_null(strstr(store->evidence, "log 16 of journal.conf: No such device"));
	assert_int_equal(atomic_load(&store->failed), -ENODEV);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "p16_a_log_fails_and_the_rest_goes_on",
		  p16_a_log_fails_and_the_rest_goes_on,
		  1u << BED_FILE | 1u << BED_PMEM | 1u << BED_SIM },
		{ "p16_one_of_three_fails", p16_one_of_three_fails,
		  1u << BED_FILE | 1u << BED_SIM },
		{ "p16_a_log_fails_with_many_under_way", p16_a_log_fails_with_many_under_way,
		  1u << BED_FILE | 1u << BED_SIM },
		{ "p16_a_log_fails_when_nvram_has", p16_a_log_fails_when_nvram_has,
		  1u << BED_SIM },
		{ "p16_a_flush_fails_and_the_rest_goes_on",
		  p16_a_flush_fails_and_the_rest_goes_on, 1u << BED_FILE | 1u << BED_SIM },
		{ "a_log_that_was_removed_meanwhile_is_gone",
		  a_log_that_was_removed_meanwhile_is_gone, 1u << BED_FILE },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
