/* SPDX-License-Identifier: BSD-3-Clause */
/* Superblocks of markers and log: every field, every way to be refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/log.h"
#include "format/marker.h"
#include "format/super.h"
#include "util/math.h"

#define MIB (1ull << 20)

static struct marker_geometry marker_given(void)
{
	struct marker_geometry g = {
		.nonce = 0x0123456789abcdefull,
		.created_ns = 1700000000000000000ull,
		.ring_bytes = MIB,
		.lanes = 4,
		.lines = 100,
		.digests = 64,
		.digest_bytes = 4096,
	};
	int i;

	for (i = 0; i < 16; i++)
		g.uuid[i] = (uint8_t)(i * 17);
	marker_geometry_make(&g);
	return g;
}

static struct log_geometry log_given(void)
{
	struct log_geometry g = {
		.nonce = 0xfedcba9876543210ull,
		.created_ns = 1700000000000000001ull,
		.bytes = 16 * MIB,
		.segment_bytes = MIB,
		.digest_bytes = 4096,
		.block_bytes = 512,
		.log = 1,
		.logs = 3,
	};
	int i;

	for (i = 0; i < 16; i++)
		g.uuid[i] = (uint8_t)(255 - i);
	assert_int_equal(log_geometry_make(&g), 0);
	return g;
}

/* as a forger or a bug of ours would leave it: wrong, but its checksum right */
static void marker_reseal(struct marker_super *super)
{
	super->crc = put_le32(super_crc(super, offsetof(struct marker_super, crc)));
}

static void log_reseal(struct log_super *super)
{
	super->crc = put_le32(super_crc(super, offsetof(struct log_super, crc)));
}

static int marker_try(const struct marker_super *super, bool read_only)
{
	struct marker_geometry g;
	const char *why = NULL;
	int error = marker_super_decode(super, 1ull << 50, read_only, &g, &why);

	assert_true(!error == !why);
	return error;
}

static int log_try(const struct log_super *super, bool read_only)
{
	struct log_geometry g;
	const char *why = NULL;
	int error = log_super_decode(super, 1ull << 50, read_only, &g, &why);

	assert_true(!error == !why);
	return error;
}

static void marker_layout_has_no_overlap(void **state)
{
	struct marker_geometry g = marker_given();

	(void)state;
	assert_int_equal(g.state_offset, 8192);
	assert_int_equal(g.lanes_offset, 8192 + 64);
	assert_int_equal(g.lines_offset, g.lanes_offset + 4 * 64);
	assert_int_equal(marker_line_offset(&g, 7), g.lines_offset + 7 * 192);
	assert_true(g.digests_offset >= marker_line_offset(&g, 100));
	assert_int_equal(g.digests_offset % 4096, 0);
	assert_int_equal(g.stage_offset, g.digests_offset + 64 * 4096);
	assert_int_equal(g.bytes, g.stage_offset + 4 * MIB);
}

static void log_layout_has_no_overlap(void **state)
{
	struct log_geometry g = log_given();

	(void)state;
	assert_int_equal(g.digests_offset, 8192);
	assert_int_equal(g.segments, 15);
	assert_int_equal(g.segments_offset % 4096, 0);
	assert_true(g.segments_offset >= 8192 + 15 * 4096);
	assert_int_equal(log_segment_offset(&g, 2), g.segments_offset + 2 * MIB);
	assert_true(log_segment_offset(&g, 15) <= g.bytes);
}

/* sizes around every step: what is laid out always fits */
static void log_layout_fits_whatever_the_size(void **state)
{
	struct log_geometry g = log_given();
	uint64_t bytes;

	(void)state;
	for (bytes = 8 * MIB; bytes < 12 * MIB; bytes += 4096) {
		g.bytes = bytes;
		if (log_geometry_make(&g)) {
			assert_true(bytes < 8192 + 8 * (MIB + 4096) + 4096);
			continue;
		}
		assert_true(g.segments >= 8);
		assert_true(log_segment_offset(&g, g.segments) <= bytes);
		assert_true(g.segments_offset >= g.digests_offset + g.segments * 4096ull);
	}
}

static void marker_comes_back(void **state)
{
	struct marker_geometry given = marker_given(), g;
	struct marker_super super;
	const char *why = "untouched";

	(void)state;
	memset(&g, 0, sizeof(g));
	marker_super_encode(&given, &super);
	assert_int_equal(marker_super_decode(&super, given.bytes, false, &g, &why), 0);
	assert_memory_equal(&g, &given, sizeof(g));
	assert_string_equal(why, "untouched");
}

static void log_comes_back(void **state)
{
	struct log_geometry given = log_given(), g;
	struct log_super super;
	const char *why;

	(void)state;
	memset(&g, 0, sizeof(g));
	log_super_encode(&given, &super);
	assert_int_equal(log_super_decode(&super, given.bytes, false, &g, &why), 0);
	assert_memory_equal(&g, &given, offsetof(struct log_geometry, logs) + sizeof(g.logs));
}

/* every bit of the 4096 bytes, reserved ones too */
static void marker_every_flipped_bit_is_noticed(void **state)
{
	struct marker_geometry given = marker_given();
	struct marker_super super;
	size_t bit;

	(void)state;
	marker_super_encode(&given, &super);
	for (bit = 0; bit < sizeof(super) * 8; bit++) {
		((uint8_t *)&super)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(marker_try(&super, false), 0);
		((uint8_t *)&super)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(marker_try(&super, false), 0);
}

static void log_every_flipped_bit_is_noticed(void **state)
{
	struct log_geometry given = log_given();
	struct log_super super;
	size_t bit;

	(void)state;
	log_super_encode(&given, &super);
	for (bit = 0; bit < sizeof(super) * 8; bit++) {
		((uint8_t *)&super)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(log_try(&super, false), 0);
		((uint8_t *)&super)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(log_try(&super, false), 0);
}

static void nothing_there(void **state)
{
	static struct marker_super marker;
	static struct log_super log;

	(void)state;
	assert_int_equal(marker_try(&marker, false), -ENODATA);
	assert_int_equal(log_try(&log, false), -ENODATA);
	memset(&marker, 0xff, sizeof(marker));
	memset(&log, 0xff, sizeof(log));
	assert_int_equal(marker_try(&marker, true), -ENODATA);
	assert_int_equal(log_try(&log, true), -ENODATA);
}

static void one_is_not_taken_for_the_other(void **state)
{
	struct marker_geometry markers = marker_given();
	struct log_geometry log = log_given();
	union {
		struct marker_super marker;
		struct log_super log;
	} super;

	(void)state;
	marker_super_encode(&markers, &super.marker);
	assert_int_equal(log_try(&super.log, false), -ENODATA);
	log_super_encode(&log, &super.log);
	assert_int_equal(marker_try(&super.marker, false), -ENODATA);
}

/* an other version is named as such: its checksum may well be another, too */
static void other_version(void **state)
{
	struct marker_geometry markers = marker_given();
	struct log_geometry logs = log_given();
	struct marker_super marker;
	struct log_super log;

	(void)state;
	marker_super_encode(&markers, &marker);
	log_super_encode(&logs, &log);
	marker.version = put_le32(FORMAT_VERSION + 1);
	log.version = put_le32(FORMAT_VERSION + 1);
	assert_int_equal(marker_try(&marker, true), -EPROTO);
	assert_int_equal(log_try(&log, true), -EPROTO);
	marker_reseal(&marker);
	log_reseal(&log);
	assert_int_equal(marker_try(&marker, true), -EPROTO);
	assert_int_equal(log_try(&log, true), -EPROTO);
}

static void marker_features(void **state)
{
	struct marker_geometry given = marker_given();
	struct marker_super super;
	unsigned int bit;

	(void)state;
	for (bit = 0; bit < 64; bit++) {
		marker_super_encode(&given, &super);
		super.compat = put_le64(1ull << bit);
		marker_reseal(&super);
		assert_int_equal(marker_try(&super, false), 0);
		super.ro_compat = put_le64(1ull << bit);
		marker_reseal(&super);
		assert_int_equal(marker_try(&super, false), -EPROTO);
		assert_int_equal(marker_try(&super, true), 0);
		super.incompat = put_le64(1ull << bit);
		super.ro_compat = 0;
		marker_reseal(&super);
		/* the one that there is; format/features.h */
		assert_int_equal(marker_try(&super, false), bit ? -EPROTO : 0);
		assert_int_equal(marker_try(&super, true), bit ? -EPROTO : 0);
	}
}

static void log_features(void **state)
{
	struct log_geometry given = log_given();
	struct log_super super;
	unsigned int bit;

	(void)state;
	for (bit = 0; bit < 64; bit++) {
		log_super_encode(&given, &super);
		super.compat = put_le64(1ull << bit);
		log_reseal(&super);
		assert_int_equal(log_try(&super, false), 0);
		super.ro_compat = put_le64(1ull << bit);
		log_reseal(&super);
		assert_int_equal(log_try(&super, false), -EPROTO);
		assert_int_equal(log_try(&super, true), 0);
		super.ro_compat = 0;
		super.incompat = put_le64(1ull << bit);
		log_reseal(&super);
		assert_int_equal(log_try(&super, true),
				 1ull << bit & LOG_INCOMPAT_KNOWN ? 0 : -EPROTO);
	}
}

static void medium_shorter_than_it_says(void **state)
{
	struct marker_geometry markers = marker_given(), m;
	struct log_geometry logs = log_given(), l;
	struct marker_super marker;
	struct log_super log;
	const char *why = "";

	(void)state;
	marker_super_encode(&markers, &marker);
	assert_int_equal(marker_super_decode(&marker, markers.bytes - 1, true, &m, &why), -EFBIG);
	assert_non_null(strstr(why, "shorter"));
	log_super_encode(&logs, &log);
	why = "";
	assert_int_equal(log_super_decode(&log, logs.bytes - 1, true, &l, &why), -EFBIG);
	assert_non_null(strstr(why, "shorter"));
}

/* a superblock whose checksum is right and whose numbers are not */
#define WRONG(kind, super, field, value)                              \
	do {                                                          \
		struct kind##_super wrong = super;                    \
		memcpy(&wrong.field, &(__le64){ put_le64(value) },    \
		       sizeof(wrong.field));                          \
		kind##_reseal(&wrong);                                \
		assert_int_equal(kind##_try(&wrong, false), -EUCLEAN);\
	} while (0)

static void marker_geometry_that_makes_no_sense(void **state)
{
	struct marker_geometry given = marker_given();
	struct marker_super super;

	(void)state;
	marker_super_encode(&given, &super);
	WRONG(marker, super, bytes, given.bytes + 4096);
	WRONG(marker, super, bytes, ~0ull);
	WRONG(marker, super, state_offset, 0);
	WRONG(marker, super, lanes_offset, given.lanes_offset + 64);
	WRONG(marker, super, lines_offset, given.lines_offset + 64);
	WRONG(marker, super, digests_offset, ~0ull);
	WRONG(marker, super, stage_offset, 1ull << 63);
	WRONG(marker, super, ring_bytes, given.ring_bytes + 64);
	WRONG(marker, super, ring_bytes, given.ring_bytes + 1);
	WRONG(marker, super, ring_bytes, ~0ull - 63);
	WRONG(marker, super, lanes, 0);
	WRONG(marker, super, lanes, MARKER_LANES_MAX + 1);
	WRONG(marker, super, lanes, ~0u);
	WRONG(marker, super, lines, 0);
	WRONG(marker, super, lines, MARKER_LINES_MAX + 1);
	WRONG(marker, super, digests, given.digests + 1);
	WRONG(marker, super, digests, ~0u);
	WRONG(marker, super, digest_bytes, 0);
	WRONG(marker, super, digest_bytes, 4096 + 32);
	WRONG(marker, super, digest_bytes, ~0u - 63);
}

/* the same counts at their limits, with offsets that agree */
static void marker_geometry_at_its_limits(void **state)
{
	struct marker_geometry g = marker_given();
	struct marker_super super;

	(void)state;
	g.digest_bytes = 0; /* digests that cannot hold even a head */
	marker_geometry_make(&g);
	marker_super_encode(&g, &super);
	assert_int_equal(marker_try(&super, true), -EUCLEAN);
	g.digests = 0;
	marker_geometry_make(&g);
	marker_super_encode(&g, &super);
	assert_int_equal(marker_try(&super, true), 0);
	g.ring_bytes = 0;
	g.lanes = MARKER_LANES_MAX;
	g.lines = MARKER_LINES_MAX;
	marker_geometry_make(&g);
	marker_super_encode(&g, &super);
	assert_int_equal(marker_try(&super, true), 0);
	g.ring_bytes = (1ull << 40) + 64;
	marker_geometry_make(&g);
	marker_super_encode(&g, &super);
	assert_int_equal(marker_try(&super, true), -EUCLEAN);
}

static void log_geometry_that_makes_no_sense(void **state)
{
	struct log_geometry given = log_given();
	struct log_super super;

	(void)state;
	log_super_encode(&given, &super);
	WRONG(log, super, bytes, 0);
	WRONG(log, super, bytes, given.bytes - 1);
	WRONG(log, super, bytes, given.bytes + 2 * MIB); /* one segment more */
	WRONG(log, super, bytes, ~0ull & ~4095ull);
	WRONG(log, super, segment_bytes, 0);
	WRONG(log, super, segment_bytes, 2 * MIB);
	WRONG(log, super, segment_bytes, MIB + 4096);
	WRONG(log, super, segment_bytes, LOG_SEGMENT_MIN / 2);
	WRONG(log, super, segment_bytes, 2ull * LOG_SEGMENT_MAX);
	WRONG(log, super, segment_bytes, 1ull << 63);
	WRONG(log, super, digests_offset, 4096);
	WRONG(log, super, segments_offset, given.segments_offset + 4096);
	WRONG(log, super, segments, given.segments - 1);
	WRONG(log, super, segments, ~0u);
	WRONG(log, super, digest_bytes, 0);
	WRONG(log, super, digest_bytes, 64);
	WRONG(log, super, digest_bytes, 4096 + 64);
	WRONG(log, super, digest_bytes, MIB / 4);
	WRONG(log, super, block_bytes, 0);
	WRONG(log, super, block_bytes, 256);
	WRONG(log, super, block_bytes, 8192);
	WRONG(log, super, block_bytes, 520);
	WRONG(log, super, log, 3);
	WRONG(log, super, logs, 0);
	WRONG(log, super, logs, 17);
}

/* segment numbers of all logs together are 32 bits */
static void log_with_more_segments_than_numbers(void **state)
{
	struct log_geometry g = log_given();
	struct log_super super;

	(void)state;
	g.bytes = 1ull << 49;
	g.logs = 4;
	assert_int_equal(log_geometry_make(&g), 0);
	log_super_encode(&g, &super);
	assert_int_equal(log_try(&super, true), 0);
	g.logs = 16;
	log_super_encode(&g, &super);
	assert_int_equal(log_try(&super, true), -EUCLEAN);
}

static void log_too_small(void **state)
{
	struct log_geometry g = log_given();
	struct log_super super;

	(void)state;
	g.bytes = 8192 + 8 * (MIB + 4096) + 4096;
	assert_int_equal(log_geometry_make(&g), 0);
	assert_int_equal(g.segments, 8);
	g.bytes -= 4096;
	assert_int_equal(log_geometry_make(&g), -ENOSPC);
	log_super_encode(&g, &super);
	assert_int_equal(log_try(&super, true), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marker_layout_has_no_overlap),
		cmocka_unit_test(log_layout_has_no_overlap),
		cmocka_unit_test(log_layout_fits_whatever_the_size),
		cmocka_unit_test(marker_comes_back),
		cmocka_unit_test(log_comes_back),
		cmocka_unit_test(marker_every_flipped_bit_is_noticed),
		cmocka_unit_test(log_every_flipped_bit_is_noticed),
		cmocka_unit_test(nothing_there),
		cmocka_unit_test(one_is_not_taken_for_the_other),
		cmocka_unit_test(other_version),
		cmocka_unit_test(marker_features),
		cmocka_unit_test(log_features),
		cmocka_unit_test(medium_shorter_than_it_says),
		cmocka_unit_test(marker_geometry_that_makes_no_sense),
		cmocka_unit_test(marker_geometry_at_its_limits),
		cmocka_unit_test(log_geometry_that_makes_no_sense),
		cmocka_unit_test(log_with_more_segments_than_numbers),
		cmocka_unit_test(log_too_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
