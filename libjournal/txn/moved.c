/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/moved.h"

#include <errno.h>

#define BUCKET       4u   /* entries: 128 bytes, two cache lines */
#define LEVEL_FIRST  128u /* buckets of the first level */
#define PLACE_BITS   30u
#define PLACE_MASK   ((1ull << PLACE_BITS) - 1)
#define PARITY       (1ull << 60)
#define CHANGE       (1ull << 61)

/* ---- the table's shape --------------------------------------------------------- */

static uint64_t level_buckets(uint32_t level)
{
	return (uint64_t)LEVEL_FIRST << 2 * level;
}

/* of all levels below */
static uint64_t level_begin(uint32_t level)
{
	return ((uint64_t)LEVEL_FIRST * BUCKET << 2 * level) / 3 - LEVEL_FIRST * BUCKET / 3;
}

/* The last level has an entry for each slot by itself; so one that finds its buckets
 * full in all of them is a matter of numbers, as 2 to the minus hundreds. */
uint32_t moved_levels_max(uint32_t lines)
{
	uint32_t level = 0;

	while (level_buckets(level) * BUCKET < (uint64_t)lines * SLOTS_PER_LINE)
		level++;
	JASSERT(level < MOVED_LEVELS_MAX);
	return level + 1;
}

uint64_t moved_table_bytes(uint32_t lines)
{
	return level_begin(moved_levels_max(lines)) * sizeof(struct moved_entry);
}

static uint64_t moved_hash(uint64_t id, uint32_t level)
{
	uint64_t x = id + level * 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 29) * 0x94d049bb133111ebull;
	return x ^ x >> 32;
}

static struct moved_entry *moved_bucket(const struct journal *j, uint64_t id, uint32_t level)
{
	uint64_t bucket = moved_hash(id, level) & (level_buckets(level) - 1);

	return &j->moved_table[level_begin(level) + bucket * BUCKET];
}

/* ---- places ---------------------------------------------------------------------- */

static uint64_t place_encode(const struct slot_place *place)
{
	return place->line == NO_LINE ? 0 : (uint64_t)(place->line << 9 | place->slot) + 1;
}

static void place_decode(uint64_t bits, uint64_t number, struct slot_place *place)
{
	uint32_t place_bits = (uint32_t)(bits & PLACE_MASK) - 1;

	*place = (struct slot_place){ .line = NO_LINE };
	if (bits & PLACE_MASK)
		*place = (struct slot_place){ number, place_bits >> 9, place_bits & 511 };
}

static void moved_decode(const struct moved_entry *entry, uint64_t places, struct moved *m)
{
	uint32_t parity = !!(places & PARITY);

	place_decode(places, atomic_load(&entry->number[parity]), &m->at);
	place_decode(places >> PLACE_BITS, atomic_load(&entry->number[!parity]), &m->other);
}

/* Return: false: it is not (any more) that of @id */
static bool moved_copy(struct moved_entry *entry, uint64_t id, struct moved *m)
{
	uint64_t places;

	do {
		places = atomic_load(&entry->places);
		moved_decode(entry, places, m);
		if (atomic_load(&entry->id) != id)
			return false;
	} while (atomic_load(&entry->places) != places);
	m->entry = entry;
	m->id = id;
	return true;
}

/* ---- looking --------------------------------------------------------------------- */

int moved_find(const struct journal *j, uint64_t id, struct moved *m)
{
	uint32_t level, i, levels = atomic_load_explicit(&j->shared->moved_levels,
							 memory_order_acquire);
	struct moved_entry *bucket;

	for (level = 0; level < levels; level++) {
		bucket = moved_bucket(j, id, level);
		for (i = 0; i < BUCKET; i++)
			if (atomic_load(&bucket[i].id) == id && moved_copy(&bucket[i], id, m))
				return 0;
	}
	return -ENOENT;
}

static bool place_lives(const struct journal *j, const struct slot_place *at)
{
	return slot_place_valid(j, at) && !slot_is_claimed(j, at) &&
	       atomic_load(&j->lines[at->line].committed[at->slot / 64]) >> (at->slot & 63) & 1;
}

struct slot *moved_live(const struct journal *j, uint64_t id)
{
	struct slot_place before = { .line = NO_LINE };
	struct moved m;

	while (!moved_find(j, id, &m)) {
		if (place_lives(j, &m.at))
			return slot_at(j, &m.at);
		/* retired, or moved on since it was found */
		if (slot_place_same(&m.at, &before))
			break;
		before = m.at;
	}
	return NULL;
}

/* behind the last */
static struct moved_entry *moved_end(const struct journal *j)
{
	return j->moved_table + level_begin(atomic_load(&j->shared->moved_levels));
}

/* ---- changing ---------------------------------------------------------------------- */

/*
 * Nobody needs it: what it was about is retired, wherever it was.  And nobody is about to
 * change it: who has claimed the line since has looked, after that, whether it lives.
 * So first whether it is retired, then whose the line is (all seq_cst).
 */
static bool moved_is_dead(const struct journal *j, const struct moved_entry *entry)
{
	struct moved m;
	uint64_t places = atomic_load(&entry->places);

	moved_decode(entry, places, &m);
	if (m.other.line != NO_LINE || m.at.line == NO_LINE)
		return false;
	if (!slot_place_valid(j, &m.at))
		return true;
	return slot_is_claimed(j, &m.at) && !atomic_load(&j->lines[m.at.line].mover);
}

static int moved_grow(struct journal *j)
{
	uint32_t level = j->shared->moved_levels;
	int error;

	if (level == moved_levels_max(j->geometry.lines))
		return journal_say(j, -ENOMEM, "no room in the index for one more that is moved");
	error = shared_moved_ready(j, level_begin(level), level_begin(level + 1));
	if (!error) /* seq_cst: its memory is there for who sees it; another may have been first */
		(void)atomic_compare_exchange_strong(&j->shared->moved_levels, &level, level + 1);
	return error;
}

/* Of several jobs one has it. */
static bool moved_take(const struct journal *j, struct moved_entry *entry, uint32_t job)
{
	uint64_t id = atomic_load(&entry->id);

	if (id && (id <= CLEAN_JOBS || !moved_is_dead(j, entry)))
		return false;
	/* whoever read the id before sees that it is another's by now */
	return atomic_compare_exchange_strong(&entry->id, &id, job);
}

static struct moved_entry *moved_room_in(const struct journal *j, uint32_t job, uint64_t id,
					 uint32_t level)
{
	struct moved_entry *bucket = moved_bucket(j, id, level);
	uint32_t i;

	for (i = 0; i < BUCKET; i++)
		if (moved_take(j, &bucket[i], job))
			return &bucket[i];
	return NULL;
}

int moved_add(struct journal *j, uint32_t job, uint64_t id, const struct slot_place *at,
	      struct moved_entry **out)
{
	struct moved_entry *entry = NULL;
	uint32_t level = 0;
	struct moved m;
	int error;

	if (!moved_find(j, id, &m)) {
		*out = m.entry;
		return 0;
	}
	for (; !entry; level++) {
		error = level < j->shared->moved_levels ? 0 : moved_grow(j);
		if (error)
			return error;
		entry = moved_room_in(j, job, id, level);
	}
	moved_put(entry, at);
	atomic_store(&entry->id, id);
	*out = entry;
	return 0;
}

void moved_free_taken(struct journal *j, uint32_t job)
{
	struct moved_entry *entry;

	for (entry = j->moved_table; entry < moved_end(j); entry++)
		if (atomic_load(&entry->id) == job)
			atomic_store(&entry->id, 0);
}

void moved_put(struct moved_entry *entry, const struct slot_place *at)
{
	uint64_t changes = (atomic_load(&entry->places) & ~(CHANGE - 1)) + CHANGE;

	atomic_store(&entry->number[0], at->number);
	atomic_store(&entry->places, changes | place_encode(at));
}

void moved_announce(struct moved_entry *entry, const struct slot_place *to)
{
	uint64_t places = atomic_load(&entry->places);

	JASSERT(!(places >> PLACE_BITS & PLACE_MASK));
	/* not read by anybody before the place is there */
	atomic_store(&entry->number[!(places & PARITY)], to->number);
	atomic_store(&entry->places, (places | place_encode(to) << PLACE_BITS) + CHANGE);
}

void moved_publish(struct moved_entry *entry)
{
	uint64_t places = atomic_load(&entry->places);
	uint64_t at = places & PLACE_MASK, other = places >> PLACE_BITS & PLACE_MASK;
	uint64_t rest = (places & ~(PARITY - 1)) ^ PARITY;

	JASSERT(other);
	atomic_store(&entry->places, (rest + CHANGE) | at << PLACE_BITS | other);
}

void moved_settle(struct moved_entry *entry)
{
	uint64_t places = atomic_load(&entry->places);

	atomic_store(&entry->places, (places & ~(PLACE_MASK << PLACE_BITS)) + CHANGE);
}

/* ---- all of them --------------------------------------------------------------------- */

struct moved_entry *moved_unsettled(const struct journal *j, const struct moved_entry *after,
				    struct moved *m)
{
	struct moved_entry *entry = after ? j->moved_table + (after - j->moved_table) + 1 :
					    j->moved_table;
	uint64_t id;

	for (; entry < moved_end(j); entry++) {
		id = atomic_load(&entry->id);
		if (id > CLEAN_JOBS && moved_copy(entry, id, m) && m->other.line != NO_LINE)
			return entry;
	}
	return NULL;
}

uint32_t moved_list(const struct journal *j, uint64_t *ids, uint32_t room)
{
	const struct moved_entry *entry;
	uint32_t found = 0;
	uint64_t id;

	for (entry = j->moved_table; entry < moved_end(j); entry++) {
		id = atomic_load(&entry->id);
		if (id <= CLEAN_JOBS || moved_is_dead(j, entry))
			continue;
		if (found < room)
			ids[found] = id;
		found++;
	}
	return found;
}
