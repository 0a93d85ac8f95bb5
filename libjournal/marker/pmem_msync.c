/* SPDX-License-Identifier: BSD-3-Clause */
#include "marker/pmem_store.h"

#include <errno.h>
#include <sys/mman.h>

#include "util/math.h"

static void msync_flush(struct marker_store *store, const void *address, size_t bytes)
{
	struct marker_pmem *pmem = (struct marker_pmem *)store;
	uint64_t offset = (uint64_t)((const uint8_t *)address - store->map);

	if (bytes && dirty_add(&pmem->dirty, offset, bytes))
		marker_store_fail(store, -ENOMEM);
}

static void msync_copy(struct marker_store *store, void *destination, const void *source,
		       size_t bytes)
{
	memcpy(destination, source, bytes);
	msync_flush(store, destination, bytes);
}

/* One call over all that this thread wrote: a sync per range would be a cache
 * flush of the disk each, and bringing more than was asked for does no harm. */
static void msync_fence(struct marker_store *store)
{
	struct marker_pmem *pmem = (struct marker_pmem *)store;
	const struct dirty_range *ranges;
	size_t count = dirty_ranges(&pmem->dirty, &ranges);
	uint64_t start = UINT64_MAX, end = 0;

	for (size_t i = 0; i < count; i++) {
		start = min_u64(start, round_down(ranges[i].offset, MEDIUM_PAGE_BYTES));
		end = max_u64(end, ranges[i].offset + ranges[i].bytes);
	}
	dirty_clear(&pmem->dirty);
	if (count && msync(store->map + start, end - start, MS_SYNC))
		marker_store_fail(store, -errno);
}

int pmem_msync_init(struct marker_pmem *pmem)
{
	int error = dirty_init(&pmem->dirty);

	if (error)
		return error;
	pmem->dirty_made = true;
	pmem->store.persist = (struct marker_persist){ "msync", msync_flush, msync_copy,
						       msync_fence };
	return 0;
}
