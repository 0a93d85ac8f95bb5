/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/marker_vacant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct marker_vacant {
	struct marker_store store; /* first */
	bool given;
};

static void vacant_flush(struct marker_store *store, const void *address, size_t bytes)
{
	(void)store;
	(void)address;
	(void)bytes;
}

/* By words: others may be looking. */
static void vacant_copy(struct marker_store *store, void *destination, const void *source,
			size_t bytes)
{
	uint64_t *to = destination, word;
	size_t i;

	(void)store;
	for (i = 0; i < bytes / 8; i++) {
		memcpy(&word, (const uint8_t *)source + i * 8, 8);
		__atomic_store_n(&to[i], word, __ATOMIC_RELAXED);
	}
}

/* Nothing is durable here; stores stay in order for who reads the map. */
static void vacant_fence(struct marker_store *store)
{
	(void)store;
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void vacant_close(struct marker_store *store)
{
	struct marker_vacant *vacant = (struct marker_vacant *)store;

	if (!vacant->given)
		(void)munmap(store->map, store->bytes);
	free(vacant);
}

static const struct marker_store_ops vacant_ops = {
	.backend = "none",
	.close = vacant_close,
};

static void *vacant_map(uint64_t bytes, uint64_t used, bool read_only)
{
	void *map = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			 0);

	if (map == MAP_FAILED ||
	    !mprotect(map, used, read_only ? PROT_READ : PROT_READ | PROT_WRITE))
		return map;
	(void)munmap(map, bytes);
	return MAP_FAILED;
}

int marker_vacant_make(uint64_t bytes, uint64_t used, bool read_only,
		       struct marker_store **store)
{
	struct marker_vacant *vacant = calloc(1, sizeof(*vacant));
	void *map;

	JASSERT(used <= bytes);
	if (!vacant)
		return -ENOMEM;
	map = vacant_map(bytes, used, read_only);
	if (map == MAP_FAILED) {
		free(vacant);
		return -ENOMEM;
	}
	vacant->store = (struct marker_store){
		.ops = &vacant_ops,
		.persist = { "none", vacant_flush, vacant_copy, vacant_fence },
		.map = map,
		.bytes = bytes,
		.byte_persistent = true,
		.read_only = read_only,
		.class = JOURNAL_CLASS_PROCESS,
	};
	(void)snprintf(vacant->store.evidence, sizeof(vacant->store.evidence), "no medium yet");
	marker_store_check(&vacant->store);
	*store = &vacant->store;
	return 0;
}

bool marker_is_vacant(const struct marker_store *store)
{
	return store->ops == &vacant_ops;
}

void marker_vacant_give(struct marker_store *store)
{
	JASSERT(marker_is_vacant(store));
	((struct marker_vacant *)store)->given = true;
}
