/* SPDX-License-Identifier: BSD-3-Clause */
#include "seen.h"

#include <stdlib.h>
#include <string.h>

#include "util/assert.h"

#define SIZE_FIRST (1u << 16)

static void tables(struct seen *seen, uint64_t size)
{
	seen->size = size;
	seen->images = calloc(size, sizeof(*seen->images));
	seen->of = calloc(size, sizeof(*seen->of));
	JASSERT(seen->images && seen->of);
}

void seen_make(struct seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	tables(seen, SIZE_FIRST);
}

void seen_free(struct seen *seen)
{
	uint32_t i;

	for (i = 0; i < seen->found_count; i++)
		free(seen->found[i]);
	free(seen->found);
	free(seen->states);
	free(seen->images);
	free(seen->of);
	free(seen->fresh);
}

/* where @image is, or would be */
static uint64_t place(const struct seen *seen, uint64_t image)
{
	uint64_t at = image * 0x9e3779b97f4a7c15u >> 20 & (seen->size - 1);

	while (seen->images[at] && seen->images[at] != image)
		at = (at + 1) & (seen->size - 1);
	return at;
}

const struct found *seen_find(const struct seen *seen, uint64_t image)
{
	uint64_t at = place(seen, image ? image : 1);

	return seen->images[at] ? seen->found[seen->of[at]] : NULL;
}

static void grow(struct seen *seen)
{
	struct seen old = *seen;
	uint64_t i, at;

	tables(seen, old.size * 2);
	for (i = 0; i < old.size; i++) {
		if (!old.images[i])
			continue;
		at = place(seen, old.images[i]);
		seen->images[at] = old.images[i];
		seen->of[at] = old.of[i];
	}
	free(old.images);
	free(old.of);
}

static bool is_like(const struct found *a, const struct found *b)
{
	return found_same(a, b) && a->next_id == b->next_id && a->torn == b->torn &&
	       a->lost_unnamed == b->lost_unnamed && !strcmp(a->why, b->why);
}

/* Images of one point mostly show the same few things. */
static uint32_t keep(struct seen *seen, struct found *found)
{
	uint64_t state = found_sum(found);
	uint32_t i, least = seen->found_count > 64 ? seen->found_count - 64 : 0;

	for (i = seen->found_count; i-- > least;)
		if (seen->states[i] == state && is_like(seen->found[i], found)) {
			free(found);
			return i;
		}
	if (seen->found_count == seen->found_room) {
		seen->found_room = seen->found_room ? seen->found_room * 2 : 1024;
		seen->found = realloc(seen->found, seen->found_room * sizeof(*seen->found));
		seen->states = realloc(seen->states, seen->found_room * sizeof(*seen->states));
		JASSERT(seen->found && seen->states);
	}
	seen->found[seen->found_count] = found;
	seen->states[seen->found_count] = state;
	return seen->found_count++;
}

static void freshen(struct seen *seen, uint64_t image)
{
	if (seen->fresh_count == seen->fresh_room) {
		seen->fresh_room = seen->fresh_room * 2 + 1024;
		seen->fresh = realloc(seen->fresh, seen->fresh_room * sizeof(*seen->fresh));
		JASSERT(seen->fresh);
	}
	seen->fresh[seen->fresh_count++] = image;
}

const struct found *seen_add(struct seen *seen, uint64_t image, struct found *found)
{
	uint64_t at;

	if (seen->count * 2 > seen->size)
		grow(seen);
	at = place(seen, image ? image : 1);
	JASSERT(!seen->images[at]);
	seen->images[at] = image ? image : 1;
	seen->of[at] = keep(seen, found);
	seen->count++;
	freshen(seen, seen->images[at]);
	return seen->found[seen->of[at]];
}
