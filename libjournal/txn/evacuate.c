/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/evacuate.h"

#include <errno.h>
#include <stdlib.h>

#include "txn/cell.h"
#include "txn/destage.h"
#include "txn/holds.h"
#include "txn/logs.h"
#include "txn/read.h"
#include "txn/segment.h"
#include "txn/slots.h"
#include "txn/stream.h"

#define EVACUATE_MANY 4096u /* become durable together */

struct evacuation {
	struct journal *j;
	struct destage_move *moves;
	uint32_t count, room;
	uint64_t copied; /* the place of the last group of which there is a copy */
	uint64_t first_ticket, last_ticket, lost;
};

/* All that was copied is durable, then the index says so. */
static int evacuate_publish(struct evacuation *e)
{
	struct journal *j = e->j;
	int error = e->count ? stream_wait(&j->streams[0], e->first_ticket, e->last_ticket) : 0;
	struct cell *cell;
	uint32_t i;

	for (i = 0; error == LOG_OUT && i < e->count; i++)
		holds_end(j, e->moves[i].segment, 1);
	if (error)
		e->count = 0;
	if (error || !e->count)
		return logs_out_say(j, error);
	cell = cell_take(j, 0);
	for (i = 0; i < e->count; i++)
		if (!destage_move(j, cell, &e->moves[i]))
			segment_release(j, e->moves[i].segment, 1);
	cell_drop(cell);
	count(j->counters, COUNT_DESTAGED, e->count);
	atomic_fetch_add(&j->shared->evacuated, e->count);
	e->count = 0;
	return 0;
}

static void evacuate_record(const struct stage_meta *meta, uint32_t line,
			    struct stream_record *record)
{
	*record = (struct stream_record){
		.meta = {
			.type = LOG_DATA, .count = meta->count, .id = meta->id, .line = line,
			.slot = id_slot(meta->id), .line_epoch = id_number(meta->id),
			.time_ns = meta->time_ns, .tag = meta->tag,
			.reference = meta->reference, .extents = 1,
			.bytes = meta->bytes, .total_bytes = meta->bytes,
		},
	};
}

/* What of the record is still staged moves to its copy.  Return: how many do */
static uint32_t evacuate_moves(struct evacuation *e, const struct stream_record *record,
			       uint64_t from, const struct stream_place *place)
{
	const struct log_meta *meta = &record->meta;
	struct journal *j = e->j;
	uint32_t i, moves = 0;
	struct found found;

	for (i = 0; i < meta->count; i++) {
		if (found_look(j, meta->id + i, &found) || found.where != from)
			continue;
		e->moves[e->count++] = (struct destage_move){
			.slot = &j->slots[(size_t)meta->line * SLOTS_PER_LINE + meta->slot + i],
			.line = &j->lines[meta->line],
			.number = meta->line_epoch,
			.at = meta->slot + i,
			.from = from,
			.to = where_log(place->segment->number, place->offset, 0),
			.units = (uint32_t)(log_record_bytes(meta->bytes) / 32),
			.segment = place->segment,
		};
		moves++;
	}
	return moves;
}

/*
 * The record is one in the log, too, whatever of a group has been retired since.  It may be
 * one that nobody was told of yet, and the log alone says then that it is committed: of
 * several records a crash could leave some (P3).
 */
static int evacuate_append(struct evacuation *e, const struct stage_meta *meta,
			   const uint8_t *payload, uint64_t from, uint32_t line)
{
	struct journal *j = e->j;
	struct stream_record record;
	struct stream_place place;
	uint32_t moves;
	int error = e->count + meta->count > e->room ? evacuate_publish(e) : 0;

	evacuate_record(meta, line, &record);
	record.payload = payload;
	if (!error)
		error = stream_append(&j->streams[0], &record, true, &place);
	if (error)
		return error;
	e->copied = from;
	e->last_ticket = place.ticket;
	if (!e->count)
		e->first_ticket = place.ticket;
	moves = evacuate_moves(e, &record, from, &place);
	/* nothing of it lives any more, or holds the copy */
	if (moves < meta->count)
		holds_end(j, place.segment, meta->count - moves);
	return 0;
}

/* It is lost, and is to be named so: what stays staged behind an evacuation has been told
 * to nobody.  Unless it was destaged or retired while we read. */
static void evacuate_lose(struct evacuation *e, const struct found *found, uint32_t line)
{
	struct slot *slot = &e->j->slots[(size_t)line * SLOTS_PER_LINE + id_slot(found->id)];
	uint64_t where = found->where; /* a position is one transaction's, for ever */
	struct found again;

	if (atomic_compare_exchange_strong(&slot->where, &where, where_lost()) &&
	    !found_look(e->j, found->id, &again))
		e->lost++;
}

static int evacuate_one(struct evacuation *e, uint64_t id, uint32_t line)
{
	struct found found;
	struct stage_meta meta;
	const uint8_t *data;
	uint8_t *copy;
	int error;

	if (found_look(e->j, id, &found) || where_kind(found.where) != WHERE_STAGE ||
	    found.where == e->copied)
		return 0;
	error = read_staged_meta(e->j, &found, &meta, &copy, &data);
	if (!error)
		error = evacuate_append(e, &meta, copy, found.where, line);
	free(copy);
	if (error != -EBADMSG)
		return error;
	evacuate_lose(e, &found, line);
	return 0;
}

static int evacuate_line(struct evacuation *e, uint32_t line)
{
	const struct line *state = &e->j->lines[line];
	uint64_t live, number = atomic_load(&state->number);
	uint32_t word;
	int error = 0;

	for (word = 0; number && word < MARKER_LINE_WORDS; word++) {
		live = atomic_load(&state->committed[word]) & ~atomic_load(&state->claimed[word]);
		for (; live && !error; live &= live - 1)
			error = evacuate_one(e, id_make(number, word * 64 +
							(uint32_t)__builtin_ctzll(live)), line);
	}
	return error;
}

int evacuate(struct journal *j, uint64_t *lost)
{
	struct evacuation e = { .j = j, .room = EVACUATE_MANY };
	uint32_t line;
	int error = stream_buffers(&j->streams[0]), published;

	e.moves = malloc(EVACUATE_MANY * sizeof(*e.moves));
	if (!e.moves)
		return journal_say(j, -ENOMEM, "no memory to empty the stage");
	for (line = 0; line < atomic_load(&j->shared->lines_used) && !error; line++) {
		error = evacuate_line(&e, line);
		atomic_fetch_add_explicit(&j->shared->switcher_beat, 1, memory_order_relaxed);
	}
	/* also after an error: what was copied has holds on its segments */
	published = evacuate_publish(&e);
	free(e.moves);
	if (lost)
		*lost = e.lost;
	return error ? error : published;
}

int evacuate_id(struct journal *j, uint64_t id)
{
	struct destage_move moves[JOURNAL_GROUP_MAX];
	struct evacuation e = { .j = j, .moves = moves, .room = JOURNAL_GROUP_MAX };
	uint32_t line = index_find(j, id_number(id));
	int error = stream_buffers(&j->streams[0]), published;
	struct found found;

	if (!error && line != NO_LINE)
		error = evacuate_one(&e, id, line);
	published = evacuate_publish(&e);
	if (error || published)
		return error ? error : published;
	/* by us or by another one, who could not read it either */
	return !found_look(j, id, &found) && where_kind(found.where) == WHERE_LOST ? -EBADMSG : 0;
}
