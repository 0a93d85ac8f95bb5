/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reader takes no lock, and a writer goes on.  So recovery may see a
 * transaction as committed, and its record when a later one has taken its
 * place: that looks like a loss.  But space is reused only after the retire of
 * what it held was durable.  Whoever looks again sees that retire, and a
 * transaction that both looks find lost is lost.
 */
#include "txn/beside.h"

#include "util/math.h"

static bool beside_next_lost(struct journal *j, uint64_t *after)
{
	struct journal_entry entry;

	while (!journal_next(j, *after, &entry)) {
		*after = entry.id;
		if (entry.state == JOURNAL_LOST)
			return true;
	}
	return false;
}

bool beside_doubtful(struct journal *j)
{
	uint64_t after = 0;

	return j->read_only && j->writer_pid && j->role == ENTRY_FIRST &&
	       (j->recovered.lost_unnamed || beside_next_lost(j, &after));
}

static void beside_forget(struct journal *j, uint64_t id)
{
	struct slot *slot = index_live(j, id);

	if (slot)
		atomic_store(&slot->where, 0);
}

void beside_settle(struct journal *first, struct journal *later)
{
	struct journal_entry entry;
	uint64_t id = 0;

	while (beside_next_lost(later, &id)) {
		if (journal_lookup(first, id, &entry) || entry.state != JOURNAL_LOST)
			beside_forget(later, id);
	}
	later->recovered.lost_unnamed =
		min_u64(first->recovered.lost_unnamed, later->recovered.lost_unnamed);
}
