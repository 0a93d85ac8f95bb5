/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/move.h"

#include <errno.h>
#include <stdlib.h>

#include "format/group.h"
#include "txn/cell.h"
#include "txn/clean_job.h"
#include "txn/copies.h"
#include "txn/ended.h"
#include "txn/health.h"
#include "txn/holds.h"
#include "txn/line.h"
#include "txn/logs.h"
#include "txn/pieces.h"
#include "txn/read.h"
#include "txn/segment.h"
#include "txn/slots.h"
#include "txn/stream.h"
#include "txn/takeover_impl.h"

/* one on its way */
struct move {
	uint64_t id;
	struct slot_place from, to;
	struct moved_entry *entry;
	uint64_t where; /* of the copy; 0: there is none */
	uint64_t time_ns;
	uint32_t bytes, units;
	/* in the log: what the old slot had, or the copy, when it was retired meanwhile */
	struct place old, late;
	bool published;
};

struct mover {
	struct journal *j;
	struct clean_job *job;
	struct slots_from *own;
	struct cell *own_cell, *cell;
	struct move *all;
	uint32_t count;
	struct ended *ended;
	uint64_t first_ticket, last_ticket; /* of the copies; 0: none */
	unsigned int how;
	uint64_t seen; /* health, when the batch was begun */
	bool over;     /* it is not that any more */
	/* what was read last: of a segment, in whole blocks */
	uint8_t *window;
	uint64_t window_from, window_to;
	uint32_t window_log;
};

#define WINDOW_BYTES (LOG_BUFFER_BYTES + 8192u) /* a record, wherever its blocks begin */
#define AHEAD_BYTES  262144u                    /* of those that lie together */

/* ---- 1: reading --------------------------------------------------------------------- */

static int move_window(struct mover *m, uint32_t log, const struct log_io *wanted,
		       uint64_t end)
{
	struct log_io io = *wanted;

	if (log == m->window_log && wanted->offset >= m->window_from &&
	    wanted->offset + wanted->bytes <= m->window_to)
		return 0;
	if (!m->window && posix_memalign((void **)&m->window, 4096, WINDOW_BYTES))
		return -ENOMEM;
	JASSERT(io.bytes <= WINDOW_BYTES);
	if (m->how & MOVE_TOGETHER)
		io.bytes = (uint32_t)max_u64(io.bytes, min_u64(AHEAD_BYTES, end - io.offset));
	m->window_from = m->window_to = 0;
	io.buffer = m->window;
	if (log_store_read(logs_at(m->j, log), &io, 1))
		return -EIO;
	m->window_log = log;
	m->window_from = io.offset;
	m->window_to = io.offset + io.bytes;
	return 0;
}

/* The record at @where, verified. */
static int move_record(struct mover *m, uint64_t where, uint32_t units, struct record *record)
{
	struct journal *j = m->j;
	uint32_t segment = where_segment(where);
	struct log_io io;
	int error;

	/* of a slot whose line is another's by now, perhaps */
	if (units > LOG_BUFFER_BYTES / 32)
		return -EBADMSG;
	error = record_span(j, segment, where_offset(where), units * 32ull, &io);
	if (!error)
		error = move_window(m, segment_log(j, segment), &io,
				    segment_base(j, segment) + j->segment_bytes);
	if (error)
		return error;
	io.buffer = m->window + (io.offset - m->window_from);
	error = record_verify(j, segment, where_offset(where), &io, record);
	return error ? copies_record(j, segment, where_offset(where), &io, record) : 0;
}

/* What the slot names is this record, for certain. */
static bool move_is_of(const struct log_meta *meta, const struct slot_place *from)
{
	return meta->type != LOG_RETIRE && meta->extents && meta->line == from->line &&
	       meta->line_epoch == from->number && from->slot >= meta->slot &&
	       from->slot < meta->slot + meta->count;
}

/* The one that was in the slot; of a group it is taken out. */
static int move_part(const struct record *record, const struct slot_place *from,
		     struct stream_record *copy)
{
	const struct log_meta *meta = &record->meta;
	uint32_t offset = 0, index = from->slot - meta->slot;
	int error = move_is_of(meta, from) ? 0 : -EBADMSG;

	copy->meta = *meta;
	copy->meta.id += index;
	if (!error && meta->count > 1) {
		error = group_find(record->payload, meta->bytes, meta->count, index, &offset,
				   &copy->meta.bytes);
		copy->meta.total_bytes = copy->meta.bytes;
	}
	copy->payload = record->payload + offset;
	return error;
}

/* It does not verify, and never will: a reader would say so at the next look. */
static void move_lose(struct mover *m, const struct slot_place *from, uint64_t where)
{
	uint64_t expected = where;

	cell_move(m->j, m->cell, from->line);
	if (slot_place_valid(m->j, from))
		(void)atomic_compare_exchange_strong(&slot_at(m->j, from)->where, &expected,
						     where_lost_in(where_segment(where)));
}

/* Its record, and the copy's header as far as it is known; -ENOENT: it is not to be
 * moved, now. */
static int move_read(struct mover *m, const struct slot_place *from,
		     struct stream_record *copy, struct move *move)
{
	struct slot *slot = slot_at(m->j, from);
	struct record record;
	uint64_t where = atomic_load(&slot->where);
	int error;

	if (where_kind(where) != WHERE_LOG)
		return -ENOENT;
	error = move_record(m, where, atomic_load(&slot->units), &record);
	if (!error)
		error = move_part(&record, from, copy);
	if (error == -EBADMSG)
		move_lose(m, from, where);
	if (error)
		return error == -ENOMEM || journal_failed(m->j) ? error : -ENOENT;
	move->id = copy->meta.id;
	move->bytes = (uint32_t)copy->meta.total_bytes;
	move->time_ns = copy->meta.time_ns;
	return 0;
}

/* ---- 2: announcing ------------------------------------------------------------------- */

static bool move_lives(const struct journal *j, const struct slot_place *at)
{
	return slot_place_valid(j, at) && !slot_is_claimed(j, at) &&
	       atomic_load(&j->lines[at->line].committed[at->slot / 64]) >> (at->slot & 63) & 1;
}

/* A slot that will not be used: nothing was written that names it. */
static void move_give_up(struct mover *m, const struct slot_place *to)
{
	line_dead(m->j, to->line, to->number, to->slot, 1);
}

/* Return: 0, -ENOENT it is retired, or -ENOMEM. */
static int move_announce(struct mover *m, struct move *move)
{
	struct journal *j = m->j;
	int error;

	move->to = (struct slot_place){ m->own->line_number, m->own->line, 0 };
	error = line_take(j, m->own, 1, &move->to.slot);
	if (error)
		return error;
	JASSERT(move->to.line == m->own->line); /* there were enough */
	cell_move(j, m->cell, move->from.line);
	error = move_lives(j, &move->from) ? 0 : -ENOENT;
	if (!error)
		error = moved_add(j, m->own->moved, move->id, &move->from, &move->entry);
	if (error) {
		move_give_up(m, &move->to);
		return error;
	}
	/* The flag before the announcement, and that before the claim is looked at:
	 * who retires claims, then looks at flag and entry.  All seq_cst. */
	atomic_fetch_or(&j->lines[move->from.line].flags, LINE_MOVING);
	moved_announce(move->entry, &move->to);
	if (!slot_is_claimed(j, &move->from))
		return 0;
	move_give_up(m, &move->to);
	moved_settle(move->entry);
	return -ENOENT;
}

/* ---- 3: copying ---------------------------------------------------------------------- */

static int move_append(struct mover *m, struct move *move, struct stream_record *copy)
{
	struct log_meta *meta = &copy->meta;
	struct stream_place place;
	uint32_t pieces = meta->extents - 1u;
	int error;

	meta->type = LOG_DATA;
	meta->count = 1;
	meta->line = move->to.line;
	meta->slot = move->to.slot;
	meta->line_epoch = move->to.number;
	meta->moves = (uint32_t)min_u64(meta->moves + 1ull, UINT16_MAX);
	error = stream_append(&m->j->moved, copy, m->how & MOVE_RESERVED, &place);
	if (error)
		return error;
	m->last_ticket = place.ticket;
	if (!m->first_ticket)
		m->first_ticket = place.ticket;
	if (pieces)
		pieces_hold(m->j, (const uint8_t *)copy->payload + meta->bytes - pieces * 8ull,
			    pieces, place.segment->number);
	move->where = where_log(place.segment->number, place.offset, pieces ? WHERE_MULTI : 0);
	move->units = (uint32_t)(log_record_bytes(meta->bytes) / 32);
	return 0;
}

/* Of several jobs one moves what is in a line: it alone changes their entries. */
static bool move_line_claim(const struct mover *m, uint32_t line)
{
	uint32_t mover = 0;

	return atomic_compare_exchange_strong(&m->j->lines[line].mover, &mover, m->own->moved) ||
	       mover == m->own->moved;
}

static void move_line_free(const struct mover *m, uint32_t line)
{
	uint32_t mover = m->own->moved;

	if (line != m->own->line)
		(void)atomic_compare_exchange_strong(&m->j->lines[line].mover, &mover, 0);
}

/* Return: 0 also when it was left as it is. */
static int move_begin(struct mover *m, const struct slot_place *from)
{
	struct move *move = &m->all[m->count];
	struct stream_record copy = { .tail = NULL };
	int error;

	*move = (struct move){ .from = *from };
	clean_job_beat(m->job);
	error = move_line_claim(m, from->line) ? move_read(m, from, &copy, move) : -ENOENT;
	if (!error)
		error = move_announce(m, move);
	if (error)
		return error == -ENOENT ? 0 : error;
	error = move_append(m, move, &copy);
	if (error) {
		move_give_up(m, &move->to);
		moved_settle(move->entry);
		return error;
	}
	m->count++;
	return 0;
}

/* ---- 4: publishing ------------------------------------------------------------------- */

static void move_note(struct mover *m, uint32_t i, const struct slot_place *ended)
{
	line_retire_bit(m->j, ended->line, ended->slot);
	m->ended[i] = (struct ended){ m->all[i].id, *ended };
}

/* It was retired, and so is the copy; who did so gives up what was at the old place.  Or the
 * copy is lost with its log, and stays where it was: it must not come back with that. */
static void move_undo(struct mover *m, uint32_t i)
{
	struct move *move = &m->all[i];

	move->late = (struct place){ .where = move->where, .units = move->units };
	move_note(m, i, &move->to);
}

static void move_publish(struct mover *m, uint32_t i)
{
	struct journal *j = m->j;
	struct move *move = &m->all[i];
	struct slot *to = slot_at(j, &move->to);
	bool completes;

	/* the slot is about to name it */
	holds_settle(j, &j->segments.all[where_segment(move->where)], 1);
	slot_set(to, move->where, move->bytes, move->units, move->time_ns);
	/* before it is published: a slot that was taken and never committed is retired
	 * by who takes over */
	line_publish(&j->lines[move->to.line], move->to.slot, 1);
	moved_publish(move->entry);
	/* Who retires claims first and takes after: one of us finds the copy. */
	if (slot_is_claimed(j, &move->to))
		slot_take(j, move->id, to, &move->late);
	if (line_claim(&j->lines[move->from.line], move->from.slot, 1, &completes))
		slot_take(j, move->id, slot_at(j, &move->from), &move->old);
	move->published = true;
	move_note(m, i, &move->from);
}

/* @lost: some of the copies are, with their log */
static void move_publish_all(struct mover *m, bool lost)
{
	struct move *move;
	uint32_t i;

	for (i = 0; i < m->count; i++) {
		move = &m->all[i];
		cell_move(m->j, m->cell, move->from.line);
		if (!lost && slot_place_valid(m->j, &move->from) &&
		    !slot_is_claimed(m->j, &move->from))
			move_publish(m, i);
		else
			move_undo(m, i);
	}
}

/* ---- 6: the end ------------------------------------------------------------------------ */

static void move_settle(struct mover *m, struct move *move)
{
	/* what was announced, or left, is durably retired */
	if (!move->published)
		move_give_up(m, &move->to);
	moved_settle(move->entry);
	place_release(m->j, move->id, &move->old);
	place_release(m->j, move->id, &move->late);
}

static uint32_t move_settle_all(struct mover *m)
{
	uint32_t i, published = 0;

	for (i = 0; i < m->count; i++) {
		move_settle(m, &m->all[i]);
		published += m->all[i].published;
	}
	/* its last word may be full now: once for each line */
	for (i = 0; i < m->count; i++)
		if (i + 1 == m->count || m->all[i + 1].from.line != m->all[i].from.line)
			line_word_done(m->j, m->all[i].from.line, m->all[i].from.number);
	return published;
}

/* ---- all of it ------------------------------------------------------------------------- */

/*
 * The old bits, before anybody may rely on the new ones alone.
 * Return: 0; LOG_OUT when health changes just now: the entries keep both places, so
 * whoever retires one of these names both, and recovery finds one.
 */
static int move_durably(struct mover *m)
{
	struct journal *j = m->j;
	int error;

	if (!j->bits_durable || health_word_on_file(j, m->seen)) {
		error = ended_by_records(j, m->ended, m->count);
		if (error || !j->bits_durable)
			return error;
	} else {
		error = health_fence(j);
		if (error)
			return journal_fail(j, error);
	}
	return health_look(j) != m->seen ? LOG_OUT : 0;
}

/* It is not known whether they are durably retired, and will not be by us. */
static void move_forget_all(struct mover *m)
{
	uint32_t i;

	for (i = 0; i < m->count; i++) {
		place_forget(&m->all[i].old);
		place_forget(&m->all[i].late);
	}
}

/* All that were begun, to their end: also when the log was full after some. */
static int move_finish(struct mover *m)
{
	int error = m->first_ticket ?
			    stream_wait(&m->j->moved, m->first_ticket, m->last_ticket) : 0;
	uint32_t moved;

	clean_job_beat(m->job);
	if (error && error != LOG_OUT)
		return error; /* undecided: nothing is given up any more */
	move_publish_all(m, error == LOG_OUT);
	error = move_durably(m);
	/* no other batch: who ends these knows the mover's line (takeover_moves_over()) */
	m->over = error == LOG_OUT;
	if (error) {
		move_forget_all(m);
		return m->over ? 0 : error;
	}
	moved = move_settle_all(m);
	count(m->j->counters, COUNT_MOVED, moved);
	count(m->j->counters, COUNT_REHOMED, moved);
	return 0;
}

static int move_batch(struct mover *m, const struct slot_place *from, uint32_t count)
{
	uint32_t i;
	int error = 0, end;

	m->count = 0;
	m->seen = health_moves(m->j);
	m->first_ticket = m->last_ticket = 0;
	m->own_cell = cell_take(m->j, m->own->line);
	m->cell = cell_take(m->j, m->own->line);
	for (i = 0; i < count && !error; i++)
		error = move_begin(m, &from[i]);
	end = journal_failed(m->j) ? error : move_finish(m);
	/* what is undecided stays announced, and its lines this job's: no other announces it */
	for (i = 0; i < count && !m->over && !journal_failed(m->j); i++)
		move_line_free(m, from[i].line);
	/* as the lines' cells, which keep what has yet to be cleared: for who takes over */
	if (!journal_failed_here(m->j)) {
		cell_drop(m->cell);
		cell_drop(m->own_cell);
	}
	return end ? end : error;
}

/* As many at a time as a batch, and the mover's line, have room for. */
static int move_run(struct mover *m, const struct slot_place *from, uint32_t count)
{
	uint32_t at, part;
	int error = 0;

	for (at = 0; at < count && !error && !m->over; at += part) {
		error = line_renew(m->j, m->own);
		part = (uint32_t)min_u64(min_u64(count - at, MOVE_BATCH),
					 SLOTS_PER_LINE - m->own->next);
		if (!error)
			error = move_batch(m, &from[at], part);
	}
	return error;
}

int move_slots(struct journal *j, struct clean_job *job, const struct slot_place *from,
	       uint32_t count, unsigned int how)
{
	struct mover m = { .j = j, .job = job, .own = &job->moving, .how = how };
	int error;

	JASSERT(j->moves_lines);
	/* what was undecided when it failed is announced still */
	if (journal_failed(j))
		return journal_fail(j, -EIO);
	m.all = malloc(MOVE_BATCH * sizeof(*m.all));
	m.ended = malloc(MOVE_BATCH * sizeof(*m.ended));
	error = m.all && m.ended ? stream_buffers(&j->moved) :
				   journal_say(j, -ENOMEM, "no memory to clean lines");
	if (!error && j->bits_durable)
		error = takeover_moves_over(j, job);
	if (!error)
		error = move_run(&m, from, count);
	free(m.window);
	free(m.ended);
	free(m.all);
	return error;
}

void move_end(struct journal *j)
{
	uint32_t i;

	for (i = 0; i < CLEAN_JOBS; i++)
		line_leave(j, &j->shared->clean[i].moving);
}
