/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Marker lines whose words are gone, and who makes them anew is killed in the middle of it,
 * or the power goes: what is committed is there each time, and what is retired after that
 * stays so.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/marker.h"
#include "format/stage.h"
#include "lib/crash_place.h"
#include "util/math.h"

#define COUNT 8u
#define SEEDS 6u

/* of @map, to begin again from */
struct image {
	uint8_t *marker, *log;
};

static uint8_t *map_keep(const struct crash_map *map)
{
	uint8_t *copy = malloc(map->bytes);

	assert_non_null(copy);
	return memcpy(copy, map->durable, map->bytes);
}

static void map_restore(struct crash_map *map, const uint8_t *from)
{
	memcpy(map->durable, from, map->bytes);
	memcpy(map->now, from, map->bytes);
}

static void image_restore(struct place *p, const struct image *image)
{
	map_restore(&p->world.marker, image->marker);
	map_restore(&p->world.log, image->log);
}

static void geometry_of(struct place *p, struct marker_geometry *g)
{
	const char *why;

	assert_int_equal(marker_super_decode((const void *)p->world.marker.durable,
					     p->world.marker.bytes, false, g, &why), 0);
}

/* of each line that was ever used the first @bytes read @value */
static void spoil_lines(struct place *p, int value, size_t bytes)
{
	struct marker_geometry g;
	struct marker_line *line;
	uint64_t epoch;
	uint32_t i, spoilt = 0;

	geometry_of(p, &g);
	for (i = 0; i < g.lines; i++) {
		line = (struct marker_line *)(void *)(p->world.marker.durable +
						      marker_line_offset(&g, i));
		if (marker_line_epoch(line, &epoch))
			continue;
		memset(line, value, bytes);
		spoilt++;
	}
	assert_true(spoilt >= 1);
	memcpy(p->world.marker.now, p->world.marker.durable, p->world.marker.bytes);
}

/* half of them staged, half direct; one of each is retired */
static void scene(struct place *p, uint64_t ids[COUNT])
{
	uint32_t i;

	for (i = 0; i < COUNT; i++)
		assert_int_equal(place_put(p, i % 2 ? JOURNAL_PATH_DIRECT : JOURNAL_PATH_STAGED,
					   i, &ids[i]), 0);
	assert_int_equal(journal_retire(p->j, ids[0]), 0);
	assert_int_equal(journal_retire(p->j, ids[1]), 0);
	/* an incarnation later nobody takes the lines for those of an old image */
	place_close(p);
	assert_int_equal(place_open(p), 0);
	place_crash(p);
}

static void all_live(struct place *p, const uint64_t ids[COUNT])
{
	uint32_t i;

	for (i = 2; i < COUNT; i++)
		assert_int_equal(place_state(p, ids[i]), JOURNAL_LIVE);
	/* what was retired may be back */
	assert_true(place_live(p) <= COUNT);
}

/* It is whole now: what is retired is, and damage is gone. */
static void is_mended(struct place *p, const uint64_t ids[COUNT])
{
	uint32_t i, times;

	all_live(p, ids);
	for (i = 2; i < 4; i++)
		assert_int_equal(journal_retire(p->j, ids[i]), 0);
	place_crash(p);
	assert_int_equal(place_check(p), 0);
	for (times = 0; times < 2; times++) {
		assert_int_equal(place_open(p), 0);
		for (i = 2; i < COUNT; i++)
			assert_int_equal(place_state(p, ids[i]), i < 4 ? 0 : JOURNAL_LIVE);
		place_crash(p);
		/* and now the epochs alone: the maps are good, whatever was the matter before */
		spoil_lines(p, 0, 2 * sizeof(__le64));
	}
}

/* Return: false: the open ended before operation @nth */
static bool dies_at(struct place *p, const struct image *image, const uint64_t ids[COUNT],
		    uint64_t nth, enum crash_how how, uint64_t seed)
{
	bool died;

	image_restore(p, image);
	p->world.die_at = p->world.operations + nth;
	died = place_open(p);
	p->world.die_at = 0;
	if (!died) {
		is_mended(p, ids);
		return false;
	}
	p->world.dead = true;
	crash_throw_away(p->j);
	p->j = NULL;
	crash_world_cut(&p->world, how, seed);
	assert_int_equal(place_open(p), 0);
	is_mended(p, ids);
	return true;
}

static void p1_lines_are_made_anew(int value)
{
	struct place *p = place_make(NULL);
	uint64_t ids[COUNT], nth, seed;
	struct image image;
	bool going = true;

	scene(p, ids);
	spoil_lines(p, value, sizeof(struct marker_line));
	image = (struct image){ map_keep(&p->world.marker), map_keep(&p->world.log) };
	assert_int_equal(place_check(p), -EUCLEAN);
	for (nth = 1; going; nth++) {
		going = dies_at(p, &image, ids, nth, CRASH_DROP, 0);
		for (seed = 1; going && seed <= SEEDS; seed++)
			(void)dies_at(p, &image, ids, nth, CRASH_MIXED, seed);
		if (going)
			(void)dies_at(p, &image, ids, nth, CRASH_KEEP, 0);
	}
	assert_true(nth > 4);
	free(image.marker);
	free(image.log);
	place_remove(p);
}

static void p1_lines_of_zeros_are_made_anew(void **state)
{
	(void)state;
	p1_lines_are_made_anew(0);
}

static void p1_lines_of_ones_are_made_anew(void **state)
{
	(void)state;
	p1_lines_are_made_anew(0xff);
}

/* Nothing newer is on the medium than a line that reads ones, but a clean close. */
static void direct_alone(bool closed)
{
	struct place *p = place_make(NULL);
	uint64_t ids[3];
	uint32_t i;

	for (i = 0; i < 3; i++)
		assert_int_equal(place_put(p, JOURNAL_PATH_DIRECT, i, &ids[i]), 0);
	if (closed)
		place_close(p);
	else
		place_crash(p);
	spoil_lines(p, 0xff, sizeof(struct marker_line));
	assert_int_equal(place_open(p), closed ? 0 : -EUCLEAN);
	for (i = 0; closed && i < 3; i++)
		assert_int_equal(place_state(p, ids[i]), JOURNAL_LIVE);
	place_remove(p);
}

static void p1_a_line_that_a_clean_close_names(void **state)
{
	(void)state;
	direct_alone(true);
	/* of an old image this is what it looks like */
	direct_alone(false);
}

/* ---- a number that was never issued ------------------------------------------------- */

/* The header of the record whose payload is made from @seed names epoch @number. */
static void renumber(struct place *p, uint64_t seed, uint64_t number)
{
	struct stage_record *record = (void *)(place_find(&p->world.marker, seed) -
					       STAGE_HEADER_BYTES);
	uint64_t at = (uint64_t)((uint8_t *)record - p->world.marker.durable);
	struct marker_geometry g;
	struct stage_meta meta;
	uint32_t lane;

	geometry_of(p, &g);
	lane = (uint32_t)((at - g.stage_offset) / g.ring_bytes);
	assert_int_equal(stage_decode(record, stage_seed(g.nonce, lane),
				      (at - g.stage_offset) % g.ring_bytes, g.ring_bytes, &meta),
			 0);
	meta.id = number << 9 | (meta.id & 511);
	stage_encode(&meta, &(struct stage_last){ 0 }, stage_seed(g.nonce, lane), record);
	memcpy(p->world.marker.now, p->world.marker.durable, p->world.marker.bytes);
}

/* Whoever believed it would have no number left to draw. */
static void p4_a_number_out_of_reach_is_ignored(void **state)
{
	static const uint64_t numbers[] = {
		(1ull << 55) - 1, (uint64_t)(UINT32_MAX - 1) << 23, (uint64_t)UINT32_MAX << 23,
	};
	uint64_t ids[3], more;
	struct place *p;
	uint32_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_COUNT(numbers); i++) {
		p = place_make(NULL);
		for (k = 0; k < 3; k++)
			assert_int_equal(place_put(p, JOURNAL_PATH_STAGED, k, &ids[k]), 0);
		place_crash(p);
		renumber(p, 1, numbers[i]);
		assert_int_equal(place_open(p), 0);
		assert_int_equal(place_state(p, ids[0]), JOURNAL_LIVE);
		assert_int_equal(place_state(p, ids[2]), JOURNAL_LIVE);
		assert_int_equal(place_put(p, JOURNAL_PATH_STAGED, 7, &more), 0);
		assert_true(more > ids[2] && more >> 32 < 16);
		place_remove(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p1_lines_of_zeros_are_made_anew),
		cmocka_unit_test(p1_lines_of_ones_are_made_anew),
		cmocka_unit_test(p1_a_line_that_a_clean_close_names),
		cmocka_unit_test(p4_a_number_out_of_reach_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
