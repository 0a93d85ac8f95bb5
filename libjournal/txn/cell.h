/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hazards (P2): who looks at a line's slots to claim them or to change where
 * they are keeps the line from being recycled meanwhile.
 *
 *   announcer                        recycler
 *   cell = (me, line)                line.number = 0
 *   line.number as expected?         any cell with line?
 *
 * All four sequentially consistent: of the two, one sees the other.
 */
#ifndef TXN_CELL_H
#define TXN_CELL_H

#include <sched.h>

#include "txn/journal_impl.h"

static inline uint64_t cell_hazard(const struct journal *j, uint32_t line)
{
	return (uint64_t)j->member << 32 | (line + 1);
}

/* Lease a cell, by processor, and announce @line; never waits for a holder. */
static inline struct cell *cell_take(struct journal *j, uint32_t line)
{
	uint32_t i = (uint32_t)sched_getcpu() * 8, tried = 0;
	struct cell *cell;
	uint64_t none;

	for (;; i++) {
		cell = &j->cells[i % CELLS];
		none = 0;
		if (!atomic_load_explicit(&cell->hazard, memory_order_relaxed) &&
		    atomic_compare_exchange_strong(&cell->hazard, &none, cell_hazard(j, line)))
			return cell;
		if (++tried % CELLS == 0)
			sched_yield();
	}
}

/* announce another line instead */
static inline void cell_move(struct journal *j, struct cell *cell, uint32_t line)
{
	atomic_store(&cell->hazard, cell_hazard(j, line));
}

static inline void cell_drop(struct cell *cell)
{
	/* release: what was done under the hazard, before the line may be recycled */
	atomic_store_explicit(&cell->hazard, 0, memory_order_release);
}

/* Context: line.number was taken away before. */
static inline bool cell_any(const struct journal *j, uint32_t line)
{
	uint32_t i;

	for (i = 0; i < CELLS; i++)
		if ((uint32_t)atomic_load(&j->cells[i].hazard) == line + 1)
			return true;
	return false;
}

#endif
