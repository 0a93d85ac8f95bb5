/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/leave.h"

#include "txn/checkpoint.h"
#include "txn/health.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/pool.h"

static __le64 clean_word(const struct slots_from *from)
{
	if (from->line == NO_LINE)
		return (__le64)WORD_ERASED;
	return word_seal((uint64_t)from->line << MARKER_CLEAN_SLOT_BITS | from->next);
}

/* of a lane that nobody has taken since NVRAM came back, the ring is as it was made */
static uint64_t lane_end(struct journal *j, const struct lane *lane)
{
	if (!j->geometry.ring_bytes ||
	    atomic_load(&lane->s->turn) != health_turn(health_word_now(j)))
		return WORD_ERASED;
	return lane->s->head;
}

/* Say which slots of the open lines were never used, so that the next open goes on in
 * them, and up to where the rings are filled: what does not verify below that is no torn
 * record, but damage. */
static int leave_clean(struct journal *j)
{
	uint32_t i;

	for (i = 0; i < j->lane_count; i++) {
		nv_store8(j->marker, (uint64_t *)&lane_media(j, i)->clean,
			  (uint64_t)clean_word(&j->lanes[i].s->from));
		lane_end_store(j, &j->lanes[i], lane_end(j, &j->lanes[i]));
	}
	nv_store8(j->marker, (uint64_t *)&state_media(j)->shared_clean,
		  (uint64_t)clean_word(j->own));
	/* after the last use of a slot, and before the lock is given up */
	return nv_fence(j->marker);
}

/* so many lanes have such a word */
static uint32_t leave_lanes(const struct journal *j)
{
	return health_on_file(j) ? (uint32_t)min_u64(j->stand_in_geometry.lanes, j->lane_count) :
				   j->lane_count;
}

void leave_pool(struct journal *j)
{
	struct slots_from from;
	uint32_t i;

	if (j->own->line == NO_LINE)
		(void)pool_take(j, j->own);
	for (i = 0; i < leave_lanes(j); i++)
		if (j->lanes[i].s->from.line == NO_LINE)
			(void)pool_take(j, &j->lanes[i].s->from);
	slots_from_none(&from);
	while (pool_take(j, &from))
		line_leave(j, &from);
}

/* The stand-in of NVRAM has no word that says where a line is gone on in. */
static void leave_all(struct journal *j)
{
	uint32_t i;

	for (i = 0; i < j->lane_count; i++)
		line_leave(j, &j->lanes[i].s->from);
	line_leave(j, j->own);
}

int leave_lines(struct journal *j)
{
	/* the last checkpoint has these words: stand_in.c */
	j->leaves_clean = health_on_file(j);
	if (j->leaves_clean)
		return 0;
	if (!j->bits_durable || health_bits_durable(j))
		return leave_clean(j);
	leave_all(j);
	return 0;
}
