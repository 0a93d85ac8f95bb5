/* SPDX-License-Identifier: BSD-3-Clause */
/* Every routine behind crc32c() against one that works bit by bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/crc32c.h"
#include "util/crc32c_arch.h"
#include "util/math.h"

#define SHORT_MAX 600u
#define ALIGN_MAX 16u

static uint32_t bit_by_bit(uint32_t crc, const uint8_t *data, size_t bytes)
{
	int bit;

	while (bytes--) {
		crc ^= *data++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

static void fill(uint8_t *data, size_t bytes, uint32_t seed)
{
	size_t i;

	for (i = 0; i < bytes; i++) {
		seed = seed * 1664525u + 1013904223u;
		data[i] = (uint8_t)(seed >> 24);
	}
}

static void known_values(void **state)
{
	uint8_t data[32];
	unsigned int i;

	(void)state;
	assert_int_equal(crc32c(~0u, "123456789", 9) ^ ~0u, 0xe3069283u);
	assert_int_equal(crc32c(0x12345678u, "", 0), 0x12345678u);
	/* RFC 3720, B.4 */
	memset(data, 0, sizeof(data));
	assert_int_equal(crc32c(~0u, data, sizeof(data)) ^ ~0u, 0x8a9136aau);
	memset(data, 0xff, sizeof(data));
	assert_int_equal(crc32c(~0u, data, sizeof(data)) ^ ~0u, 0x62a8ab43u);
	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	assert_int_equal(crc32c(~0u, data, sizeof(data)) ^ ~0u, 0x46dd794eu);
}

static void every_short_length_at_every_alignment(void **state)
{
	static uint8_t data[SHORT_MAX + ALIGN_MAX];
	size_t bytes, align;

	(void)state;
	fill(data, sizeof(data), 1);
	for (bytes = 0; bytes <= SHORT_MAX; bytes++)
		for (align = 0; align < ALIGN_MAX; align++)
			assert_int_equal(crc32c((uint32_t)bytes * 77, data + align, bytes),
					 bit_by_bit((uint32_t)bytes * 77, data + align, bytes));
}

/* both routines must be one function: media written here are read elsewhere */
static void the_short_routine_for_long_input(void **state)
{
	static uint8_t data[4 * SHORT_MAX];
	size_t bytes;

	(void)state;
	if (!crc32c_arch_available()) {
		print_message("skip: no CRC-32C instruction here\n");
		skip();
	}
	fill(data, sizeof(data), 2);
	for (bytes = 0; bytes <= sizeof(data); bytes += 13)
		assert_int_equal(crc32c_arch(~0u, data, bytes), bit_by_bit(~0u, data, bytes));
}

static void megabytes(void **state)
{
	static const size_t sizes[] = { 1u << 16, (1u << 20) + 1, (3u << 20) - 7, 5u << 20 };
	uint8_t *data = malloc(5u << 20);
	size_t i;

	(void)state;
	assert_non_null(data);
	fill(data, 5u << 20, 3);
	for (i = 0; i < ARRAY_COUNT(sizes); i++)
		assert_int_equal(crc32c(5, data, sizes[i]), bit_by_bit(5, data, sizes[i]));
	free(data);
}

static void continued_at_every_place(void **state)
{
	static uint8_t data[SHORT_MAX];
	uint32_t whole;
	size_t cut;

	(void)state;
	fill(data, sizeof(data), 4);
	whole = crc32c(9, data, sizeof(data));
	for (cut = 0; cut <= sizeof(data); cut++)
		assert_int_equal(crc32c(crc32c(9, data, cut), data + cut, sizeof(data) - cut),
				 whole);
}

static void every_bit_counts(void **state)
{
	static uint8_t data[SHORT_MAX];
	uint32_t whole;
	size_t bit;

	(void)state;
	fill(data, sizeof(data), 5);
	whole = crc32c(~0u, data, sizeof(data));
	for (bit = 0; bit < sizeof(data) * 8; bit++) {
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(crc32c(~0u, data, sizeof(data)), whole);
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void says_its_routine(void **state)
{
	(void)state;
	assert_true(strlen(crc32c_routine()) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values),
		cmocka_unit_test(every_short_length_at_every_alignment),
		cmocka_unit_test(the_short_routine_for_long_input),
		cmocka_unit_test(megabytes),
		cmocka_unit_test(continued_at_every_place),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(says_its_routine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
