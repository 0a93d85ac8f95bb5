/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Behind its last record a block of the log is zeros, whatever the buffer held before: no
 * bytes of another transaction get there.  Each transaction is a write of its own here, large
 * ones before small ones.  logs_write() is replaced at link time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format/log.h"
#include "lib/bed.h"
#include "txn/logs.h"
#include "util/math.h"

int __real_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);
int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);

static struct {
	uint64_t record; /* bytes of the one that is written; 0: nobody asks */
	unsigned int writes, dirty;
} seen;

int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable)
{
	const uint8_t *buffer = io->buffer;
	uint64_t i;

	if (seen.record && count == 1 && io->bytes >= seen.record) {
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_end_in_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
