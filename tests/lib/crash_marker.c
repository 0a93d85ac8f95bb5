/* SPDX-License-Identifier: BSD-3-Clause */
/* The marker store of a crash world: like sim:, or like file:. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "crash_world.h"
#include "util/math.h"

#define LINE_BYTES 64u

struct crash_marker {
	struct marker_store store; /* first */
	struct crash_world *world;
	struct marker_generations generations;
};

static struct crash_marker *marker_of(struct marker_store *store)
{
	return (struct crash_marker *)store;
}

static void marker_flush(struct marker_store *store, const void *address, size_t bytes)
{
	struct crash_world *world = marker_of(store)->world;
	uint64_t offset = (uint64_t)((const uint8_t *)address - store->map);
	uint64_t line;

	if (!bytes || world->checkpointed)
		return;
	for (line = offset / LINE_BYTES; line <= (offset + bytes - 1) / LINE_BYTES; line++) {
		if (world->flushed_count == world->flushed_room) {
			world->flushed_room = world->flushed_room ? world->flushed_room * 2 : 64;
			world->flushed = realloc(world->flushed,
						 world->flushed_room * sizeof(uint32_t));
			JASSERT(world->flushed);
		}
		world->flushed[world->flushed_count++] = (uint32_t)line;
	}
}

static void marker_copy(struct marker_store *store, void *destination, const void *source,
			size_t bytes)
{
	memcpy(destination, source, bytes);
	marker_flush(store, destination, bytes);
}

static void marker_fence(struct marker_store *store)
{
	struct crash_world *world = marker_of(store)->world;
	uint32_t i;

	if (world->checkpointed)
		return;
	if (!crash_operation(world) || world->fence_error) {
		marker_store_fail(store, world->fence_error ? world->fence_error : -EIO);
		return;
	}
	for (i = 0; i < world->flushed_count; i++)
		memcpy(world->marker.durable + (uint64_t)world->flushed[i] * LINE_BYTES,
		       world->marker.now + (uint64_t)world->flushed[i] * LINE_BYTES,
		       LINE_BYTES);
	world->flushed_count = 0;
}

static int marker_checkpoint(struct marker_store *store, uint64_t bytes, uint32_t who)
{
	struct crash_world *world = marker_of(store)->world;
	bool alive;

	JASSERT(who);
	marker_of(store)->generations.drawn++;
	/* one that has no map of its own */
	for (uint64_t at = 0; store->snapshot && world->main && at < bytes;)
		at += store->snapshot(store, at, world->marker.now + at, bytes - at);

	world->checkpoint_bytes = bytes;
	alive = crash_operation(world);
	if (!alive)
		return -EIO; /* it stays in flight: the cut decides */
	world->checkpoint_bytes = 0;
	memcpy(world->marker.durable, world->marker.now, bytes);
	memset(world->marker.durable + bytes, 0xff, world->marker.bytes - bytes);
	marker_of(store)->generations.in_force = marker_of(store)->generations.drawn;
	return 0;
}

static struct marker_generations marker_generations(const struct marker_store *store)
{
	return ((const struct crash_marker *)store)->generations;
}

static void marker_close(struct marker_store *store)
{
	if (store->read_only)
		JASSERT(!mprotect(store->map, store->bytes, PROT_READ | PROT_WRITE));
	free(store);
}

static const struct marker_store_ops byte_ops = { .backend = "sim", .close = marker_close };
static const struct marker_store_ops file_ops = { .backend = "file",
						  .checkpoint = marker_checkpoint,
						  .generations = marker_generations,
						  .close = marker_close };

int crash_marker_open(struct crash_world *world, unsigned int flags, uint64_t bytes,
		      struct marker_store **out)
{
	struct crash_marker *marker = calloc(1, sizeof(*marker));
	struct marker_store *store = &marker->store;

	JASSERT(marker);
	if (!world->marker.now && !(flags & MARKER_CREATE)) {
		free(marker);
		return -ENOENT;
	}
	if (flags & MARKER_CREATE)
		crash_map_make(&world->marker, round_up(bytes, 4096), 0xff);
	marker->world = world;
	store->ops = world->checkpointed ? &file_ops : &byte_ops;
	store->persist = (struct marker_persist){ "crash", marker_flush, marker_copy,
						  marker_fence };
	store->map = world->marker.now;
	if (world->checkpointed && !(flags & MARKER_CREATE))
		memcpy(store->map, world->marker.durable, world->marker.bytes);
	store->bytes = world->marker.bytes;
	store->byte_persistent = !world->checkpointed;
	store->read_only = flags & MARKER_RDONLY;
	store->class = JOURNAL_CLASS_POWER;
	(void)snprintf(store->evidence, sizeof(store->evidence), "a crash test");
	marker_store_check(store);
	/* who only looks may not store */
	if (store->read_only)
		JASSERT(!mprotect(store->map, store->bytes, PROT_READ));
	*out = store;
	return 0;
}
