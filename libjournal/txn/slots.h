/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a transaction is, and giving up what a retired one holds in the log. */
#ifndef TXN_SLOTS_H
#define TXN_SLOTS_H

#include "txn/holds.h"

/* release: a reader of the transaction before that sees any of these sees, too,
 * that its where is gone or its line has moved on (found_look()) */
static inline void slot_set(struct slot *slot, uint64_t where, uint32_t bytes, uint32_t units,
			    uint64_t time_ns)
{
	atomic_store_explicit(&slot->where, where, memory_order_release);
	atomic_store_explicit(&slot->time_ns, time_ns, memory_order_release);
	atomic_store_explicit(&slot->bytes, bytes, memory_order_release);
	atomic_store_explicit(&slot->units, units, memory_order_release);
}

/**
 * struct place - what a slot held when its where was taken away
 * @table: of its other @pieces, of a large one (pieces.h); NULL: not read
 */
struct place {
	uint64_t where;
	uint32_t units, pieces;
	uint8_t *table;
};

static inline bool place_is_large(uint64_t where)
{
	return where_kind(where) == WHERE_LOG && where & WHERE_MULTI;
}

/* in a segment */
static inline bool place_holds(const struct place *place)
{
	return where_kind(place->where) == WHERE_LOG ||
	       (where_kind(place->where) == WHERE_LOST && place->where & WHERE_LOST_SEGMENT);
}

/* slot_take() of a large one, whose where was @where */
void slot_take_large(struct journal *j, uint64_t id, struct slot *slot, uint64_t where,
		     struct place *place);

/* Whoever takes where away releases the segments.  Context: the claim, before the
 * retire bit is cleared: after that the slot may be another transaction's.  Of a large
 * one the final record is read before: who takes over from us finds our holds alone. */
static inline void slot_take(struct journal *j, uint64_t id, struct slot *slot,
			     struct place *place)
{
	uint64_t where = atomic_load_explicit(&slot->where, memory_order_acquire);

	place->units = atomic_load_explicit(&slot->units, memory_order_relaxed);
	place->table = NULL;
	if (place_is_large(where)) {
		slot_take_large(j, id, slot, where, place);
		return;
	}
	place->where = atomic_exchange(&slot->where, 0);
	if (place_holds(place))
		holds_count(j, &j->segments.all[where_segment(place->where)], 1);
}

/* Of the transactions @live of a line's @word: those that a list, or a medium that is gone
 * back to, names as committed.  What is staged there has its record in the stage; and what
 * was staged on NVRAM that is given up, and not brought to the log, was published behind
 * that, and nobody has been told (evacuate.h): named, it would be called lost. */
uint64_t slots_named(const struct journal *j, uint32_t line, uint32_t word, uint64_t live);

/**
 * place_release() - transaction @id is durably retired: its bytes may go
 * Of a large one, of which slot_take() could not read the final record, it is tried
 * again.  If that fails, the segments of the other pieces stay held until the next
 * recovery, which is counted.
 */
void place_release(struct journal *j, uint64_t id, struct place *place);

/* It is to be ended later: @slot names it again.  Context: it was taken from there, and the
 * line is kept since, or known to be in the same epoch. */
void place_put_back(struct journal *j, struct slot *slot, struct place *place);

/* it will not be: a medium has failed */
void place_forget(struct place *place);

#endif
