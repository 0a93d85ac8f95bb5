/* SPDX-License-Identifier: BSD-3-Clause */
/* Giving up what a retired transaction holds in the log. */
#ifndef TXN_SLOTS_H
#define TXN_SLOTS_H

#include "txn/journal_impl.h"

/* what a slot held when its where was taken away */
struct place {
	uint64_t where;
	uint32_t units;
};

/* Whoever takes where away releases the segments.  Context: the claim, before the
 * retire bit is cleared: after that the slot may be another transaction's. */
static inline void slot_take(struct slot *slot, struct place *place)
{
	place->units = slot->units;
	place->where = atomic_exchange(&slot->where, 0);
}

/* durably retired: its bytes may go */
void place_release(struct journal *j, const struct place *place);

#endif
