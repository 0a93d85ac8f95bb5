/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moving transactions to slots of another line (P2): same id, new slot.  So no line is
 * held for ever by one that lives long, and what lives long lies together.
 *
 *  1. The record is read and verified.
 *  2. A slot of the mover's line is announced for it in its entry (moved.h), under a
 *     cell on its old line; then the claim on the old slot is looked at: retired
 *     already, it is left.  Who retires it from here on sees the announcement.
 *  3. A copy that certifies itself, with one move more, goes to the cleaner's stream,
 *     and is durable.
 *  4. Under a cell on the old line: is it still there?  Then the new slot is marked
 *     committed, the entry is changed, and the old slot is claimed, and retired on
 *     the medium.  Else the new slot is.
 *  5. That is durable.
 *  6. The entry has no other place any more; what the old slot had in the log is given
 *     up.
 *
 * The mover has a cell on its own line from before 2 until after 6, and for so long the
 * old line is its own to move from (struct line, mover).
 *
 * A crash before 3 leaves copies that nobody relies on; between 3 and 5 two that are
 * live, of which recovery takes the one with more moves, and retires the other; after
 * 5 one.  Who takes over from a dead mover brings what is published, or committed in its
 * new slot, to its end, and retires the other slots.
 */
#ifndef TXN_MOVE_H
#define TXN_MOVE_H

#include "txn/moved.h"

#define MOVE_BATCH 256u

/**
 * move_slots() - move what lives in @count slots, as far as it can be
 * @job: the caller's
 * @how: MOVE_RESERVED: may use the cleaner's segment; MOVE_TOGETHER: they lie in one
 * segment, in this order
 * What is in the stage is left (clean_lines.c destages it before), and what is in a line
 * that another job moves; and what does not verify: that is lost, and its slot says so
 * from here on.
 * Return: 0, -ENOSPC no room in the log, or no line to move to, -ENOMEM, or the sticky
 * failure.
 */
#define MOVE_RESERVED 1u
#define MOVE_TOGETHER 2u
int move_slots(struct journal *j, struct clean_job *job, const struct slot_place *from,
	       uint32_t count, unsigned int how);

/* the last one leaves: the movers' lines are not gone on with */
void move_end(struct journal *j);

#endif
