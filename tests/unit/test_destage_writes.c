/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Many small staged transactions are destaged by few large writes, and each segment is
 * written from its beginning to its end.  All writes of the logs are noted: logs_write()
 * is replaced at link time.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "txn/logs.h"
#include "txn/segment.h"

#define BYTES      300u
#define FEW        12000u /* less than half of the stage */
#define MANY       18000u
#define AVERAGE    65536u
#define NOTES_MAX  65536u

int __real_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);
int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);

static struct {
	pthread_mutex_t lock;
	bool notes;
	uint32_t count;
	struct {
		uint64_t from, bytes;
	} all[NOTES_MAX];
} noted = { .lock = PTHREAD_MUTEX_INITIALIZER };

int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable)
{
	uint32_t i, at;

	pthread_mutex_lock(&noted.lock);
	for (i = 0; noted.notes && i < count && noted.count < NOTES_MAX; i++) {
		at = noted.count++;
		noted.all[at].from = io[i].offset;
		noted.all[at].bytes = io[i].bytes;
	}
	pthread_mutex_unlock(&noted.lock);
	return __real_logs_write(j, log, io, count, durable);
}

static void note(bool on)
{
	pthread_mutex_lock(&noted.lock);
	noted.notes = on;
	pthread_mutex_unlock(&noted.lock);
}

static void put_many(struct bed *bed, struct model *model, uint32_t count)
{
	uint64_t i;

	for (i = 0; i < count; i++)
		assert_int_equal(bed_put(bed, model, BYTES, i, JOURNAL_PATH_STAGED, NULL), 0);
}

/* all that is staged, by rounds as a process that does the maintenance makes them */
static void destage_all(struct bed *bed)
{
	const struct journal_maintain_options now = { .stage_fill_percent = 1, .stage_age_ns = 1 };
	struct journal_maintained done;

	do
		assert_int_equal(journal_maintain(bed->j, &now, &done), 0);
	while (done.more || bed_info(bed).staged_live);
}

/* What was written into one segment, in the order of the writes: each behind the one before,
 * and little is left out. */
static void written_in_order(const struct journal *j, uint32_t number)
{
	uint64_t base = segment_base(j, number), end = base, sum = 0;
	uint32_t i;

	for (i = 0; i < noted.count; i++) {
		if (noted.all[i].from < base || noted.all[i].from >= base + j->segment_bytes)
			continue;
		assert_true(noted.all[i].from >= end);
		end = noted.all[i].from + noted.all[i].bytes;
		sum += noted.all[i].bytes;
	}
	assert_true(end <= base + j->segment_bytes);
	assert_true(sum >= (end - base) / 10 * 9);
}

/* headers, summaries and all else that is written with them are counted, too */
static void written_large_and_in_order(struct bed *bed)
{
	uint64_t sum = 0, destaged = bed_info(bed).destaged;
	uint32_t i;

	assert_true(noted.count && noted.count < NOTES_MAX);
	for (i = 0; i < noted.count; i++)
		sum += noted.all[i].bytes;
	assert_true(sum >= destaged * BYTES);
	assert_true(sum / noted.count >= AVERAGE);
	for (i = 0; i < segments_end(bed->j); i++)
		written_in_order(bed->j, i);
}

static void writes_begin(struct bed *bed, struct model *model)
{
	noted.count = 0;
	bed_make(bed, BED_PMEM, 160u << 20, 16u << 20);
	model_make(model);
	/* what is old does not go by itself */
	atomic_store(&bed->j->background.age.begun, true);
	note(true);
}

static void writes_end(struct bed *bed, struct model *model)
{
	note(false);
	written_large_and_in_order(bed);
	model_verify_reopened(model, bed);
	model_free(model);
	bed_remove(bed);
}

static void by_maintenance(void **state)
{
	struct model model;
	struct bed bed;

	(void)state;
	writes_begin(&bed, &model);
	bed.j->background.started = true; /* no threads */
	put_many(&bed, &model, FEW);
	assert_int_equal(noted.count, 0);
	destage_all(&bed);
	assert_int_equal(bed_info(&bed).destaged, FEW);
	writes_end(&bed, &model);
}

/* until less is staged than what ends it */
static void in_the_background(void **state)
{
	struct model model;
	struct bed bed;

	(void)state;
	writes_begin(&bed, &model);
	put_many(&bed, &model, MANY);
	while (atomic_load(&bed.j->background.due))
		usleep(1000);
	assert_true(bed_info(&bed).destaged > MANY / 4);
	writes_end(&bed, &model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_maintenance),
		cmocka_unit_test(in_the_background),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
