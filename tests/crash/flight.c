/* SPDX-License-Identifier: BSD-3-Clause */
#include "flight.h"

#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "util/assert.h"

#define LINE_BYTES 64u

/* where @e is */
static const struct crash_world *world_of(const struct flight *flight,
					  const struct flight_element *e)
{
	if (e->kind == FLIGHT_SECTOR)
		return flight->world;
	return e->other ? flight->world->other : crash_world_nvram(flight->world);
}

static const uint8_t *durable_of(const struct flight *flight, const struct flight_element *e)
{
	const struct crash_world *world = world_of(flight, e);

	return e->kind == FLIGHT_SECTOR ? crash_log_sector(world, false, e->at) :
					  world->marker.durable + e->at;
}

static uint32_t bytes_of(const struct flight *flight, const struct flight_element *e)
{
	return e->kind == FLIGHT_WORD ? 8 : e->kind == FLIGHT_SECTOR ? CRASH_SECTOR :
	       (uint32_t)world_of(flight, e)->marker.bytes;
}

/* what names it in a sum: no word lies where a sector does */
static uint64_t sum_of(const struct flight *flight, const struct flight_element *e,
		       const void *data)
{
	uint64_t where = (uint64_t)(e->kind != FLIGHT_SECTOR) << 63 | (uint64_t)e->other << 62;

	return crash_sum(e->at | where, data, bytes_of(flight, e));
}

static struct flight_element *element(struct flight *flight, const struct flight_element *e)
{
	if (flight->count == flight->room) {
		flight->room = flight->room ? flight->room * 2 : 64;
		flight->all = realloc(flight->all, flight->room * sizeof(*flight->all));
		JASSERT(flight->all);
	}
	flight->all[flight->count] = *e;
	return &flight->all[flight->count++];
}

static bool is_new(const struct flight *flight, const struct flight_element *e, const void *data)
{
	uint32_t i, bytes = bytes_of(flight, e);

	for (i = 0; i < e->versions; i++)
		if (!memcmp(e->data[i], data, bytes))
			return false;
	return memcmp(durable_of(flight, e), data, bytes) != 0;
}

static void version(struct flight *flight, struct flight_element *e, const void *data)
{
	if (!is_new(flight, e, data))
		return;
	if (e->versions == FLIGHT_VERSIONS)
		e->versions--;
	e->data[e->versions] = data;
	e->sum[e->versions++] = sum_of(flight, e, data) -
				sum_of(flight, e, durable_of(flight, e));
}

/* ---- NVRAM ------------------------------------------------------------------- */

static bool line_differs(const struct crash_world *world, uint64_t line)
{
	return memcmp(world->marker.now + line * LINE_BYTES,
		      world->marker.durable + line * LINE_BYTES, LINE_BYTES) != 0;
}

static bool line_flushed(const struct crash_world *world, uint64_t line)
{
	uint32_t i;

	for (i = 0; i < world->flushed_count; i++)
		if (world->flushed[i].line == line)
			return true;
	return false;
}

/* What a word was when its line was flushed, and is now: any of it may be there. */
static void collect_word(struct flight *flight, uint64_t line, uint32_t word)
{
	const struct crash_world *world = crash_world_nvram(flight->world);
	uint64_t at = line * LINE_BYTES + word * 8;
	struct flight_element e = { .at = at, .kind = FLIGHT_WORD };
	uint32_t i;

	for (i = 0; i < world->flushed_count; i++)
		if (world->flushed[i].line == line)
			version(flight, &e, &world->flushed[i].words[word]);
	version(flight, &e, world->marker.now + at);
	if (e.versions)
		(void)element(flight, &e);
}

static void collect_words(struct flight *flight)
{
	const struct crash_world *world = crash_world_nvram(flight->world);
	uint64_t line, lines = world->marker.bytes / LINE_BYTES;
	uint32_t word;

	for (line = 0; line < lines; line++) {
		if (!line_differs(world, line) && !line_flushed(world, line))
			continue;
		for (word = 0; word < LINE_BYTES / 8; word++)
			collect_word(flight, line, word);
	}
}

/* The map as a whole, or not. */
static void collect_checkpoint(struct flight *flight, bool other)
{
	struct flight_element e = { .kind = FLIGHT_CHECKPOINT, .other = other };

	if (world_of(flight, &e)->checkpoint_bytes)
		version(flight, element(flight, &e), world_of(flight, &e)->marker.now);
}

static uint64_t marker_sum(const struct flight *flight, bool other)
{
	struct flight_element e = { .kind = FLIGHT_CHECKPOINT, .other = other };
	const struct crash_map *map = &world_of(flight, &e)->marker;
	uint64_t sum = 0;

	if (world_of(flight, &e)->checkpointed)
		return map->durable ? sum_of(flight, &e, map->durable) : 0;
	for (e.kind = FLIGHT_WORD; e.at < map->bytes; e.at += 8)
		sum += sum_of(flight, &e, map->durable + e.at);
	return sum;
}

/* ---- the log ------------------------------------------------------------------ */

struct sector {
	uint64_t at;
	uint32_t order;
	const uint8_t *data;
};

static int by_place(const void *a, const void *b)
{
	const struct sector *x = a, *y = b;

	return x->at != y->at ? (x->at < y->at ? -1 : 1) : (x->order < y->order ? -1 : 1);
}

static uint32_t list_sectors(const struct crash_world *world, struct sector **all)
{
	const struct crash_write *write;
	uint32_t count = 0, at;

	for (write = world->oldest; write; write = write->next)
		count += write->bytes / CRASH_SECTOR;
	*all = malloc((count + 1) * sizeof(**all));
	JASSERT(*all);
	count = 0;
	for (write = world->oldest; write; write = write->next)
		for (at = 0; at < write->bytes; at += CRASH_SECTOR, count++)
			(*all)[count] = (struct sector){ write->offset + at, count,
							 write->data + at };
	return count;
}

static void collect_sectors(struct flight *flight)
{
	struct flight_element *e = NULL;
	struct sector *all;
	uint32_t i, count = list_sectors(flight->world, &all);

	qsort(all, count, sizeof(*all), by_place);
	for (i = 0; i < count; i++) {
		if (!i || all[i].at != all[i - 1].at)
			e = element(flight, &(struct flight_element){ .at = all[i].at,
						      .kind = FLIGHT_SECTOR });
		version(flight, e, all[i].data);
		if (!e->versions && (i + 1 == count || all[i + 1].at != all[i].at))
			flight->count--; /* it is as it was */
	}
	free(all);
}

/* ---- images -------------------------------------------------------------------- */

void flight_collect(struct flight *flight, const struct crash_world *world)
{
	uint32_t i;

	*flight = (struct flight){ .world = world, .images = 1 };
	flight->sum = marker_sum(flight, false) + world->log_sum;
	if (world->checkpointed)
		collect_checkpoint(flight, false);
	else if (!world->given_up)
		collect_words(flight);
	if (world->other) {
		flight->sum += marker_sum(flight, true);
		collect_checkpoint(flight, true);
	}
	collect_sectors(flight);
	for (i = 0; i < flight->count; i++)
		flight->images *= 1 + flight->all[i].versions;
}

void flight_free(struct flight *flight)
{
	free(flight->all);
}

uint64_t flight_sum(const struct flight *flight, const uint8_t *choice)
{
	uint64_t sum = flight->sum;
	uint32_t i;

	for (i = 0; i < flight->count; i++)
		if (choice[i])
			sum += flight->all[i].sum[choice[i] - 1];
	return sum;
}

static void apply(const struct flight *flight, const struct flight_element *e, const void *data,
		  struct crash_world *copy)
{
	struct crash_map *to = e->other ? &copy->other->marker : &copy->marker;
	uint64_t bytes = e->kind == FLIGHT_WORD ? 8 : world_of(flight, e)->checkpoint_bytes;

	if (e->kind == FLIGHT_SECTOR) {
		crash_log_put(copy, false, e->at, data, CRASH_SECTOR);
		crash_log_put(copy, true, e->at, data, CRASH_SECTOR);
		return;
	}
	memcpy(to->durable + e->at, data, bytes);
	if (e->kind == FLIGHT_CHECKPOINT)
		memset(to->durable + bytes, 0xff, to->bytes - bytes);
	memcpy(to->now + e->at, to->durable + e->at, bytes_of(flight, e));
}

void flight_image(const struct flight *flight, const uint8_t *choice, struct crash_world *copy)
{
	uint32_t i;

	crash_world_clone(flight->world, false, copy);
	for (i = 0; i < flight->count; i++)
		if (choice[i])
			apply(flight, &flight->all[i], flight->all[i].data[choice[i] - 1], copy);
}

bool flight_same(const struct flight *flight, const uint8_t *a, const uint8_t *b,
		 const uint64_t *read)
{
	uint64_t sector;
	uint32_t i;

	for (i = 0; i < flight->count; i++) {
		sector = flight->all[i].at / CRASH_SECTOR;
		if (a[i] != b[i] && (flight->all[i].kind != FLIGHT_SECTOR ||
				     read[sector / 64] >> (sector & 63) & 1))
			return false;
	}
	return true;
}

/* ---- choices ---------------------------------------------------------------------- */

/* like a number, of which each digit has as many values as the element has states */
static bool next_choice(const struct flight *flight, uint8_t *choice)
{
	uint32_t i;

	for (i = 0; i < flight->count; i++) {
		if (choice[i] < flight->all[i].versions) {
			choice[i]++;
			return true;
		}
		choice[i] = 0;
	}
	return false;
}

static void each_of_all(const struct flight *flight, uint8_t *choice, flight_visit *visit,
			void *context)
{
	do
		if (!visit(context, choice))
			return;
	while (next_choice(flight, choice));
}

/* @element alone is there, or all but it */
static bool one_or_rest(const struct flight *flight, uint32_t element, bool rest, uint8_t *choice,
			flight_visit *visit, void *context)
{
	uint32_t i;

	for (i = 0; i < flight->count; i++)
		choice[i] = rest == (i != element) ? (uint8_t)flight->all[i].versions : 0;
	return visit(context, choice);
}

/* What is younger than @element is not there: elements are in the order of their places, and
 * so is what is written in one go. */
static bool up_to(const struct flight *flight, uint32_t element, uint8_t *choice,
		  flight_visit *visit, void *context)
{
	uint32_t i;

	for (i = 0; i < flight->count; i++)
		choice[i] = i <= element ? (uint8_t)flight->all[i].versions : 0;
	return visit(context, choice);
}

static bool by_chance(const struct flight *flight, uint64_t *seed, uint8_t *choice,
		      flight_visit *visit, void *context)
{
	uint32_t i;

	for (i = 0; i < flight->count; i++)
		choice[i] = (uint8_t)(fault_random(seed) % (1 + flight->all[i].versions));
	return visit(context, choice);
}

/* Of few samples the elements are some, too: all of them where there are enough. */
static void some_of_all(const struct flight *flight, uint32_t samples, uint64_t seed,
			uint8_t *choice, flight_visit *visit, void *context)
{
	uint32_t i, step = 1 + flight->count * 3 / (samples + 1);
	bool more = visit(context, choice) &&
		    up_to(flight, flight->count - 1, choice, visit, context);

	for (i = 0; more && i < flight->count; i += step)
		more = one_or_rest(flight, i, false, choice, visit, context) &&
		       one_or_rest(flight, i, true, choice, visit, context) &&
		       up_to(flight, i, choice, visit, context);
	for (i = 0; more && i < samples; i++)
		more = by_chance(flight, &seed, choice, visit, context);
}

void flight_each(const struct flight *flight, uint32_t all, uint32_t samples, uint64_t seed,
		 flight_visit *visit, void *context)
{
	uint8_t *choice = calloc(flight->count + 1, 1);

	JASSERT(choice);
	if (flight->images <= all || !flight->count)
		each_of_all(flight, choice, visit, context);
	else
		some_of_all(flight, samples, seed, choice, visit, context);
	free(choice);
}
