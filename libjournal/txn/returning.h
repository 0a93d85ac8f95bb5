/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NVRAM that is trusted again, while any number of processes go on (P14).
 *
 *  1. A new medium beside the old one, empty, under a higher incarnation; and the
 *     journal.conf that names it, beside the one in force.
 *  2. health = returning, by one compare-and-swap.  From here on, who changes something
 *     makes it durable on the new medium, too (struct settled).
 *  3. A barrier on all processors: who has looked before is in the index by now.
 *  4. The index is marked on the new medium, line by line; a fence.
 *  5. The new medium gets its name; then journal.conf: THE POINT.
 *  6. health = trusted.
 *
 * From 2 on each step may be done by anybody, twice, and late.  One who is stopped in it
 * stops nobody: in between all is right by both media.  It is called off before 5 by
 * taking the journal.conf of 1 away: who does that, or who renames it, wins.
 *
 * Not while somebody is giving NVRAM up, or has it yet to find out that this is over: he
 * may write a journal.conf of his own (member.switching).
 */
#ifndef TXN_RETURNING_H
#define TXN_RETURNING_H

#include "txn/health.h"

/* so long NVRAM has to be sound before it is gone back to */
#define RETURN_STEADY_NS 10000000000ull

/* NVRAM is given up: go back to it when it has been sound for @steady_ns, and 2, 4, 8...
 * times as long when it was soon given up before.  Return: 0, or the sticky failure */
int returning_watch(struct journal *j, uint64_t steady_ns);

/* now.  Return: 0; -EAGAIN not just now; or negative errno with the text: all is as it was */
int returning_try(struct journal *j);
/* by order: to where nothing is, or what may be written over */
struct return_where;
int returning_try_at(struct journal *j, const struct return_where *where);

/* what somebody has begun, to its end.  Return: as returning_try() */
int returning_help(struct journal *j);

/* @word is a return that cannot go on.  Return: 0: it is over, either way; or the sticky
 * failure */
int returning_cancel(struct journal *j, uint64_t word);

/* it was given up again */
void returning_relapsed(struct journal *j);

#endif
