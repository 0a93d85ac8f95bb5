/* SPDX-License-Identifier: BSD-3-Clause */
#include "mending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/math.h"

#define SEEDS 4u

static struct marker_geometry mending_geometry(struct place *p)
{
	struct marker_geometry g;
	const char *why;

	assert_int_equal(marker_super_decode((const void *)p->world.marker.durable,
					     p->world.marker.bytes, false, &g, &why), 0);
	return g;
}

struct marker_line *mending_line(struct place *p, uint32_t line)
{
	struct marker_geometry g = mending_geometry(p);

	assert_true(line < g.lines);
	return (struct marker_line *)(void *)(p->world.marker.durable +
					      marker_line_offset(&g, line));
}

uint32_t mending_lines(struct place *p)
{
	return mending_geometry(p).lines;
}

void mending_show(struct place *p)
{
	memcpy(p->world.marker.now, p->world.marker.durable, p->world.marker.bytes);
}

void mending_spoil_lines(struct place *p, int value, size_t bytes)
{
	uint32_t i, lines = mending_lines(p), spoilt = 0;
	struct marker_line *line;
	uint64_t epoch;

	for (i = 0; i < lines; i++) {
		line = mending_line(p, i);
		if (marker_line_epoch(line, &epoch))
			continue;
		memset(line, value, bytes);
		spoilt++;
	}
	assert_true(spoilt >= 1);
	mending_show(p);
}

/* ---- each crash ------------------------------------------------------------------------ */

/* of a map, to begin again from */
static uint8_t *map_keep(const struct crash_map *map)
{
	uint8_t *copy = malloc(map->bytes);

	assert_non_null(copy);
	return memcpy(copy, map->durable, map->bytes);
}

#define CHUNK 65536u

/* most of a log stays as it was */
static void map_restore(struct crash_map *map, const uint8_t *from)
{
	uint64_t at, bytes;

	for (at = 0; at < map->bytes; at += CHUNK) {
		bytes = min_u64(CHUNK, map->bytes - at);
		if (memcmp(map->durable + at, from + at, bytes))
			memcpy(map->durable + at, from + at, bytes);
		if (memcmp(map->now + at, map->durable + at, bytes))
			memcpy(map->now + at, from + at, bytes);
	}
}

/* Return: false: it went through, and is open */
static bool open_dies_at(struct place *p, uint64_t nth, enum crash_how how, uint64_t seed)
{
	p->world.die_at = p->world.operations + nth;
	if (!place_open(p)) {
		p->world.die_at = 0;
		return false;
	}
	assert_true(p->world.dead);
	crash_throw_away(p->j);
	p->j = NULL;
	crash_world_cut(&p->world, how, seed);
	return true;
}

void mending_each_crash(struct place *p, void (*is_mended)(struct place *p, const void *context),
			const void *context)
{
	uint8_t *marker = map_keep(&p->world.marker), *log = map_keep(&p->world.log);
	uint64_t nth, seed;
	bool going = true;

	for (nth = 1; going; nth++)
		/* the first drops all, the second keeps all; of the others every second dies
		 * twice */
		for (seed = 0; going && seed < 2 + SEEDS; seed++) {
			map_restore(&p->world.marker, marker);
			map_restore(&p->world.log, log);
			going = open_dies_at(p, nth, seed > 1  ? CRASH_MIXED :
						     seed == 1 ? CRASH_KEEP : CRASH_DROP, seed);
			if (going && (seed < 2 || seed % 2 ||
				      open_dies_at(p, 1 + (nth + seed / 2) % 5, CRASH_MIXED,
						   seed + 100)))
				assert_int_equal(place_open(p), 0);
			is_mended(p, context);
		}
	assert_true(nth > 4);
	free(marker);
	free(log);
}
