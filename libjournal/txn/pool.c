/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/pool.h"

#include "txn/line.h"

/* line << 10 | next slot, as a clean word; none is 0, for the next slot is above 0 */
#define SLOT_BITS MARKER_CLEAN_SLOT_BITS

bool pool_take(struct journal *j, struct slots_from *from)
{
	uint64_t word;
	uint32_t i, line;

	for (i = 0; i < POOL_LINES; i++) {
		if (!atomic_load_explicit(&j->pool_lines[i], memory_order_relaxed))
			continue;
		word = atomic_exchange(&j->pool_lines[i], 0);
		if (!word)
			continue;
		line = (uint32_t)(word >> SLOT_BITS);
		from->line_number = j->lines[line].number;
		/* next before line: who takes over from us looks at line first */
		atomic_store(&from->next, (uint32_t)word & ((1u << SLOT_BITS) - 1));
		atomic_store(&j->lines[line].owner, from->owner);
		atomic_store(&from->line, line);
		return true;
	}
	return false;
}

void pool_give(struct journal *j, struct slots_from *from)
{
	uint32_t i, line = from->line, next = from->next;
	uint64_t none, word = (uint64_t)line << SLOT_BITS | next;

	if (line == NO_LINE)
		return;
	if (next < SLOTS_PER_LINE && next) {
		/* nobody's: who dies under our number later has no part in it */
		atomic_store(&j->lines[line].owner, 0);
		atomic_store(&from->line, NO_LINE);
		for (i = 0; i < POOL_LINES; i++) {
			none = 0;
			if (atomic_compare_exchange_strong(&j->pool_lines[i], &none, word))
				return;
		}
		atomic_store(&from->line, line);
	}
	line_leave(j, from);
}
