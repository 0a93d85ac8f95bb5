/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/stage.h"
#include "util/crc32c.h"

#define POSITION 0x100000040ull
#define ROOM     (1u << 20)

static struct stage_meta given(void)
{
	return (struct stage_meta){
		.type = STAGE_DATA,
		.count = 3,
		.position = POSITION,
		.id = 0x0000000700000009ull << 9 | 5,
		.line = 77,
		.bytes = 1000,
		.payload_crc = 0xabcdef01u,
		.time_ns = 1700000000123456789ull,
		.tag = 0x1122334455667788ull,
		.reference = 0x99aabbccddeeff00ull,
	};
}

static struct stage_last before_it(void)
{
	return (struct stage_last){
		.id = 0x0000000700000008ull << 9 | 448,
		.position = POSITION - 64 * 300,
		.line = 0xfedcb,
		.count = 64,
	};
}

static const struct stage_last nobody;

static uint32_t seed(void)
{
	return stage_seed(0x0123456789abcdefull, 2);
}

static int try(const struct stage_meta *meta, uint64_t room)
{
	struct stage_record record;
	struct stage_meta got;

	stage_encode(meta, &nobody, seed(), &record);
	return stage_decode(&record, seed(), meta->position, room, &got);
}

static void comes_back(void **state)
{
	struct stage_meta meta = given(), got;
	struct stage_record record;

	(void)state;
	stage_encode(&meta, &nobody, seed(), &record);
	assert_int_equal(stage_decode(&record, seed(), POSITION, ROOM, &got), 0);
	assert_int_equal(got.type, meta.type);
	assert_int_equal(got.count, meta.count);
	assert_int_equal(got.position, meta.position);
	assert_int_equal(got.id, meta.id);
	assert_int_equal(got.line, meta.line);
	assert_int_equal(got.bytes, meta.bytes);
	assert_int_equal(got.payload_crc, meta.payload_crc);
	assert_int_equal(got.time_ns, meta.time_ns);
	assert_int_equal(got.tag, meta.tag);
	assert_int_equal(got.reference, meta.reference);
	meta.type = STAGE_VOID;
	meta.count = 0;
	assert_int_equal(try(&meta, ROOM), 0);
}

static struct stage_before named_by(const struct stage_last *last, const struct stage_meta *meta)
{
	struct stage_record record;
	struct stage_meta got;

	stage_encode(meta, last, seed(), &record);
	assert_int_equal(stage_decode(&record, seed(), POSITION, ROOM, &got), 0);
	/* which costs the other fields nothing */
	assert_int_equal(got.type, meta->type);
	assert_int_equal(got.count, meta->count);
	assert_int_equal(got.line, meta->line);
	assert_int_equal(got.bytes, meta->bytes);
	assert_int_equal(got.payload_crc, meta->payload_crc);
	return got.before;
}

static void expect_before(const struct stage_before *got, const struct stage_last *last)
{
	assert_int_equal(got->count, last->count);
	assert_int_equal(got->line, last->line);
	assert_int_equal(got->slot, last->id & 511);
	assert_int_equal(got->epoch_check, stage_epoch_check(last->id >> 9));
}

static void the_one_before_is_named(void **state)
{
	struct stage_meta meta = given();
	struct stage_last last = before_it();
	struct stage_before got = named_by(&last, &meta);

	(void)state;
	expect_before(&got, &last);
	assert_int_equal(got.distance, 300);
	/* all that fits in the fields, and nothing */
	last.line = MARKER_LINES_MAX - 1;
	meta.line = 0;
	got = named_by(&last, &meta);
	expect_before(&got, &last);
	last = (struct stage_last){ .id = 1ull << 9, .position = POSITION - 64, .count = 1 };
	meta.line = MARKER_LINES_MAX - 1;
	meta.count = 64;
	meta.id = 7ull << 9 | 448;
	got = named_by(&last, &meta);
	expect_before(&got, &last);
	assert_int_equal(got.distance, 1);
	/* a void record names it, too */
	meta = (struct stage_meta){ .type = STAGE_VOID, .position = POSITION, .bytes = 640 };
	got = named_by(&last, &meta);
	expect_before(&got, &last);
}

/* where it stands on media */
static void in_what_other_fields_leave_free(void **state)
{
	struct stage_meta meta = given();
	struct stage_last last = before_it();
	struct stage_record record;

	(void)state;
	stage_encode(&meta, &last, seed(), &record);
	assert_int_equal(stage_epoch_check(0x0000000700000008ull), 0x3662);
	assert_int_equal(record.type, STAGE_DATA | 63 << 2);
	assert_int_equal(record.count, 3 | 128);
	assert_int_equal(get_le64(record.position), POSITION | (300 & 63) | 300ull / 64 << 55);
	assert_int_equal(get_le32(record.line), 77 | 448 << 20 | 0x3662u >> 12 << 29);
	assert_int_equal(get_le32(record.before), 0xfedcb | 0x662u << 20);
}

static void nobody_is_named(void **state)
{
	struct stage_meta meta = given();
	struct stage_last last = before_it();
	struct stage_before got = named_by(&nobody, &meta);
	struct stage_record record;

	(void)state;
	assert_int_equal(got.count, 0);
	/* as before there were names */
	last.count = 0;
	stage_encode(&meta, &last, seed(), &record);
	assert_int_equal(record.type, STAGE_DATA);
	assert_int_equal(record.count, 3);
	assert_int_equal(get_le64(record.position), POSITION);
	assert_int_equal(get_le32(record.line), 77);
	assert_int_equal(get_le32(record.before), 0);
}

static void its_distance_is_told_as_far_as_it_goes(void **state)
{
	struct stage_meta meta = given();
	struct stage_last last = before_it();
	uint32_t units;

	(void)state;
	for (units = 1; units <= STAGE_DISTANCE_MAX; units = units * 2 + 1) {
		last.position = POSITION - 64ull * units;
		assert_int_equal(named_by(&last, &meta).distance, units);
	}
	last.position = POSITION - 64ull * STAGE_DISTANCE_MAX;
	assert_int_equal(named_by(&last, &meta).distance, STAGE_DISTANCE_MAX);
	last.position -= 64;
	assert_int_equal(named_by(&last, &meta).distance, 0);
	assert_int_equal(named_by(&last, &meta).count, last.count);
}

/* each opening counts from the start, under the next incarnation */
static void uses_of_a_line_are_told_apart(void **state)
{
	uint32_t i, k, same = 0;

	(void)state;
	for (i = 1; i <= 64; i++)
		for (k = 1; k <= 64; k++) {
			same += stage_epoch_check((1ull << 23 | 1) + k) ==
				stage_epoch_check(1ull << 23 | 1);
			same += stage_epoch_check((1ull + i) << 23 | k) ==
				stage_epoch_check(1ull << 23 | 1);
		}
	assert_int_equal(same, 0);
	assert_true(stage_epoch_check(~0ull >> 9) < 1u << STAGE_EPOCH_CHECK_BITS);
}

/* its checksum is right, and nothing is named, or what makes no sense */
static void nonsense_before(void **state)
{
	static const uint32_t fields[] = { 2, 8, 15, 27, 36, 39 }; /* bytes of its bits */
	struct stage_meta meta = given(), got;
	struct stage_last last = before_it();
	struct stage_record record;
	uint32_t i;

	(void)state;
	for (i = 0; i < 6; i++) {
		stage_encode(&meta, &nobody, seed(), &record);
		((uint8_t *)&record)[fields[i]] ^= fields[i] == 8 ? 0x20 : 0x80;
		record.header_crc = 0;
		record.header_crc = put_le32(crc32c(seed(), &record, sizeof(record)));
		assert_int_equal(stage_decode(&record, seed(), POSITION, ROOM, &got), -EBADMSG);
	}
	last.id++; /* with the others of its group it leaves the line */
	stage_encode(&meta, &last, seed(), &record);
	assert_int_equal(stage_decode(&record, seed(), POSITION, ROOM, &got), -EBADMSG);
}

/* ---- the last one of a ring ---- */

static struct marker_lane lane_with(const struct stage_last *last, uint64_t end)
{
	struct marker_lane lane;

	memset(&lane, 0xff, sizeof(lane));
	lane.end = word_seal(end);
	stage_last_encode(last, seed(), &lane);
	return lane;
}

static void the_last_comes_back(void **state)
{
	struct stage_last last = before_it(), got;
	struct marker_lane lane = lane_with(&last, POSITION);
	uint32_t bit;

	(void)state;
	assert_int_equal(stage_last_decode(&lane, seed(), &got), 0);
	assert_int_equal(got.id, last.id);
	assert_int_equal(got.position, last.position);
	assert_int_equal(got.line, last.line);
	assert_int_equal(got.count, last.count);
	assert_int_equal(stage_last_decode(&lane, seed() ^ 1, &got), -ENODATA);
	for (bit = 16 * 8; bit < 48 * 8; bit++) {
		((uint8_t *)&lane)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(stage_last_decode(&lane, seed(), &got), -ENODATA);
		assert_int_equal(got.count, 0);
		((uint8_t *)&lane)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	lane = lane_with(&nobody, POSITION);
	assert_int_equal(stage_last_decode(&lane, seed(), &got), -ENODATA);
	assert_int_equal(get_le64(lane.last_id), WORD_ERASED);
	memset(&lane, 0, sizeof(lane));
	assert_int_equal(stage_last_decode(&lane, seed(), &got), -ENODATA);
}

/* its checksum is right, what it says is not */
static void the_last_that_makes_no_sense(void **state)
{
	struct stage_last last = before_it(), got;
	struct marker_lane lane;

	(void)state;
	last.position = POSITION + 1;
	lane = lane_with(&last, POSITION);
	assert_int_equal(stage_last_decode(&lane, seed(), &got), -ENODATA);
	last = before_it();
	last.id |= 511;
	last.count = 2; /* they leave the line */
	lane = lane_with(&last, POSITION);
	assert_int_equal(stage_last_decode(&lane, seed(), &got), -ENODATA);
	last.count = 1;
	lane = lane_with(&last, POSITION);
	assert_int_equal(stage_last_decode(&lane, seed(), &got), 0);
}

/* a crash while they are stored: any of the words is the one before */
static void the_last_half_stored_is_nobody(void **state)
{
	struct stage_last first = before_it(), second = before_it(), got;
	struct marker_lane before, after, mixed;
	uint32_t which, word;

	(void)state;
	second.id += 1ull << 9;
	second.position += 64;
	second.line++;
	before = lane_with(&first, POSITION);
	after = lane_with(&second, POSITION + 64);
	for (which = 1; which < 15; which++) {
		mixed = before;
		for (word = 0; word < 4; word++)
			if (which >> word & 1)
				memcpy(&(&mixed.end)[word], &(&after.end)[word], 8);
		assert_int_equal(stage_last_decode(&mixed, seed(), &got), -ENODATA);
	}
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct stage_meta meta = given(), got;
	struct stage_last last = before_it();
	struct stage_record record;
	size_t bit;
	int error;

	(void)state;
	stage_encode(&meta, &last, seed(), &record);
	for (bit = 0; bit < sizeof(record) * 8; bit++) {
		((uint8_t *)&record)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		error = stage_decode(&record, seed(), POSITION, ROOM, &got);
		/* magic and position say whether one is there at all */
		if (bit / 8 < 2 ||
		    (bit / 8 >= 8 && bit / 8 < 16 && STAGE_POSITION_MASK >> (bit - 64) & 1))
			assert_int_equal(error, -ENODATA);
		else
			assert_int_equal(error, -EBADMSG);
		((uint8_t *)&record)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void other_position_or_seed(void **state)
{
	struct stage_meta meta = given(), got;
	struct stage_record record;

	(void)state;
	stage_encode(&meta, &nobody, seed(), &record);
	assert_int_equal(stage_decode(&record, seed(), POSITION + ROOM, ROOM, &got), -ENODATA);
	assert_int_equal(stage_decode(&record, seed(), POSITION - ROOM, ROOM, &got), -ENODATA);
	assert_int_equal(stage_decode(&record, stage_seed(0x0123456789abcdefull, 3), POSITION,
				      ROOM, &got), -EBADMSG);
	assert_int_equal(stage_decode(&record, stage_seed(0x0123456789abcdeeull, 2), POSITION,
				      ROOM, &got), -EBADMSG);
}

/* a record moved and given its new position without the checksum of it */
static void position_is_under_the_checksum(void **state)
{
	struct stage_meta meta = given(), got;
	struct stage_record record;

	(void)state;
	stage_encode(&meta, &nobody, seed(), &record);
	record.position = put_le64(POSITION + 64);
	assert_int_equal(stage_decode(&record, seed(), POSITION + 64, ROOM, &got), -EBADMSG);
}

static void nothing_there(void **state)
{
	struct stage_record record;
	struct stage_meta got;

	(void)state;
	memset(&record, 0, sizeof(record));
	assert_int_equal(stage_decode(&record, seed(), 0, ROOM, &got), -ENODATA);
	memset(&record, 0xff, sizeof(record));
	assert_int_equal(stage_decode(&record, seed(), ~0ull, ROOM, &got), -ENODATA);
}

static void room_is_respected(void **state)
{
	struct stage_meta meta = given();

	(void)state;
	assert_int_equal(stage_record_bytes(1000), 1088);
	assert_int_equal(try(&meta, 1088), 0);
	assert_int_equal(try(&meta, 1088 - 64), -EBADMSG);
	meta.bytes = ~0u; /* rounds up beyond 32 bits */
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	assert_int_equal(try(&meta, 1ull << 33), 0);
	meta.type = STAGE_VOID;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
}

static void sizes_of_records(void **state)
{
	(void)state;
	assert_int_equal(stage_record_bytes(0), 64);
	assert_int_equal(stage_record_bytes(1), 128);
	assert_int_equal(stage_record_bytes(64), 128);
	assert_int_equal(stage_record_bytes(65), 192);
	assert_int_equal(stage_record_bytes(~0u), (1ull << 32) + 64);
}

/* its checksum is right, what it says is not */
static void nonsense(void **state)
{
	struct stage_meta meta;
	unsigned int type, count;

	(void)state;
	for (type = 0; type < 4; type++) {
		meta = given();
		meta.type = type;
		assert_int_equal(try(&meta, ROOM), type == STAGE_DATA || type == STAGE_VOID ?
				 0 : -EBADMSG);
	}
	for (count = 0; count < 128; count++) {
		meta = given();
		meta.count = count;
		assert_int_equal(try(&meta, ROOM), count >= 1 && count <= 64 ? 0 : -EBADMSG);
	}
	meta = given();
	meta.id = 7ull << 9 | 509; /* three slots from here are the last of a line */
	assert_int_equal(try(&meta, ROOM), 0);
	meta.id++;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
}

static void seeds_differ(void **state)
{
	uint32_t seeds[64];
	unsigned int i, j;

	(void)state;
	for (i = 0; i < 64; i++) {
		seeds[i] = stage_seed(1, i);
		assert_int_not_equal(seeds[i], stage_seed(2, i));
		for (j = 0; j < i; j++)
			assert_int_not_equal(seeds[i], seeds[j]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(the_one_before_is_named),
		cmocka_unit_test(in_what_other_fields_leave_free),
		cmocka_unit_test(nobody_is_named),
		cmocka_unit_test(its_distance_is_told_as_far_as_it_goes),
		cmocka_unit_test(uses_of_a_line_are_told_apart),
		cmocka_unit_test(nonsense_before),
		cmocka_unit_test(the_last_comes_back),
		cmocka_unit_test(the_last_that_makes_no_sense),
		cmocka_unit_test(the_last_half_stored_is_nobody),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(other_position_or_seed),
		cmocka_unit_test(position_is_under_the_checksum),
		cmocka_unit_test(nothing_there),
		cmocka_unit_test(room_is_respected),
		cmocka_unit_test(sizes_of_records),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(seeds_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
