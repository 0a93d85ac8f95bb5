/* SPDX-License-Identifier: BSD-3-Clause */
/* Every persist routine that this processor has, forced in turn. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/persist.h"
#include "util/math.h"

#define AREA_BYTES (16u << 10)

static const size_t sizes[] = { 8, 16, 24, 56, 64, 72, 128, 192, 248, 256, 512, 520, 1000, 4096,
				4104, 8192 };

/* The copy is right and touches nothing beside it. */
static void check_copy(const struct marker_persist *persist, uint8_t *area, const uint8_t *source,
		       size_t offset, size_t bytes)
{
	uint8_t *at = area + 64 + offset;

	memset(area, 0xa5, AREA_BYTES);
	persist->copy(NULL, at, source, bytes);
	persist->fence(NULL);
	assert_memory_equal(at, source, bytes);
	for (uint8_t *p = area; p < at; p++)
		assert_int_equal(*p, 0xa5);
	for (uint8_t *p = at + bytes; p < at + bytes + 128; p++)
		assert_int_equal(*p, 0xa5);
}

static void check_copies(const struct marker_persist *persist)
{
	uint8_t *area = aligned_alloc(64, AREA_BYTES);
	uint8_t source[8192 + 64];

	assert_non_null(area);
	for (size_t i = 0; i < sizeof(source); i++)
		source[i] = (uint8_t)(i * 31 + (i >> 8));
	for (size_t s = 0; s < ARRAY_COUNT(sizes); s++)
		for (size_t offset = 0; offset < 64; offset += 8)
			check_copy(persist, area, source + (offset / 8 + s) % 9, offset, sizes[s]);
	free(area);
}

/* Flushing changes nothing, at any alignment, also of nothing at all. */
static void check_flush(const struct marker_persist *persist)
{
	uint8_t *area = aligned_alloc(64, 4096);

	assert_non_null(area);
	memset(area, 0x3c, 4096);
	for (size_t offset = 0; offset < 130; offset++)
		persist->flush(NULL, area + offset, offset * 7);
	persist->flush(NULL, area + 4096, 0);
	persist->flush(NULL, area, 4096);
	persist->fence(NULL);
	for (size_t i = 0; i < 4096; i++)
		assert_int_equal(area[i], 0x3c);
	free(area);
}

static void every_routine(void **state)
{
	unsigned int ran = 0;

	(void)state;
	for (unsigned int i = 0; i < persist_routine_count; i++) {
		const struct persist_routine *r = &persist_routines[i];

		if (!r->supported()) {
			print_message("%s: not run: this processor has it not\n",
				      r->persist.name);
			continue;
		}
		check_copies(&r->persist);
		check_flush(&r->persist);
		ran++;
	}
	assert_true(ran > 0);
}

static bool in_table(const struct marker_persist *persist)
{
	for (unsigned int i = 0; i < persist_routine_count; i++)
		if (persist_routines[i].persist.name == persist->name)
			return persist_routines[i].supported() &&
			       persist_routines[i].persist.copy == persist->copy &&
			       persist_routines[i].persist.flush == persist->flush;
	return false;
}

static void names_differ(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < persist_routine_count; i++)
		for (unsigned int k = 0; k < i; k++)
			assert_string_not_equal(persist_routines[i].persist.name,
						persist_routines[k].persist.name);
}

static void choice_is_supported(void **state)
{
	struct marker_persist persist;
	int error = persist_choose(PERSIST_MEMORY, &persist);

	(void)state;
	/* nothing that leaves data in the caches may be chosen for memory */
	if (error == -ENOTSUP) {
		print_message("no routine for memory on this processor\n");
	} else {
		assert_int_equal(error, 0);
		assert_true(in_table(&persist));
		assert_string_not_equal(persist.name, "eadr");
	}
	assert_int_equal(persist_choose(PERSIST_CACHE, &persist), 0);
	assert_string_equal(persist.name, "eadr");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_routine),
		cmocka_unit_test(names_differ),
		cmocka_unit_test(choice_is_supported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
