/* SPDX-License-Identifier: BSD-3-Clause */
/* Which images were recovered, and what was found in each. */
#ifndef TESTS_CRASH_SEEN_H
#define TESTS_CRASH_SEEN_H

#include "found.h"

struct seen {
	uint64_t *images;    /* sums; 0: free */
	uint32_t *of;        /* which of @found */
	uint64_t size, count;
	uint64_t *fresh;     /* images that were added since @fresh_count was 0 */
	uint32_t fresh_count, fresh_room;
	struct found **found;
	uint64_t *states;    /* of each: found_sum() */
	uint32_t found_count, found_room;
};

void seen_make(struct seen *seen);
void seen_free(struct seen *seen);
/* NULL: it was not recovered yet */
const struct found *seen_find(const struct seen *seen, uint64_t image);
/* @found is the table's from here on; Return: the one that is kept */
const struct found *seen_add(struct seen *seen, uint64_t image, struct found *found);

#endif
