/* SPDX-License-Identifier: BSD-3-Clause */
#include "crash_world.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"
#include "util/assert.h"
#include "util/math.h"

#define PAGE_BYTES 4096u

static struct crash_world *entered;

struct crash_world *crash_world_enter(struct crash_world *world)
{
	struct crash_world *before = entered;

	entered = world;
	return before;
}

struct crash_world *crash_world_entered(void)
{
	return entered;
}

bool crash_operation(struct crash_world *world)
{
	if (world->main)
		return crash_operation(world->main);
	if (world->dead)
		return false;
	world->operations++;
	if (world->hook)
		world->hook(world, world->context);
	if (world->operations == world->die_at)
		world->dead = true;
	return !world->dead;
}

/* ---- maps ----------------------------------------------------------------- */

static uint8_t *map_shared(int *fd, uint64_t bytes)
{
	void *map;

	*fd = memfd_create("crash", MFD_CLOEXEC);
	JASSERT(*fd >= 0 && !ftruncate(*fd, (off_t)bytes));
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	JASSERT(map != MAP_FAILED);
	return map;
}

static uint8_t *map_copy(int fd, uint64_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	JASSERT(map != MAP_FAILED);
	return map;
}

/* Each page of a clone's log is its parent's until it is written: what is seen of it, and then
 * what is durable. */
struct crash_page {
	uint8_t *at;
	bool own;
};

struct crash_pages {
	uint64_t count;
	struct crash_page page[];
};

static void pages_free(struct crash_pages *pages)
{
	uint64_t i;

	for (i = 0; pages && i < 2 * pages->count; i++)
		if (pages->page[i].own)
			free(pages->page[i].at);
	free(pages);
}

static struct crash_page page_lent(const uint8_t *at)
{
	return (struct crash_page){ .at = (uint8_t *)(uintptr_t)at };
}

static uint8_t *page_at(const struct crash_map *map, bool now, uint64_t offset)
{
	uint64_t page = offset / PAGE_BYTES;

	return map->pages->page[now ? page : map->pages->count + page].at + offset % PAGE_BYTES;
}

/* the same, to be written */
static uint8_t *page_own(struct crash_map *map, bool now, uint64_t offset)
{
	uint64_t number = offset / PAGE_BYTES;
	struct crash_page *page = &map->pages->page[now ? number : map->pages->count + number];
	uint8_t *own;

	if (!page->own) {
		own = malloc(PAGE_BYTES);
		JASSERT(own);
		memcpy(own, page->at, PAGE_BYTES);
		*page = (struct crash_page){ own, true };
	}
	return page->at + offset % PAGE_BYTES;
}

void crash_map_free(struct crash_map *map)
{
	if (map->heap)
		free(map->now);
	else if (map->now)
		(void)munmap(map->now, map->bytes);
	if (map->durable && !map->heap)
		(void)munmap(map->durable, map->bytes);
	if (map->now_fd >= 0)
		(void)close(map->now_fd);
	if (map->durable_fd >= 0)
		(void)close(map->durable_fd);
	pages_free(map->pages);
}

void crash_map_make(struct crash_map *map, uint64_t bytes, int fill)
{
	if (map->now) /* made by an attempt before */
		crash_map_free(map);
	map->bytes = bytes;
	map->now = map_shared(&map->now_fd, bytes);
	map->durable = map_shared(&map->durable_fd, bytes);
	if (fill) {
		memset(map->now, fill, bytes);
		memset(map->durable, fill, bytes);
	}
}

void crash_map_show(struct crash_map *map, uint64_t at, const struct crash_map *from,
		    uint64_t offset, uint64_t bytes)
{
	JASSERT(offset + bytes <= from->bytes && at + bytes <= map->bytes);
	JASSERT(mmap(map->now + at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		     from->now_fd, (off_t)offset) == map->now + at);
}

/* With the power gone nothing is seen but what is durable. */
static void map_clone(const struct crash_map *map, bool power, struct crash_map *copy)
{
	*copy = (struct crash_map){ .now_fd = -1, .durable_fd = -1, .bytes = map->bytes };
	copy->now = map_copy(power ? map->durable_fd : map->now_fd, map->bytes);
	copy->durable = map_copy(map->durable_fd, map->bytes);
}

/* The marker map is written by whoever likes, and small: a copy of it is whole. */
static void map_clone_whole(const struct crash_map *map, bool power, struct crash_map *copy)
{
	void *both;

	JASSERT(!posix_memalign(&both, PAGE_BYTES, map->bytes * 2));
	*copy = (struct crash_map){ .now_fd = -1, .durable_fd = -1, .bytes = map->bytes,
				    .heap = true, .now = both };
	copy->durable = copy->now + map->bytes;
	memcpy(copy->durable, map->durable, map->bytes);
	memcpy(copy->now, power ? map->durable : map->now, map->bytes);
}

static void map_clone_pages(const struct crash_map *map, bool power, struct crash_map *copy)
{
	uint64_t i, count = map->bytes / PAGE_BYTES;
	struct crash_pages *pages = malloc(sizeof(*pages) + 2 * count * sizeof(pages->page[0]));
	const uint8_t *side[2] = { power ? map->durable : map->now, map->durable };

	JASSERT(pages && !(map->bytes % PAGE_BYTES));
	pages->count = count;
	*copy = (struct crash_map){ .now_fd = -1, .durable_fd = -1, .bytes = map->bytes,
				    .pages = pages };
	for (i = 0; i < 2 * count; i++)
		pages->page[i] = page_lent(map->pages ?
			map->pages->page[power ? i % count + count : i].at :
			side[i / count] + i % count * PAGE_BYTES);
}

/* ---- sums -------------------------------------------------------------------- */

uint64_t crash_sum(uint64_t at, const void *data, uint32_t bytes)
{
	const uint64_t *words = data;
	uint64_t sum = at * 0x9e3779b97f4a7c15u + 1;

	for (uint32_t i = 0; i < bytes / 8; i++) {
		sum = (sum ^ words[i]) * 0xd6e8feb86659fd93u;
		sum ^= sum >> 32;
	}
	sum *= 0xd6e8feb86659fd93u;
	return sum ^ sum >> 29;
}

const uint8_t *crash_log_sector(const struct crash_world *world, bool now, uint64_t offset)
{
	if (world->log.pages)
		return page_at(&world->log, now, offset);
	return (now ? world->log.now : world->log.durable) + offset;
}

void crash_log_get(const struct crash_world *world, uint64_t offset, void *data, uint64_t bytes)
{
	uint64_t at, part;

	if (!world->log.pages)
		memcpy(data, world->log.now + offset, bytes);
	for (at = 0; world->log.pages && at < bytes; at += part) {
		part = min_u64(PAGE_BYTES - (offset + at) % PAGE_BYTES, bytes - at);
		memcpy((uint8_t *)data + at, page_at(&world->log, true, offset + at), part);
	}
}

void crash_log_put(struct crash_world *world, bool now, uint64_t offset, const void *data,
		   uint32_t bytes)
{
	const uint8_t *from = data;
	uint32_t at, part;
	uint8_t *to;

	for (at = 0; at < bytes; at += part) {
		part = world->log.pages || world->summed ? CRASH_SECTOR : bytes;
		to = world->log.pages ? page_own(&world->log, now, offset + at) :
		     (now ? world->log.now : world->log.durable) + offset + at;
		if (world->summed && !now)
			world->log_sum += crash_sum(offset + at, from + at, part) -
					  crash_sum(offset + at, to, part);
		memcpy(to, from + at, part);
	}
}

/* ---- log writes ----------------------------------------------------------- */

void crash_write_add(struct crash_world *world, const struct log_io *io)
{
	struct crash_write *write = malloc(sizeof(*write) + io->bytes);

	JASSERT(write);
	*write = (struct crash_write){ .offset = io->offset, .bytes = io->bytes,
				       .in_flight = true, .thread = crash_thread() };
	memcpy(write->data, io->buffer, io->bytes);
	*world->youngest = write;
	world->youngest = &write->next;
}

static void writes_forget(struct crash_world *world)
{
	while (world->oldest) {
		struct crash_write *write = world->oldest;

		world->oldest = write->next;
		free(write);
	}
	world->youngest = &world->oldest;
}

void crash_writes_land(struct crash_world *world, uint64_t from, uint64_t bytes)
{
	struct crash_write **at = &world->oldest, *write;

	while ((write = *at)) {
		/* nor what another one is writing: it has not completed */
		if (write->offset - from >= bytes || write->in_flight) {
			at = &write->next;
			continue;
		}
		crash_log_put(world, false, write->offset, write->data, write->bytes);
		*at = write->next;
		free(write);
	}
	world->youngest = at;
}

/* A durable write is on the medium: what the cache still holds of an older write
 * to the same place does not come after it. */
static void writes_supersede(struct crash_world *world, const struct crash_write *newer)
{
	struct crash_write *older;
	uint64_t from, to;

	for (older = world->oldest; older != newer; older = older->next) {
		from = older->offset > newer->offset ? older->offset : newer->offset;
		to = older->offset + older->bytes < newer->offset + newer->bytes ?
			     older->offset + older->bytes : newer->offset + newer->bytes;
		if (from < to)
			memcpy(older->data + (from - older->offset),
			       newer->data + (from - newer->offset), to - from);
	}
}

void crash_writes_done(struct crash_world *world, bool durable, bool anybodys)
{
	struct crash_write **at = &world->oldest, *write;

	while ((write = *at)) {
		if (write->in_flight && write->thread != crash_thread() && !anybodys) {
			at = &write->next;
			continue;
		}
		if (write->in_flight)
			crash_log_put(world, true, write->offset, write->data, write->bytes);
		if (write->in_flight && durable) {
			writes_supersede(world, write);
			crash_log_put(world, false, write->offset, write->data, write->bytes);
			*at = write->next;
			free(write);
			continue;
		}
		write->in_flight = false;
		at = &write->next;
	}
	world->youngest = at;
}

static void write_tear(const struct crash_write *write, struct crash_world *to, uint64_t *random)
{
	uint64_t coins = 0;
	uint32_t at, sector = 0;

	for (at = 0; at < write->bytes; at += CRASH_SECTOR, sector++) {
		if (!(sector & 63))
			coins = fault_random(random);
		if (coins >> (sector & 63) & 1)
			crash_log_put(to, false, write->offset + at, write->data + at,
				      CRASH_SECTOR);
	}
}

/* What becomes of the writes of @from: brought to the durable side of @to. */
static void writes_crash(const struct crash_world *from, enum crash_how how, uint64_t *random,
			 struct crash_world *to)
{
	const struct crash_write *write;

	for (write = from->oldest; write; write = write->next) {
		uint64_t fate = how == CRASH_MIXED ? fault_random(random) % 3 : how;

		if (fate == CRASH_MIXED)
			write_tear(write, to, random);
		else if (fate == CRASH_KEEP)
			crash_log_put(to, false, write->offset, write->data, write->bytes);
	}
}

static void writes_show_durable(const struct crash_world *from, struct crash_world *to)
{
	const struct crash_write *write;
	uint32_t at;

	for (write = from->oldest; write; write = write->next)
		for (at = 0; at < write->bytes; at += CRASH_SECTOR)
			crash_log_put(to, true, write->offset + at,
				      crash_log_sector(to, false, write->offset + at),
				      CRASH_SECTOR);
}

/* A killed process's writes stay in the disk's cache; of one in flight the
 * kernel may have sent none. */
static void writes_inherit(const struct crash_world *from, uint64_t *random,
			   struct crash_world *to)
{
	const struct crash_write *write;

	for (write = from->oldest; write; write = write->next) {
		struct log_io io = { .offset = write->offset, .bytes = write->bytes,
				     .buffer = (void *)(uintptr_t)write->data };

		if (!write->in_flight || fault_random(random) & 1)
			crash_write_add(to, &io);
	}
	crash_writes_done(to, false, true);
}

/* ---- the marker medium ---------------------------------------------------- */

static void checkpoint_crash(const struct crash_world *from, enum crash_how how,
			     uint64_t *random, struct crash_world *to)
{
	uint64_t bytes = from->checkpoint_bytes;

	if (bytes && how != CRASH_DROP && (how == CRASH_KEEP || fault_random(random) & 1)) {
		memcpy(to->marker.durable, from->marker.now, bytes);
		memset(to->marker.durable + bytes, 0xff, from->marker.bytes - bytes);
	}
	memcpy(to->marker.now, to->marker.durable, to->marker.bytes);
}

/* Each word that differs may have left the cache, whether flushed or not: one by
 * one, or, as caches do it, all of a line at the same time. */
static bool word_leaves(enum crash_how how, bool by_line, uint64_t index, uint64_t *random)
{
	uint64_t line = *random ^ index / 8 * 0x9e3779b97f4a7c15u;

	if (how == CRASH_KEEP || how == CRASH_DROP)
		return how == CRASH_KEEP;
	return (by_line ? fault_random(&line) : fault_random(random)) & 1;
}

static void words_crash(const struct crash_world *from, enum crash_how how, uint64_t *random,
			struct crash_world *to)
{
	const uint64_t *now = (const uint64_t *)(void *)from->marker.now;
	const uint64_t *durable = (const uint64_t *)(void *)from->marker.durable;
	uint64_t *to_now = (uint64_t *)(void *)to->marker.now;
	uint64_t *to_durable = (uint64_t *)(void *)to->marker.durable;
	bool by_line = fault_random(random) & 1;

	for (uint64_t i = 0; i < from->marker.bytes / 8; i++) {
		uint64_t word = now[i];

		if (word == durable[i])
			continue;
		if (word_leaves(how, by_line, i, random))
			to_durable[i] = word;
		to_now[i] = how == CRASH_KILL ? word : to_durable[i];
	}
}

static void marker_crash(const struct crash_world *from, enum crash_how how, uint64_t *random,
			 struct crash_world *to)
{
	if (from->checkpointed)
		checkpoint_crash(from, how, random, to);
	else
		words_crash(from, how, random, to);
	to->flushed_count = 0;
	to->checkpoint_bytes = 0;
}

/* ---- worlds ---------------------------------------------------------------- */

void crash_world_make(struct crash_world *world)
{
	memset(world, 0, sizeof(*world));
	world->youngest = &world->oldest;
	world->block_bytes = 4096;
	world->marker.now_fd = world->marker.durable_fd = -1;
	world->log.now_fd = world->log.durable_fd = -1;
}

void crash_world_free(struct crash_world *world)
{
	writes_forget(world);
	crash_map_free(&world->marker);
	crash_map_free(&world->log);
	free(world->flushed);
	if (world->owns_other) {
		crash_world_free(world->other);
		free(world->other);
	}
}

static void world_like(const struct crash_world *world, struct crash_world *copy)
{
	crash_world_make(copy);
	copy->checkpointed = world->checkpointed;
	copy->no_dsync = world->no_dsync;
	copy->no_cache = world->no_cache;
	copy->block_bytes = world->block_bytes;
	copy->log_count = world->log_count;
	copy->mirrored = world->mirrored;
}

/* What a dead process had in the disk's cache; of what was in flight the kernel has it all. */
static void writes_inherit_all(const struct crash_world *from, struct crash_world *to)
{
	const struct crash_write *write;

	for (write = from->oldest; write; write = write->next) {
		struct log_io io = { .offset = write->offset, .bytes = write->bytes,
				     .buffer = (void *)(uintptr_t)write->data };

		crash_write_add(to, &io);
	}
	crash_writes_done(to, false, true);
}

/* A medium that is not made yet is none. */
static void clone_other(const struct crash_world *world, bool killed, struct crash_world *copy)
{
	copy->other = malloc(sizeof(*copy->other));
	JASSERT(copy->other);
	world_like(world->other, copy->other);
	copy->other->main = copy;
	copy->other_scheme = world->other_scheme;
	copy->owns_other = true;
	if (world->other->marker.now)
		map_clone_whole(&world->other->marker, !killed, &copy->other->marker);
}

const struct crash_world *crash_world_nvram(const struct crash_world *world)
{
	return world->returned ? world->next : world;
}

void crash_world_clone(const struct crash_world *world, bool killed, struct crash_world *copy)
{
	world_like(world, copy);
	map_clone_whole(&crash_world_nvram(world)->marker, !killed, &copy->marker);
	map_clone_pages(&world->log, !killed, &copy->log);
	if (world->other)
		clone_other(world, killed, copy);
	copy->summed = world->summed;
	copy->log_sum = world->log_sum;
	if (killed)
		writes_inherit_all(world, copy);
}

void crash_world_copy(const struct crash_world *world, enum crash_how how, uint64_t seed,
		      struct crash_world *copy)
{
	world_like(world, copy);
	map_clone(&world->marker, how != CRASH_KILL, &copy->marker);
	map_clone(&world->log, how != CRASH_KILL, &copy->log);
	marker_crash(world, how, &seed, copy);
	if (how == CRASH_KILL) {
		writes_inherit(world, &seed, copy);
		return;
	}
	writes_crash(world, how, &seed, copy);
	writes_show_durable(world, copy);
}

void crash_world_cut(struct crash_world *world, enum crash_how how, uint64_t seed)
{
	marker_crash(world, how, &seed, world);
	world->dead = false;
	world->die_at = 0;
	if (how == CRASH_KILL) {
		crash_writes_done(world, false, true);
		return;
	}
	writes_crash(world, how, &seed, world);
	writes_show_durable(world, world);
	writes_forget(world);
}
