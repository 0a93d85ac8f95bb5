/* SPDX-License-Identifier: BSD-3-Clause */
/* Entering what recovery found into the index. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "txn/found.h"
#include "txn/line.h"
#include "txn/logs.h"
#include "txn/pieces.h"
#include "txn/read.h"
#include "txn/recover.h"
#include "txn/segment.h"
#include "txn/slots.h"

static struct slot *recover_slot(struct recovery *r, uint32_t line, uint32_t slot)
{
	return &r->j->slots[(size_t)line * SLOTS_PER_LINE + slot];
}

uint32_t recover_moves(const struct recovery *r, uint32_t line, uint32_t slot)
{
	return r->moves ? r->moves[(size_t)line * SLOTS_PER_LINE + slot] : 0;
}

/* Nothing is written for the most, which never moved: the pages stay zero. */
static void recover_set_moves(struct recovery *r, uint32_t line, uint32_t slot, uint32_t moves)
{
	if (!moves && !recover_moves(r, line, slot))
		return;
	if (!r->moves)
		r->moves = calloc((size_t)r->j->geometry.lines * SLOTS_PER_LINE,
				  sizeof(*r->moves));
	if (r->moves)
		r->moves[(size_t)line * SLOTS_PER_LINE + slot] = (uint16_t)moves;
	else
		r->no_memory = true;
}

/*
 * Two copies of one transaction verify: a staged one and its destaged copy, two
 * destaged ones after a crash in between, or one that was moved, while what it was
 * moved from is not yet written over.  The one in the log stays, so that the stage
 * can go; and of those the one with more moves (P2), so that the segment that
 * was cleaned is free.  Any would do: the same bit retires both.
 */
static bool recover_have_better(const struct recovery *r, uint32_t line, uint32_t slot,
				uint64_t have, const struct recover_copy *copy)
{
	if (where_kind(copy->where) != WHERE_LOG)
		return where_kind(have) != WHERE_LOST;
	return where_kind(have) == WHERE_LOG && recover_moves(r, line, slot) >= copy->moves;
}

/* A copy, or a loss, that another one takes the place of. */
void recover_supersede(struct recovery *r, uint32_t line, uint32_t slot)
{
	struct place place;

	slot_take(r->j, recover_id(r, line, slot), recover_slot(r, line, slot), &place);
	place_release(r->j, recover_id(r, line, slot), &place);
}

/* under the lock: no locked operation for each of a million */
static void recover_mark(struct line *line, uint32_t slot)
{
	uint64_t word = atomic_load_explicit(&line->committed[slot / 64], memory_order_relaxed);

	atomic_store_explicit(&line->committed[slot / 64], word | 1ull << (slot & 63),
			      memory_order_relaxed);
}

bool recover_insert(struct recovery *r, uint32_t line, uint32_t slot,
		    const struct recover_copy *copy)
{
	struct journal *j = r->j;
	struct slot *entry = recover_slot(r, line, slot);
	bool known = j->lines[line].committed[slot / 64] >> (slot & 63) & 1;

	if (known && recover_have_better(r, line, slot, entry->where, copy))
		return false;
	if (known) {
		known = where_kind(entry->where) != WHERE_LOST;
		recover_supersede(r, line, slot);
	}
	slot_set(entry, copy->where, copy->bytes, copy->units, copy->time_ns);
	recover_set_moves(r, line, slot, copy->moves);
	recover_mark(&j->lines[line], slot);
	j->recovered.recovered += !known;
	if (where_kind(copy->where) == WHERE_LOG)
		segment_hold(&j->segments.all[where_segment(copy->where)], 1);
	return true;
}

void recover_lose(struct recovery *r, uint32_t line, uint32_t slot, enum recover_why why,
		  uint32_t segment)
{
	struct journal *j = r->j;
	struct slot *entry = recover_slot(r, line, slot);

	if (j->lines[line].committed[slot / 64] >> (slot & 63) & 1)
		return; /* a copy verifies, or it is known to be lost */
	/* beside a writer it may have been moved or retired while we looked: who looks again
	 * finds that (beside.c, check.c) */
	slot_set(entry, segment == NO_SEGMENT ? where_lost() : where_lost_in(segment), 0, why, 0);
	if (segment != NO_SEGMENT)
		segment_hold(&j->segments.all[segment], 1);
	r->lost++;
	recover_mark(&j->lines[line], slot);
}

bool recover_is_lost_in(const struct recovery *r, uint32_t line, uint64_t number, uint32_t slot,
			uint32_t segment)
{
	const struct journal *j = r->j;

	return line < j->shared->lines_used && j->lines[line].number == number &&
	       j->lines[line].committed[slot / 64] >> (slot & 63) & 1 &&
	       j->slots[(size_t)line * SLOTS_PER_LINE + slot].where == where_lost_in(segment);
}

/* Where it may be yet: it is there again when that log is. */
static const char *recover_log_gone(const struct recovery *r, const struct slot *entry)
{
	const struct journal *j = r->j;
	uint32_t log;

	if (entry->units == WHY_LOG)
		return j->conf.logs[segment_log(j, where_segment(entry->where))];
	for (log = 0; log < j->conf.log_count && entry->units == WHY_BIT; log++)
		if (logs_gone(j, log))
			return j->conf.logs[log];
	return NULL;
}

static void recover_tell_one(struct recovery *r, uint64_t id, const struct slot *entry)
{
	static const char *const why[] = {
		[WHY_PAYLOAD] = "the payload of its record does not verify",
		[WHY_EXTENT] = "one of its extents does not verify",
		[WHY_STAGE] = "its record in the stage does not verify",
		[WHY_BIT] = "its commit bit is set, but no record of it verifies",
		[WHY_RECORD] = "its segment's summary names it, but no record of it verifies",
		[WHY_HEADER] = "the header of its record does not verify",
		[WHY_LOG] = "",
	};
	const char *log = recover_log_gone(r, entry);
	char text[JOURNAL_ID_CHARS];

	journal_id_print(id, text);
	if (!log)
		found_damage(r->j, id, "%s: COMMITTED_BUT_LOST: %s", text, why[entry->units]);
	else if (entry->units == WHY_LOG)
		found_damage(r->j, id, "%s: COMMITTED_BUT_LOST: it is on %s, which is not there",
			     text, log);
	else
		found_damage(r->j, id, "%s: COMMITTED_BUT_LOST: %s; it may be on %s, which is not "
			     "there", text, why[entry->units], log);
}

static void recover_tell_line(struct recovery *r, uint32_t line)
{
	const struct line *state = &r->j->lines[line];
	const struct slot *entry;
	uint32_t slot;

	for (slot = 0; slot < SLOTS_PER_LINE; slot++) {
		entry = recover_slot(r, line, slot);
		if (state->committed[slot / 64] >> (slot & 63) & 1 &&
		    where_kind(entry->where) == WHERE_LOST)
			recover_tell_one(r, recover_id(r, line, slot), entry);
	}
}

void recover_tell_lost(struct recovery *r)
{
	uint32_t line;

	for (line = 0; line < r->j->shared->lines_used && r->lost; line++)
		if (r->j->lines[line].number)
			recover_tell_line(r, line);
}

uint32_t recover_tail_bytes(const struct log_meta *meta)
{
	if (meta->type == LOG_RETIRE)
		return meta->bytes;
	if (meta->count > 1)
		return meta->count * 4;
	return meta->extents > 1 ? (meta->extents - 1u) * 8 : 0;
}

/* ---- transactions in several extents ---- */

static bool recover_extent(struct recovery *r, const struct log_meta *last, uint64_t where,
			   uint32_t index, uint64_t *bytes)
{
	struct record record;
	int error = piece_read(r->j, last->id, index, where, &record);
	bool good = !error;

	if (error == -ENOMEM)
		r->no_memory = true;
	if (good)
		*bytes += record.meta.bytes;
	free(record.buffer);
	return good;
}

static bool recover_extents(struct recovery *r, const struct log_meta *meta,
			    const uint8_t *table)
{
	uint64_t bytes = meta->bytes - recover_tail_bytes(meta);
	uint32_t i;

	for (i = 0; i + 1 < meta->extents; i++)
		if (!recover_extent(r, meta, pieces_where(table, i), i, &bytes))
			return false;
	return bytes == meta->total_bytes;
}

static void recover_multi(struct recovery *r, uint32_t segment, const struct log_meta *meta,
			  const uint8_t *table, uint64_t where)
{
	const struct recover_copy copy = {
		.where = where | WHERE_MULTI,
		.bytes = (uint32_t)meta->total_bytes,
		.units = (uint32_t)(log_record_bytes(meta->bytes) / 32),
		.time_ns = meta->time_ns,
		.moves = meta->moves,
	};
	bool good = recover_extents(r, meta, table);

	pthread_mutex_lock(&r->lock);
	recover_moved_note(r, meta->line, meta->slot, meta->id);
	if (!good)
		recover_lose(r, meta->line, meta->slot, WHY_EXTENT, segment);
	else if (recover_insert(r, meta->line, meta->slot, &copy))
		pieces_hold(r->j, table, meta->extents - 1, segment);
	pthread_mutex_unlock(&r->lock);
}

/* ---- any record ---- */

static void recover_members(struct recovery *r, const struct log_meta *meta,
			    const uint8_t *tail, uint64_t where, bool valid)
{
	struct recover_copy copy = {
		.where = where,
		.bytes = meta->bytes,
		.units = (uint32_t)(log_record_bytes(meta->bytes) / 32),
		.time_ns = meta->time_ns,
		.moves = meta->moves,
	};
	__le32 size;
	uint32_t i;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < meta->count; i++) {
		if (!recover_may_live(r, meta->line, meta->line_epoch, meta->slot + i) ||
		    (where & WHERE_DIRECT && !recover_bit_set(r, meta->line, meta->slot + i)))
			continue;
		/* in a payload that fails they stand, too: it was not kept */
		if (valid && meta->count > 1) {
			memcpy(&size, tail + (size_t)i * 4, 4);
			copy.bytes = get_le32(size);
		}
		recover_moved_note(r, meta->line, meta->slot + i, meta->id + i);
		if (valid)
			recover_insert(r, meta->line, meta->slot + i, &copy);
		else
			recover_lose(r, meta->line, meta->slot + i, WHY_PAYLOAD,
				     where_segment(where));
	}
	pthread_mutex_unlock(&r->lock);
}

void recover_record(struct recovery *r, uint32_t segment, uint32_t offset,
		    const struct log_meta *meta, const uint8_t *tail, bool valid)
{
	uint64_t where = where_log(segment, offset,
				   meta->type == LOG_EXTENT ? WHERE_DIRECT : 0);

	if (meta->type == LOG_RETIRE || !meta->extents)
		return; /* committed by another record, if at all */
	if (meta->extents == 1 || !valid) {
		recover_members(r, meta, tail, where, valid);
		return;
	}
	if (!recover_may_live(r, meta->line, meta->line_epoch, meta->slot) ||
	    (where & WHERE_DIRECT && !recover_bit_set(r, meta->line, meta->slot)))
		return;
	recover_multi(r, segment, meta, tail, where);
}
