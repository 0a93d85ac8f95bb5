/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Marks on a new medium, from the index: which transactions live (P14).  What takes a
 * medium's place is written as a whole, by nobody else seen, and comes into force by
 * journal.conf: so there is nothing to merge.
 *
 * A line is open under its epoch.  Every slot that does not live is retired; one that
 * does has its commit bit cleared, whatever committed it.  So the map is a list of
 * what lives: what of it is found in the log later is where it is, what is not is
 * lost, by id.
 */
#ifndef TXN_REMARK_H
#define TXN_REMARK_H

#include "txn/journal_impl.h"

/**
 * struct remark - what is to be marked
 * @from:        the index.  Context: nobody else has it
 * @incarnation: the new medium's; above all that was ever drawn
 * @replay_seq:  retire records of the segments before are in the index
 * @abandoned:   the highest incarnation of the medium before
 */
struct remark {
	struct journal *from;
	uint64_t incarnation, replay_seq, abandoned;
};

static inline uint32_t remark_lines_used(const struct remark *r)
{
	return r->from->shared->lines_used;
}

/* state and lines; durable with the caller's fence, or its checkpoint */
void remark_write(const struct remark *r, struct marker_store *store,
		  const struct marker_geometry *g);

/* Return: 0, or -EUCLEAN with the text: a line's epoch is damaged, so nobody knows what
 * lives in it */
int remark_possible(struct journal *j);

#endif
