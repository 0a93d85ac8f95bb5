/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format/marker.h"
#include "format/word.h"
#include "util/math.h"

static const uint64_t values[] = { 0, 1, 2, 511, 512, 1ull << 31, 1ull << 32,
				   0x123456789abcdeull, WORD_VALUE_MAX - 1, WORD_VALUE_MAX };

static void comes_back(void **state)
{
	uint64_t value;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_COUNT(values); i++) {
		assert_int_equal(word_unseal(word_seal(values[i]), &value), 0);
		assert_int_equal(value, values[i]);
		assert_int_equal(get_le64(word_seal(values[i])) & ((1ull << 56) - 1), values[i]);
	}
}

/* these bytes are on media: a change of the check would make them unreadable */
static void stands_on_media_like_this(void **state)
{
	(void)state;
	assert_int_equal(get_le64(word_seal(0)) >> 56, 0x10);
	assert_int_equal(get_le64(word_seal(1)) >> 56, 0xfc);
	assert_int_equal(get_le64(word_seal(WORD_VALUE_MAX)) >> 56, 0x08);
}

static void erased_and_vanished_are_no_value(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_int_equal(word_unseal(put_le64(~0ull), &value), -ENODATA);
	assert_int_equal(word_unseal(put_le64(0), &value), -EUCLEAN);
	assert_int_equal(value, 7);
}

/* whatever the check byte is, 2^56 - 1 is not a value */
static void value_beyond_the_largest(void **state)
{
	uint64_t check, value;

	(void)state;
	for (check = 0; check < 255; check++)
		assert_int_equal(word_unseal(put_le64((WORD_VALUE_MAX + 1) | check << 56), &value),
				 -EUCLEAN);
}

/* The check is linear: what holds for the difference holds for every value. */
static void one_and_two_flipped_bits_are_noticed(void **state)
{
	uint64_t value, word;
	unsigned int a, b;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_COUNT(values); i++) {
		word = get_le64(word_seal(values[i]));
		for (a = 0; a < 64; a++)
			for (b = a; b < 64; b++) /* a == b: one bit */
				assert_int_not_equal(word_unseal(put_le64(word ^ (1ull << a |
								1ull << b)), &value), 0);
	}
}

/* a flipped bit must not turn what was never written into a value */
static void erased_with_a_flipped_bit(void **state)
{
	uint64_t value;
	unsigned int bit;

	(void)state;
	for (bit = 0; bit < 64; bit++)
		assert_int_equal(word_unseal(put_le64(~(1ull << bit)), &value), -EUCLEAN);
}

static void torn_words_are_rare(void **state)
{
	uint64_t value, noticed = 0, i;

	(void)state;
	for (i = 0; i < 1 << 16; i++)
		noticed += word_unseal(put_le64(i * 0x9e3779b97f4a7c15ull), &value) != 0;
	/* one in 256 passes an 8-bit check */
	assert_in_range(noticed, (1 << 16) - 400, (1 << 16) - 120);
}

/* A line's number is there twice: what one of them says is enough, the larger one counts. */
static void a_number_and_its_copy(void **state)
{
	const __le64 five = word_seal(10), seven = word_seal(14), none = word_seal(1);
	const __le64 erased = put_le64(WORD_ERASED), bad = put_le64(0);
	const struct {
		__le64 epoch, copy;
		int error;
		uint64_t value;
		bool damaged;
	} of[] = {
		{ five, five, 0, 10, false },      { five, seven, 0, 14, false },
		{ seven, five, 0, 14, false },     { five, erased, 0, 10, false },
		{ erased, five, 0, 10, false },    { five, bad, 0, 10, true },
		{ bad, five, 0, 10, true },        { five, none, 0, 10, true },
		{ none, five, 0, 10, true },       { erased, erased, -ENODATA, 0, false },
		{ bad, bad, -EUCLEAN, 0, true },   { none, none, -EUCLEAN, 0, true },
		{ none, bad, -EUCLEAN, 0, true },  { erased, bad, -EUCLEAN, 0, true },
		{ bad, erased, -EUCLEAN, 0, true },
	};
	struct marker_line line = { 0 };
	uint64_t value;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_COUNT(of); i++) {
		line.epoch = of[i].epoch;
		line.epoch_copy = of[i].copy;
		assert_int_equal(marker_line_epoch(&line, &value), of[i].error);
		if (!of[i].error)
			assert_int_equal(value, of[i].value);
		assert_int_equal(marker_line_epoch_damaged(&line), of[i].damaged);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(stands_on_media_like_this),
		cmocka_unit_test(erased_and_vanished_are_no_value),
		cmocka_unit_test(value_beyond_the_largest),
		cmocka_unit_test(one_and_two_flipped_bits_are_noticed),
		cmocka_unit_test(erased_with_a_flipped_bit),
		cmocka_unit_test(torn_words_are_rare),
		cmocka_unit_test(a_number_and_its_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
