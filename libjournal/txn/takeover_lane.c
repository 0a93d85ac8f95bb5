/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lane whose holder died: its ring says what is in it, from the durable tail on.
 * All that verifies is written back and fenced before anything is published (P7): it
 * may be in caches only.  The rest of its line is given up, for nobody knows how far
 * the holder was with it.
 */
#include <errno.h>

#include "format/group.h"
#include "txn/cell.h"
#include "txn/checkpoint.h"
#include "txn/health.h"
#include "txn/hole.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/ring.h"
#include "txn/slots.h"
#include "txn/takeover_impl.h"

static void lane_tail_read(struct journal *j, struct lane *lane)
{
	struct marker_lane *media = lane_media(j, lane->index);
	uint64_t tail;

	/* written when the tail was moved, or never: then ours is right */
	if (!word_unseal(media->tail, &tail) && !(tail % STAGE_ALIGN))
		lane->s->tail = tail;
	nv_flush(j->marker, &media->tail, sizeof(media->tail));
}

/* In the middle: readers will tell.  What is lost there is still the stage's to witness. */
static int lane_hole(struct journal *j, struct lane *lane, uint64_t to)
{
	struct hole hole = { .lane = lane->index, .from = lane->s->head, .to = to };
	uint64_t id;
	int error = hole_take(j, lane, &hole);

	if (!error && hole_line(j, &hole, &id) != NO_LINE)
		hole_keep(lane, &hole, id);
	return error;
}

/* @more: there is a record at the head, taken into the queue.  Return: 0 or -ENOMEM */
static int lane_record(struct journal *j, struct lane *lane, bool *more)
{
	struct stage_meta meta;
	uint64_t later;
	int error = ring_look(lane, lane->s->head, &meta);

	if (!error) {
		bool data = meta.type == STAGE_DATA;

		nv_flush(j->marker, ring_at(lane, lane->s->head),
			 data ? stage_record_bytes(meta.bytes) : STAGE_HEADER_BYTES);
		if (data)
			lane_last(lane, meta.id, meta.line, meta.count);
		lane_advance(lane, data ? meta.id : 0, data ? meta.count : 0,
			     stage_record_bytes(meta.bytes));
		return 0;
	}
	later = ring_later(lane, lane->s->head);
	if (later)
		return lane_hole(j, lane, later);
	*more = false;
	return 0;
}

static int lane_read(struct journal *j, struct lane *lane)
{
	struct lane_shared *s = lane->s;
	struct stage_meta meta;
	bool more = true;
	int error = 0;

	lane_tail_read(j, lane);
	s->head = s->tail;
	s->head_offset = s->head % lane->ring_bytes;
	s->queue_head = s->queue_tail = 0;
	s->last.count = 0;
	reserve_forget(lane);
	while (!error && more && s->head - s->tail < lane->ring_bytes) {
		error = lane_queue_ready(j, lane);
		if (!error)
			error = lane_record(j, lane, &more);
	}
	/* torn, it stays so: see recover_scrub_stage() */
	if (!error && s->head - s->tail < lane->ring_bytes &&
	    ring_look(lane, s->head, &meta) != -ENODATA)
		nv_store8(j->marker, (uint64_t *)(lane->ring + s->head_offset), 0);
	return error;
}

/* ---- publishing ------------------------------------------------------------------ */

static bool slot_is_open(const struct line *line, uint32_t slot)
{
	uint64_t known = atomic_load(&line->committed[slot / 64]) |
			 atomic_load(&line->claimed[slot / 64]);

	return !(known >> (slot & 63) & 1);
}

static void record_publish(struct journal *j, const struct lane *lane, uint32_t line,
			   const struct stage_meta *meta)
{
	const uint8_t *payload = ring_at(lane, meta->position) + STAGE_HEADER_BYTES;
	uint32_t i, offset, bytes, slot = id_slot(meta->id), word = slot / 64;
	struct line *state = &j->lines[line];
	uint64_t open = 0;

	for (i = 0; i < meta->count; i++, slot++) {
		if (!slot_is_open(state, slot) ||
		    group_find(payload, meta->bytes, meta->count, i, &offset, &bytes))
			continue;
		slot_set(&j->slots[(size_t)line * SLOTS_PER_LINE + slot],
			 where_stage(lane->index, meta->position), bytes,
			 (uint32_t)(log_record_bytes(bytes) / 32), meta->time_ns);
		open |= line_mask(slot, 1);
	}
	/* together: nobody lists a part of a group (P3) */
	line_publish_bits(state, word, open);
}

/* The cell keeps the line; one that has moved on meanwhile has no slot for us. */
static void lane_publish(struct journal *j, struct lane *lane)
{
	const struct lane_shared *s = lane->s;
	struct cell *cell = cell_take(j, 0);
	uint64_t position = s->tail;
	struct stage_meta meta;
	uint32_t i, line;

	for (i = s->queue_tail; i != s->queue_head; i++) {
		const struct staged *staged = &lane->queue[i & lane->queue_mask];

		line = staged->count ? index_find(j, id_number(staged->id)) : NO_LINE;
		if (line != NO_LINE && !ring_look(lane, position, &meta)) {
			cell_move(j, cell, line);
			if (atomic_load(&j->lines[line].number) == id_number(meta.id))
				record_publish(j, lane, line, &meta);
		}
		position += (uint64_t)staged->units * STAGE_ALIGN;
	}
	cell_drop(cell);
}

/* ---- NVRAM that is given up ------------------------------------------------------- */

static void line_forget(struct line *state, const struct slot *slots, uint32_t lane)
{
	uint32_t word;
	uint64_t bits, where;

	for (word = 0; word < MARKER_LINE_WORDS; word++)
		for (bits = atomic_load(&state->committed[word]) &
			    ~atomic_load(&state->claimed[word]);
		     bits; bits &= bits - 1) {
			where = atomic_load(&slots[word * 64 + __builtin_ctzll(bits)].where);
			if (where_kind(where) == WHERE_STAGE && where_lane(where) == lane)
				atomic_fetch_or(&state->claimed[word], bits & -bits);
		}
}

/* Of a group that it was bringing to the log, some may be found there already: all or none
 * (P3), so none.  Context: the cell keeps the line. */
static void group_forget(struct journal *j, uint32_t line, const struct staged *group)
{
	struct line *state = &j->lines[line];
	uint32_t word = id_slot(group->id) / 64;
	const struct slot *slots = &j->slots[(size_t)line * SLOTS_PER_LINE + word * 64];
	uint64_t live, bits;
	bool staged = false;

	if (atomic_load(&state->number) != id_number(group->id))
		return;
	/* one that was claimed may still be named in the stage: it says nothing */
	live = atomic_load(&state->committed[word]) & ~atomic_load(&state->claimed[word]) &
	       line_mask(id_slot(group->id), group->count);
	for (bits = live; bits && !staged; bits &= bits - 1)
		staged = where_kind(atomic_load(&slots[__builtin_ctzll(bits)].where)) ==
			 WHERE_STAGE;
	if (staged)
		atomic_fetch_or(&state->claimed[word], live);
}

static void groups_forget(struct journal *j, struct cell *cell, const struct lane *lane)
{
	const struct staged *staged;
	uint32_t at, line;

	for (at = lane->s->queue_tail; at != lane->s->queue_head; at++) {
		staged = &lane->queue[at & lane->queue_mask];
		line = staged->count > 1 ? index_find(j, id_number(staged->id)) : NO_LINE;
		if (line == NO_LINE)
			continue;
		cell_move(j, cell, line);
		group_forget(j, line, staged);
	}
}

/*
 * What is still staged was published behind the evacuation, and told to nobody
 * (evacuate.h).  Claimed, it is none of what lives; its bits are cleared with those of the
 * retires that the dead one had begun.  The cell keeps the line its epoch's.
 */
static void lane_forget(struct journal *j, const struct lane *lane)
{
	struct cell *cell = cell_take(j, 0);
	uint32_t line, used = atomic_load(&j->shared->lines_used);

	groups_forget(j, cell, lane);
	for (line = 0; line < used; line++) {
		cell_move(j, cell, line);
		line_forget(&j->lines[line], &j->slots[(size_t)line * SLOTS_PER_LINE],
			    lane->index);
	}
	cell_drop(cell);
}

/* ---- a lane ------------------------------------------------------------------------ */

static bool lane_is_of(const struct lane *lane, uint64_t word)
{
	return atomic_load(&lane->s->turn) == health_turn(word);
}

static bool lane_is_readable(struct journal *j, struct lane *lane, uint64_t word)
{
	return health_bits_durable(j) && health_word_now(j) == word && lane_is_of(lane, word) &&
	       !view_lane(j, lane);
}

/* Return: 0; -EAGAIN it has to be looked at again; or the sticky failure */
static int lane_recover(struct journal *j, struct lane *lane)
{
	uint64_t word = health_word_now(j);
	int error;

	/* who gives NVRAM up has not yet brought all of it to the log */
	if (health_state_of(word) == HEALTH_SWITCHING && lane_is_of(lane, word))
		return -EAGAIN;
	/* what was not published has been told to nobody */
	if (health_state_of(word) == HEALTH_ABANDONED || !lane_is_of(lane, word)) {
		lane_forget(j, lane);
		return 0;
	}
	if (!lane_is_readable(j, lane, word))
		return 0;
	error = lane_read(j, lane);
	/* all that was read, before it is served */
	if (!error)
		error = health_fence(j);
	if (error)
		return journal_fail(j, error);
	lane_publish(j, lane);
	/* as of every commit: behind an evacuation it is nobody's (P14) */
	return health_look(j) == word ? 0 : -EAGAIN;
}

static int takeover_lane(struct journal *j, struct lane *lane)
{
	struct slots_from *from = &lane->s->from;
	int error;

	takeover_opening(j, from);
	error = lane_recover(j, lane);
	if (error)
		return error;
	if (from->line != NO_LINE)
		error = takeover_line(j, from->line, from->line_number, from->next);
	if (error)
		return error;
	line_leave(j, from);
	lane_return(lane);
	return 0;
}

int takeover_lanes(struct journal *j, uint32_t number)
{
	uint32_t i;
	bool again = false;
	int error;

	for (i = 0; i < j->lane_count && j->geometry.ring_bytes; i++) {
		if (atomic_load(&j->lanes[i].s->lease) != number + 1)
			continue;
		error = takeover_lane(j, &j->lanes[i]);
		if (error && error != -EAGAIN)
			return error;
		again = again || error;
	}
	return again ? -EAGAIN : 0;
}
