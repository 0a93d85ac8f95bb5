/* SPDX-License-Identifier: BSD-3-Clause */
/* The checkpoint file, byte by byte: what was written by any version stays. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "format/checkpoint.h"
#include "util/crc32c.h"

static const uint8_t golden_file[64] = {
	'J', 'N', 'L', 'C', 'K', 'F', 'I', 'L', 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x00, 0x40, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x82, 0xa8, 0x17, 0xca,
};

static const uint8_t golden_head[64] = {
	'J', 'N', 'L', 'C', 'K', 'H', 'E', 'D', 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
	0x00, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0xef, 0xbe, 0xad, 0xde, 0xa5, 0x9c, 0xed, 0x66,
};

static void file_bytes(void **state)
{
	struct checkpoint_file file;
	uint64_t capacity = 0;

	(void)state;
	checkpoint_file_encode(&file, 4u << 20);
	assert_memory_equal(&file, golden_file, sizeof(file));
	memcpy(&file, golden_file, sizeof(file));
	assert_int_equal(checkpoint_file_decode(&file, false, &capacity), 0);
	assert_int_equal(capacity, 4u << 20);
}

static void head_bytes(void **state)
{
	struct checkpoint_head head;
	uint64_t generation, bytes;
	uint32_t crc;

	(void)state;
	checkpoint_head_encode(&head, 0x0102030405060708ull, 4096, 0xdeadbeef);
	assert_memory_equal(&head, golden_head, sizeof(head));
	memcpy(&head, golden_head, sizeof(head));
	assert_int_equal(checkpoint_head_decode(&head, 4096, &generation, &bytes, &crc),
			 CHECKPOINT_WHOLE);
	assert_int_equal(generation, 0x0102030405060708ull);
	assert_int_equal(bytes, 4096);
	assert_int_equal(crc, 0xdeadbeef);
}

/* No single flipped bit passes. */
static void flipped_bits(void **state)
{
	uint64_t a, b;
	uint32_t c;

	(void)state;
	for (unsigned int bit = 0; bit < 512; bit++) {
		struct checkpoint_file file;
		struct checkpoint_head head;

		memcpy(&file, golden_file, sizeof(file));
		memcpy(&head, golden_head, sizeof(head));
		((uint8_t *)&file)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		((uint8_t *)&head)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(checkpoint_file_decode(&file, false, &a), -EUCLEAN);
		assert_int_equal(checkpoint_head_decode(&head, 4096, &a, &b, &c),
				 CHECKPOINT_BAD);
	}
}

static void seal(struct checkpoint_file *file)
{
	file->crc = put_le32(crc32c(~0u, file, offsetof(struct checkpoint_file, crc)));
}

static void other_versions(void **state)
{
	struct checkpoint_file file;
	uint64_t capacity;

	(void)state;
	checkpoint_file_encode(&file, 4096);
	file.version = put_le32(1);
	seal(&file);
	assert_int_equal(checkpoint_file_decode(&file, true, &capacity), -EPROTO);
	checkpoint_file_encode(&file, 4096);
	file.incompat = put_le32(1u << 31);
	seal(&file);
	assert_int_equal(checkpoint_file_decode(&file, true, &capacity), -EPROTO);
	checkpoint_file_encode(&file, 4096);
	file.ro_compat = put_le32(1);
	seal(&file);
	assert_int_equal(checkpoint_file_decode(&file, false, &capacity), -EPROTO);
	assert_int_equal(checkpoint_file_decode(&file, true, &capacity), 0);
	checkpoint_file_encode(&file, 4096);
	file.compat = put_le32(1);
	seal(&file);
	assert_int_equal(checkpoint_file_decode(&file, false, &capacity), 0);
}

/* Sealed, and not sensible all the same. */
static void sealed_nonsense(void **state)
{
	static const uint64_t capacities[] = { 0, 1, 4095, 4097, UINT64_MAX & ~4095ull,
					       (uint64_t)INT64_MAX & ~4095ull };
	struct checkpoint_file file;
	struct checkpoint_head head;
	uint64_t a, b;
	uint32_t c;

	(void)state;
	for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
		checkpoint_file_encode(&file, capacities[i]);
		assert_int_equal(checkpoint_file_decode(&file, false, &a), -EUCLEAN);
	}
	checkpoint_head_encode(&head, 1, 4097, 0);
	assert_int_equal(checkpoint_head_decode(&head, 4096, &a, &b, &c), CHECKPOINT_BAD);
	checkpoint_head_encode(&head, 1, 0, 0);
	assert_int_equal(checkpoint_head_decode(&head, 4096, &a, &b, &c), CHECKPOINT_BAD);
	checkpoint_head_encode(&head, 0, 1, 0);
	assert_int_equal(checkpoint_head_decode(&head, 4096, &a, &b, &c), CHECKPOINT_BAD);
	memset(&head, 0, sizeof(head));
	assert_int_equal(checkpoint_head_decode(&head, 4096, &a, &b, &c), CHECKPOINT_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_bytes),     cmocka_unit_test(head_bytes),
		cmocka_unit_test(flipped_bits),   cmocka_unit_test(other_versions),
		cmocka_unit_test(sealed_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
