/* SPDX-License-Identifier: BSD-3-Clause */
#include "marker/file_slots.h"

#include <errno.h>
#include <stdatomic.h>

#include "util/math.h"

#define SLOT_BITS 2u
#define SLOT_MASK ((1u << SLOT_BITS) - 1)

_Static_assert(CHECKPOINT_SLOTS <= SLOT_MASK + 1, "a slot's number has 2 bits");

static uint64_t force_word(uint64_t generation, unsigned int slot)
{
	return generation << SLOT_BITS | slot;
}

static bool is_in_force(uint64_t force, unsigned int slot)
{
	return force && (force & SLOT_MASK) == slot;
}

void file_slots_seen(struct marker_share *share, unsigned int slot, uint64_t generation)
{
	share->slots[slot].generation = generation;
	share->drawn = max_u64(share->drawn, generation);
}

void file_slots_loaded(struct marker_share *share, unsigned int slot, uint64_t generation)
{
	share->in_force = force_word(generation, slot);
}

uint64_t file_slots_in_force(const struct marker_share *share)
{
	return atomic_load(&share->in_force) >> SLOT_BITS;
}

static bool slot_try(struct marker_share *share, unsigned int slot, uint32_t who)
{
	uint32_t nobody = 0;

	if (is_in_force(atomic_load(&share->in_force), slot) ||
	    !atomic_compare_exchange_strong(&share->slots[slot].writer, &nobody, who))
		return false;
	/* again: only who writes to a slot can put it in force, and until we did that
	 * could be another */
	if (!is_in_force(atomic_load(&share->in_force), slot))
		return true;
	file_slot_leave(share, slot, who);
	return false;
}

int file_slot_take(struct marker_share *share, uint32_t who, unsigned int *slot, bool *stale)
{
	uint64_t force = atomic_load(&share->in_force);
	unsigned int i, first = force ? (force & SLOT_MASK) + 1 : 0;

	JASSERT(who);
	for (i = 0; i < CHECKPOINT_SLOTS; i++) {
		*slot = (first + i) % CHECKPOINT_SLOTS;
		if (!slot_try(share, *slot, who))
			continue;
		*stale = atomic_load(&share->slots[*slot].generation) >=
				 file_slots_in_force(share) &&
			 atomic_load(&share->slots[*slot].generation);
		return 0;
	}
	return -EAGAIN;
}

uint64_t file_slot_begin(struct marker_share *share, unsigned int slot)
{
	uint64_t generation = atomic_fetch_add(&share->drawn, 1) + 1;

	/* before any of it is on media: whoever is killed leaves word of it */
	atomic_store(&share->slots[slot].generation, generation);
	return generation;
}

void file_slot_durable(struct marker_share *share, unsigned int slot, uint64_t generation)
{
	uint64_t force = atomic_load(&share->in_force);

	/* Late: a newer one has all of ours, and what was freed since needs it. */
	do
		if (force >> SLOT_BITS > generation)
			return;
	while (!atomic_compare_exchange_weak(&share->in_force, &force,
					     force_word(generation, slot)));
}

void file_slot_leave(struct marker_share *share, unsigned int slot, uint32_t who)
{
	(void)atomic_compare_exchange_strong(&share->slots[slot].writer, &who, 0);
}
