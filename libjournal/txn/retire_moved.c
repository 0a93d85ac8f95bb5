/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Retiring what is moved to another line, before, after, or just now (P2; all of it as
 * in tests/model/p2.pml).  Who retires claims the slot where the id is, reads its entry
 * again, claims the other slot, too, and clears both: the mover announces that one
 * before it looks at the claim, so one of them sees the other.
 */
#include "txn/retire_impl.h"

#include <errno.h>

/* The entry, once c is claimed: the slot that is not c.  @at_c: X is still at c. */
static void other_of(const struct journal *j, uint64_t id, const struct slot_place *c,
		     struct slot_place *other, bool *at_c)
{
	struct moved m;

	*other = (struct slot_place){ .line = NO_LINE };
	*at_c = true;
	if (moved_find(j, id, &m))
		return;
	*at_c = slot_place_same(&m.at, c);
	*other = *at_c ? m.other : m.at;
}

/* Several may retire one id, each with a claim on one of its slots: it is his who has
 * both, or, with the other slot claimed by somebody else, whose slot it is still at. */
static void claim_other(struct journal *j, struct retired *r)
{
	const struct slot_place *o = &r->other.at;
	struct slot_place unused;
	bool at_one = true;

	r->other.claimed = line_claim(&j->lines[o->line], o->slot, 1, &r->other.completes);
	if (r->other.claimed)
		retire_take(j, r->id, slot_at(j, o), &r->other.place);
	else
		other_of(j, r->id, &r->one.at, &unused, &at_one);
	r->another = !at_one;
	line_retire_bit(j, o->line, o->slot);
}

void retire_other(struct journal *j, struct retired *r)
{
	struct slot_place *o = &r->other.at;
	struct cell *cell;
	bool at_one;

	other_of(j, r->id, &r->one.at, o, &at_one);
	if (o->line == NO_LINE)
		return;
	/* kept until the bit is cleared, or it could be the next epoch's */
	cell = cell_take(j, o->line);
	if (slot_place_valid(j, o)) {
		claim_other(j, r);
	} else {
		/* Its line may have no number and yet go on: who took the number
		 * away found a cell.  The bit is cleared, and may not be durable. */
		r->other.claimed = false;
		r->another = !at_one;
		nv_flush(j->marker, &line_media(j, o->line)->retire[o->slot / 64], 8);
	}
	cell_drop(cell);
}

/* Return: 0, -ENOENT, or -EAGAIN it has moved on. */
static int retire_at(struct journal *j, struct retired *r)
{
	struct slot_place *at = &r->one.at;
	struct slot_place before = *at;
	struct moved m;
	struct cell *cell = cell_take(j, at->line);

	r->one.claimed = slot_place_valid(j, at) &&
			 retire_claim(&j->lines[at->line], at->slot, &r->one.completes);
	if (r->one.claimed) {
		retire_other(j, r);
		retire_take(j, r->id, slot_at(j, at), &r->one.place);
		line_retire_bit(j, at->line, at->slot);
	}
	cell_drop(cell);
	if (r->one.claimed)
		return 0;
	if (moved_find(j, r->id, &m) || slot_place_same(&m.at, &before))
		return -ENOENT;
	*at = m.at;
	return -EAGAIN;
}

int retire_moved(struct journal *j, struct retired *r)
{
	struct moved m;
	int error;

	if (moved_find(j, r->id, &m))
		return -ENOENT;
	r->one.at = m.at;
	do
		error = retire_at(j, r);
	while (error == -EAGAIN);
	return error;
}
