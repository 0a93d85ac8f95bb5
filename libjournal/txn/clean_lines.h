/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cleaning lines: what still lives in mostly dead ones is moved to another (move.h), and
 * so they are free.  Whoever needs a line does it, many at a time, or who calls
 * journal_maintain() before.  It is the cleaner's job, as cleaning segments is (clean.h).
 */
#ifndef TXN_CLEAN_LINES_H
#define TXN_CLEAN_LINES_H

#include "txn/journal_impl.h"

/* how many of a line's slots may live for it to be cleaned */
#define CLEAN_LINES_MOSTLY_DEAD 64u  /* ahead of need */
#define CLEAN_LINES_NEED        448u /* rather than having none */

/* lines that only the cleaner takes */
uint32_t clean_lines_reserve(const struct journal *j);

/* whether anything may be moved to another line: not once NVRAM is given up (P14) */
bool clean_lines_may(const struct journal *j);

/* whether fewer than one of @share lines are free above those */
bool clean_lines_due(const struct journal *j, uint32_t share);
#define CLEAN_LINES_IN_LINE    32u
#define CLEAN_LINES_BACKGROUND 16u

/**
 * clean_lines_step() - clean some lines, those that are worth it most
 * @most:   that may live in one
 * @gained: receives how many are free, or will be with the next retire of another one
 * Context: no stream's lock; one at a time among all processes, but for those that are
 * stopped (clean_job.h), and the others do not wait.
 * Return: 0, -EBUSY another one cleans, -ENOSPC, -ENOMEM, or the sticky failure.
 */
int clean_lines_step(struct journal *j, uint32_t most, uint32_t *gained);

/* before a line is taken: while few are free, some that are mostly dead */
void clean_lines_ahead(struct journal *j);

/* Before it is said that there are none.  Return: whether there may be one. */
bool clean_lines_for_room(struct journal *j);

#endif
