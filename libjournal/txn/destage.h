/* SPDX-License-Identifier: BSD-3-Clause */
/* Moving staged transactions to the log. */
#ifndef TXN_DESTAGE_H
#define TXN_DESTAGE_H

#include "txn/journal_impl.h"

/**
 * destage() - free at least @want bytes at the tail of @lane, if it has them
 *
 * What was retired is skipped and never touches the disk.  The rest becomes
 * LOG_DATA records, which certify themselves and keep their slots (P6).
 * Context: the lane's holder; blocks for log writes.
 * Return: 0, -ENOSPC, -ENOMEM, -EBADMSG the stage does not read back, or the
 * sticky failure.
 */
int destage(struct journal *j, struct lane *lane, uint64_t want);

/* one transaction on its way; its copy is durable, and holds @segment */
struct destage_move {
	struct slot *slot;
	struct line *line;
	uint64_t number;
	uint32_t at; /* slot in the line */
	uint64_t from, to;
	struct segment *segment;
};

struct cell;

/**
 * destage_move() - from here on the copy is read
 * @cell: the caller's, of any line
 * Return: false: it was retired or moved meanwhile: the caller releases the segment.
 */
bool destage_move(struct journal *j, struct cell *cell, const struct destage_move *move);

#endif
