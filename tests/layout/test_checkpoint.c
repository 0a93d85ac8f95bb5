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
	0x00, 0x10, 0, 0, 0, 0, 0, 0, 0x00, 0x00, 0x40, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0xef, 0xbe, 0xad, 0xde, 0xaa, 0xf0, 0xee, 0xb3,
};

/* of before it had the capacity: no help where the file's head is damaged */
static const uint8_t golden_head_old[64] = {
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

static void assert_decodes(const uint8_t golden[64], uint64_t capacity)
{
	struct checkpoint_head head;
	uint64_t generation, bytes;
	uint32_t crc;

	memcpy(&head, golden, sizeof(head));
	assert_int_equal(checkpoint_head_decode(&head, capacity, &generation, &bytes, &crc),
			 CHECKPOINT_WHOLE);
	assert_int_equal(generation, 0x0102030405060708ull);
	assert_int_equal(bytes, 4096);
	assert_int_equal(crc, 0xdeadbeef);
}

static void head_bytes(void **state)
{
	struct checkpoint_head head;

	(void)state;
	checkpoint_head_encode(&head, 4u << 20, 0x0102030405060708ull, 4096, 0xdeadbeef);
	assert_memory_equal(&head, golden_head, sizeof(head));
	assert_decodes(golden_head, 4u << 20);
	assert_true(checkpoint_head_vouches(&head, 4u << 20));
}

static void old_head_bytes(void **state)
{
	struct checkpoint_head head;

	(void)state;
	memcpy(&head, golden_head_old, sizeof(head));
	assert_decodes(golden_head_old, 4096);
	assert_decodes(golden_head_old, 4u << 20);
	assert_false(checkpoint_head_vouches(&head, 4u << 20));
	assert_false(checkpoint_head_vouches(&head, 4096));
	assert_false(checkpoint_head_vouches(&head, 0));
}

/* Of a file of another size: it has no business here. */
static void head_of_another_capacity(void **state)
{
	struct checkpoint_head head;
	uint64_t a, b;
	uint32_t c;

	(void)state;
	memcpy(&head, golden_head, sizeof(head));
	assert_int_equal(checkpoint_head_decode(&head, 8u << 20, &a, &b, &c), CHECKPOINT_BAD);
	assert_false(checkpoint_head_vouches(&head, 8u << 20));
}

static void capacity_of_a_length(void **state)
{
	static const uint64_t none[] = { 0, 1, 4095, 4096, 4097, 8192, 4096 + 3 * 8192,
					 4096 + 3 * 12288 - 1, 4096 + 3 * 12288 + 1,
					 4096 + 3 * 12288 + 4096, INT64_MAX, UINT64_MAX };
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(checkpoint_file_capacity(none[i]), 0);
	for (uint64_t capacity = 4096; capacity < 1ull << 60; capacity *= 5) {
		assert_int_equal(checkpoint_file_bytes(capacity, &bytes), 0);
		assert_int_equal(checkpoint_file_capacity(bytes), capacity);
	}
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
		assert_int_equal(checkpoint_head_decode(&head, 4u << 20, &a, &b, &c),
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
					       (uint64_t)INT64_MAX & ~4095ull,
					       /* the last sum overflows, or what is signed does */
					       (UINT64_MAX & ~4095ull) / 3 - 8192, 1ull << 62 };
	struct checkpoint_file file;
	struct checkpoint_head head;
	uint64_t a, b;
	uint32_t c;

	(void)state;
	for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
		checkpoint_file_encode(&file, capacities[i]);
		assert_int_equal(checkpoint_file_decode(&file, false, &a), -EUCLEAN);
	}
	checkpoint_head_encode(&head, 4096, 1, 4097, 0);
	assert_int_equal(checkpoint_head_decode(&head, 4096, &a, &b, &c), CHECKPOINT_BAD);
	checkpoint_head_encode(&head, 4096, 1, 0, 0);
	assert_int_equal(checkpoint_head_decode(&head, 4096, &a, &b, &c), CHECKPOINT_BAD);
	checkpoint_head_encode(&head, 4096, 0, 1, 0);
	assert_int_equal(checkpoint_head_decode(&head, 4096, &a, &b, &c), CHECKPOINT_BAD);
	checkpoint_head_encode(&head, 4096, CHECKPOINT_GENERATION_MAX + 1, 1, 0);
	assert_int_equal(checkpoint_head_decode(&head, 4096, &a, &b, &c), CHECKPOINT_BAD);
	checkpoint_head_encode(&head, 4096, CHECKPOINT_GENERATION_MAX, 1, 0);
	assert_int_equal(checkpoint_head_decode(&head, 4096, &a, &b, &c), CHECKPOINT_WHOLE);
	memset(&head, 0, sizeof(head));
	assert_int_equal(checkpoint_head_decode(&head, 4096, &a, &b, &c), CHECKPOINT_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_bytes),     cmocka_unit_test(head_bytes),
		cmocka_unit_test(old_head_bytes), cmocka_unit_test(head_of_another_capacity),
		cmocka_unit_test(capacity_of_a_length),
		cmocka_unit_test(flipped_bits),   cmocka_unit_test(other_versions),
		cmocka_unit_test(sealed_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
