/* SPDX-License-Identifier: BSD-3-Clause */
/* Moving staged transactions to the log. */
#ifndef TXN_DESTAGE_H
#define TXN_DESTAGE_H

#include "txn/journal_impl.h"

/* a lane of which some is to go */
struct destage_part {
	struct lane *lane;
	uint64_t want; /* bytes at its tail, at least, if it has them */
	uint64_t tail; /* how far it comes */
	uint32_t next;
	int error;     /* why no farther */
};

/**
 * destage_parts() - free what is wanted of some lanes, durable together
 * @s:        the stream that takes it
 * @reserved: may use the segments that are set aside.  Room for new transactions is
 *            made without; so of several processes none takes of the reserve what
 *            another one counts on, each with a head of its own (decision 7)
 *
 * What was retired is skipped and never touches the disk.  The rest becomes
 * LOG_DATA records, which certify themselves and keep their slots (P6).
 * Context: the lanes' holder; blocks for log writes.
 * Return: 0 (each part has its own error: -ENOSPC, -ENOMEM, -EBADMSG the stage does not
 * read back), or the sticky failure.
 */
int destage_parts(struct journal *j, struct stream *s, struct destage_part *parts, uint32_t n,
		  bool reserved);

/* The same for one lane, by one of the streams of commits. */
int destage(struct journal *j, struct lane *lane, uint64_t want, bool reserved);

/* one transaction on its way; its copy is durable, and holds @segment */
struct destage_move {
	struct slot *slot;
	struct line *line;
	uint64_t number;
	uint32_t at; /* slot in the line */
	uint64_t from, to;
	uint32_t units; /* of the copy, of 32 bytes, with others in it; 0: it is alone in it */
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
