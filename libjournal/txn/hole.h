/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hole in a lane's ring: from a record whose header does not verify to where the ring
 * goes on.  Who comes next in the ring names the last data record in it, by line and slot
 * and by what its epoch is known by; that, and where it began, is all that is known.
 */
#ifndef TXN_HOLE_H
#define TXN_HOLE_H

#include "txn/journal_impl.h"

struct hole {
	uint32_t lane;
	uint32_t entry; /* of the lane's queue: of the record that is named */
	uint64_t from, to;
	struct stage_before before;
};

/* nothing but void records can have been in it */
static inline bool hole_is_void(const struct hole *hole)
{
	return hole->before.count && hole->before.distance &&
	       hole->to - hole->before.distance * (uint64_t)STAGE_ALIGN < hole->from;
}

/* where the record began that is named; if nobody knows, or none is: where the hole does */
static inline uint64_t hole_named_at(const struct hole *hole)
{
	if (!hole->before.count || !hole->before.distance || hole_is_void(hole))
		return hole->from;
	return hole->to - hole->before.distance * (uint64_t)STAGE_ALIGN;
}

/* No more was in it than the record that is named. */
static inline bool hole_is_named(const struct hole *hole)
{
	return hole->before.count && hole->before.distance && hole_named_at(hole) == hole->from;
}

/**
 * hole_take() - the head goes behind a hole
 * @hole: lane, from and to were set, from is the head; the rest is filled in
 *
 * Until hole_keep() it holds nothing: the tail may pass it.
 * Return: 0 or -ENOMEM.
 */
int hole_take(struct journal *j, struct lane *lane, struct hole *hole);

/* The line whose epoch is the one that is named, and its id; NO_LINE: there is none */
uint32_t hole_line(const struct journal *j, const struct hole *hole, uint64_t *id);

/* the ring is the only witness of what was lost: the tail stays before it until that is
 * retired */
void hole_keep(struct lane *lane, const struct hole *hole, uint64_t id);

#endif
