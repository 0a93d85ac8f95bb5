/* SPDX-License-Identifier: BSD-3-Clause */
/* Segment headers and log records. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/log.h"

#define NONCE  0x0123456789abcdefull
#define SEQ    (9ull << 32 | 3)
#define OFFSET 8192u
#define ROOM   (1u << 20)

static struct log_segment_meta segment_given(void)
{
	struct log_segment_meta meta = {
		.seq = SEQ,
		.segment = 41,
		.kind = LOG_STREAM,
		.opened_ns = 1700000000000000000ull,
	};

	memset(meta.uuid, 0x5a, sizeof(meta.uuid));
	return meta;
}

static struct log_meta given(void)
{
	return (struct log_meta){
		.type = LOG_DATA,
		.count = 1,
		.id = 0x0000000700000009ull << 9 | 5,
		.line = 77,
		.slot = 5,
		.moves = 2,
		.line_epoch = 12,
		.seq = 40,
		.acked = 38,
		.time_ns = 1700000000123456789ull,
		.tag = 0x1122334455667788ull,
		.reference = 0x99aabbccddeeff00ull,
		.bytes = 1000,
		.payload_crc = 0xabcdef01u,
		.extent = 0,
		.extents = 1,
		.incarnation = 7,
		.total_bytes = 1000,
	};
}

static uint32_t seed(void)
{
	return log_seed(NONCE, 41, SEQ);
}

static int try(const struct log_meta *meta, uint64_t room)
{
	struct log_record record;
	struct log_meta got;

	log_record_encode(meta, seed(), OFFSET, &record);
	return log_record_decode(&record, seed(), OFFSET, room, &got);
}

static void segment_comes_back(void **state)
{
	struct log_segment_meta meta = segment_given(), got;
	struct log_segment header;

	(void)state;
	log_segment_encode(&meta, NONCE, &header);
	assert_int_equal(log_segment_decode(&header, NONCE, &got), 0);
	assert_int_equal(got.seq, meta.seq);
	assert_int_equal(got.segment, meta.segment);
	assert_int_equal(got.kind, meta.kind);
	assert_int_equal(got.opened_ns, meta.opened_ns);
	assert_memory_equal(got.uuid, meta.uuid, sizeof(got.uuid));
	meta.kind = LOG_EXTENTS;
	log_segment_encode(&meta, NONCE, &header);
	assert_int_equal(log_segment_decode(&header, NONCE, &got), 0);
	assert_int_equal(got.kind, LOG_EXTENTS);
}

static void segment_every_flipped_bit_is_noticed(void **state)
{
	struct log_segment_meta meta = segment_given(), got;
	struct log_segment header;
	size_t bit;

	(void)state;
	log_segment_encode(&meta, NONCE, &header);
	for (bit = 0; bit < sizeof(header) * 8; bit++) {
		((uint8_t *)&header)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(log_segment_decode(&header, NONCE, &got),
				 bit < 32 ? -ENODATA : -EBADMSG);
		((uint8_t *)&header)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void segment_refused(void **state)
{
	struct log_segment_meta meta = segment_given(), got;
	struct log_segment header;
	unsigned int kind;

	(void)state;
	memset(&header, 0, sizeof(header));
	assert_int_equal(log_segment_decode(&header, NONCE, &got), -ENODATA);
	log_segment_encode(&meta, NONCE, &header);
	assert_int_equal(log_segment_decode(&header, NONCE + 1, &got), -EBADMSG);
	for (kind = 0; kind < 300; kind++) {
		meta.kind = kind;
		log_segment_encode(&meta, NONCE, &header);
		assert_int_equal(log_segment_decode(&header, NONCE, &got),
				 kind == LOG_STREAM || kind == LOG_EXTENTS ? 0 : -EUCLEAN);
	}
}

static void record_comes_back(void **state)
{
	struct log_meta meta = given(), got;
	struct log_record record;

	(void)state;
	log_record_encode(&meta, seed(), OFFSET, &record);
	assert_int_equal(log_record_decode(&record, seed(), OFFSET, ROOM, &got), 0);
	assert_int_equal(got.type, meta.type);
	assert_int_equal(got.count, meta.count);
	assert_int_equal(got.id, meta.id);
	assert_int_equal(got.line, meta.line);
	assert_int_equal(got.slot, meta.slot);
	assert_int_equal(got.moves, meta.moves);
	assert_int_equal(got.line_epoch, meta.line_epoch);
	assert_int_equal(got.seq, meta.seq);
	assert_int_equal(got.acked, meta.acked);
	assert_int_equal(got.time_ns, meta.time_ns);
	assert_int_equal(got.tag, meta.tag);
	assert_int_equal(got.reference, meta.reference);
	assert_int_equal(got.bytes, meta.bytes);
	assert_int_equal(got.payload_crc, meta.payload_crc);
	assert_int_equal(got.extent, meta.extent);
	assert_int_equal(got.extents, meta.extents);
	assert_int_equal(got.incarnation, meta.incarnation);
	assert_int_equal(got.total_bytes, meta.total_bytes);
}

static void record_every_flipped_bit_is_noticed(void **state)
{
	struct log_meta meta = given(), got;
	struct log_record record;
	size_t bit;

	(void)state;
	log_record_encode(&meta, seed(), OFFSET, &record);
	for (bit = 0; bit < sizeof(record) * 8; bit++) {
		((uint8_t *)&record)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(log_record_decode(&record, seed(), OFFSET, ROOM, &got),
				 bit < 16 ? -ENODATA : -EBADMSG);
		((uint8_t *)&record)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* in every other place of its segment, in another segment, in another use */
static void record_in_the_wrong_place(void **state)
{
	struct log_meta meta = given(), got;
	struct log_record record;
	uint64_t offset;

	(void)state;
	log_record_encode(&meta, seed(), OFFSET, &record);
	for (offset = 0; offset < LOG_SEGMENT_MAX; offset += LOG_RECORD_ALIGN)
		assert_int_equal(log_record_decode(&record, seed(), offset, ROOM, &got),
				 offset == OFFSET ? 0 : -EBADMSG);
	assert_int_equal(log_record_decode(&record, log_seed(NONCE, 42, SEQ), OFFSET, ROOM,
					   &got), -EBADMSG);
	assert_int_equal(log_record_decode(&record, log_seed(NONCE, 41, SEQ + 1), OFFSET, ROOM,
					   &got), -EBADMSG);
	assert_int_equal(log_record_decode(&record, log_seed(NONCE + 1, 41, SEQ), OFFSET, ROOM,
					   &got), -EBADMSG);
}

static void nothing_there(void **state)
{
	struct log_record record;
	struct log_meta got;

	(void)state;
	memset(&record, 0, sizeof(record));
	assert_int_equal(log_record_decode(&record, seed(), 0, ROOM, &got), -ENODATA);
	memset(&record, 0xff, sizeof(record));
	assert_int_equal(log_record_decode(&record, seed(), 0, ROOM, &got), -ENODATA);
}

static void room_is_respected(void **state)
{
	struct log_meta meta = given();

	(void)state;
	assert_int_equal(log_record_bytes(1000), 1120);
	assert_int_equal(try(&meta, 1120), 0);
	assert_int_equal(try(&meta, 1120 - 32), -EBADMSG);
	assert_int_equal(try(&meta, LOG_RECORD_BYTES - 1), -ENODATA);
	assert_int_equal(try(&meta, 0), -ENODATA);
	meta.bytes = ~0u; /* rounds up beyond 32 bits */
	meta.total_bytes = ~0u;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	assert_int_equal(log_record_bytes(0), 96);
	assert_int_equal(log_record_bytes(1), 128);
	assert_int_equal(log_record_bytes(~0u), (1ull << 32) + 96);
}

/* there is room for so many records before it, and it vouches for older ones */
static void sequences(void **state)
{
	struct log_meta meta = given();

	(void)state;
	meta.seq = OFFSET / LOG_RECORD_BYTES;
	assert_int_equal(try(&meta, ROOM), 0);
	meta.seq++;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.seq = ~0ull;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.seq = 40;
	meta.acked = 39;
	assert_int_equal(try(&meta, ROOM), 0);
	meta.acked = 40;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.acked = ~0ull;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.acked = 0;
	assert_int_equal(try(&meta, ROOM), 0);
	meta.seq = 0; /* an extent */
	assert_int_equal(try(&meta, ROOM), 0);
	meta.acked = 1;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
}

static void types_and_counts(void **state)
{
	struct log_meta meta;
	unsigned int type, count;

	(void)state;
	for (type = 0; type < 256; type++) {
		meta = given();
		meta.type = type;
		meta.bytes = meta.total_bytes = 48; /* whole retire entries */
		assert_int_equal(try(&meta, ROOM), type >= LOG_DATA && type <= LOG_RETIRE ?
				 0 : -EBADMSG);
	}
	for (count = 0; count < 256; count++) {
		meta = given();
		meta.count = count;
		assert_int_equal(try(&meta, ROOM), count >= 1 && count <= 64 ? 0 : -EBADMSG);
	}
	meta = given();
	meta.count = 3;
	meta.slot = 509;
	assert_int_equal(try(&meta, ROOM), 0);
	meta.slot = 510;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.count = 1;
	meta.slot = 512;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.slot = 65535;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
}

static void retire_records(void **state)
{
	struct log_meta meta = { .type = LOG_RETIRE, .seq = 5 };
	uint32_t bytes;

	(void)state;
	for (bytes = 0; bytes < 200; bytes++) {
		meta.bytes = bytes;
		assert_int_equal(try(&meta, ROOM), bytes && bytes % 24 == 0 ? 0 : -EBADMSG);
	}
}

static void extents_that_make_sense(void **state)
{
	struct log_meta meta = given();

	(void)state;
	meta.type = LOG_EXTENT; /* one that is not the last */
	meta.extents = 0;
	meta.extent = 3;
	assert_int_equal(try(&meta, ROOM), 0);
	meta.extents = 4; /* the last: a table of three locations */
	meta.total_bytes = 10000;
	assert_int_equal(try(&meta, ROOM), 0);
	meta.bytes = 24;
	assert_int_equal(try(&meta, ROOM), 0);
	meta.type = LOG_DATA;
	assert_int_equal(try(&meta, ROOM), 0);
}

static void extents_that_make_none(void **state)
{
	struct log_meta meta = given();

	(void)state;
	meta.extents = 0; /* a stream record is always the last */
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.extents = 2;
	meta.extent = 0;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.extent = 2;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.extent = 1;
	assert_int_equal(try(&meta, ROOM), 0);
	meta.count = 2; /* a group is in one piece */
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta = given();
	meta.count = 2;
	meta.bytes = meta.total_bytes = 8; /* a table of their lengths is before them */
	assert_int_equal(try(&meta, ROOM), 0);
	meta.bytes = meta.total_bytes = 7;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta = given();
	meta.extents = 2;
	meta.extent = 1;
	meta.bytes = 7; /* no room for the table */
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.bytes = 8;
	assert_int_equal(try(&meta, ROOM), 0);
	meta.extents = 65535;
	meta.extent = 65534;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
}

/* a reader asks for memory by it */
static void total_that_makes_no_sense(void **state)
{
	struct log_meta meta = given();

	(void)state;
	meta.total_bytes = 999;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.total_bytes = 1001;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.extents = 3; /* the last piece has 1000 - 16 bytes */
	meta.extent = 2;
	meta.total_bytes = 983;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.total_bytes = 984;
	assert_int_equal(try(&meta, ROOM), 0);
	meta.total_bytes = 64u << 20;
	assert_int_equal(try(&meta, ROOM), 0);
	meta.total_bytes++;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.total_bytes = ~0ull;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.type = LOG_EXTENT;
	meta.extents = 0; /* so far */
	meta.total_bytes = 999;
	assert_int_equal(try(&meta, ROOM), -EBADMSG);
	meta.total_bytes = 1000;
	assert_int_equal(try(&meta, ROOM), 0);
}

static void seeds_differ(void **state)
{
	uint32_t seeds[256];
	unsigned int i, j;

	(void)state;
	for (i = 0; i < 256; i++) {
		seeds[i] = log_seed(NONCE, i % 16, i / 16);
		for (j = 0; j < i; j++)
			assert_int_not_equal(seeds[i], seeds[j]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segment_comes_back),
		cmocka_unit_test(segment_every_flipped_bit_is_noticed),
		cmocka_unit_test(segment_refused),
		cmocka_unit_test(record_comes_back),
		cmocka_unit_test(record_every_flipped_bit_is_noticed),
		cmocka_unit_test(record_in_the_wrong_place),
		cmocka_unit_test(nothing_there),
		cmocka_unit_test(room_is_respected),
		cmocka_unit_test(sequences),
		cmocka_unit_test(types_and_counts),
		cmocka_unit_test(retire_records),
		cmocka_unit_test(extents_that_make_sense),
		cmocka_unit_test(extents_that_make_none),
		cmocka_unit_test(total_that_makes_no_sense),
		cmocka_unit_test(seeds_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
