/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of staged transactions whose record's header is damaged, or was.  A lane takes its
 * slots one after the other, so what is lost between two records has the slots between
 * theirs, but for those that were given up: they were never acknowledged, are few, and
 * cannot be told apart.  Where there are more of these slots than the bytes have room
 * for, none is named.
 */
#include "txn/checkpoint.h"
#include "txn/lane.h"
#include "txn/recover.h"

/* least bytes of a record of one transaction, and of a member of a large group */
#define BYTES_OF_ONE    (2ull * STAGE_ALIGN)
#define BYTES_OF_MEMBER 13u

struct slots_lost {
	uint32_t line, from, to;
	uint64_t number;
};

/* up to two stretches of slots; @all: no others were there */
struct lost {
	struct slots_lost of[2];
	uint32_t count;
	bool all;
};

/* a slot that bounds what is lost; line NO_LINE: there is none */
struct bound {
	uint32_t line, slot;
	uint64_t number;
};

static uint32_t lost_count(struct recovery *r, const struct slots_lost *lost)
{
	uint32_t slot, count = 0;

	for (slot = lost->from; slot < lost->to; slot++)
		count += recover_may_live(r, lost->line, lost->number, slot);
	return count;
}

/* Return: whether there are slots in it at all */
static bool lost_add(struct lost *lost, const struct bound *in, uint32_t from, uint32_t to)
{
	if (from >= to)
		return false;
	lost->of[lost->count++] = (struct slots_lost){ in->line, from, to, in->number };
	return true;
}

static struct bound bound_at(const struct stage_meta *meta, bool behind)
{
	struct bound bound = { meta->line, id_slot(meta->id) + (behind ? meta->count : 0),
			       id_number(meta->id) };

	if (!meta->count)
		bound.line = NO_LINE;
	return bound;
}

/* Where the last close says that the lane goes on: up to there it was used. */
static struct bound bound_at_close(struct recovery *r, const struct lane *lane)
{
	struct bound bound = { .line = NO_LINE };
	struct journal *j = r->j;
	uint64_t clean;

	if (word_unseal(lane_media(j, lane->index)->clean, &clean) ||
	    clean >> MARKER_CLEAN_SLOT_BITS >= j->shared->lines_used)
		return bound;
	bound.line = (uint32_t)(clean >> MARKER_CLEAN_SLOT_BITS);
	bound.slot = (uint32_t)min_u64(clean & ((1u << MARKER_CLEAN_SLOT_BITS) - 1),
				       SLOTS_PER_LINE);
	bound.number = j->lines[bound.line].number;
	if (!bound.number)
		bound.line = NO_LINE;
	return bound;
}

/* It went on in another line: in the rest of the first one, then in the next. */
static void lost_in_two(struct recovery *r, struct lost *lost, const struct bound *before,
			const struct bound *after, uint32_t room)
{
	uint32_t i, most = 0;

	(void)lost_add(lost, before, before->slot, SLOTS_PER_LINE);
	(void)lost_add(lost, after, 0, after->slot);
	for (i = 0; i < lost->count; i++)
		most += lost_count(r, &lost->of[i]);
	lost->all = lost->count && most <= room;
	if (lost->all)
		return;
	/* too many: some were given up with the first line; the next one behind it is lost
	 * if nothing was in the other */
	lost->count = 0;
	if (!after->slot && before->slot < SLOTS_PER_LINE)
		(void)lost_add(lost, before, before->slot, before->slot + 1);
}

static void lost_between(struct recovery *r, const struct bound *before,
			 const struct bound *after, uint64_t bytes, struct lost *lost)
{
	uint32_t room = (uint32_t)min_u64(bytes / BYTES_OF_ONE, SLOTS_PER_LINE);

	if (before->line == NO_LINE && after->line == NO_LINE)
		return;
	if (after->line == NO_LINE) {
		/* one at least */
		if (before->slot < SLOTS_PER_LINE)
			lost->all = lost_add(lost, before, before->slot, before->slot + 1) &&
				    room == 1;
	} else if (before->line == NO_LINE) {
		lost->all = lost_add(lost, after, after->slot > room ? after->slot - room : 0,
				     after->slot) && room == 1;
	} else if (before->number == after->number) {
		lost->all = lost_add(lost, before, before->slot, after->slot);
		if (lost->all && lost_count(r, &lost->of[0]) > bytes / BYTES_OF_MEMBER)
			*lost = (struct lost){ .count = 0 };
	} else {
		lost_in_two(r, lost, before, after, room);
	}
}

/* The stretch holds them, as records do, so that it is kept until they are retired. */
static uint32_t lost_name(struct recovery *r, struct lane *lane, const struct slots_lost *lost,
			  uint64_t to)
{
	uint32_t slot, count, named = 0;

	for (slot = lost->from; slot < lost->to; slot += count) {
		for (count = 0; slot + count < lost->to && (!count || (slot + count) % 64) &&
				recover_may_live(r, lost->line, lost->number, slot + count);
		     count++)
			recover_lose(r, lost->line, slot + count, WHY_STAGE, NO_SEGMENT);
		named += count;
		if (count && lane->s->head < to && !lane_queue_ready(r->j, lane))
			lane_advance(lane, id_make(lost->number, slot), count, STAGE_ALIGN);
		count = count ? count : 1;
	}
	return named;
}

bool recover_stage_name(struct recovery *r, struct lane *lane, const struct stage_meta *before,
			const struct stage_meta *after, uint64_t to, uint32_t *named)
{
	struct bound from = bound_at(before, true);
	struct bound up_to = after ? bound_at(after, false) : bound_at_close(r, lane);
	struct lost lost = { .count = 0 };
	uint32_t i;

	*named = 0;
	lost_between(r, &from, &up_to, to - lane->s->head, &lost);
	for (i = 0; i < lost.count; i++)
		*named += lost_name(r, lane, &lost.of[i], to);
	return lost.all || *named;
}
