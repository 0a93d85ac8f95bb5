/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/group.h"
#include "util/math.h"

#define COUNT 64u

static uint8_t payload[8192];

/* Return: bytes of the payload */
static uint32_t make(uint32_t count, const uint32_t *sizes)
{
	uint32_t i, at = 0;
	__le32 le;

	memset(payload, 0xee, sizeof(payload));
	for (i = 0; i < count; i++)
		at += (uint32_t)round_up(sizes[i], 8);
	for (i = 0; i < count; i++) {
		le = put_le32(sizes[i]);
		memcpy(payload + at + i * 4, &le, 4);
	}
	return at + count * 4;
}

static void each_is_found(void **state)
{
	uint32_t sizes[COUNT], count, i, at, bytes, offset, size;

	(void)state;
	for (count = 2; count <= COUNT; count++) {
		for (i = 0; i < count; i++)
			sizes[i] = (i * 37 + count) % 101;
		bytes = make(count, sizes);
		for (i = at = 0; i < count; i++) {
			assert_int_equal(group_find(payload, bytes, count, i, &offset, &size), 0);
			assert_int_equal(offset, at);
			assert_int_equal(size, sizes[i]);
			at += (uint32_t)round_up(sizes[i], 8);
		}
	}
}

static void one_alone_has_no_table(void **state)
{
	uint32_t offset, size;

	(void)state;
	assert_int_equal(group_find(payload, 0, 1, 0, &offset, &size), 0);
	assert_int_equal(size, 0);
	assert_int_equal(group_find(payload, 4321, 1, 0, &offset, &size), 0);
	assert_int_equal(offset, 0);
	assert_int_equal(size, 4321);
}

static void index_beyond_the_group(void **state)
{
	uint32_t sizes[2] = { 8, 8 }, bytes = make(2, sizes), offset, size;

	(void)state;
	assert_int_equal(group_find(payload, bytes, 2, 2, &offset, &size), -EBADMSG);
	assert_int_equal(group_find(payload, bytes, 2, ~0u, &offset, &size), -EBADMSG);
	assert_int_equal(group_find(payload, bytes, 1, 1, &offset, &size), -EBADMSG);
	assert_int_equal(group_find(payload, bytes, 0, 0, &offset, &size), -EBADMSG);
}

static void table_does_not_fit(void **state)
{
	uint32_t offset, size, bytes;

	(void)state;
	memset(payload, 0, sizeof(payload));
	for (bytes = 0; bytes < 12; bytes++)
		assert_int_equal(group_find(payload, bytes, 3, 0, &offset, &size), -EBADMSG);
	assert_int_equal(group_find(payload, 12, 3, 2, &offset, &size), 0);
}

/* sizes in the table that reach beyond the payload, or overflow when added up */
static void sizes_that_lie(void **state)
{
	static const uint32_t lies[][2] = {
		{ 17, 8 }, { 24, 0 }, { 8, 9 }, { 0, 17 }, { ~0u, 0 }, { ~0u, ~0u },
		{ 8, ~0u }, { 0x80000000u, 0x80000000u }, { 0xfffffff8u, 8 },
	};
	uint32_t offset, size;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_COUNT(lies); i++) {
		memcpy(payload + 16, lies[i], 8);
		assert_int_equal(group_find(payload, 24, 2, 1, &offset, &size), -EBADMSG);
	}
	memset(payload, 0xff, COUNT * 4); /* 64 times 4 GiB */
	assert_int_equal(group_find(payload, COUNT * 4, COUNT, COUNT - 1, &offset, &size),
			 -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_found),
		cmocka_unit_test(one_alone_has_no_table),
		cmocka_unit_test(index_beyond_the_group),
		cmocka_unit_test(table_does_not_fit),
		cmocka_unit_test(sizes_that_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
