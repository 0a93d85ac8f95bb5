/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/reserve.h"

#include "format/summary.h"
#include "txn/segment.h"

/*
 * Enough for a stage of transactions of some ten bytes (64 bytes of stage become
 * 96 of record and 8 of table), and two.  Retire records of a checkpointed
 * journal need two: one that fills, and one to go on in before it is sealed;
 * sealed it holds nothing live, and a checkpoint frees it.  And the cleaner's.
 */
static uint32_t reserve_segments(const struct journal *j, bool staged)
{
	uint64_t stage = staged ? j->geometry.ring_bytes * j->geometry.lanes : 0;

	return (uint32_t)(stage / 64 * 104 / segment_room(j)) + 2 + reserve_clean(j);
}

/*
 * A lane's share.  One segment is left out, since the head may be sealed before it
 * is full: by an open after a crash, behind a record that is torn.  And of each
 * segment: the piece at its end, and a line that goes on in it.  (Destages fill
 * segments one after the other, so that there is one such line at most.)
 */
static uint64_t reserve_share(const struct journal *j, uint64_t line_cost)
{
	uint64_t lost = RESERVE_PIECE_BYTES + 64 + line_cost + j->block_bytes;
	uint64_t room = segment_room(j), all;

	if (room <= lost)
		return 0;
	all = (reserve_segments(j, true) - reserve_clean(j) - 1) * (room - lost);
	/* A lane may be destaged in two parts: some had begun when the reserve was
	 * reached.  Each begins with a line and ends with a block that is not full. */
	lost = j->lane_count * (line_cost + j->block_bytes);
	return all > lost ? (all - lost) / j->lane_count : 0;
}

void reserve_make(struct journal *j)
{
	uint64_t line_cost = segment_room(j) / summary_lines_max(j->digest_bytes) + 1;
	uint64_t share;
	uint32_t i;

	share = reserve_share(j, line_cost);
	for (i = 0; i < j->lane_count; i++) {
		j->lanes[i].line_cost = line_cost;
		j->lanes[i].owed_max = share;
	}
}

void reserve_set(struct journal *j, bool staged)
{
	atomic_store(&j->shared->segments_reserve, reserve_segments(j, staged));
}
