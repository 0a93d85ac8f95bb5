/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Each read of an open fails once; each write, flush and fence of a short life
 * fails once.  What was acknowledged is there at the next open, what was retired
 * is not, and nothing is called lost.  The stores are wrapped at link time.
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

/* what the next open is to meet, and its stores */
static enum fault_log_kind kind;
static uint64_t nth_log, nth_fence;
static struct log_store *the_log;

int __wrap_backend_open_marker(const char *uri, unsigned int flags, uint64_t bytes,
			       struct marker_store **store, struct message *message)
{
	int error = __real_backend_open_marker(uri, flags, bytes, store, message);

	/* of NVRAM: its stand-in is a file */
	if (!error && nth_fence && !strncmp(uri, "sim:", 4))
		marker_sim_fail_fence(*store, nth_fence, false, -EIO);
	return error;
}

/* a block of the log that cannot be read, as long as this is set */
static uint64_t bad_block;
static const struct log_store_ops *good_ops;
static struct log_store_ops spoilt_ops;

static int spoilt_read(struct log_store *store, struct log_io *io, unsigned int count)
{
	int error = good_ops->read(store, io, count);

	for (unsigned int i = 0; bad_block && i < count; i++)
		if (io[i].offset <= bad_block && bad_block < io[i].offset + io[i].bytes)
			error = io[i].result = -EIO;
	return error;
}

static void spoil(struct log_store *store)
{
	good_ops = store->ops;
	spoilt_ops = *good_ops;
	spoilt_ops.read = spoilt_read;
	store->ops = &spoilt_ops;
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
	spoil(the_log);
	if (nth_log)
		fault_log_arm(the_log, kind, nth_log, -EIO, false);
	return 0;
}

static void disarm(void)
{
	nth_log = 0;
	nth_fence = 0;
}

#define PUTS 40

static uint64_t size_of(unsigned int i)
{
	return i % 13 == 12 ? 1200000 : i % 5 == 4 ? 60000 : i * 37;
}

/* what an operation that failed leaves open */
struct doubt {
	unsigned int puts, retires;
};

/* Puts and retires until the end, whatever fails. */
static void live(struct bed *bed, struct model *model, struct doubt *doubt)
{
	struct journal_receipt receipt;
	struct model_entry *entry;
	unsigned int i;
	int error;

	for (i = 0; i < PUTS; i++) {
		doubt->puts += bed_put(bed, model, size_of(i), i, i % 4 == 3 ?
				       JOURNAL_PATH_SYNCED : JOURNAL_PATH_AUTO, &receipt) != 0;
		if (i % 3 || model->count < 4)
			continue;
		entry = &model->all[model->count - 4];
		error = entry->retired ? 0 : journal_retire(bed->j, entry->id);
		doubt->retires += error != 0;
		/* in flight: it may hold or not, so the model does not know it any more */
		entry->retired = true;
	}
}

/* All that was acknowledged is there, and no more than what is in doubt beside it. */
static void verify(struct bed *bed, struct model *model, const struct doubt *doubt)
{
	struct journal_entry entry = { 0 };
	size_t i, count = 0;

	for (i = 0; i < model->count; i++)
		if (!model->all[i].retired)
			assert_int_equal(bed_verify(bed->j, model->all[i].id, model->all[i].bytes,
						    model->all[i].seed), 0);
		else if (!doubt->retires)
			assert_int_equal(journal_lookup(bed->j, model->all[i].id, &entry), -ENOENT);
	for (entry.id = 0; !journal_next(bed->j, entry.id, &entry); count++)
		assert_int_equal(entry.state, JOURNAL_LIVE);
	assert_in_range(count, model_live(model), model_live(model) + doubt->puts + doubt->retires);
	assert_int_equal(bed_info(bed).lost_unnamed, 0);
}

/* Return: whether the fault was met */
static bool a_life_with(enum bed_medium medium, enum fault_log_kind what, uint64_t log,
			uint64_t fence)
{
	struct doubt doubt = { 0 };
	struct model model;
	struct bed bed;
	bool met;
	int error;

	bed_make(&bed, medium, 0, 1u << 20);
	model_make(&model);
	bed_close(&bed);
	kind = what;
	nth_log = log;
	nth_fence = fence;
	error = journal_open(bed.dir, NULL, &bed.j);
	disarm();
	met = error != 0;
	if (!error) {
		live(&bed, &model, &doubt);
		met = doubt.puts || doubt.retires;
		error = journal_close(bed.j);
		assert_true(error || !met);
		met = error != 0;
	} else {
		assert_int_equal(error, -EIO);
		(void)journal_close(bed.j);
	}
	bed_open(&bed, NULL);
	verify(&bed, &model, &doubt);
	bed_close(&bed);
	bed_check(&bed, 0);
	bed_remove(&bed);
	model_free(&model);
	return met;
}

static void writes_fail(enum bed_medium medium)
{
	uint64_t n;

	for (n = 1; a_life_with(medium, FAULT_LOG_WRITE, n, 0); n++)
		;
	assert_true(n > 10);
	print_message("%d writes\n", (int)n - 1);
}

static void flushes_fail(enum bed_medium medium)
{
	uint64_t n;

	for (n = 1; a_life_with(medium, FAULT_LOG_FLUSH, n, 0); n++)
		;
	assert_true(n > 1);
	print_message("%d flushes\n", (int)n - 1);
}

static void fences_fail(enum bed_medium medium)
{
	uint64_t n;

	for (n = 1; a_life_with(medium, FAULT_LOG_WRITE, 0, n); n++)
		;
	assert_true(n > PUTS);
	print_message("%d fences\n", (int)n - 1);
}

/* Whatever is not there any more is reported: by id, or counted. */
static void verify_told(struct bed *bed, struct model *model)
{
	struct journal_info info = bed_info(bed);
	struct journal_entry entry;
	size_t i, missing = 0;

	for (i = 0; i < model->count; i++) {
		if (model->all[i].retired)
			continue;
		if (journal_lookup(bed->j, model->all[i].id, &entry))
			missing++;
		else if (entry.state == JOURNAL_LIVE)
			assert_int_equal(bed_verify(bed->j, model->all[i].id, model->all[i].bytes,
						    model->all[i].seed), 0);
	}
	if (missing > info.lost_unnamed)
		fail_msg("%zu transactions are gone, %d are told of", missing,
			 (int)info.lost_unnamed);
}

/* Return: whether the fault was met */
static bool a_read_fails(enum bed_medium medium, uint64_t n)
{
	struct doubt doubt = { 0 };
	struct model model;
	struct bed bed;
	bool met;
	int error;

	bed_make(&bed, medium, 0, 1u << 20);
	model_make(&model);
	live(&bed, &model, &doubt);
	assert_int_equal(doubt.puts + doubt.retires, 0);
	bed_close(&bed);
	kind = FAULT_LOG_READ;
	nth_log = n;
	error = journal_open(bed.dir, NULL, &bed.j);
	disarm();
	met = error || fault_log_seen(the_log, FAULT_LOG_READ) >= n;
	if (error) {
		(void)journal_close(bed.j);
		bed_open(&bed, NULL);
		model_verify(&model, bed.j);
	} else {
		fault_log_arm(the_log, kind, 0, -EIO, false); /* opened: it is over */
		verify_told(&bed, &model);
	}
	bed_remove(&bed);
	model_free(&model);
	return met;
}

static void reads_fail(enum bed_medium medium)
{
	uint64_t n;

	for (n = 1; a_read_fails(medium, n); n++)
		;
	assert_true(n > 3);
	print_message("%d reads\n", (int)n - 1);
}

/* the block of the log in which @needle lies */
static uint64_t block_of(struct bed *bed, const char *needle)
{
	char path[PATH_MAX + 8], *text = malloc(16u << 20), *at;
	size_t got;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/log", bed->dir);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(text);
	got = fread(text, 1, 16u << 20, file);
	fclose(file);
	at = memmem(text, got, needle, strlen(needle));
	assert_non_null(at);
	got = (size_t)(at - text) & ~(size_t)4095;
	free(text);
	return got;
}

static uint64_t put_text(struct bed *bed, const char *text)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_SYNCED };
	struct journal_receipt receipt;
	struct journal_txn *txn;

	assert_int_equal(journal_begin(bed->j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, text, strlen(text)), 0);
	assert_int_equal(journal_commit(txn, &receipt), 0);
	return receipt.id;
}

static void is_there(struct bed *bed, uint64_t id, const char *text)
{
	char got[64];
	size_t bytes;

	assert_int_equal(journal_read(bed->j, id, got, sizeof(got), &bytes), 0);
	assert_int_equal(bytes, strlen(text));
	assert_memory_equal(got, text, bytes);
}

/* The last record lies in a block that stays unreadable: that is told, it is not
 * the end of the stream, and nothing is written there. */
static void a_block_stays_unreadable(enum bed_medium medium)
{
	uint64_t first, last, next, bad;
	struct bed bed;

	bed_make(&bed, medium, 9u << 20, 1u << 20);
	first = put_text(&bed, "the first one");
	last = put_text(&bed, "the needle, the last one");
	bed_close(&bed);
	bad = block_of(&bed, "the needle, the last one");
	bad_block = bad;
	assert_int_equal(journal_check(bed.dir, NULL, NULL, NULL, NULL, 0), -EUCLEAN);
	bed_open(&bed, NULL);
	assert_int_equal(bed_info(&bed).lost_unnamed, 1);
	is_there(&bed, first, "the first one");
	next = put_text(&bed, "the next one");
	bad_block = 0;
	bed_close(&bed);
	assert_int_equal(block_of(&bed, "the needle, the last one"), bad);
	bed_open(&bed, NULL);
	is_there(&bed, first, "the first one");
	is_there(&bed, next, "the next one");
	assert_true(last != next);
	bed_remove(&bed);
}

/* Of many reads one fails: that one is told, the others are there. */
static void one_of_many_reads_fails(enum bed_medium medium)
{
	struct journal_read_result got;
	struct journal_reads *reads;
	char id[JOURNAL_ID_CHARS];
	uint64_t ids[20], i, failed;
	struct bed bed;

	bed_make(&bed, medium, 9u << 20, 1u << 20);
	for (i = 0; i < 20; i++)
		ids[i] = put_text(&bed, "one of many");
	assert_int_equal(journal_reads_open(bed.j, 20, &reads), 0);
	for (uint64_t nth = 1; nth <= 21; nth++) {
		fault_log_arm(the_log, FAULT_LOG_READ, nth, -EIO, false);
		for (i = 0; i < 20; i++)
			assert_int_equal(journal_reads_submit(reads, ids[i], i), 0);
		for (i = failed = 0; i < 20; i++) {
			assert_int_equal(journal_reads_next(reads, -1, &got), 0);
			if (!got.error) {
				assert_memory_equal(got.data, "one of many", got.bytes);
				continue;
			}
			failed++;
			assert_int_equal(got.error, -EIO);
			journal_id_print(ids[nth - 1], id);
			assert_non_null(strstr(journal_error(bed.j), id));
		}
		assert_int_equal(failed, nth <= 20);
	}
	journal_reads_close(reads);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "a_block_stays_unreadable", a_block_stays_unreadable,
		  1u << BED_FILE | 1u << BED_SIM },
		{ "one_of_many_reads_fails", one_of_many_reads_fails,
		  1u << BED_FILE | 1u << BED_SIM },
		{ "reads_fail", reads_fail, 1u << BED_FILE | 1u << BED_SIM },
		{ "writes_fail", writes_fail, 1u << BED_FILE | 1u << BED_SIM },
		{ "flushes_fail", flushes_fail, 1u << BED_FILE | 1u << BED_SIM },
		{ "fences_fail", fences_fail, 1u << BED_SIM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(*tests));
}
