/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/summary.h"

#define NONCE         0x0123456789abcdefull
#define SEGMENT       41u
#define DIGEST_BYTES  4096u
#define SEGMENT_BYTES (1u << 20)
#define LINES         5u

union digest {
	struct summary_head head;
	uint8_t bytes[DIGEST_BYTES];
};

static struct summary_line *line_of(union digest *d, uint32_t index)
{
	return (struct summary_line *)(&d->head + 1) + index;
}

static void seal(union digest *d)
{
	summary_seal(&d->head, NONCE);
}

/* line i has i + 1 transactions */
static void make(union digest *d)
{
	uint32_t i, entries = 0;

	memset(d, 0, sizeof(*d));
	for (i = 0; i < LINES; i++) {
		line_of(d, i)->epoch = put_le64(100 + i);
		line_of(d, i)->line = put_le32(i * 3);
		line_of(d, i)->first = put_le32(entries);
		line_of(d, i)->used[i] = put_le64((2ull << i) - 1);
		entries += i + 1;
	}
	d->head = (struct summary_head){
		.seq = put_le64(9ull << 32 | 3),
		.segment = put_le32(SEGMENT),
		.kind = put_le16(LOG_STREAM),
		.sealed = put_le16(1),
		.lines = put_le32(LINES),
		.entries = put_le32(entries),
		.table_offset = put_le32(SEGMENT_BYTES - DIGEST_BYTES - entries * 8),
		.table_crc = put_le32(0x1234),
		.end = put_le32(65536),
		.retires = put_le32(2),
		.record_bytes = put_le32(65536),
		.last_record_seq = put_le64(17),
	};
	seal(d);
}

static int try(const union digest *d)
{
	return summary_validate(&d->head, DIGEST_BYTES, SEGMENT_BYTES, SEGMENT, NONCE);
}

static void valid_ones(void **state)
{
	union digest d;

	(void)state;
	make(&d);
	assert_int_equal(try(&d), 0);
	d.head.kind = put_le16(LOG_EXTENTS);
	seal(&d);
	assert_int_equal(try(&d), 0);
	/* of an open segment: no lines yet */
	d.head.sealed = d.head.table_crc = 0;
	d.head.lines = d.head.entries = d.head.table_offset = d.head.end = 0;
	d.head.record_bytes = 0;
	seal(&d);
	assert_int_equal(try(&d), 0);
}

static void every_flipped_bit_is_noticed(void **state)
{
	size_t bit, bits = (sizeof(struct summary_head) + LINES * sizeof(struct summary_line)) * 8;
	union digest d;

	(void)state;
	make(&d);
	for (bit = 0; bit < bits; bit++) {
		d.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(try(&d), bit < 32 ? -ENODATA : -EBADMSG);
		d.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(try(&d), 0);
}

static void nothing_there(void **state)
{
	union digest d;

	(void)state;
	memset(&d, 0, sizeof(d));
	assert_int_equal(try(&d), -ENODATA);
	memset(&d, 0xff, sizeof(d));
	assert_int_equal(try(&d), -ENODATA);
}

static void other_segment_or_journal(void **state)
{
	union digest d;

	(void)state;
	make(&d);
	assert_int_equal(summary_validate(&d.head, DIGEST_BYTES, SEGMENT_BYTES, SEGMENT + 1, NONCE),
			 -EBADMSG);
	assert_int_equal(summary_validate(&d.head, DIGEST_BYTES, SEGMENT_BYTES, SEGMENT, NONCE + 1),
			 -EBADMSG);
}

#define WRONG(field, value)                       \
	do {                                      \
		make(&d);                         \
		d.head.field = value;             \
		seal(&d);                         \
		assert_int_equal(try(&d), -EBADMSG); \
	} while (0)

/* its checksum is right, what it says is not */
static void nonsense(void **state)
{
	union digest d;

	(void)state;
	WRONG(kind, put_le16(0));
	WRONG(kind, put_le16(3));
	WRONG(sealed, put_le16(2));
	WRONG(lines, put_le32(LINES - 1));
	WRONG(lines, put_le32(LINES + 1));
	WRONG(entries, put_le32(14));
	WRONG(entries, put_le32(16));
	WRONG(ids, put_le32(16));
	WRONG(table_offset, put_le32(SEGMENT_BYTES - 15 * 8 + 1));
	WRONG(table_offset, put_le32(~0u));
	WRONG(end, put_le32(SEGMENT_BYTES + 1));
	WRONG(record_bytes, put_le32(65536 + 1));
	WRONG(last_record_seq, put_le64(SEGMENT_BYTES / LOG_RECORD_BYTES + 1));
	WRONG(last_record_seq, put_le64(~0ull));
}

/* the checksum itself must not be read from beyond the digest */
static void more_lines_than_fit(void **state)
{
	union digest d;
	uint32_t lines;

	(void)state;
	assert_int_equal(summary_lines_max(DIGEST_BYTES), 50);
	for (lines = 51; lines; lines <<= 1) {
		make(&d);
		d.head.lines = put_le32(lines);
		assert_int_equal(try(&d), -EBADMSG);
	}
	make(&d);
	assert_int_equal(summary_validate(&d.head, 0, SEGMENT_BYTES, SEGMENT, NONCE), -EBADMSG);
	assert_int_equal(summary_validate(&d.head, 63, SEGMENT_BYTES, SEGMENT, NONCE), -EBADMSG);
}

static void entries_out_of_order(void **state)
{
	union digest d;

	(void)state;
	make(&d);
	line_of(&d, 2)->first = put_le32(4);
	seal(&d);
	assert_int_equal(try(&d), -EBADMSG);
	make(&d);
	line_of(&d, 0)->first = put_le32(1);
	seal(&d);
	assert_int_equal(try(&d), -EBADMSG);
}

static void full_digest(void **state)
{
	union digest d;
	uint32_t i;

	(void)state;
	make(&d);
	for (i = 0; i < 50; i++) {
		memset(line_of(&d, i)->used, 0xff, 64);
		line_of(&d, i)->first = put_le32(i * 512);
	}
	d.head.lines = put_le32(50);
	d.head.entries = put_le32(50 * 512);
	d.head.table_offset = put_le32(SEGMENT_BYTES - DIGEST_BYTES - 50 * 512 * 8);
	seal(&d);
	assert_int_equal(try(&d), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_ones),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(nothing_there),
		cmocka_unit_test(other_segment_or_journal),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(more_lines_than_fit),
		cmocka_unit_test(entries_out_of_order),
		cmocka_unit_test(full_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
