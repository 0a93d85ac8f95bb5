/* SPDX-License-Identifier: BSD-3-Clause */
/* Every persist routine that this processor has, forced in turn. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void every_copy(void **state)
{
	struct marker_persist persist = { .fence = persist_fence };
	unsigned int ran = 0;

	(void)state;
	for (unsigned int i = 0; i < persist_copy_count; i++) {
		const struct persist_copy *copy = &persist_copies[i];

		if (!copy->supported() ||
		    (copy->small && !(copy->small->supported() && copy->large->supported()))) {
			print_message("%s: not run: this processor has it not\n", copy->name);
			continue;
		}
		persist.copy = copy->copy;
		check_copies(&persist);
		ran++;
	}
	assert_true(ran > 0);
}

static void every_flush(void **state)
{
	struct marker_persist persist = { .fence = persist_fence };
	unsigned int ran = 0;

	(void)state;
	for (unsigned int i = 0; i < persist_flush_count; i++) {
		if (!persist_flushes[i].supported()) {
			print_message("%s: not run: this processor has it not\n",
				      persist_flushes[i].name);
			continue;
		}
		persist.flush = persist_flushes[i].flush;
		check_flush(&persist);
		ran++;
	}
	assert_true(ran > 0);
}

static void names_differ(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < persist_copy_count; i++)
		for (unsigned int k = 0; k < i; k++)
			assert_string_not_equal(persist_copies[i].name, persist_copies[k].name);
	for (unsigned int i = 0; i < persist_flush_count; i++)
		for (unsigned int k = 0; k < i; k++)
			assert_string_not_equal(persist_flushes[i].name, persist_flushes[k].name);
}

/* By size: what is small goes the one way, what is large the other; each flush has a copy of
 * its kind, which is named once for both. */
static void pairs_are_of_the_table(void **state)
{
	struct marker_persist persist;
	unsigned int pairs = 0;

	(void)state;
	for (unsigned int i = 0; i < persist_copy_count; i++) {
		const struct persist_copy *copy = &persist_copies[i];
		char name[64];

		assert_int_equal(!copy->small, !copy->large);
		if (!copy->small)
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", copy->small->name, copy->large->name);
		assert_string_equal(copy->name, name);
		assert_true(!copy->small->small && !copy->large->small);
		pairs++;
	}
	if (persist_copy_count > 1)
		assert_true(pairs > 0);
	for (unsigned int i = 0; i < persist_flush_count; i++) {
		if (!persist_flushes[i].supported())
			continue;
		assert_int_equal(persist_named(persist_flushes[i].name, &persist), 0);
		assert_true(persist.flush == persist_flushes[i].flush);
	}
	assert_int_equal(persist_named("carrier pigeon", &persist), -ENOTSUP);
	assert_int_equal(persist_named("", &persist), -ENOTSUP);
}

static void choice_is_supported(void **state)
{
	struct marker_persist persist, again;
	int error = persist_choose(PERSIST_MEMORY, &persist);

	(void)state;
	/* nothing that leaves data in the caches may be chosen for memory */
	if (error == -ENOTSUP) {
		print_message("no routine for memory on this processor\n");
	} else {
		assert_int_equal(error, 0);
		print_message("chosen: %s\n", persist.name);
		assert_null(strstr(persist.name, "eadr"));
		assert_true(persist.flush != persist_flushes[0].flush);
		assert_true(persist.copy != persist_copies[0].copy);
		/* who joins finds the same one by its name */
		assert_int_equal(persist_named(persist.name, &again), 0);
		assert_string_equal(again.name, persist.name);
		assert_true(again.flush == persist.flush && again.copy == persist.copy &&
			    again.fence == persist.fence);
	}
	assert_int_equal(persist_choose(PERSIST_CACHE, &persist), 0);
	assert_string_equal(persist.name, "eadr");
	assert_true(persist.flush == persist_flushes[0].flush &&
		    persist.copy == persist_copies[0].copy);
}

/* what was chosen for one medium, when another takes its place */
static void what_flushes_serves_any_memory(void **state)
{
	struct marker_persist persist;
	bool flushes = !persist_choose(PERSIST_MEMORY, &persist);

	(void)state;
	assert_true(persist_serves("eadr", "eadr"));
	assert_true(persist_serves("msync", "msync"));
	assert_false(persist_serves("msync", "eadr"));
	assert_false(persist_serves("eadr", "msync"));
	assert_false(persist_serves("simulated", "eadr"));
	if (!flushes)
		return;
	assert_true(persist_serves(persist.name, "eadr"));
	assert_false(persist_serves("eadr", persist.name));
	assert_false(persist_serves(persist.name, "msync"));
	assert_false(persist_serves("msync", persist.name));
	for (unsigned int f = 1; f < persist_flush_count; f++)
		if (persist_flushes[f].supported())
			assert_true(persist_serves(persist_flushes[f].name, persist.name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_copy),
		cmocka_unit_test(every_flush),
		cmocka_unit_test(names_differ),
		cmocka_unit_test(pairs_are_of_the_table),
		cmocka_unit_test(what_flushes_serves_any_memory),
		cmocka_unit_test(choice_is_supported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
