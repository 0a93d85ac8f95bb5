/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/pieces.h"

#include <errno.h>

#include "txn/holds.h"

/* A table may be what is left of an aborted transaction, and name a segment that has gone
 * since. */
static bool piece_sane(const struct journal *j, uint64_t where)
{
	return where >> 32 < segments_end(j) &&
	       segment_is_there(&j->segments.all[where >> 32]) &&
	       (uint32_t)where < j->segment_bytes && (uint32_t)where % LOG_RECORD_ALIGN == 0;
}

int pieces_final(struct journal *j, uint64_t id, uint64_t where, uint32_t units,
		 struct record *final, const uint8_t **table)
{
	const struct log_meta *meta = &final->meta;
	uint32_t i;
	int error = record_read(j, where_segment(where), where_offset(where), units * 32ull,
				final);

	if (error)
		return error;
	/* who takes over what a dead one left in a line of moved ones knows no ids */
	if (meta->type == LOG_RETIRE || (id && meta->id != id) || meta->extents < 2)
		return -EBADMSG;
	*table = final->payload + meta->bytes - (meta->extents - 1ull) * 8;
	for (i = 0; i + 1 < meta->extents; i++)
		if (!piece_sane(j, pieces_where(*table, i)))
			return -EBADMSG;
	return 0;
}

int piece_read(struct journal *j, uint64_t id, uint32_t index, uint64_t where,
	       struct record *record)
{
	int error;

	record->buffer = NULL;
	if (!piece_sane(j, where))
		return -EBADMSG;
	error = record_read(j, (uint32_t)(where >> 32), (uint32_t)where, record_bytes_max(),
			    record);
	if (!error && (record->meta.type != LOG_EXTENT || record->meta.id != id ||
		       record->meta.extent != index || record->meta.extents))
		error = -EBADMSG;
	return error;
}

/* The segment to hold or release for piece @i, or NO_SEGMENT: the pieces in one
 * segment follow one another, and the final record has a hold of its own. */
static uint32_t piece_segment(const void *table, uint32_t i, uint32_t final)
{
	uint32_t segment = (uint32_t)(pieces_where(table, i) >> 32);

	if (segment == final || (i && segment == pieces_where(table, i - 1) >> 32))
		return NO_SEGMENT;
	return segment;
}

void pieces_hold(struct journal *j, const void *table, uint32_t pieces, uint32_t final)
{
	uint32_t i, segment;

	for (i = 0; i < pieces; i++) {
		segment = piece_segment(table, i, final);
		if (segment != NO_SEGMENT)
			segment_hold(&j->segments.all[segment], 1);
	}
}

void pieces_release(struct journal *j, const void *table, uint32_t pieces, uint32_t final)
{
	uint32_t i, segment;

	for (i = 0; i < pieces; i++) {
		segment = piece_segment(table, i, final);
		if (segment != NO_SEGMENT)
			segment_release(j, &j->segments.all[segment], 1);
	}
}

void pieces_settle(struct journal *j, const void *table, uint32_t pieces, uint32_t final)
{
	uint32_t i, segment;

	for (i = 0; i < pieces; i++) {
		segment = piece_segment(table, i, final);
		if (segment != NO_SEGMENT)
			holds_settle(j, &j->segments.all[segment], 1);
	}
}

void pieces_count(struct journal *j, const void *table, uint32_t pieces, uint32_t final)
{
	uint32_t i, segment;

	for (i = 0; i < pieces; i++) {
		segment = piece_segment(table, i, final);
		if (segment != NO_SEGMENT)
			holds_count(j, &j->segments.all[segment], 1);
	}
}
