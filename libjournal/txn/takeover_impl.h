/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the takeover*.c files.  Each returns 0 or the sticky failure. */
#ifndef TXN_TAKEOVER_IMPL_H
#define TXN_TAKEOVER_IMPL_H

#include "txn/journal_impl.h"

/* takeover.c: all that member @number had.  Return: or -EAGAIN, as takeover_lanes() */
int takeover_all(struct journal *j, uint32_t number);
/* the line that was being opened */
void takeover_opening(struct journal *j, struct slots_from *from);
/* slots below @limit that were taken and are neither committed nor given up will
 * never be live: durably, then for all to see.  Nothing if @line has moved on from
 * epoch @number. */
int takeover_line(struct journal *j, uint32_t line, uint64_t number, uint32_t limit);

/* takeover_lane.c: the lanes that member @number had leased.  Return: or -EAGAIN: NVRAM is
 * being given up; some are still to be taken over, and all else is to be, first */
int takeover_lanes(struct journal *j, uint32_t number);
/* takeover_move.c: what the dead cleaner was moving to another line */
int takeover_moves(struct journal *j, uint32_t number);
/* what was on its way when NVRAM was given up, once it is gone back to.  Context: @mine is
 * the caller's, and has nothing under way.  Return: 0 or negative errno */
int takeover_moves_over(struct journal *j, struct clean_job *mine);
/* takeover_head.c: the heads */
int takeover_heads(struct journal *j, uint32_t number);

#endif
