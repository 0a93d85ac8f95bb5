/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a process sees of the marker medium, turn by turn (health_word.h).
 *
 * A medium that is gone back to is a new file, never the bytes of the one before: who was
 * stopped in the middle of a store may go on with it any time.  The map stays where it
 * is, so that no pointer into it is ever wrong, and shows the new medium in two parts:
 *
 *   superblocks, state, lanes, lines   at once, by who first needs it (view_ready())
 *   the ring of a lane                 by its holder, when the lane is leased in a new
 *                                      turn; by readers, when its holder has said so
 *
 * So a lane that is held from one turn to the next keeps its ring, and a transaction that
 * is open there still goes to the log.  Bits that somebody late stores among the lines
 * reach the medium of the turn, and are right there: he has a cell on the line, or an
 * open slot in it, so it is not recycled (tests/model/p14.pml, BREAK_REFORMAT_CELL,
 * BREAK_REFORMAT_LANE).
 */
#ifndef TXN_VIEW_H
#define TXN_VIEW_H

#include "txn/health_word.h"
#include "txn/journal_impl.h"

/* the first medium: where it is, for who joins later; Return: 0 or negative errno */
int view_first(struct journal *j);

/* what is committed survives as much as the medium of markers, of @class, and the logs */
void view_survives(struct journal *j, enum journal_class class);

/* see the medium that @word is about.  Return: 0; or negative errno with the text */
int view_adopt(struct journal *j, uint64_t word);

static inline uint64_t view_turn(const struct journal *j)
{
	return atomic_load_explicit(&j->view_turn, memory_order_acquire);
}

/* All before the stage is the medium of @word's turn, or of a later one. */
static inline int view_ready(struct journal *j, uint64_t word)
{
	return view_turn(j) >= health_turn(word) ? 0 : view_adopt(j, word);
}

/* @lane's ring, as lane.turn says: else what is read there is nothing.
 * Return: 0; -ESTALE the lane was not used since an older turn; or negative errno */
int view_lane(struct journal *j, struct lane *lane);

/* Context: the lane's holder, in the turn of lane->seen, which is the journal's.  The
 * ring is that medium's, and empty.  Return: whether it can be used */
bool view_lane_enter(struct journal *j, struct lane *lane);

/* ---- a line, from the index to the medium ---- */

/*
 * All that the index says of @line is stored: its epoch, what is committed and not
 * retired, what is claimed.  Any number may do so at once, at any time, and late: nothing
 * is taken back by it.  Durable with the next fence.
 */
void view_mark_line(struct journal *j, uint32_t line);

/* member @who is dead: what it was making that is not in use is nobody's */
void view_forget(struct journal *j, uint32_t who);

#endif
