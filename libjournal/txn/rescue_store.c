/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/rescue_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "util/math.h"

static void rescue_flush(struct marker_store *store, const void *address, size_t bytes)
{
	(void)store;
	(void)address;
	(void)bytes;
}

static void rescue_copy(struct marker_store *store, void *destination, const void *source,
			size_t bytes)
{
	(void)store;
	memcpy(destination, source, bytes);
}

static void rescue_fence(struct marker_store *store)
{
	(void)store;
}

/* Nothing in memory becomes durable: who tries has a bug. */
static int rescue_checkpoint(struct marker_store *store, uint64_t bytes, uint32_t who)
{
	(void)store;
	(void)bytes;
	(void)who;
	return -EROFS;
}

static struct marker_generations rescue_generations(const struct marker_store *store)
{
	(void)store;
	return (struct marker_generations){ 0 };
}

static void rescue_close(struct marker_store *store)
{
	(void)munmap(store->map, store->bytes);
	free(store);
}

static const struct marker_store_ops rescue_ops = {
	.backend = "none",
	.checkpoint = rescue_checkpoint,
	.generations = rescue_generations,
	.close = rescue_close,
};

static void rescue_erase(const struct marker_geometry *g, uint8_t *map)
{
	struct marker_state *state;
	uint32_t lane;

	memset(map, 0xff, g->bytes);
	state = (struct marker_state *)(void *)(map + g->state_offset);
	state->incarnation = word_seal(0);
	state->replay_seq = 0; /* all retire records there are */
	for (lane = 0; lane < g->lanes; lane++)
		((struct marker_lane *)(void *)(map + g->lanes_offset))[lane].tail = word_seal(0);
}

int rescue_store_make(const struct marker_geometry *g, struct marker_store **out)
{
	struct marker_store *store = calloc(1, sizeof(*store));
	void *map;

	if (!store)
		return -ENOMEM;
	store->bytes = round_up(g->bytes, 4096);
	map = mmap(NULL, store->bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED) {
		free(store);
		return -ENOMEM;
	}
	store->map = map;
	store->ops = &rescue_ops;
	store->persist = (struct marker_persist){ "none", rescue_flush, rescue_copy, rescue_fence };
	store->read_only = true;
	store->class = JOURNAL_CLASS_PROCESS;
	(void)snprintf(store->evidence, sizeof(store->evidence), "there are no markers");
	rescue_erase(g, store->map);
	marker_store_check(store);
	*out = store;
	return 0;
}
