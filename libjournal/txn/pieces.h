/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transactions in several pieces.  One is found by its final record alone: the
 * payload of that ends with a table of the other pieces, and is read when they
 * are wanted.  Nothing of it is kept in memory.
 *
 * A table here is always as it lies on the medium: 8 bytes little-endian for
 * each piece but the last, segment << 32 | offset, at any address.
 */
#ifndef TXN_PIECES_H
#define TXN_PIECES_H

#include <string.h>

#include "txn/read.h"

static inline uint64_t pieces_where(const void *table, uint32_t i)
{
	__le64 where;

	memcpy(&where, (const uint8_t *)table + (size_t)i * 8, 8);
	return get_le64(where);
}

/**
 * pieces_final() - the final record of a transaction, with a table that makes sense
 * @id: or 0, not known
 * @where, @units: of its slot
 * @table: of the @final->meta.extents - 1 other pieces; inside @final->buffer
 * Return: as record_read(); @final->buffer is to be freed in any case.
 */
int pieces_final(struct journal *j, uint64_t id, uint64_t where, uint32_t units,
		 struct record *final, const uint8_t **table);

/**
 * piece_read() - piece @index of transaction @id, which is not the last, at @where
 * Return: as record_read(); @record->buffer is to be freed in any case.
 */
int piece_read(struct journal *j, uint64_t id, uint32_t index, uint64_t where,
	       struct record *record);

/*
 * Each segment with pieces of a transaction is held once for it; that of the
 * final record, @final, as any record's is, and so left out here.  NO_SEGMENT:
 * there is no final record yet.
 */
void pieces_hold(struct journal *j, const void *table, uint32_t pieces, uint32_t final);
void pieces_release(struct journal *j, const void *table, uint32_t pieces, uint32_t final);
/* the final record is about to name them, or does not any more (holds.h) */
void pieces_settle(struct journal *j, const void *table, uint32_t pieces, uint32_t final);
void pieces_count(struct journal *j, const void *table, uint32_t pieces, uint32_t final);

#endif
