/* SPDX-License-Identifier: BSD-3-Clause */
/* The log store of a crash world, and what makes a run repeat itself. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "backends.h"
#include "crash_world.h"
#include "fault.h"
#include "txn/logs.h"
#include "txn/seconds.h"
#include "txn/segment_seal.h"

struct crash_log {
	struct log_store store; /* first */
	struct crash_world *world;
	uint32_t index;
	uint64_t base; /* in the world's map */
};

static struct crash_world *world_of(struct log_store *store)
{
	return ((struct crash_log *)store)->world;
}

static bool is_failing(struct log_store *store)
{
	const struct crash_log *log = (const struct crash_log *)store;

	return log->world->failing >> log->index & 1;
}

static uint64_t base_of(struct log_store *store)
{
	return ((struct crash_log *)store)->base;
}

static int fail_all(struct log_io *io, unsigned int count, int error)
{
	for (unsigned int i = 0; i < count; i++)
		io[i].result = error;
	return error;
}

static int log_write(struct log_store *store, struct log_io *io, unsigned int count,
		     bool durable)
{
	struct crash_world *world = world_of(store);

	if (world->dead || world->write_error)
		return fail_all(io, count, world->dead ? -EIO : world->write_error);
	for (unsigned int i = 0; i < count; i++) {
		struct log_io at = io[i];

		at.offset += base_of(store);
		crash_write_add(world, &at);
	}
	/* it stays in flight: the cut decides; as much of it as it likes has landed */
	if (!crash_operation(world) || is_failing(store))
		return fail_all(io, count, -EIO);
	crash_writes_done(world, world->no_cache || (durable && !world->no_dsync), false);
	return fail_all(io, count, 0);
}

static void sectors_read(struct crash_world *world, uint64_t at, uint64_t bytes)
{
	uint64_t sector;

	for (sector = at / CRASH_SECTOR; sector * CRASH_SECTOR < at + bytes; sector++)
		world->read[sector / 64] |= 1ull << (sector & 63);
}

static int log_read(struct log_store *store, struct log_io *io, unsigned int count)
{
	struct crash_world *world = world_of(store);

	for (unsigned int i = 0; i < count; i++) {
		uint64_t at = base_of(store) + io[i].offset;

		crash_log_get(world, at, io[i].buffer, io[i].bytes);
		if (world->read)
			sectors_read(world, at, io[i].bytes);
	}
	return fail_all(io, count, 0);
}

static int log_flush(struct log_store *store)
{
	struct crash_world *world = world_of(store);

	if (world->write_error || !crash_operation(world))
		return world->write_error ? world->write_error : -EIO;
	if (is_failing(store))
		return -EIO;
	crash_writes_land(world, base_of(store), crash_log_bytes(world));
	return 0;
}

static void *log_buffer(struct log_store *store)
{
	void *buffer;

	(void)store;
	return posix_memalign(&buffer, 4096, LOG_BUFFER_BYTES) ? NULL : buffer;
}

static void log_buffer_done(struct log_store *store, void *buffer)
{
	(void)store;
	free(buffer);
}

static void log_close(struct log_store *store)
{
	free(store);
}

static const struct log_store_ops log_ops = {
	.backend = "crash",
	.write = log_write,
	.read = log_read,
	.flush = log_flush,
	.buffer = log_buffer,
	.buffer_done = log_buffer_done,
	.close = log_close,
};

/* of several, the number in the name that format gives each */
static uint32_t index_of(const struct crash_world *world, const char *path)
{
	const char *dash = strrchr(path, '-');
	uint32_t index = world->log_count > 1 ? (uint32_t)atoi(dash ? dash + 1 : "") - 1 : 0;

	if (world->mirrored)
		return strstr(path, "-mirror") != NULL;
	JASSERT(!index || index < world->log_count);
	return index;
}

uint64_t crash_log_bytes(const struct crash_world *world)
{
	return world->log.bytes / (world->log_count ? world->log_count : 1);
}

uint64_t crash_log_base(const struct crash_world *world, const char *path)
{
	return index_of(world, path) * crash_log_bytes(world);
}

int crash_log_open(struct crash_world *world, const char *path, unsigned int flags,
		   uint64_t bytes, struct log_store **out)
{
	struct crash_log *log = log_store_alloc(sizeof(*log));
	uint32_t count = world->log_count ? world->log_count : 1;
	struct log_store *store = &log->store;

	JASSERT(log);
	log->index = index_of(world, path);
	if (flags & LOG_CREATE && !log->index)
		crash_map_make(&world->log, bytes * count, 0);
	log->world = world;
	store->ops = &log_ops;
	store->bytes = crash_log_bytes(world);
	log->base = crash_log_base(world, path);
	store->block_bytes = world->block_bytes;
	store->read_only = flags & LOG_RDONLY;
	store->class = JOURNAL_CLASS_POWER;
	(void)snprintf(store->evidence, sizeof(store->evidence), "a crash test");
	(void)snprintf(store->routine, sizeof(store->routine), "crash");
	log_store_check(store);
	*out = store;
	return 0;
}

/* ---- in place of the library's (Makefile: CRASH_LDFLAGS) -------------------- */

extern __typeof__(backend_open_marker) __real_backend_open_marker, __wrap_backend_open_marker;
extern __typeof__(backend_open_log) __real_backend_open_log, __wrap_backend_open_log;
extern __typeof__(sched_getcpu) __wrap_sched_getcpu, __real_sched_getcpu;
ssize_t __real_getrandom(void *buffer, size_t bytes, unsigned int flags);
ssize_t __wrap_getrandom(void *buffer, size_t bytes, unsigned int flags);

static int cpu = -1;
static uint64_t random_state;

void crash_set_cpu(int which)
{
	cpu = which;
}

void crash_set_random(uint64_t seed)
{
	random_state = seed;
}

uint64_t crash_random(void)
{
	return random_state;
}

int __wrap_backend_open_marker(const char *uri, unsigned int flags, uint64_t bytes,
			       struct marker_store **store, struct message *message)
{
	struct crash_world *world = crash_world_entered();

	if (world && world->other &&
	    !strncmp(uri, world->other_scheme, strlen(world->other_scheme)))
		world = world->other;
	else if (world && strstr(uri, "/stand-in"))
		return -ENOENT; /* a world of one marker medium */
	else if (world && strstr(uri, ".return-") && flags & MARKER_CREATE)
		return crash_marker_make_next(world, uri, bytes, store);
	return world ? crash_marker_open(world, flags, bytes, store) :
		       __real_backend_open_marker(uri, flags, bytes, store, message);
}

int __wrap_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message)
{
	struct crash_world *world = crash_world_entered();

	if (world && world->away >> index_of(world, path) & 1)
		return message_set(message, -ENOENT, "%s: away", path);
	return world ? crash_log_open(world, path, flags, bytes, store) :
		       __real_backend_open_log(path, flags, bytes, progress, store, message);
}

int __wrap_sched_getcpu(void)
{
	return cpu < 0 ? __real_sched_getcpu() : cpu;
}

ssize_t __wrap_getrandom(void *buffer, size_t bytes, unsigned int flags)
{
	uint8_t *to = buffer;

	if (!crash_world_entered())
		return __real_getrandom(buffer, bytes, flags);
	for (size_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)fault_random(&random_state);
	return (ssize_t)bytes;
}

extern __typeof__(seconds_put) __real_seconds_put, __wrap_seconds_put;

/* No thread writes beside the one there is, or no seed would repeat a run. */
void __wrap_seconds_put(struct seconds *seconds, const struct second *second)
{
	int error;

	if (!crash_world_entered()) {
		__real_seconds_put(seconds, second);
		return;
	}
	error = segment_write_second(seconds->j, second->segment, second->buffer, second->bytes);
	free(second->buffer);
	if (error != LOG_OUT && !seconds->error)
		seconds->error = error;
}
