/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/index.h"

#include "txn/journal_impl.h"
#include "txn/moved.h"

/* Epoch numbers are drawn in sequence, so the low bits spread them evenly:
 * with one bucket of 8 for every 2 lines, a full bucket is rare, and then the
 * number is skipped. */
#define BUCKET 8u

uint32_t index_mask(uint32_t lines)
{
	uint32_t buckets = 1;

	while (buckets < lines / 2 + 1)
		buckets <<= 1;
	return buckets - 1;
}

uint64_t index_table_entries(uint32_t lines)
{
	return (index_mask(lines) + 1ull) * BUCKET;
}

static _Atomic uint32_t *index_bucket(const struct index *index, uint64_t number)
{
	return &index->table[((uint32_t)number & index->mask) * BUCKET];
}

bool index_add(struct index *index, uint64_t number, uint32_t line)
{
	_Atomic uint32_t *bucket = index_bucket(index, number);
	uint32_t empty;
	unsigned int i;

	for (i = 0; i < BUCKET; i++) {
		empty = 0;
		/* release: a reader that finds it sees the line's state */
		if (!atomic_load_explicit(&bucket[i], memory_order_relaxed) &&
		    atomic_compare_exchange_strong_explicit(&bucket[i], &empty, line + 1,
							    memory_order_release,
							    memory_order_relaxed))
			return true;
	}
	return false;
}

void index_add_always(struct journal *j, uint64_t number, uint32_t line)
{
	_Atomic uint32_t *overflow = j->index.overflow;
	uint32_t i, used = j->shared->overflow_count;

	if (index_add(&j->index, number, line))
		return;
	for (i = 0; i < used && overflow[i]; i++)
		;
	/* one entry for each line at most, so there is room */
	atomic_store_explicit(&overflow[i], line + 1, memory_order_release);
	if (i == used)
		atomic_store_explicit(&j->shared->overflow_count, used + 1,
				      memory_order_release);
}

static bool index_remove_from(_Atomic uint32_t *entries, uint32_t entry_count, uint32_t line)
{
	uint32_t i;

	for (i = 0; i < entry_count; i++) {
		if (atomic_load_explicit(&entries[i], memory_order_relaxed) == line + 1) {
			atomic_store_explicit(&entries[i], 0, memory_order_relaxed);
			return true;
		}
	}
	return false;
}

void index_remove(struct journal *j, uint64_t number, uint32_t line)
{
	if (!index_remove_from(index_bucket(&j->index, number), BUCKET, line))
		index_remove_from(j->index.overflow, j->shared->overflow_count, line);
}

static uint32_t index_find_in(const struct journal *j, const _Atomic uint32_t *entries,
			      uint32_t entry_count, uint64_t number)
{
	uint32_t i, line;

	for (i = 0; i < entry_count; i++) {
		line = atomic_load_explicit(&entries[i], memory_order_acquire);
		if (line && atomic_load_explicit(&j->lines[line - 1].number,
						 memory_order_acquire) == number)
			return line - 1;
	}
	return NO_LINE;
}

uint32_t index_find(const struct journal *j, uint64_t number)
{
	uint32_t more = atomic_load_explicit(&j->shared->overflow_count, memory_order_acquire);
	uint32_t line = index_find_in(j, index_bucket(&j->index, number), BUCKET, number);

	if (line == NO_LINE && more)
		line = index_find_in(j, j->index.overflow, more, number);
	return line;
}

static struct slot *index_live_at_home(const struct journal *j, uint64_t id)
{
	uint32_t line = id_number(id) ? index_find(j, id_number(id)) : NO_LINE;
	uint32_t slot = id_slot(id);
	uint64_t bit = 1ull << (slot & 63);
	struct line *state;

	if (line == NO_LINE)
		return NULL;
	state = &j->lines[line];
	/* acquire: the committer wrote the slot before it set the bit */
	if (!(atomic_load_explicit(&state->committed[slot / 64], memory_order_acquire) & bit) ||
	    (atomic_load_explicit(&state->claimed[slot / 64], memory_order_acquire) & bit))
		return NULL;
	return &j->slots[(size_t)line * SLOTS_PER_LINE + slot];
}

struct slot *index_live(const struct journal *j, uint64_t id)
{
	struct slot *slot = index_live_at_home(j, id);

	return slot || !moved_any(j) ? slot : moved_live(j, id);
}
