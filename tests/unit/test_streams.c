/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Several logs are written at the same time by one process.  A write is held until one is
 * under way on each of them; so with one stream, one batch under way, nothing would go
 * on, and what is waited for is given up after PATIENCE_S.  logs_write() is replaced at link
 * time.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "txn/ended.h"
#include "txn/head.h"
#include "txn/logs.h"
#include "txn/segment.h"
#include "txn/stream.h"

#define PATIENCE_S 60
#define LOG_BYTES  (18ull << 20)
#define FEW_BYTES  (9ull << 20)

int __real_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);
int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);

/* @want: logs that are to have a write of @least bytes under way, all at a time; 0: none */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t met;
	uint32_t want, under_way;
	uint64_t least, times, given_up;
	uint64_t bytes[JOURNAL_LOGS_MAX];
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .met = PTHREAD_COND_INITIALIZER };

/* The lock is held. */
static void gate_pass(uint32_t log)
{
	uint64_t round = gate.times;
	struct timespec until;

	gate.under_way |= 1u << log;
	if (gate.under_way == gate.want) {
		gate.times++;
		gate.under_way = 0;
		pthread_cond_broadcast(&gate.met);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	while (gate.want && round == gate.times)
		if (pthread_cond_timedwait(&gate.met, &gate.lock, &until)) {
			gate.given_up++;
			gate.want = 0;
			pthread_cond_broadcast(&gate.met);
		}
}

int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable)
{
	uint64_t bytes = 0;
	uint32_t i;

	for (i = 0; i < count; i++)
		bytes += io[i].bytes;
	pthread_mutex_lock(&gate.lock);
	gate.bytes[log] += bytes;
	if (durable && bytes >= gate.least && gate.want & 1u << log)
		gate_pass(log);
	pthread_mutex_unlock(&gate.lock);
	return __real_logs_write(j, log, io, count, durable);
}

static void gate_close(uint32_t want, uint64_t least)
{
	pthread_mutex_lock(&gate.lock);
	gate.want = want;
	gate.least = least;
	gate.times = gate.given_up = gate.under_way = 0;
	memset(gate.bytes, 0, sizeof(gate.bytes));
	pthread_mutex_unlock(&gate.lock);
}

static void gate_open(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.want = 0;
	pthread_cond_broadcast(&gate.met);
	pthread_mutex_unlock(&gate.lock);
}

/* Return: how often all had a write under way */
static uint64_t gate_met(void)
{
	uint64_t times, given_up;

	pthread_mutex_lock(&gate.lock);
	times = gate.times;
	given_up = gate.given_up;
	pthread_mutex_unlock(&gate.lock);
	assert_int_equal(given_up, 0);
	return times;
}

/* ---- threads ------------------------------------------------------------------------- */

#define THREADS 4u
#define BYTES   20000u /* no header, no summary is that large here */

struct writer {
	pthread_t thread;
	struct bed *bed;
	struct model *model;
	uint64_t seed, retire;
	enum journal_path path;
	int error;
};

/* until all of them have met some times: then nobody waits at the gate for good */
static void *put_on(void *context)
{
	struct writer *w = context;
	uint64_t i;

	for (i = 0; !w->error && i < 5; i++)
		w->error = bed_put(w->bed, w->model, BYTES, w->seed + i, w->path, NULL);
	gate_open();
	return NULL;
}

static void run(struct writer *w, uint32_t count, void *(*body)(void *))
{
	uint32_t i;

	for (i = 0; i < count; i++)
		assert_int_equal(pthread_create(&w[i].thread, NULL, body, &w[i]), 0);
	for (i = 0; i < count; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].error, 0);
	}
}

static void threads_write_all_logs_at_once(enum bed_medium medium, uint32_t logs,
					   enum journal_path path)
{
	struct writer w[THREADS] = { 0 };
	struct model model;
	struct bed bed;
	uint32_t i;

	bed_make_logs(&bed, medium, logs, logs * LOG_BYTES, 1u << 20);
	model_make(&model);
	for (i = 0; i < THREADS; i++)
		w[i] = (struct writer){ .bed = &bed, .model = &model, .seed = 100 * i,
					.path = path };
	gate_close((1u << logs) - 1, BYTES);
	run(w, THREADS, put_on);
	assert_true(gate_met() >= 2);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

static void two_logs_are_written_at_once(enum bed_medium medium)
{
	threads_write_all_logs_at_once(medium, 2, JOURNAL_PATH_SYNCED);
}

static void three_logs_are_written_at_once(enum bed_medium medium)
{
	threads_write_all_logs_at_once(medium, 3, JOURNAL_PATH_SYNCED);
}

/* extents, too */
static void direct_ones_are_written_at_once(enum bed_medium medium)
{
	threads_write_all_logs_at_once(medium, 3, JOURNAL_PATH_DIRECT);
}

/* ---- retires ------------------------------------------------------------------------- */

static void *retire_one(void *context)
{
	struct writer *w = context;

	w->error = journal_retire(w->bed->j, w->retire);
	return NULL;
}

/* Each has one to retire, and its record waits for the other's. */
static void retires_are_written_at_once(enum bed_medium medium)
{
	struct journal_receipt receipt;
	struct writer w[2] = { 0 };
	struct model model;
	struct bed bed;
	uint32_t i;

	bed_make_logs(&bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	model_make(&model);
	for (i = 0; i < 8; i++) {
		assert_int_equal(bed_put(&bed, &model, BYTES, i, JOURNAL_PATH_SYNCED, &receipt), 0);
		w[i % 2] = (struct writer){ .bed = &bed, .retire = receipt.id };
	}
	gate_close(3, 0);
	run(w, 2, retire_one);
	assert_int_equal(gate_met(), 1);
	gate_open();
	model_retire(&model, w[0].retire);
	model_retire(&model, w[1].retire);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- one thread ---------------------------------------------------------------------- */

/* One at a time, they take turns: the logs fill together. */
static void one_thread_takes_turns_by(enum bed_medium medium, enum journal_path path)
{
	struct model model;
	struct bed bed;
	uint32_t i;

	bed_make_logs(&bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	model_make(&model);
	gate_close(0, 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(bed_put(&bed, &model, BYTES, i, path, NULL), 0);
	assert_true(gate.bytes[0] > 40 * BYTES && gate.bytes[1] > 40 * BYTES);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

static void one_thread_takes_turns(enum bed_medium medium)
{
	one_thread_takes_turns_by(medium, JOURNAL_PATH_SYNCED);
}

static void one_thread_takes_turns_directly(enum bed_medium medium)
{
	one_thread_takes_turns_by(medium, JOURNAL_PATH_DIRECT);
}

/* The pieces of a large transaction lie together, and one flush makes them durable; the next
 * one's are on the other log.  Some are retired, and all segments are let go of. */
static void a_large_one_is_on_one_log(enum bed_medium medium)
{
	struct journal_receipt receipt;
	uint64_t bytes[2], large = 5 << 20;
	struct model model;
	struct bed bed;
	uint32_t i;

	bed_make_logs(&bed, medium, 2, 4 * LOG_BYTES, 1u << 20);
	model_make(&model);
	for (i = 0; i < 4; i++) {
		gate_close(0, 0);
		assert_int_equal(bed_put(&bed, &model, large, i, JOURNAL_PATH_DIRECT, &receipt), 0);
		bytes[i % 2] = gate.bytes[0];
		/* on the other one headers and summaries, if at all */
		assert_true(gate.bytes[0] > large ? gate.bytes[1] < large / 10 :
			    gate.bytes[1] > large && gate.bytes[0] < large / 10);
		if (i < 2)
			continue;
		assert_int_equal(journal_retire(bed.j, receipt.id), 0);
		model_retire(&model, receipt.id);
	}
	assert_true((bytes[0] > large) != (bytes[1] > large));
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- asynchronously ------------------------------------------------------------------- */

static void submit(struct bed *bed, struct journal_async *async, uint64_t i)
{
	const struct journal_txn_options options = { .path = JOURNAL_PATH_SYNCED };
	struct journal_txn *txn;
	uint8_t *payload = bed_payload(BYTES, i);

	assert_int_equal(journal_begin(bed->j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, payload, BYTES), 0);
	assert_int_equal(journal_submit(async, txn, i), 0);
	free(payload);
}

static void many_under_way_are_written_at_once(enum bed_medium medium)
{
	struct journal_completion done;
	struct journal_async *async;
	struct model model;
	struct bed bed;
	uint64_t i;

	bed_make_logs(&bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	model_make(&model);
	assert_int_equal(journal_async_open(bed.j, 0, &async), 0);
	gate_close(3, BYTES);
	for (i = 0; i < 150; i++)
		submit(&bed, async, i);
	for (i = 0; i < 150; i++) {
		assert_int_equal(journal_async_next(async, -1, &done), 0);
		assert_int_equal(done.error, 0);
		model_add(&model, done.receipt.id, BYTES, done.cookie);
		if (i == 20) /* what is left over may be for one of them */
			gate_open();
	}
	assert_true(gate_met() > 0);
	assert_int_equal(journal_async_close(async), 0);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- few segments, and a full log ------------------------------------------------------ */

static uint32_t streams_open(const struct journal *j)
{
	const struct segment *segment;
	uint32_t i, open = 0;

	for (i = 0; i < HEADS; i++) {
		segment = head_segment(j, &j->heads[i]);
		open += segment && j->heads[i].s->kind == HEAD_STREAM;
	}
	return open;
}

/* Return: how many it took */
static uint64_t fill(struct bed *bed, struct model *model, uint64_t seed)
{
	uint64_t i = 0;
	int error;

	do
		error = bed_put(bed, model, 100000, seed + i++, JOURNAL_PATH_SYNCED, NULL);
	while (!error);
	assert_int_equal(error, -ENOSPC);
	return i;
}

/* Full, emptied one by one, by records that take what is set aside; and again. */
static void fill_and_empty(enum bed_medium medium, uint64_t bytes, uint32_t streams)
{
	uint64_t first, again, round;
	struct model model;
	struct bed bed;
	size_t i;

	bed_make_logs(&bed, medium, 2, 2 * bytes, 1u << 20);
	model_make(&model);
	first = fill(&bed, &model, 0);
	assert_int_equal(streams_open(bed.j), streams);
	for (round = 1; round < 4; round++) {
		for (i = 0; i < model.count; i++) {
			if (model.all[i].retired)
				continue;
			assert_int_equal(journal_retire(bed.j, model.all[i].id), 0);
			model.all[i].retired = true;
		}
		again = fill(&bed, &model, round * 10000);
		assert_true(again + again / 4 >= first);
		if (round == 2)
			bed_reopen(&bed);
	}
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

static void a_full_log_is_emptied(enum bed_medium medium)
{
	fill_and_empty(medium, LOG_BYTES, 2);
}

static void a_small_log_has_one_stream(enum bed_medium medium)
{
	fill_and_empty(medium, FEW_BYTES, 1);
}

#define MANY 1024u /* slots of one record */

static void stream_segments(const struct journal *j, const struct segment *of[HEADS])
{
	uint32_t i;

	for (i = 0; i < HEADS; i++)
		of[i] = j->heads[i].s->kind == HEAD_STREAM ? head_segment(j, &j->heads[i]) : NULL;
}

/* With nothing left but what is set aside, one stream takes it, and not each. */
static void p8_one_stream_takes_the_reserve(enum bed_medium medium)
{
	const struct segment *before[HEADS], *after[HEADS];
	struct ended ended[MANY];
	uint32_t i, rolled = 0;
	struct model model;
	struct bed bed;

	bed_make_logs(&bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	model_make(&model);
	(void)fill(&bed, &model, 0);
	assert_int_equal(journal_retire(bed.j, model.all[0].id), 0);
	model.all[0].retired = true;
	for (i = 0; i < MANY; i++)
		ended[i] = (struct ended){ model.all[0].id, {
			.line = index_find(bed.j, id_number(model.all[0].id)),
			.number = id_number(model.all[0].id), .slot = id_slot(model.all[0].id) } };
	stream_segments(bed.j, before);
	/* some 40 of these fill a segment */
	for (i = 0; i < 150; i++)
		assert_int_equal(ended_by_records(bed.j, ended, MANY), 0);
	stream_segments(bed.j, after);
	for (i = 0; i < HEADS; i++)
		rolled += before[i] != after[i];
	assert_int_equal(rolled, 1);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* One log's open segment fills sooner than the other's: with none left for it, what comes
 * goes into the other's, to the last. */
static void direct_ones_fill_what_is_open(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	uint32_t i, open = 0;
	int error = 0;

	bed_make_logs(&bed, medium, 2, 2 * LOG_BYTES, 1u << 20);
	model_make(&model);
	for (i = 0; !error; i++)
		error = bed_put(&bed, &model, i % 2 ? BYTES : 8 * BYTES, i, JOURNAL_PATH_DIRECT,
				NULL);
	for (error = 0; !error; i++)
		error = bed_put(&bed, &model, BYTES, i, JOURNAL_PATH_DIRECT, NULL);
	assert_int_equal(error, -ENOSPC);
	for (i = 0; i < HEADS; i++) {
		if (!head_segment(bed.j, &bed.j->heads[i]) ||
		    bed.j->heads[i].s->kind != HEAD_EXTENTS)
			continue;
		open++;
		assert_false(segment_fits(bed.j, &bed.j->heads[i], bed.j->heads[i].s->end,
					  BYTES + LOG_RECORD_BYTES, 1));
	}
	assert_true(open >= 2);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "two_logs_are_written_at_once", two_logs_are_written_at_once,
		  1u << BED_FILE | 1u << BED_SIM },
		{ "three_logs_are_written_at_once", three_logs_are_written_at_once,
		  1u << BED_FILE },
		{ "direct_ones_are_written_at_once", direct_ones_are_written_at_once,
		  1u << BED_SIM },
		{ "one_thread_takes_turns_directly", one_thread_takes_turns_directly,
		  1u << BED_SIM },
		{ "direct_ones_fill_what_is_open", direct_ones_fill_what_is_open,
		  1u << BED_SIM },
		{ "a_large_one_is_on_one_log", a_large_one_is_on_one_log, 1u << BED_SIM },
		{ "retires_are_written_at_once", retires_are_written_at_once, 1u << BED_FILE },
		{ "one_thread_takes_turns", one_thread_takes_turns, 1u << BED_FILE },
		{ "many_under_way_are_written_at_once", many_under_way_are_written_at_once,
		  1u << BED_FILE | 1u << BED_SIM },
		{ "a_full_log_is_emptied", a_full_log_is_emptied, 1u << BED_FILE | 1u << BED_SIM },
		{ "p8_one_stream_takes_the_reserve", p8_one_stream_takes_the_reserve,
		  1u << BED_FILE },
		{ "a_small_log_has_one_stream", a_small_log_has_one_stream,
		  1u << BED_FILE | 1u << BED_SIM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
