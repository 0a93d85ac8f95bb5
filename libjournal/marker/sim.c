/* SPDX-License-Identifier: BSD-3-Clause */
#include "marker/sim.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "marker/medium.h"
#include "store/dirty.h"
#include "util/in_use.h"
#include "util/math.h"

#define LINE_BYTES 64u

struct marker_sim {
	struct marker_store store;
	struct medium medium;
	uint64_t *image;      /* the file, mapped */
	char path[PATH_MAX];
	struct dirty dirty;
	bool dirty_made;
	pthread_mutex_t lock; /* one fence at a time; protects all below */
	struct sim_counters fenced;
	_Atomic uint64_t flushes, copies;
	uint64_t fail_in;     /* fences until the one that fails; 0 none */
	bool fail_for_ever;
	int fail_error;
	bool crashed;
	void (*hook)(void *context);
	void *hook_context;
};

static struct marker_sim *sim_of(struct marker_store *store)
{
	return (struct marker_sim *)store;
}

/* ---- the persist routine ---------------------------------------------------- */

static void record(struct marker_sim *sim, const void *address, size_t bytes)
{
	uint64_t offset = (uint64_t)((const uint8_t *)address - sim->store.map);
	uint64_t start = round_down(offset, LINE_BYTES);

	if (bytes && dirty_add(&sim->dirty, start, round_up(offset + bytes, LINE_BYTES) - start))
		marker_store_fail(&sim->store, -ENOMEM);
}

static void sim_flush(struct marker_store *store, const void *address, size_t bytes)
{
	struct marker_sim *sim = sim_of(store);

	atomic_fetch_add(&sim->flushes, 1);
	record(sim, address, bytes);
}

static void sim_copy(struct marker_store *store, void *destination, const void *source,
		     size_t bytes)
{
	struct marker_sim *sim = sim_of(store);

	atomic_fetch_add(&sim->copies, 1);
	memcpy(destination, source, bytes);
	record(sim, destination, bytes);
}

/* By words: another thread may be storing into the line, and words are never
 * torn on a medium.  Under the lock: two fences of one line would otherwise
 * bring an older word over a newer one that was fenced. */
static void persist_range(struct marker_sim *sim, const struct dirty_range *range)
{
	const uint64_t *map = (const uint64_t *)(void *)sim->store.map;

	for (uint64_t i = range->offset / 8; i < (range->offset + range->bytes) / 8; i++)
		__atomic_store_n(&sim->image[i], __atomic_load_n(&map[i], __ATOMIC_ACQUIRE),
				 __ATOMIC_RELAXED);
	sim->fenced.lines += range->bytes / LINE_BYTES;
}

/* Return: what is injected into this fence. */
static int injected(struct marker_sim *sim)
{
	if (sim->crashed)
		return -EIO;
	if (!sim->fail_in || (sim->fail_in > 1 && --sim->fail_in))
		return 0;
	if (!sim->fail_for_ever)
		sim->fail_in = 0;
	return sim->fail_error;
}

static void sim_fence(struct marker_store *store)
{
	struct marker_sim *sim = sim_of(store);
	const struct dirty_range *ranges;
	size_t count;
	int error;

	if (sim->hook)
		sim->hook(sim->hook_context);
	count = dirty_ranges(&sim->dirty, &ranges);
	pthread_mutex_lock(&sim->lock);
	sim->fenced.fences++;
	error = injected(sim);
	for (size_t i = 0; !error && i < count; i++)
		persist_range(sim, &ranges[i]);
	pthread_mutex_unlock(&sim->lock);
	dirty_clear(&sim->dirty);
	if (error)
		marker_store_fail(store, error);
}

/* ---- for tests ---------------------------------------------------------------- */

void marker_sim_counters(struct marker_store *store, struct sim_counters *counters)
{
	struct marker_sim *sim = sim_of(store);

	pthread_mutex_lock(&sim->lock);
	*counters = sim->fenced;
	pthread_mutex_unlock(&sim->lock);
	counters->flushes = sim->flushes;
	counters->copies = sim->copies;
}

void marker_sim_fail_fence(struct marker_store *store, uint64_t nth, bool for_ever, int error)
{
	struct marker_sim *sim = sim_of(store);

	JASSERT(error < 0);
	pthread_mutex_lock(&sim->lock);
	sim->fail_in = nth;
	sim->fail_for_ever = for_ever;
	sim->fail_error = error;
	pthread_mutex_unlock(&sim->lock);
}

void marker_sim_on_fence(struct marker_store *store, void (*hook)(void *context),
			 void *context)
{
	struct marker_sim *sim = sim_of(store);

	sim->hook_context = context;
	sim->hook = hook;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t marker_sim_crash(struct marker_store *store, uint64_t seed)
{
	struct marker_sim *sim = sim_of(store);
	const uint64_t *map = (const uint64_t *)(void *)store->map;
	uint64_t differing = 0;

	pthread_mutex_lock(&sim->lock);
	sim->crashed = true;
	for (uint64_t i = 0; i < store->bytes / 8; i++) {
		uint64_t word = __atomic_load_n(&map[i], __ATOMIC_ACQUIRE);

		if (word == sim->image[i])
			continue;
		differing++;
		if (next_random(&seed) & 1)
			sim->image[i] = word;
	}
	pthread_mutex_unlock(&sim->lock);
	return differing;
}

/* ---- opening ------------------------------------------------------------------- */

static void sim_close(struct marker_store *store)
{
	struct marker_sim *sim = sim_of(store);

	if (store->map)
		(void)munmap(store->map, store->bytes);
	if (sim->image)
		(void)munmap(sim->image, store->bytes);
	if (sim->dirty_made)
		dirty_destroy(&sim->dirty);
	in_use_end(sim->medium.fd);
	medium_close(&sim->medium);
	(void)pthread_mutex_destroy(&sim->lock);
	free(sim);
}

/* A battery that can be taken out from outside. */
static int sim_health(struct marker_store *store, struct message *why)
{
	char path[PATH_MAX];
	int wrote = snprintf(path, sizeof(path), "%s.sick", sim_of(store)->path);

	if (wrote < 0 || wrote >= (int)sizeof(path) || access(path, F_OK))
		return 0;
	return message_set(why, -EIO, "%s is there", path);
}

static const struct marker_store_ops sim_ops = {
	.backend = "sim",
	.health = sim_health,
	.close = sim_close,
};

static int map_both(struct marker_sim *sim, struct message *message)
{
	struct marker_store *store = &sim->store;
	int protection = PROT_READ | (store->read_only ? 0 : PROT_WRITE);
	void *map;

	store->bytes = round_down(sim->medium.bytes, MEDIUM_PAGE_BYTES);
	if (!store->bytes)
		return message_set(message, -EUCLEAN, "%s: truncated", sim->medium.path);
	map = mmap(NULL, store->bytes, protection, MAP_SHARED, sim->medium.fd, 0);
	if (map == MAP_FAILED)
		return message_errno(message, -errno, "%s", sim->medium.path);
	sim->image = map;
	map = mmap(NULL, store->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return message_errno(message, -errno, "%s: memory", sim->medium.path);
	store->map = map;
	return 0;
}

static int sim_load(struct marker_sim *sim, unsigned int flags, uint64_t bytes,
		    struct message *message)
{
	struct marker_store *store = &sim->store;
	int error;

	if (flags & MARKER_CREATE) {
		bytes = bytes ? bytes : round_down(sim->medium.bytes, MEDIUM_PAGE_BYTES);
		if (!bytes)
			return message_set(message, -EINVAL, "%s: a size is needed",
					   sim->medium.path);
		error = medium_resize(&sim->medium, bytes, message);
		if (error)
			return error;
	}
	error = map_both(sim, message);
	if (error)
		return error;
	if (flags & MARKER_CREATE)
		memset(sim->image, 0xff, store->bytes);
	memcpy(store->map, sim->image, store->bytes);
	if (store->read_only && mprotect(store->map, store->bytes, PROT_READ))
		return message_errno(message, -errno, "%s: mprotect", sim->medium.path);
	return flags & MARKER_CREATE ? medium_sync(&sim->medium, message) : 0;
}

static int sim_new(struct marker_sim **made)
{
	struct marker_sim *sim = calloc(1, sizeof(*sim));
	int error;

	if (!sim)
		return -ENOMEM;
	sim->medium.fd = -1;
	(void)pthread_mutex_init(&sim->lock, NULL);
	sim->store.ops = &sim_ops;
	sim->store.byte_persistent = true;
	sim->store.class = JOURNAL_CLASS_PROCESS;
	sim->store.persist = (struct marker_persist){ "simulated", sim_flush, sim_copy,
						      sim_fence };
	(void)snprintf(sim->store.evidence, sizeof(sim->store.evidence),
		       "simulator: a page cache holds what was fenced");
	error = dirty_init(&sim->dirty);
	sim->dirty_made = !error;
	if (error)
		sim_close(&sim->store);
	else
		*made = sim;
	return error;
}

int marker_sim_open(const char *path, unsigned int flags, uint64_t bytes,
		    struct marker_store **store, struct message *message)
{
	struct marker_sim *sim;
	int error = medium_size_check(path, bytes, message);

	if (error)
		return error;
	error = sim_new(&sim);
	if (error)
		return message_errno(message, error, "%s", path);
	sim->store.read_only = flags & MARKER_RDONLY;
	(void)snprintf(sim->path, sizeof(sim->path), "%s", path);
	error = medium_open(path, flags, &sim->medium, message);
	if (!error) {
		error = sim_load(sim, flags, bytes, message);
		if (error)
			medium_undo(&sim->medium);
	}
	if (error) {
		sim_close(&sim->store);
		return error;
	}
	marker_store_check(&sim->store);
	*store = &sim->store;
	return 0;
}
