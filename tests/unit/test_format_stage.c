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

static uint32_t seed(void)
{
	return stage_seed(0x0123456789abcdefull, 2);
}

static int try(const struct stage_meta *meta, uint64_t room)
{
	struct stage_record record;
	struct stage_meta got;

	stage_encode(meta, seed(), &record);
	return stage_decode(&record, seed(), meta->position, room, &got);
}

static void comes_back(void **state)
{
	struct stage_meta meta = given(), got;
	struct stage_record record;

	(void)state;
	stage_encode(&meta, seed(), &record);
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

static void every_flipped_bit_is_noticed(void **state)
{
	struct stage_meta meta = given(), got;
	struct stage_record record;
	size_t bit;
	int error;

	(void)state;
	stage_encode(&meta, seed(), &record);
	for (bit = 0; bit < sizeof(record) * 8; bit++) {
		((uint8_t *)&record)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		error = stage_decode(&record, seed(), POSITION, ROOM, &got);
		/* magic and position say whether one is there at all */
		if (bit / 8 < 2 || (bit / 8 >= 8 && bit / 8 < 16))
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
	stage_encode(&meta, seed(), &record);
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
	stage_encode(&meta, seed(), &record);
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
	for (type = 0; type < 256; type++) {
		meta = given();
		meta.type = type;
		assert_int_equal(try(&meta, ROOM), type == STAGE_DATA || type == STAGE_VOID ?
				 0 : -EBADMSG);
	}
	for (count = 0; count < 256; count++) {
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
