/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records of the stage whose headers do not verify (hole.h).  What is named is lost by its
 * id, unless it is retired, or its line moved on, or a copy of it verifies: so all records
 * are known before it is decided, also those that show what epoch a damaged line is in.
 */
#include <errno.h>
#include <stdlib.h>

#include "txn/found.h"
#include "txn/line.h"
#include "txn/recover.h"

static bool recover_hole_grow(struct recovery *r)
{
	uint32_t room = r->hole_room ? r->hole_room * 2 : 16;
	struct hole *grown = realloc(r->holes, room * sizeof(*grown));

	if (!grown)
		return false;
	r->holes = grown;
	r->hole_room = room;
	return true;
}

int recover_hole(struct recovery *r, struct lane *lane, uint64_t to)
{
	struct hole hole = { .lane = lane->index, .from = lane->s->head, .to = to };
	int error = hole_take(r->j, lane, &hole);

	if (!error && r->hole_count == r->hole_room && !recover_hole_grow(r))
		error = -ENOMEM;
	if (!error)
		r->holes[r->hole_count++] = hole;
	return error ? journal_say(r->j, -ENOMEM, "no memory to recover") : 0;
}

static bool recover_slot_is_lost(struct recovery *r, uint32_t line, uint32_t slot)
{
	const struct journal *j = r->j;

	return j->lines[line].committed[slot / 64] >> (slot & 63) & 1 &&
	       where_kind(j->slots[(size_t)line * SLOTS_PER_LINE + slot].where) == WHERE_LOST;
}

/* Return: how many of those that are named are lost */
static uint32_t recover_hole_lose(struct recovery *r, const struct hole *hole, uint64_t id,
				  uint32_t line)
{
	uint32_t i, slot = id_slot(id), lost = 0;

	for (i = 0; i < hole->before.count; i++) {
		if (!recover_may_live(r, line, id_number(id), slot + i))
			continue;
		recover_lose(r, line, slot + i, WHY_STAGE, NO_SEGMENT);
		lost += recover_slot_is_lost(r, line, slot + i);
	}
	return lost;
}

/* Its line is known to be in another epoch: all of the one that is named is finished. */
static bool recover_hole_is_finished(const struct recovery *r, const struct hole *hole)
{
	uint32_t line = hole->before.line;

	return line < r->j->shared->lines_used && r->j->lines[line].number &&
	       !recover_is_by_records(r, line);
}

static void recover_hole_tell(struct recovery *r, const struct hole *hole, uint32_t lost,
			      bool unnamed)
{
	struct journal *j = r->j;
	unsigned long long from = hole->from, to = hole->to;

	if (unnamed)
		found_damage(j, 0, "%s: stage of lane %u: bytes at position %llu to %llu do not "
			     "verify, but were durable: acknowledged transactions are lost, "
			     "without a name", j->conf.marker, hole->lane, from, to);
	else if (lost)
		found_damage(j, 0, "%s: stage of lane %u: bytes at position %llu to %llu do not "
			     "verify: %u acknowledged transactions were in them",
			     j->conf.marker, hole->lane, from, to, lost);
	else
		found_remark(j, 0, "%s: stage of lane %u: bytes at position %llu to %llu do not "
			     "verify: nothing that lives was in them",
			     j->conf.marker, hole->lane, from, to);
}

static void recover_hole_settle(struct recovery *r, struct hole *hole)
{
	uint32_t line, lost = 0;
	uint64_t id;
	bool known, unnamed;

	line = hole_line(r->j, hole, &id);
	known = line != NO_LINE || recover_hole_is_finished(r, hole);
	unnamed = !hole_is_void(hole) && !(known && hole_is_named(hole));
	if (line != NO_LINE)
		lost = recover_hole_lose(r, hole, id, line);
	if (lost)
		hole_keep(&r->j->lanes[hole->lane], hole, id);
	/* of what the named one did not take */
	if (unnamed && known && hole->from < hole_named_at(hole))
		hole->to = hole_named_at(hole);
	recover_hole_tell(r, hole, lost, unnamed);
	r->j->recovered.lost_unnamed += unnamed;
}

void recover_holes(struct recovery *r)
{
	uint32_t i;

	for (i = 0; i < r->hole_count; i++)
		recover_hole_settle(r, &r->holes[i]);
}
