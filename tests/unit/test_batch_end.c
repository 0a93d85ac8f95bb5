/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Behind its last record a block of the log is zeros, whatever the buffer held before: no
 * bytes of another transaction get there.  Each transaction is a write of its own here, large
 * ones before small ones.  logs_write() is replaced at link time.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/log.h"
#include "lib/bed.h"
#include "txn/logs.h"
#include "txn/streams.h"
#include "util/math.h"

int __real_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);
int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);

static struct {
	uint64_t record; /* bytes of the one that is written; 0: nobody asks */
	unsigned int writes, dirty;
	const struct stream *only; /* its batches alone; NULL: all that is written */
	struct stream *lost; /* while its next batch is written, another fills and the log fails */
} seen;

static bool is_asked_for(const struct log_io *io, uint32_t count)
{
	const struct stream *s = seen.only;

	return seen.record && count == 1 && io->bytes >= seen.record &&
	       (!s || io->buffer == s->batch[0].buffer || io->buffer == s->batch[1].buffer);
}

/* @bytes, none of them zero, that mean nothing: what is retired is not there */
static void append(struct stream *s, uint32_t bytes)
{
	uint8_t payload[4000];
	struct stream_place place;
	const struct stream_record record = {
		.meta = { .type = LOG_RETIRE, .count = 1, .bytes = bytes },
		.payload = payload,
	};

	assert_in_range(bytes, 1, sizeof(payload));
	memset(payload, 0x5a, sizeof(payload));
	assert_int_equal(stream_append(s, &record, true, &place), 0);
}

int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable)
{
	const uint8_t *buffer = io->buffer;
	struct stream *lost = seen.lost;
	uint64_t i;

	if (lost) {
		seen.lost = NULL;
		append(lost, 3600);
		return logs_fail(j, log, -EIO);
	}
	if (is_asked_for(io, count)) {
		seen.writes++;
		for (i = seen.record; i < io->bytes; i++)
			seen.dirty += buffer[i] != 0;
	}
	return __real_logs_write(j, log, io, count, durable);
}

static void blocks_end_in_zeros(void **state)
{
	/* down and up, over a block's end and up to it, and both buffers in turn */
	static const uint32_t sizes[] = { 60000, 100, 9000, 9000, 70, 4000, 4200, 8128, 64, 4032,
					  20000, 4096, 4096, 1, 1, 12000, 4095, 300, 5000, 3000 };
	struct bed bed;
	unsigned int i;

	(void)state;
	bed_make(&bed, BED_FILE, 0, 0);
	for (i = 0; i < ARRAY_COUNT(sizes); i++) {
		uint8_t *payload = bed_payload(sizes[i], i);

		seen.record = log_record_bytes(sizes[i]);
		assert_int_equal(journal_put(bed.j, payload, sizes[i], NULL), 0);
		seen.record = 0;
		free(payload);
	}
	assert_int_equal(seen.writes, ARRAY_COUNT(sizes));
	assert_int_equal(seen.dirty, 0);
	bed_check(&bed, 0);
	bed_remove(&bed);
}

static int written(struct stream *s)
{
	const uint64_t ticket = s->ticket;

	append(s, 240);
	return stream_wait(s, ticket, ticket);
}

/* A log fails while a batch is written: the one that fills meanwhile is emptied as it is. */
static void also_after_one_that_was_lost(void **state)
{
	struct bed bed;
	struct stream *s;
	unsigned int i;

	(void)state;
	bed_make_logs(&bed, BED_FILE, 2, 2 * BED_LOG_BYTES, 0);
	s = &bed.j->moved;
	assert_int_equal(stream_make_ready(s), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(written(s), 0); /* zeros are behind it, in both buffers */
	seen.lost = s;
	assert_int_equal(written(s), LOG_OUT);
	assert_null(seen.lost);
	seen.writes = seen.dirty = 0;
	seen.only = s;
	seen.record = log_record_bytes(240);
	for (i = 0; i < 4; i++)
		assert_int_equal(written(s), 0);
	seen.record = 0;
	assert_int_equal(seen.writes, 4);
	assert_int_equal(seen.dirty, 0);
	bed_remove(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_end_in_zeros),
		cmocka_unit_test(also_after_one_that_was_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
