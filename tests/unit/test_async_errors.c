/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A disk, or the NVRAM, that fails under many commits at a time: each completion has
 * its own result, those before the failure 0, those after it -EIO; and what came back
 * with 0 is there at the next open.  The stores are wrapped at link time.
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
#include "marker/sim.h"

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

static struct log_store *the_log;
static struct marker_store *the_marker;

int __wrap_backend_open_marker(const char *uri, unsigned int flags, uint64_t bytes,
			       struct marker_store **store, struct message *message)
{
	int error = __real_backend_open_marker(uri, flags, bytes, store, message);

	/* a journal with NVRAM has another beside it, which is a file */
	if (!error && !strncmp(uri, "sim:", 4))
		the_marker = *store;
	return error;
}

int __wrap_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message)
{
	int error = __real_backend_open_log(path, flags, bytes, progress, store, message);

	if (error)
		return error;
	the_log = *store = fault_log_wrap(*store);
	assert_non_null(the_log);
	return 0;
}

#define COMMITS 200

struct outcome {
	unsigned int good, failed, refused;
};

static int submit_one(struct bed *bed, struct journal_async *async, uint64_t bytes, uint64_t seed,
		      enum journal_path path)
{
	struct journal_txn_options options = { .path = path };
	struct journal_txn *txn;
	uint8_t *payload = bed_payload(bytes, seed);
	int error = journal_begin(bed->j, &options, &txn);

	if (!error)
		error = journal_append(txn, payload, bytes);
	if (!error)
		error = journal_submit(async, txn, seed);
	free(payload);
	return error;
}

static void take_some(struct journal_async *async, struct model *model, uint64_t bytes,
		      struct outcome *out, int timeout_ms)
{
	struct journal_completion done;

	while (!journal_async_next(async, timeout_ms, &done)) {
		if (!done.error) {
			assert_int_equal(out->failed, 0); /* in the order of durability */
			out->good++;
			model_add(model, done.receipt.id, bytes, done.cookie);
			continue;
		}
		assert_int_equal(done.error, -EIO);
		out->failed++;
	}
}

/* Until the journal refuses. */
static void live(struct bed *bed, struct model *model, uint64_t bytes, enum journal_path path,
		 struct outcome *out)
{
	struct journal_async *async;
	int error;

	assert_int_equal(journal_async_open(bed->j, COMMITS, &async), 0);
	for (uint64_t i = 0; i < COMMITS && !out->refused; i++) {
		error = submit_one(bed, async, bytes, i, path);
		if (error)
			assert_int_equal(error, -EIO);
		out->refused += error != 0;
		/* some have company, and there are enough writes for one to fail */
		if (i % 8 == 7)
			take_some(async, model, bytes, out, i % 24 == 23 ? 0 : -1);
	}
	take_some(async, model, bytes, out, -1);
	assert_int_equal(submit_one(bed, async, 10, 0, JOURNAL_PATH_AUTO), -EIO);
	assert_int_equal(journal_async_close(async), -EIO);
	assert_int_equal(journal_async_open(bed->j, 1, &async), -EIO);
}

/* What was acknowledged is there, and no more than what was in flight beside it. */
static void verify(struct bed *bed, struct model *model, const struct outcome *out)
{
	struct journal_entry entry = { 0 };
	size_t i, live_count = 0;

	(void)journal_close(bed->j);
	bed->j = NULL;
	bed_check(bed, 0);
	bed_open(bed, NULL);
	for (i = 0; i < model->count; i++)
		assert_int_equal(bed_verify(bed->j, model->all[i].id, model->all[i].bytes,
					    model->all[i].seed), 0);
	for (; !journal_next(bed->j, entry.id, &entry); live_count++)
		assert_int_equal(entry.state, JOURNAL_LIVE);
	assert_true(live_count >= out->good);
	assert_true(live_count <= out->good + out->failed);
}

static void failing(enum bed_medium medium, enum journal_path path, uint64_t nth_log,
		    uint64_t nth_fence, struct outcome *sum)
{
	struct outcome out = { 0 };
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	if (nth_log)
		fault_log_arm(the_log, FAULT_LOG_WRITE, nth_log, -EIO, false);
	if (nth_fence)
		marker_sim_fail_fence(the_marker, nth_fence, false, -EIO);
	live(&bed, &model, 3000 + nth_log, path, &out);
	assert_true(out.failed + out.refused > 0);
	verify(&bed, &model, &out);
	sum->good += out.good;
	sum->failed += out.failed;
	model_free(&model);
	bed_remove(&bed);
}

/* The first write that fails is that of the header of a segment, in the others records. */
static void p16_log_fails(enum bed_medium medium)
{
	static const uint64_t nth[] = { 1, 2, 3, 4, 6, 9 };
	struct outcome sum = { 0 };
	enum journal_path path = medium == BED_SIM ? JOURNAL_PATH_DIRECT : JOURNAL_PATH_SYNCED;

	for (unsigned int i = 0; i < sizeof(nth) / sizeof(nth[0]); i++)
		failing(medium, path, nth[i], 0, &sum);
	assert_true(sum.good > 0);
	assert_true(sum.failed > 0);
}

/* One fence for all of a write: none of them is acknowledged. */
static void p16_nvram_fails(enum bed_medium medium)
{
	struct outcome sum = { 0 };

	for (uint64_t nth = 1; nth < 8; nth++)
		failing(medium, JOURNAL_PATH_DIRECT, 0, nth, &sum);
	for (uint64_t nth = 5; nth < 60; nth += 9)
		failing(medium, JOURNAL_PATH_STAGED, 0, nth, &sum);
	assert_true(sum.good > 0);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "p16_log_fails", p16_log_fails, 1u << BED_FILE | 1u << BED_SIM },
		{ "p16_nvram_fails", p16_nvram_fails, 1u << BED_SIM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
