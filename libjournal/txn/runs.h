/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the number of a segment to its place: format/run.h, in the mapping that all
 * processes share.  Numbers stay what they are when logs come and go, or become longer
 * or shorter: records, digests and tables of large transactions name them.
 */
#ifndef TXN_RUNS_H
#define TXN_RUNS_H

#include "format/run.h"
#include "txn/journal_impl.h"

static inline uint64_t runs_second(uint32_t log, uint64_t offset)
{
	return (uint64_t)log << 56 | offset;
}

static inline uint32_t runs_second_log(uint64_t second)
{
	return (uint32_t)(second >> 56);
}

static inline uint64_t runs_second_offset(uint64_t second)
{
	return second & ((1ull << 56) - 1);
}

/* numbers that the mapping has room for, so that a journal in use can grow */
uint32_t runs_room(const struct journal *j);

/**
 * runs_begin() - at open, before recovery: all of journal.conf's
 * Return: 0 or -ENOMEM with the text.
 */
int runs_begin(struct journal *j);

/* Segments [from, to) of @run get their places.  They are nobody's yet. */
void runs_place(struct journal *j, const struct log_run *run, uint32_t from, uint32_t to);

/* where the second copies of digests go, by @runs; of segments that have places */
void runs_point_seconds(struct journal *j, const struct log_runs *runs);

/* the number of a segment: which log, and which index in it; false: there is none */
bool runs_find(const struct log_runs *runs, uint32_t number, uint32_t *log, uint32_t *index);

#endif
