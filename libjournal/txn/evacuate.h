/* SPDX-License-Identifier: BSD-3-Clause */
/* Bringing all that is staged to the log, whoever has its lane. */
#ifndef TXN_EVACUATE_H
#define TXN_EVACUATE_H

#include "txn/journal_impl.h"

/**
 * evacuate() - what is staged now, and readable, has a durable copy in the log after
 * @lost: receives how many could not be read: they are lost, by their ids; may be NULL
 *
 * So what is staged behind it, in a lane of that turn, was published too late for it, and
 * is told to nobody before he who published it has brought it to the log (health_unstage());
 * if he is dead nobody ever is, and who takes over ends it (takeover_lane.c).
 *
 * Goes by the index and takes no lane, so that nobody waits for one who was stopped
 * with his (P14).  What is retired or destaged meanwhile is left alone.
 * Context: takes stream locks; blocks for writing the log.
 * Return: 0; -ENOSPC, -ENOMEM with the text; or the sticky failure.
 */
int evacuate(struct journal *j, uint64_t *lost);

/* The same for one of them, and all that it was committed with.  Return: 0: it is not staged
 * any more, durably so; -EBADMSG: it cannot be read, and is lost; or as evacuate(). */
int evacuate_id(struct journal *j, uint64_t id);

#endif
