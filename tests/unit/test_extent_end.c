/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Behind what goes to the log straight from a transaction's buffer its block is zeros, whatever
 * the buffer held before: no bytes of another transaction get there.  logs_write() is replaced
 * at link time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/log.h"
#include "journal_async.h"
#include "lib/bed.h"
#include "txn/extent.h"
#include "txn/logs.h"

static const struct journal_txn_options direct = { .path = JOURNAL_PATH_DIRECT };

int __real_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);
int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);

static unsigned int extents, dirty;

static void look(const struct log_io *io)
{
	const struct log_record *record = io->buffer;
	const uint8_t *bytes = io->buffer;

	if (record->type != LOG_EXTENT)
		return;
	extents++;
	for (uint32_t i = LOG_RECORD_BYTES + get_le32(record->bytes); i < io->bytes; i++)
		dirty += bytes[i] != 0;
}

int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable)
{
	for (uint32_t i = 0; i < count; i++)
		look(&io[i]);
	return __real_logs_write(j, log, io, count, durable);
}

static void check(struct bed *bed, unsigned int expected)
{
	assert_int_equal(extents, expected);
	assert_int_equal(dirty, 0);
	extents = 0;
	bed_check(bed, 0);
	bed_remove(bed);
}

/* a buffer, used up to @bytes and given back; the next transaction gets it */
static void use_buffer(struct bed *bed, uint32_t bytes, bool reserve)
{
	uint8_t *payload = bed_payload(bytes, bytes);
	struct journal_txn *txn;
	void *where;

	assert_int_equal(journal_begin(bed->j, &direct, &txn), 0);
	if (reserve) {
		assert_int_equal(journal_reserve(txn, bytes, &where), 0);
		memcpy(where, payload, bytes);
	} else {
		assert_int_equal(journal_append(txn, payload, bytes), 0);
	}
	assert_int_equal(journal_abort(txn), 0);
	free(payload);
}

static struct journal_txn *begin(struct bed *bed, uint32_t bytes, uint32_t more)
{
	uint8_t *payload = bed_payload(bytes + more, bytes);
	struct journal_txn *txn;

	assert_int_equal(journal_begin(bed->j, &direct, &txn), 0);
	assert_int_equal(journal_append(txn, payload, bytes), 0);
	assert_int_equal(journal_append(txn, payload + bytes, more), 0);
	free(payload);
	return txn;
}

static void put(struct bed *bed, uint32_t bytes, uint32_t more)
{
	assert_int_equal(journal_commit(begin(bed, bytes, more), NULL), 0);
}

static void of_one_piece(void **state)
{
	/* down and up, over a block's end and up to it */
	static const uint32_t sizes[] = { 20000, 100, 9000, 9000, 70, 4000, 4200, 8096, 64, 4000,
					  20000, 4096, 4096, 1, 1, 12000, 4095, 300, 5000, 3000 };
	struct bed bed;
	unsigned int i;

	(void)state;
	bed_make(&bed, BED_PMEM, 0, 0);
	for (i = 0; i < ARRAY_COUNT(sizes); i++)
		put(&bed, sizes[i], 0);
	check(&bed, ARRAY_COUNT(sizes));
}

static void after_one_that_was_not_written(void **state)
{
	struct bed bed;

	(void)state;
	bed_make(&bed, BED_PMEM, 0, 0);
	put(&bed, 100, 0);
	use_buffer(&bed, 4000, false);
	put(&bed, 100, 0);
	use_buffer(&bed, 4000, true);
	put(&bed, 100, 0);
	check(&bed, 3);
}

/* What had been put into its small buffer is left there when it gets a large one. */
static void after_one_that_grew(void **state)
{
	struct bed bed;

	(void)state;
	bed_make(&bed, BED_PMEM, 0, 0);
	put(&bed, 100, 0);
	put(&bed, 3000, 200000);
	put(&bed, 100, 0);
	check(&bed, 3);
}

/* Of a large one's pieces each is such a record; the one before used the buffer's end, too. */
static void of_many_pieces(void **state)
{
	struct bed bed;
	uint32_t piece;

	(void)state;
	bed_make(&bed, BED_PMEM, 0, 0);
	piece = (uint32_t)round_down(extent_payload_max(bed.j) - 4096, 4096);
	put(&bed, piece, 2 * piece); /* a table behind the third */
	put(&bed, piece, piece);
	check(&bed, 5);
}

static void of_one_that_is_submitted(void **state)
{
	struct journal_async *async;
	struct journal_completion done;
	struct bed bed;

	(void)state;
	bed_make(&bed, BED_PMEM, 0, 0);
	use_buffer(&bed, 4000, false);
	assert_int_equal(journal_async_open(bed.j, 1, &async), 0);
	assert_int_equal(journal_submit(async, begin(&bed, 100, 0), 1), 0);
	assert_int_equal(journal_async_next(async, -1, &done), 0);
	assert_int_equal(done.error, 0);
	assert_int_equal(journal_async_close(async), 0);
	check(&bed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_one_piece),
		cmocka_unit_test(after_one_that_was_not_written),
		cmocka_unit_test(after_one_that_grew),
		cmocka_unit_test(of_many_pieces),
		cmocka_unit_test(of_one_that_is_submitted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
