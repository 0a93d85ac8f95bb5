/* SPDX-License-Identifier: BSD-3-Clause */
/* What stands in for ISA-L where it is missing, compiled here under other names
 * and held against the reference of one bit at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define crc32c         without_isal
#define crc32c_routine without_isal_routine
#include "util/crc32c_none.c"

static uint32_t by_the_bit(uint32_t crc, const uint8_t *at, size_t bytes)
{
	int bit;

	while (bytes--) {
		crc ^= *at++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

static void known_values(void **state)
{
	(void)state;
	assert_int_equal(without_isal(~0u, "123456789", 9) ^ ~0u, 0xe3069283);
	assert_int_equal(crc32c_table(~0u, (const uint8_t *)"123456789", 9) ^ ~0u, 0xe3069283);
	assert_non_null(without_isal_routine());
}

static void every_short_length_at_every_alignment(void **state)
{
	uint8_t data[300];
	size_t at, bytes;

	(void)state;
	for (at = 0; at < sizeof(data); at++)
		data[at] = (uint8_t)(at * 31 ^ at >> 3);
	for (at = 0; at < 8; at++) {
		for (bytes = 0; bytes < 260; bytes++) {
			uint32_t wanted = by_the_bit((uint32_t)bytes, data + at, bytes);

			assert_int_equal(without_isal((uint32_t)bytes, data + at, bytes), wanted);
			assert_int_equal(crc32c_table((uint32_t)bytes, data + at, bytes), wanted);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values),
		cmocka_unit_test(every_short_length_at_every_alignment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
