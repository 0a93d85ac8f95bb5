/* SPDX-License-Identifier: BSD-3-Clause */
/* The marker store of a crash world: like sim:, or like file:. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crash_world.h"
#include "util/math.h"

#define LINE_BYTES 64u
#define PAGE_BYTES 4096u

struct crash_marker {
	struct marker_store store; /* first */
	struct crash_world *world;
	struct marker_generations generations;
	uint64_t *shown; /* for each page: where it is in world->next, + 1; 0: in world */
	bool vacant; /* that, in world, + 1; 0: nowhere yet */
};

static struct crash_marker *marker_of(struct marker_store *store)
{
	return (struct crash_marker *)store;
}

uint32_t crash_thread(void)
{
	static _Atomic uint32_t drawn;
	static _Thread_local uint32_t number;

	if (!number)
		number = ++drawn;
	return number;
}

static void line_flush(struct crash_world *world, uint64_t line, const void *words)
{
	struct crash_flush *flush;

	if (world->flushed_count == world->flushed_room) {
		world->flushed_room = world->flushed_room ? world->flushed_room * 2 : 64;
		world->flushed = realloc(world->flushed,
					 world->flushed_room * sizeof(*world->flushed));
		JASSERT(world->flushed);
	}
	flush = &world->flushed[world->flushed_count++];
	flush->thread = crash_thread();
	flush->line = (uint32_t)line;
	memcpy(flush->words, words, LINE_BYTES);
}

static void marker_flush(struct marker_store *store, const void *address, size_t bytes)
{
	struct crash_marker *marker = marker_of(store);
	struct crash_world *world = marker->world;
	uint64_t offset = (uint64_t)((const uint8_t *)address - store->map);
	const uint8_t *words;
	uint64_t line, page;

	if (!bytes || world->checkpointed)
		return;
	for (line = offset / LINE_BYTES; line <= (offset + bytes - 1) / LINE_BYTES; line++) {
		words = store->map + line * LINE_BYTES;
		page = line * LINE_BYTES / PAGE_BYTES;
		if (marker->vacant && !marker->shown[page])
			continue;
		if (marker->shown && marker->shown[page])
			line_flush(marker->vacant ? world : world->next,
				   (marker->shown[page] - 1) / LINE_BYTES +
					   line % (PAGE_BYTES / LINE_BYTES), words);
		else
			line_flush(world, line, words);
	}
}

static void marker_copy(struct marker_store *store, void *destination, const void *source,
			size_t bytes)
{
	memcpy(destination, source, bytes);
	marker_flush(store, destination, bytes);
}

/*
 * A fence waits for what its own processor has flushed: what another thread has, may be on
 * its way for ever.  What a line was before may not come after it any more, whoever flushed
 * that; what it is since may be there or not.
 */
static void lines_land(struct crash_world *world)
{
	uint32_t i, kept = 0;

	for (i = 0; i < world->flushed_count; i++) {
		const struct crash_flush *flush = &world->flushed[i];
		uint32_t before, count = kept;

		if (flush->thread != crash_thread()) {
			world->flushed[kept++] = *flush;
			continue;
		}
		memcpy(world->marker.durable + (uint64_t)flush->line * LINE_BYTES, flush->words,
		       LINE_BYTES);
		for (before = kept = 0; before < count; before++)
			if (world->flushed[before].line != flush->line)
				world->flushed[kept++] = world->flushed[before];
	}
	world->flushed_count = kept;
}

static void marker_fence(struct marker_store *store)
{
	struct crash_world *world = marker_of(store)->world;

	if (world->checkpointed)
		return;
	if (!crash_operation(world) || world->fence_error) {
		marker_store_fail(store, world->fence_error ? world->fence_error : -EIO);
		return;
	}
	lines_land(world);
	if (world->next && world->next->marker.now)
		lines_land(world->next);
}

static int marker_checkpoint(struct marker_store *store, uint64_t bytes, uint32_t who)
{
	struct crash_world *world = marker_of(store)->world;
	bool alive;

	JASSERT(who);
	marker_of(store)->generations.drawn++;
	/* the map is one to look at, or, where it is written from elsewhere, memory */
	for (uint64_t at = 0; store->snapshot && at < bytes;)
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
	free(marker_of(store)->shown);
	free(store);
}

static int marker_replace(struct marker_store *store, const char *path, uint64_t device,
			  uint64_t inode, struct message *message)
{
	const struct crash_world *next = marker_of(store)->world->next;

	(void)device;
	(void)inode;
	return next && next->marker.now ? 0 : message_set(message, -ENOENT, "%s", path);
}

static int marker_show(struct marker_store *store, uint64_t at, uint64_t bytes, uint64_t offset)
{
	struct crash_marker *marker = marker_of(store);
	uint64_t page;

	if (!marker->shown)
		marker->shown = calloc(store->bytes / PAGE_BYTES, sizeof(*marker->shown));
	JASSERT(marker->shown);
	crash_map_show(&marker->world->marker, at, &marker->world->next->marker, offset, bytes);
	for (page = 0; page < bytes / PAGE_BYTES; page++)
		marker->shown[at / PAGE_BYTES + page] = offset + page * PAGE_BYTES + 1;
	return 0;
}

/* ---- one that has no medium at first: its map is the caller's memory ---- */

static int vacant_replace(struct marker_store *store, const char *path, uint64_t device,
			  uint64_t inode, struct message *message)
{
	(void)device;
	(void)inode;
	return marker_of(store)->world->marker.now ? 0 :
						     message_set(message, -ENOENT, "%s", path);
}

static int vacant_show(struct marker_store *store, uint64_t at, uint64_t bytes, uint64_t offset)
{
	struct crash_marker *marker = marker_of(store);
	uint64_t page;

	JASSERT(mmap(store->map + at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		     marker->world->marker.now_fd, (off_t)offset) == store->map + at);
	for (page = 0; page < bytes / PAGE_BYTES; page++)
		marker->shown[at / PAGE_BYTES + page] = offset + page * PAGE_BYTES + 1;
	return 0;
}

static void vacant_close(struct marker_store *store)
{
	JASSERT(!munmap(store->map, store->bytes));
	marker_close(store);
}

static const struct marker_store_ops vacant_ops = { .backend = "sim", .replace = vacant_replace,
						    .show = vacant_show,
						    .close = vacant_close };

int crash_marker_join(struct crash_world *world, void *map, uint64_t bytes,
		      struct marker_store **out)
{
	struct crash_marker *marker = calloc(1, sizeof(*marker));
	struct marker_store *store = &marker->store;

	JASSERT(marker);
	marker->world = world;
	marker->vacant = true;
	marker->shown = calloc(bytes / PAGE_BYTES, sizeof(*marker->shown));
	JASSERT(marker->shown);
	store->ops = &vacant_ops;
	store->persist = (struct marker_persist){ "crash", marker_flush, marker_copy,
						  marker_fence };
	store->map = map;
	store->bytes = bytes;
	store->byte_persistent = true;
	store->class = JOURNAL_CLASS_POWER;
	(void)snprintf(store->evidence, sizeof(store->evidence), "a crash test");
	marker_store_check(store);
	*out = store;
	return 0;
}

static const struct marker_store_ops byte_ops = { .backend = "sim", .replace = marker_replace,
						  .show = marker_show, .close = marker_close };
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

int crash_marker_make_next(struct crash_world *world, const char *uri, uint64_t bytes,
			   struct marker_store **store)
{
	int fd = open(strchr(uri, ':') + 1, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	JASSERT(fd >= 0);
	(void)close(fd);
	if (world->next)
		world->next->flushed_count = 0; /* of one before */
	return world->next ? crash_marker_open(world->next, MARKER_CREATE, bytes, store) : -ENOENT;
}
