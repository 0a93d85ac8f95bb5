/* SPDX-License-Identifier: BSD-3-Clause */
/* Between retire.c and retire_moved.c. */
#ifndef TXN_RETIRE_IMPL_H
#define TXN_RETIRE_IMPL_H

#include "txn/cell.h"
#include "txn/line.h"
#include "txn/moved.h"
#include "txn/slots.h"

/* a slot that a call ends */
struct retired_slot {
	struct slot_place at; /* line NO_LINE: none */
	struct place place;   /* what it has in the log, to be given up once it is durable */
	bool claimed;         /* else another one does, and does the rest */
	bool completes;       /* its word of claims */
};

/* a transaction that it ends: in one slot, or, moved just now, in two */
struct retired {
	uint64_t id;
	struct retired_slot one, other;
	bool another; /* acknowledges it: this call ends it, too, and says -ENOENT */
};

static inline bool retire_claim(struct line *state, uint32_t slot, bool *completes)
{
	return atomic_load_explicit(&state->committed[slot / 64], memory_order_acquire) >>
		       (slot & 63) & 1 &&
	       line_claim(state, slot, 1, completes);
}

/*
 * What it has in the log.  Before its bit is cleared: then others may complete the
 * line, and the slot be committed again.
 * A staged one has nothing to give up: destage looks at the claim, which was
 * made before where is read here, after it has written where (destage.c).
 */
static inline void retire_take(struct journal *j, uint64_t id, struct slot *slot,
			       struct place *place)
{
	place->where = 0;
	place->table = NULL;
	if (where_kind(atomic_load(&slot->where)) != WHERE_STAGE)
		slot_take(j, id, slot, place);
}

/**
 * retire_moved() - claim an id that its own line does not have, or not any more
 * Return: 0, or -ENOENT.
 */
int retire_moved(struct journal *j, struct retired *r);

/* r->one is claimed, under a cell, in a line that something is moved out of, or into:
 * the other slot of the id, too */
void retire_other(struct journal *j, struct retired *r);

#endif
