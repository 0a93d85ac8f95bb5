/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where each transaction is.  An id is line epoch and slot, so the index is
 * two arrays: slots, 512 to a line, and a small table from epoch number to
 * line.  Nothing is allocated for a transaction.  24 bytes a slot.
 *
 * Threads, processes: nothing here takes a lock.
 */
#ifndef TXN_INDEX_H
#define TXN_INDEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct journal;
struct line;

/*
 * Where a record lies, in one word that is exchanged atomically:
 *
 *   kind 2 | stage: lane 6 | position 56
 *   kind 2 | log:   direct 1 | multi 1 | segment 28 | offset 32
 */
enum where_kind { WHERE_NONE = 0, WHERE_STAGE = 1, WHERE_LOG = 2, WHERE_LOST = 3 };

#define WHERE_DIRECT (1ull << 61) /* committed by its bit */
#define WHERE_MULTI  (1ull << 60) /* in several pieces: this is the final record, pieces.h */

struct slot {
	_Atomic uint64_t where;
	/* readers of the transaction before may look meanwhile (found_look()) */
	_Atomic uint64_t time_ns;
	_Atomic uint32_t bytes; /* payload of this transaction */
	/* of the whole record, 32 bytes each.  Staged: of the record that destaging
	 * will make, so that destaging changes nothing but where */
	_Atomic uint32_t units;
};

static inline enum where_kind where_kind(uint64_t where)
{
	return (enum where_kind)(where >> 62);
}

static inline uint64_t where_stage(uint32_t lane, uint64_t position)
{
	return (uint64_t)WHERE_STAGE << 62 | (uint64_t)lane << 56 | position;
}

static inline uint32_t where_lane(uint64_t where)
{
	return (uint32_t)(where >> 56) & 63;
}

static inline uint64_t where_position(uint64_t where)
{
	return where & ((1ull << 56) - 1);
}

static inline uint64_t where_log(uint32_t segment, uint32_t offset, uint64_t flags)
{
	return (uint64_t)WHERE_LOG << 62 | flags | (uint64_t)segment << 32 | offset;
}

static inline uint32_t where_segment(uint64_t where)
{
	return (uint32_t)(where >> 32) & 0x0fffffff;
}

static inline uint32_t where_offset(uint64_t where)
{
	return (uint32_t)where;
}

/* The segment with what is left of it, if it has one, is held: it is the only
 * witness of the loss until the transaction is retired. */
#define WHERE_LOST_SEGMENT (1ull << 61)

static inline uint64_t where_lost(void)
{
	return (uint64_t)WHERE_LOST << 62;
}

static inline uint64_t where_lost_in(uint32_t segment)
{
	return where_lost() | WHERE_LOST_SEGMENT | (uint64_t)segment << 32;
}

struct index {
	_Atomic uint32_t *table; /* line + 1; 0: empty */
	uint32_t mask;           /* of buckets */
	_Atomic uint32_t *overflow; /* as table; what recovery could not place */
};

/* how large the table is for so many lines, and its mask */
uint64_t index_table_entries(uint32_t lines);
uint32_t index_mask(uint32_t lines);
/* Return: false when the bucket is full: take another number. */
bool index_add(struct index *index, uint64_t number, uint32_t line);
/* recovery, alone: never refuses; what finds no room slows every look-up a little */
void index_add_always(struct journal *j, uint64_t number, uint32_t line);
void index_remove(struct journal *j, uint64_t number, uint32_t line);
/* Return: the line with that epoch number, or NO_LINE. */
uint32_t index_find(const struct journal *j, uint64_t number);

/* a transaction that is committed and that nobody has claimed to retire */
struct slot *index_live(const struct journal *j, uint64_t id);

#endif
