/* SPDX-License-Identifier: BSD-3-Clause */
/* The fault filter itself, and what failures do to the log store above it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fault.h"
#include "../lib/fault_log.h"
#include "../lib/scratch.h"
#include "log/log_file.h"

#define STORE_BYTES (1u << 20)
#define UNIT        4096u
#define SECTOR      512u

struct place {
	struct scratch scratch;
	char path[PATH_MAX];
	struct log_store *store;
	uint8_t *buffer;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	scratch_path(&place->scratch, "log", place->path);
	place->buffer = aligned_alloc(UNIT, 4 * UNIT);
	assert_int_equal(log_file_open(place->path, LOG_CREATE, STORE_BYTES, NULL,
				       &place->store, NULL), 0);
	place->store = fault_log_wrap(place->store);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	log_store_close(place->store);
	scratch_remove(&place->scratch);
	free(place->buffer);
	free(place);
	return 0;
}

static int write_byte(struct place *place, unsigned int block, int byte, bool durable)
{
	struct log_io io = { (uint64_t)block * UNIT, place->buffer, UNIT, 0 };

	memset(place->buffer, byte, UNIT);
	return log_store_write(place->store, &io, 1, durable);
}

static int read_block(struct place *place, unsigned int block)
{
	struct log_io io = { (uint64_t)block * UNIT, place->buffer, UNIT, 0 };

	return log_store_read(place->store, &io, 1);
}

/* the byte that all of the block is, or -1 */
static int byte_of(struct place *place, unsigned int block)
{
	assert_int_equal(read_block(place, block), 0);
	if (memcmp(place->buffer, place->buffer + 1, UNIT - 1))
		return -1;
	return place->buffer[0];
}

static void reopen(struct place *place)
{
	log_store_close(place->store);
	place->store = NULL;
	assert_int_equal(log_file_open(place->path, 0, 0, NULL, &place->store, NULL), 0);
}

static void the_nth_write_fails_and_that_sticks(void **state)
{
	struct place *place = *state;

	for (int i = 0; i < 2; i++)
		assert_int_equal(write_byte(place, 0, 1, true), 0);
	fault_log_arm(place->store, FAULT_LOG_WRITE, 3, -ENOSPC, false);
	assert_int_equal(write_byte(place, 0, 2, true), 0);
	assert_int_equal(write_byte(place, 1, 2, false), 0);
	assert_int_equal(write_byte(place, 2, 2, true), -ENOSPC);
	/* once it has failed, nothing is tried any more, and nothing forgotten */
	assert_int_equal(write_byte(place, 3, 2, true), -ENOSPC);
	assert_int_equal(log_store_flush(place->store), -ENOSPC);
	assert_int_equal(fault_log_seen(place->store, FAULT_LOG_WRITE), 3);
	assert_int_equal(fault_log_seen(place->store, FAULT_LOG_FLUSH), 0);
	/* reads go on */
	assert_int_equal(byte_of(place, 1), 2);
	assert_int_equal(byte_of(place, 2), 0);
}

static void a_failed_flush_sticks_too(void **state)
{
	struct place *place = *state;

	fault_log_arm(place->store, FAULT_LOG_FLUSH, 1, -EIO, false);
	assert_int_equal(write_byte(place, 0, 1, false), 0);
	assert_int_equal(log_store_flush(place->store), -EIO);
	assert_int_equal(log_store_flush(place->store), -EIO);
	assert_int_equal(write_byte(place, 0, 2, true), -EIO);
	assert_int_equal(byte_of(place, 0), 1);
}

static void a_failed_read_does_not(void **state)
{
	struct place *place = *state;

	fault_log_arm(place->store, FAULT_LOG_READ, 2, -EIO, false);
	assert_int_equal(read_block(place, 0), 0);
	assert_int_equal(read_block(place, 0), -EIO);
	assert_int_equal(read_block(place, 0), 0);
	fault_log_arm(place->store, FAULT_LOG_READ, 2, -EIO, true);
	assert_int_equal(read_block(place, 0), 0);
	assert_int_equal(read_block(place, 0), -EIO);
	assert_int_equal(read_block(place, 0), -EIO);
	assert_int_equal(write_byte(place, 0, 2, true), 0);
}

static void a_cut_loses_what_was_not_flushed(void **state)
{
	struct place *place = *state;

	fault_log_hold(place->store);
	assert_int_equal(write_byte(place, 0, 1, false), 0);
	assert_int_equal(log_store_flush(place->store), 0); /* 0 is safe */
	assert_int_equal(write_byte(place, 0, 2, false), 0);
	assert_int_equal(write_byte(place, 1, 3, true), 0); /* 1 is, and only 1 */
	assert_int_equal(write_byte(place, 2, 4, false), 0);
	assert_int_equal(fault_log_held(place->store), 2);
	/* before the cut everybody sees the newest */
	assert_int_equal(byte_of(place, 0), 2);
	assert_int_equal(byte_of(place, 2), 4);
	fault_log_cut(place->store, FAULT_LOG_DROP, 0);
	assert_int_equal(write_byte(place, 3, 5, true), -EIO);
	reopen(place);
	assert_int_equal(byte_of(place, 0), 1);
	assert_int_equal(byte_of(place, 1), 3);
	assert_int_equal(byte_of(place, 2), 0);
	assert_int_equal(byte_of(place, 3), 0);
}

static void a_durable_write_is_not_undone_by_an_older_one(void **state)
{
	struct place *place = *state;

	fault_log_hold(place->store);
	assert_int_equal(write_byte(place, 0, 1, false), 0);
	assert_int_equal(write_byte(place, 0, 2, true), 0);
	assert_int_equal(byte_of(place, 0), 2);
	fault_log_cut(place->store, FAULT_LOG_KEEP, 0);
	reopen(place);
	assert_int_equal(byte_of(place, 0), 2);
}

static void closing_is_not_a_cut(void **state)
{
	struct place *place = *state;

	fault_log_hold(place->store);
	assert_int_equal(write_byte(place, 0, 1, false), 0);
	reopen(place);
	assert_int_equal(byte_of(place, 0), 1);
}

static void a_mixed_cut_leaves_every_sector_old_or_new(void **state)
{
	struct place *place = *state;
	uint64_t seed = fault_seed("mixed cut");
	unsigned int dropped = 0, kept = 0, torn = 0;

	fault_log_hold(place->store);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(write_byte(place, i, 7, false), 0);
	fault_log_cut(place->store, FAULT_LOG_MIXED, seed);
	reopen(place);
	for (unsigned int i = 0; i < 100; i++) {
		int byte = byte_of(place, i);

		dropped += byte == 0;
		kept += byte == 7;
		torn += byte == -1;
		for (unsigned int s = 0; s < UNIT; s += SECTOR) {
			uint8_t *sector = place->buffer + s;

			assert_true(*sector == 0 || *sector == 7);
			assert_false(memcmp(sector, sector + 1, SECTOR - 1));
		}
	}
	/* all three happen: each fails to in 100 throws once in 10^17 */
	assert_true(dropped && kept && torn);
}

static void a_cut_may_come_at_the_nth_operation(void **state)
{
	struct place *place = *state;

	fault_log_hold(place->store);
	fault_log_cut_at(place->store, 3, FAULT_LOG_KEEP, 0);
	assert_int_equal(write_byte(place, 0, 1, true), 0);
	assert_int_equal(log_store_flush(place->store), 0);
	assert_false(fault_log_is_cut(place->store));
	/* under way when the power went: here it happened to get through */
	assert_int_equal(write_byte(place, 1, 2, true), -EIO);
	assert_true(fault_log_is_cut(place->store));
	reopen(place);
	assert_int_equal(byte_of(place, 0), 1);
	assert_int_equal(byte_of(place, 1), 2);
}

static void a_seed_gives_the_same_sequence(void **state)
{
	uint64_t a = 42, b = 42, c = 43;

	(void)state;
	for (int i = 0; i < 10; i++) {
		uint64_t next = fault_random(&a);

		assert_true(next == fault_random(&b));
		assert_true(next != fault_random(&c));
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_nth_write_fails_and_that_sticks),
		TEST(a_failed_flush_sticks_too),
		TEST(a_failed_read_does_not),
		TEST(a_cut_loses_what_was_not_flushed),
		TEST(a_durable_write_is_not_undone_by_an_older_one),
		TEST(closing_is_not_a_cut),
		TEST(a_mixed_cut_leaves_every_sector_old_or_new),
		TEST(a_cut_may_come_at_the_nth_operation),
		cmocka_unit_test(a_seed_gives_the_same_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
