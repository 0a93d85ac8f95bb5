/* SPDX-License-Identifier: BSD-3-Clause */
/* What a record of the log says of the one before it: bits of three fields. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "format/log.h"
#include "format/marker.h"
#include "journal.h"

#define OFFSET (1u << 20)
#define ROOM   (1u << 20)
#define SEED   7u
#define EPOCH  (0x89abcdefull << 23 | 0x654321)

static struct log_meta given(void)
{
	return (struct log_meta){
		.type = LOG_DATA, .count = 64, .id = EPOCH << 9 | 448, .line = 0xfedcb,
		.slot = 448, .line_epoch = EPOCH, .seq = 40, .acked = 38, .bytes = 1000,
		.extents = 1, .total_bytes = 1000,
	};
}

static void put(const struct log_meta *meta, struct log_record *record)
{
	log_record_encode(meta, SEED, OFFSET, record);
}

static int get(const struct log_record *record, struct log_meta *meta)
{
	return log_record_decode(record, SEED, OFFSET, ROOM, meta);
}

/* a record behind @before comes back, as it was but for that */
static struct log_before through(const struct log_before *before)
{
	struct log_meta meta = given(), got;
	struct log_record record;

	meta.seq = OFFSET / LOG_RECORD_BYTES;
	meta.acked = meta.seq - 1;
	meta.before = *before;
	put(&meta, &record);
	assert_int_equal(get(&record, &got), 0);
	assert_int_equal(got.seq, meta.seq);
	assert_int_equal(got.acked, meta.acked);
	assert_int_equal(got.total_bytes, meta.total_bytes);
	return got.before;
}

static void same(const struct log_before *a, const struct log_before *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->line, b->line);
	assert_int_equal(a->slot, b->slot);
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->check, b->check);
}

static void a_group_comes_back(void **state)
{
	struct log_meta meta = given();
	struct log_before before = log_before_of(&meta), got = through(&before);

	(void)state;
	same(&got, &before);
	assert_int_equal(got.type, LOG_DATA);
	assert_int_equal(got.id, meta.id);
	assert_int_equal(got.line, meta.line);
	assert_int_equal(got.slot, meta.slot);
	assert_int_equal(got.count, meta.count);
	assert_true(log_before_is_at_home(&got));
}

static void every_bit_comes_back(void **state)
{
	struct log_before before = { .type = LOG_RETIRE, .id = ~0ull, .line = (1u << 20) - 1,
				     .slot = 448, .count = 64, .check = (1u << 24) - 1 };
	struct log_before got = through(&before);
	uint32_t bit;

	(void)state;
	same(&got, &before);
	for (bit = 0; bit < 64; bit++) {
		before = (struct log_before){ .type = LOG_EXTENT, .id = 1ull << bit, .count = 1,
					      .line = 1u << bit % 20, .slot = 1u << bit % 9,
					      .check = 1u << bit % 24 };
		got = through(&before);
		same(&got, &before);
	}
}

static void one_that_was_moved_comes_back(void **state)
{
	struct log_meta meta = given();
	struct log_before before, got;

	(void)state;
	meta.count = 1;
	meta.id = (5ull << 23 | 3) << 9 | 448; /* of the same slot, in another line */
	before = log_before_of(&meta);
	got = through(&before);
	same(&got, &before);
	assert_false(log_before_is_at_home(&got));
	before.slot--;
	assert_false(log_before_is_at_home(&before));
	assert_int_equal(got.check, log_before_check(EPOCH));
	assert_int_not_equal(got.check, log_before_check(EPOCH + 1));
	assert_int_not_equal(got.check, log_before_check(EPOCH + (1ull << 23)));
	assert_int_not_equal(got.check, log_before_check(EPOCH + (1ull << 54)));
}

static void a_retire_record_says_how_many(void **state)
{
	struct log_meta meta = { .type = LOG_RETIRE, .count = 1, .bytes = 1024 * 24 };
	struct log_before before = log_before_of(&meta), got = through(&before);

	(void)state;
	same(&got, &before);
	assert_int_equal(got.type, LOG_RETIRE);
	assert_int_equal(got.id, 1024);
}

static uint64_t upper(__le64 field, uint32_t bits)
{
	return get_le64(field) >> bits;
}

/* Older versions wrote it so. */
static void nothing_is_zeros(void **state)
{
	const struct log_before none = { 0 };
	struct log_meta meta = given(), got;
	struct log_record record;

	(void)state;
	put(&meta, &record);
	assert_int_equal(upper(record.seq, 20), 0);
	assert_int_equal(upper(record.acked, 20), 0);
	assert_int_equal(upper(record.total_bytes, 27), 0);
	assert_int_equal(get(&record, &got), 0);
	same(&got.before, &none);
}

/* as docs/format.md has it */
static void where_the_bits_are(void **state)
{
	struct log_meta meta = given(), before = given();
	struct log_record record;

	(void)state;
	meta.before = log_before_of(&before);
	put(&meta, &record);
	assert_int_equal(get_le64(record.seq), 40 | 0xfedcbull << 20 |
			 (EPOCH * 0x9e3779b97f4a7c15ull >> 40) << 40);
	assert_int_equal(get_le64(record.acked), 38 | before.id << 20);
	assert_int_equal(get_le64(record.total_bytes),
			 1000 | before.id >> 44 << 27 | 448ull << 47 | 63ull << 56 | 1ull << 62);
}

static int try(const struct log_before *before, uint64_t seq)
{
	struct log_meta meta = given(), got;
	struct log_record record;

	meta.seq = seq;
	meta.acked = 0;
	meta.before = *before;
	put(&meta, &record);
	return get(&record, &got);
}

static void what_makes_no_sense_is_refused(void **state)
{
	struct log_meta meta = given(), got;
	struct log_before before = log_before_of(&meta);
	struct log_record record;
	uint32_t bit;

	(void)state;
	assert_int_equal(try(&before, 2), 0);
	/* the first of a segment, and extents, have none before them */
	assert_int_equal(try(&before, 1), -EBADMSG);
	assert_int_equal(try(&before, 0), -EBADMSG);
	before.slot++;
	assert_int_equal(try(&before, 2), -EBADMSG);
	before.count--;
	assert_int_equal(try(&before, 2), 0);
	/* of nothing, something */
	for (bit = 27; bit < 62; bit++) {
		struct log_before_words words = { 40, 38, 1000 | 1ull << bit };

		log_before_unpack(&words, &before);
		assert_int_equal(words.total_bytes, 1000);
		assert_false(log_before_sane(&before, 40));
	}
	for (bit = 20; bit < 64; bit++) {
		struct log_before_words words = { 40 | 1ull << bit, 38, 1000 };

		log_before_unpack(&words, &before);
		assert_int_equal(words.seq, 40);
		assert_false(log_before_sane(&before, 40));
	}
	put(&meta, &record);
	assert_int_equal(get(&record, &got), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_comes_back),
		cmocka_unit_test(every_bit_comes_back),
		cmocka_unit_test(one_that_was_moved_comes_back),
		cmocka_unit_test(a_retire_record_says_how_many),
		cmocka_unit_test(nothing_is_zeros),
		cmocka_unit_test(where_the_bits_are),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
