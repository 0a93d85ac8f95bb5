/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/shared.h"

#include <errno.h>
#include <sys/mman.h>

#include "txn/journal_impl.h"
#include "txn/lane.h"
#include "txn/line.h"

/* Parts begin on a page, so that each can be allocated by itself. */
#define PART_ALIGN 4096u

static uint64_t shared_part_bytes(const struct journal *j, enum shared_part part)
{
	const struct marker_geometry *g = &j->geometry;

	switch (part) {
	case SHARED_COUNTERS:
		return sizeof(struct counters);
	case SHARED_CELLS:
		return CELLS * sizeof(struct cell);
	case SHARED_MEMBERS:
		return MEMBERS * sizeof(struct member);
	case SHARED_LANES:
		return g->lanes * sizeof(struct lane_shared);
	case SHARED_TABLE:
		return index_table_entries(g->lines) * sizeof(uint32_t);
	case SHARED_OVERFLOW:
		return g->lines * sizeof(uint32_t);
	case SHARED_FREE_LINES:
		return (g->lines + 63) / 64 * sizeof(uint64_t);
	case SHARED_QUEUES:
		return lane_queue_entries(j) * g->lanes * sizeof(struct staged);
	case SHARED_LINES:
		return g->lines * sizeof(struct line);
	case SHARED_SLOTS:
		return (uint64_t)g->lines * SLOTS_PER_LINE * sizeof(struct slot);
	case SHARED_PARTS:
		break;
	}
	JASSERT(!"a part");
	return 0;
}

static void shared_layout(const struct journal *j, struct shared *layout)
{
	uint64_t at = round_up(sizeof(struct shared), PART_ALIGN);
	int part;

	for (part = 0; part < SHARED_PARTS; part++) {
		layout->part[part] = at;
		at += round_up(shared_part_bytes(j, (enum shared_part)part), PART_ALIGN);
	}
	layout->bytes = at;
}

static void *shared_at(struct journal *j, enum shared_part part)
{
	return (uint8_t *)j->shared + j->shared->part[part];
}

static void shared_point(struct journal *j)
{
	j->counters = shared_at(j, SHARED_COUNTERS);
	j->cells = shared_at(j, SHARED_CELLS);
	j->members = shared_at(j, SHARED_MEMBERS);
	j->index.mask = index_mask(j->geometry.lines);
	j->index.table = shared_at(j, SHARED_TABLE);
	j->index.overflow = shared_at(j, SHARED_OVERFLOW);
	j->free_lines = shared_at(j, SHARED_FREE_LINES);
	j->lines = shared_at(j, SHARED_LINES);
	j->slots = shared_at(j, SHARED_SLOTS);
}

struct lane_shared *shared_lane(struct journal *j, uint32_t index)
{
	return (struct lane_shared *)shared_at(j, SHARED_LANES) + index;
}

struct staged *shared_queue(struct journal *j, uint32_t index)
{
	return (struct staged *)shared_at(j, SHARED_QUEUES) + index * lane_queue_entries(j);
}

/* what is not zero at first */
static void shared_first(struct journal *j)
{
	uint32_t i;

	for (i = 0; i < j->geometry.lanes; i++) {
		shared_lane(j, i)->index = i;
		slots_from_none(&shared_lane(j, i)->from);
	}
	j->member = 1;
	j->own = &j->members[0].own;
	slots_from_none(j->own);
}

int shared_make(struct journal *j)
{
	struct shared layout = { 0 };
	void *map;

	shared_layout(j, &layout);
	/* pages not touched cost nothing */
	map = mmap(NULL, layout.bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	j->shared = map;
	memcpy(j->shared->part, layout.part, sizeof(layout.part));
	j->shared->bytes = layout.bytes;
	shared_point(j);
	shared_first(j);
	return 0;
}

void shared_free(struct journal *j)
{
	if (j->shared)
		munmap(j->shared, j->shared->bytes);
}
