/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moving transactions in several pieces out of a segment: those of the pieces that lie
 * there are appended to the cleaner's stream, then a new final record, whose table says
 * where all of them are by then.  It is found by its final record alone (pieces.h): so
 * with that all of it has its new place, in one word.
 *
 * A piece is a record like before, of type LOG_EXTENT and with no sequence of pieces of
 * its own to be in: what it is worth, a final record says.  Each holds its segment from
 * when it is appended; when the new final record is, that takes over (pieces_hold()).
 *
 * Old pieces and old final record stay what they were until they are given up, after the
 * exchange: so of a retire and a move one gets the old place with all that it holds, and
 * the other the new one.  A crash leaves either table, or both: the final record with
 * more moves is taken.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "txn/cell.h"
#include "txn/clean_impl.h"
#include "txn/holds.h"
#include "txn/pieces.h"
#include "txn/segment.h"
#include "txn/slots.h"
#include "txn/stream.h"

/* one on its way */
struct large_move {
	struct clean *c;
	const struct large *large;
	struct record final;
	const uint8_t *from; /* table, as it is */
	__le64 *to;          /* and as it will be */
	uint32_t pieces, copied;
	struct segment *segment; /* of the new final record; NULL: there is none */
	uint64_t where;
};

/* ---- looking ---------------------------------------------------------------------- */

static uint32_t large_segment(const void *table, uint32_t i)
{
	return (uint32_t)(pieces_where(table, i) >> 32);
}

/* As pieces_hold() counts: a run of pieces once, and the final record. */
static void large_measure(const struct clean *c, const struct record *final,
			  const uint8_t *table, struct large *large)
{
	uint32_t i, here = c->victim->number, segment = where_segment(large->from);

	large->holds = segment == here;
	large->cost = log_record_bytes(final->meta.bytes);
	for (i = 0; i + 1 < final->meta.extents; i++) {
		if (large_segment(table, i) != here)
			continue;
		large->cost += LOG_BUFFER_BYTES;
		large->holds += segment != here && (!i || large_segment(table, i - 1) != here);
	}
	/* all but the last piece are full, of what is left */
	large->cost = min_u64(large->cost, log_record_bytes(final->meta.total_bytes) +
						   final->meta.extents * 4096ull);
}

static void large_keep(struct clean *c, const struct large *large)
{
	uint32_t room = c->large_room ? c->large_room * 2 : 16;
	struct large *grown;

	if (c->large_count == c->large_room) {
		grown = realloc(c->larges, room * sizeof(*grown));
		if (!grown) {
			c->no_memory = true;
			return;
		}
		c->larges = grown;
		c->large_room = room;
	}
	c->larges[c->large_count++] = *large;
}

static bool large_is_known(const struct clean *c, const struct slot_place *at)
{
	uint32_t i;

	for (i = 0; i < c->large_count; i++)
		if (slot_place_same(&c->larges[i].at, at))
			return true;
	return false;
}

/* still what it was when it was looked at */
static bool large_is_there(const struct clean *c, const struct large *large)
{
	return slot_place_valid(c->j, &large->at) && !slot_is_claimed(c->j, &large->at) &&
	       atomic_load(&slot_at(c->j, &large->at)->where) == large->from;
}

void clean_large_look(struct clean *c, const struct slot_place *at, uint64_t id, uint64_t where)
{
	struct large large = { .at = *at, .id = id, .from = where };
	const uint8_t *table;
	struct record final;
	int error;

	if (large_is_known(c, at))
		return;
	large.units = atomic_load(&slot_at(c->j, at)->units);
	error = pieces_final(c->j, id, where, large.units, &final, &table);
	if (!error)
		large_measure(c, &final, table, &large);
	free(final.buffer);
	if (error == -ENOMEM)
		c->no_memory = true;
	else if (error && large_is_there(c, &large))
		c->pinned = true; /* not to be read, now: who reads it is told */
	else if (large.holds)
		large_keep(c, &large);
}

uint64_t clean_larges_cost(const struct clean *c)
{
	uint64_t bytes = 0;
	uint32_t i;

	for (i = 0; i < c->large_count; i++)
		bytes += c->larges[i].cost;
	return bytes;
}

/* ---- copying ---------------------------------------------------------------------- */

static void large_meta(const struct large *large, struct log_meta *meta)
{
	/* where it is by now: the pieces were put when it was elsewhere, perhaps */
	meta->line = large->at.line;
	meta->slot = large->at.slot;
	meta->line_epoch = large->at.number;
	meta->moves = (uint32_t)min_u64(meta->moves + 1ull, UINT16_MAX);
}

static int large_copy_piece(struct large_move *m, uint32_t i)
{
	struct stream_record copy = { .tail = NULL };
	struct stream_place place;
	struct record piece;
	int error = piece_read(m->c->j, m->large->id, i, pieces_where(m->from, i), &piece);

	if (!error) {
		copy.meta = piece.meta;
		copy.payload = piece.payload;
		large_meta(m->large, &copy.meta);
		error = clean_append(m->c, &copy, &place);
	}
	free(piece.buffer);
	if (error)
		return error;
	m->to[i] = put_le64((uint64_t)place.segment->number << 32 | place.offset);
	m->copied++;
	return 0;
}

static bool large_piece_moves(const struct large_move *m, uint32_t i)
{
	return large_segment(m->from, i) == m->c->victim->number;
}

/* Each copied piece's own hold, of the first @count. */
static void large_let_go(struct large_move *m, uint32_t count)
{
	struct journal *j = m->c->j;
	uint32_t i;

	for (i = 0; i < m->pieces && count; i++)
		if (large_piece_moves(m, i)) {
			holds_end(j, &j->segments.all[large_segment(m->to, i)], 1);
			count--;
		}
}

static int large_copy_final(struct large_move *m)
{
	const struct log_meta *meta = &m->final.meta;
	struct stream_record copy = {
		.meta = *meta, .payload = m->final.payload,
		.tail = m->to, .tail_bytes = m->pieces * 8,
	};
	struct stream_place place;
	int error;

	large_meta(m->large, &copy.meta);
	copy.meta.type = LOG_DATA;
	error = clean_append(m->c, &copy, &place);
	if (error)
		return error;
	m->segment = place.segment;
	m->where = where_log(place.segment->number, place.offset, WHERE_MULTI);
	pieces_hold(m->c->j, m->to, m->pieces, place.segment->number);
	pieces_count(m->c->j, m->to, m->pieces, place.segment->number);
	return 0;
}

static int large_copy(struct large_move *m)
{
	uint32_t i;
	int error = 0;

	memcpy(m->to, m->from, m->pieces * 8ull);
	for (i = 0; i < m->pieces && !error; i++)
		if (large_piece_moves(m, i))
			error = large_copy_piece(m, i);
	if (!error)
		error = large_copy_final(m);
	/* what they hold is the final record's, or nobody's */
	large_let_go(m, m->copied);
	return error;
}

/* ---- the exchange ------------------------------------------------------------------- */

static void large_release(struct journal *j, const void *table, uint32_t pieces, uint64_t where)
{
	pieces_release(j, table, pieces, where_segment(where));
	segment_release(j, &j->segments.all[where_segment(where)], 1);
}

/* As of any survivor (clean_victim.c); what lost is given up with all that it holds. */
static void large_publish(struct large_move *m)
{
	struct journal *j = m->c->j;
	const struct slot_place *at = &m->large->at;
	struct cell *cell = cell_take(j, at->line);
	uint64_t from = m->large->from;
	bool moved;

	holds_settle(j, m->segment, 1);
	pieces_settle(j, m->to, m->pieces, m->segment->number);
	moved = slot_place_valid(j, at) &&
		atomic_compare_exchange_strong(&slot_at(j, at)->where, &from, m->where);
	cell_drop(cell);
	if (moved)
		large_release(j, m->from, m->pieces, m->large->from);
	else
		large_release(j, m->to, m->pieces, m->where);
	count(j->counters, COUNT_MOVED, moved);
}

/* The copy is lost with its log: all stays where it was. */
static void large_undo(struct large_move *m)
{
	struct journal *j = m->c->j;

	pieces_settle(j, m->to, m->pieces, m->segment->number);
	pieces_release(j, m->to, m->pieces, m->segment->number);
	holds_end(j, m->segment, 1);
}

/* ---- one ------------------------------------------------------------------------------ */

static int large_move_read(struct large_move *m)
{
	int error;

	m->c->first_ticket = m->c->last_ticket = 0;
	error = large_copy(m);
	if (error)
		return error;
	/* pieces and final record durable, before it is found by that */
	error = clean_wait(m->c);
	if (error == LOG_OUT)
		large_undo(m);
	else if (!error)
		large_publish(m);
	return error;
}

static int large_move(struct clean *c, const struct large *large)
{
	struct large_move m = { .c = c, .large = large };
	int error = pieces_final(c->j, large->id, large->from, large->units, &m.final, &m.from);

	if (!error) {
		m.pieces = m.final.meta.extents - 1;
		m.to = malloc(m.pieces * 8ull);
		error = m.to ? large_move_read(&m) : -ENOMEM;
	}
	free(m.to);
	free(m.final.buffer);
	return error;
}

int clean_larges_move(struct clean *c)
{
	uint32_t i;
	int error = 0;

	for (i = 0; i < c->large_count && !error; i++) {
		error = large_move(c, &c->larges[i]);
		if (error != -EBADMSG && error != -EIO)
			continue;
		if (journal_failed(c->j))
			break;
		/* damaged, and who reads it is told; or retired meanwhile */
		c->pinned |= large_is_there(c, &c->larges[i]);
		error = 0;
	}
	return error;
}
