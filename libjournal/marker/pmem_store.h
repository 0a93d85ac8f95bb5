/* SPDX-License-Identifier: BSD-3-Clause */
/* The opened `pmem:` store, shared by the files that make it up. */
#ifndef MARKER_PMEM_STORE_H
#define MARKER_PMEM_STORE_H

#include "marker/medium.h"
#include "marker/pmem_module.h"
#include "store/dirty.h"
#include "store/marker_store.h"

/**
 * enum pmem_kind - what the map is of
 * @PMEM_MEMORY: plain memory: tmpfs, ramfs, hugetlbfs
 * @PMEM_DAX:    persistent memory itself: /dev/dax, a file mapped with MAP_SYNC
 * @PMEM_CACHE:  the page cache of a file: what is stored there is durable only
 *               by msync
 */
enum pmem_kind {
	PMEM_MEMORY,
	PMEM_DAX,
	PMEM_CACHE,
};

struct marker_pmem {
	struct marker_store store;
	struct medium medium;
	const struct pmem_module *module;
	enum pmem_kind kind;
	void *map;          /* all that is mapped; store.bytes may be less */
	size_t map_bytes;
	struct dirty dirty; /* of the msync routine */
	bool dirty_made;
};

/* The routine for PMEM_CACHE: flush notes, fence syncs.
 * Return: 0 or negative errno. */
int pmem_msync_init(struct marker_pmem *pmem);

#endif
