/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cleaning: what still lives in a mostly-dead segment is moved, and so the segment
 * is free.  A moved transaction keeps id, line and slot: one retire bit covers both
 * copies, and which of them is read makes no difference.  Only the place in the log
 * changes, in one word.
 *
 * There is no thread for it: whoever needs a segment cleans, a victim at a time, or
 * who calls journal_maintain() before.
 */
#ifndef TXN_CLEAN_H
#define TXN_CLEAN_H

#include "txn/journal_impl.h"

/* how much of what is in a segment may be alive for it to be cleaned, in 256ths */
#define CLEAN_MOSTLY_DEAD 32u  /* ahead of need: an eighth; more of what is old (clean.c) */
#define CLEAN_NEED        224u /* rather than being full: it must still gain an eighth */

/* in a log of so many segments what was moved again has segments of its own */
#define CLEAN_AGES_FROM 64u

/**
 * clean_step() - clean one segment, if one is worth it
 * @most:   of what is in it that is alive, in 256ths: CLEAN_MOSTLY_DEAD or CLEAN_NEED
 * @gained: receives whether one is free now (after a checkpoint, with `file:`)
 * Context: no lock; one at a time among all processes, but for those that are stopped
 * (clean_job.h), and the others do not wait; blocks for reading and writing one segment
 * at most.
 * Return: 0, -EBUSY another one cleans, -ENOSPC, -ENOMEM, or the sticky failure.
 */
int clean_step(struct journal *j, uint32_t most, bool *gained);

/**
 * clean_segment() - move what lives in @victim, however much that is
 * Context and Return: as clean_step().
 */
int clean_segment(struct journal *j, struct segment *victim, bool *gained);

/* whether fewer than one of @share segments are free above what is set aside */
bool clean_is_due(const struct journal *j, uint32_t share);
#define CLEAN_IN_LINE    32u
#define CLEAN_BACKGROUND 16u /* sooner, so that nobody has to in line */

/* before a segment is taken: while few are free, a few that are mostly dead */
void clean_ahead(struct journal *j);

/* Before the log is called full.  Return: whether one more may be free, or will be
 * after a checkpoint. */
bool clean_for_room(struct journal *j);

/* @member, who is dead, cleans no more: what it held to read it is let go */
void clean_takeover(struct journal *j, uint32_t member);

/* ---- clean_victim.c ---- */

/**
 * clean_victim() - move what lives in @victim
 * @bytes_max: not if that is more
 * Context: the cleaner, with a hold on @victim (segment_keep()).
 * Return: 0, with @gained whether nothing but that hold is left; or as clean_step().
 */
int clean_victim(struct journal *j, struct clean_job *job, struct segment *victim,
		 uint64_t bytes_max, bool *gained);

#endif
