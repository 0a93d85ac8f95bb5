/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/destage.h"

#include <errno.h>
#include <stdlib.h>

#include "format/group.h"
#include "txn/cell.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/logs.h"
#include "txn/segment.h"
#include "txn/slots.h"
#include "txn/stream.h"
#include "txn/streams.h"
#include "txn/times.h"
#include "util/crc32c.h"

struct destage_run {
	struct journal *j;
	struct stream *s;
	struct lane *lane;
	bool reserved;
	struct destage_move *moves;
	uint32_t count, room;
	uint64_t first_ticket, last_ticket, bytes;
};

static int destage_grow(struct destage_run *run)
{
	uint32_t room = run->room ? run->room * 2 : 256;
	struct destage_move *grown;

	if (run->count + JOURNAL_GROUP_MAX <= run->room)
		return 0;
	grown = realloc(run->moves, room * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	run->moves = grown;
	run->room = room;
	return 0;
}

/* Copy transaction @index of the record into the stream, unless it is retired. */
static int destage_one(struct destage_run *run, const struct stage_meta *meta,
		       const uint8_t *payload, uint32_t line, uint32_t index)
{
	struct journal *j = run->j;
	uint32_t at = id_slot(meta->id) + index, offset, bytes;
	uint64_t bit = 1ull << (at & 63);
	struct stream_record record = {
		.meta = {
			.type = LOG_DATA, .count = 1, .id = meta->id + index, .line = line,
			.slot = at, .line_epoch = id_number(meta->id),
			.time_ns = meta->time_ns, .tag = meta->tag,
			.reference = meta->reference, .extent = 0, .extents = 1,
		},
	};
	struct slot *slot = &j->slots[(size_t)line * SLOTS_PER_LINE + at];
	uint64_t from = where_stage(run->lane->index, meta->position), where;
	struct stream_place place;
	int error;

	if (atomic_load_explicit(&j->lines[line].claimed[at / 64], memory_order_acquire) & bit) {
		count(j->counters, COUNT_ELIDED, 1);
		return 0;
	}
	where = atomic_load_explicit(&slot->where, memory_order_acquire);
	/* the stage is the only witness of what is lost: it stays until retired */
	if (where_kind(where) == WHERE_LOST)
		return -EBADMSG;
	if (where != from)
		return 0; /* retired, or a copy is in the log already */
	error = group_find(payload, meta->bytes, meta->count, index, &offset, &bytes);
	if (error)
		return error;
	record.payload = payload + offset;
	record.meta.bytes = bytes;
	record.meta.total_bytes = bytes;
	error = stream_append(run->s, &record, run->reserved, &place);
	if (error)
		return error;
	run->last_ticket = place.ticket;
	run->bytes += bytes;
	if (!run->count)
		run->first_ticket = place.ticket;
	run->moves[run->count++] = (struct destage_move){
		.slot = slot,
		.line = &j->lines[line],
		.number = id_number(meta->id),
		.at = at,
		.from = from,
		.to = where_log(place.segment->number, place.offset, 0),
		.segment = place.segment,
	};
	return 0;
}

static int destage_record(struct destage_run *run, const struct staged *staged,
			  uint64_t position)
{
	struct journal *j = run->j;
	uint64_t offset = position % run->lane->ring_bytes;
	const uint8_t *at = run->lane->ring + offset;
	struct stage_meta meta;
	uint32_t i, line = index_find(j, id_number(staged->id));
	int error = 0;

	if (!staged->count || line == NO_LINE)
		return 0;
	error = destage_grow(run);
	if (error)
		return error;
	/* what goes to the log is checked first: damage must not be certified anew */
	if (stage_decode((const struct stage_record *)at, run->lane->seed, position,
			 run->lane->ring_bytes - offset, &meta) ||
	    crc32c(run->lane->seed, at + STAGE_HEADER_BYTES, meta.bytes) != meta.payload_crc)
		return -EBADMSG;
	for (i = 0; i < meta.count && !error; i++)
		error = destage_one(run, &meta, at + STAGE_HEADER_BYTES, line, i);
	return error;
}

/*
 * Bring one to its place in the log.  One that is retired at the same time claims
 * first and reads where after; we write where first and read the claim after: at
 * least one of us sees the other.  The hazard keeps the line from being recycled
 * meanwhile (P2), so the slot is no other transaction's.
 * Return: whether the log's copy is read from here on, or its segment is
 * released by who retires.
 */
bool destage_move(struct journal *j, struct cell *cell, const struct destage_move *move)
{
	uint64_t from = move->from, to = move->to;
	struct line *line = move->line;
	bool moved;

	cell_move(j, cell, (uint32_t)(line - j->lines));
	holds_settle(j, move->segment, 1);
	if (atomic_load(&line->number) != move->number)
		return false;
	/* Before it is found there.  While it is staged nobody goes by it; should it move to a
	 * copy of its own now, too much is read of that, and it does not matter. */
	if (move->units && atomic_load(&move->slot->where) == from)
		atomic_store_explicit(&move->slot->units, move->units, memory_order_release);
	moved = atomic_compare_exchange_strong(&move->slot->where, &from, move->to);
	if (moved && atomic_load(&line->claimed[move->at / 64]) >> (move->at & 63) & 1)
		moved = !atomic_compare_exchange_strong(&move->slot->where, &to, 0);
	return moved;
}

/* The copies are durable. */
static void destage_publish(struct destage_run *run)
{
	struct cell *cell = cell_take(run->j, 0);
	uint32_t i;

	for (i = 0; i < run->count; i++)
		if (!destage_move(run->j, cell, &run->moves[i]))
			segment_release(run->j, run->moves[i].segment, 1);
	cell_drop(cell);
	count(run->j->counters, COUNT_DESTAGED, run->count);
}

static void destage_undo(struct destage_run *run)
{
	uint32_t i;

	for (i = 0; i < run->count; i++)
		holds_end(run->j, run->moves[i].segment, 1);
}

static void destage_copy_lane(struct destage_run *run, struct destage_part *part)
{
	const struct lane *lane = part->lane;
	const struct staged *staged;

	run->lane = part->lane;
	part->tail = lane->s->tail;
	part->error = 0;
	for (part->next = lane->s->queue_tail; part->next != lane->s->queue_head &&
	     part->tail - lane->s->tail < part->want; part->next++) {
		staged = &lane->queue[part->next & lane->queue_mask];
		part->error = destage_record(run, staged, part->tail);
		if (part->error)
			break;
		part->tail += (uint64_t)staged->units * STAGE_ALIGN;
	}
}

static void destage_copy(struct destage_run *run, struct destage_part *parts, uint32_t n)
{
	uint32_t i;

	run->count = 0;
	run->bytes = 0;
	/* Run by run: interleaved, the lines of several lanes would come again in
	 * every segment, and its summary be full of them (reserve.c). */
	pthread_mutex_lock(&run->s->destage_lock);
	for (i = 0; i < n; i++)
		destage_copy_lane(run, &parts[i]);
	pthread_mutex_unlock(&run->s->destage_lock);
}

/* Its copies are published: its bytes may be used again, once the tail is durable. */
static int destage_free(struct journal *j, const struct destage_part *part)
{
	struct lane *lane = part->lane;

	for (; lane->s->queue_tail != part->next; lane->s->queue_tail++)
		reserve_settle(lane, &lane->queue[lane->s->queue_tail & lane->queue_mask]);
	return lane_tail_store(j, lane, part->tail);
}

int destage_parts(struct journal *j, struct stream *s, struct destage_part *parts, uint32_t n,
		  bool reserved)
{
	struct destage_run run = { .j = j, .s = s, .reserved = reserved };
	uint64_t began = clock_monotonic_ns();
	int wait;
	uint32_t i;

	do {
		destage_copy(&run, parts, n);
		wait = run.count ? stream_wait(s, run.first_ticket, run.last_ticket) : 0;
		if (wait)
			destage_undo(&run);
	} while (wait == LOG_OUT);
	count(j->counters, COUNT_DESTAGED_BYTES, run.bytes);
	/* P6: log durable, then the tail moves (fenced), then bytes are reused */
	if (!wait)
		destage_publish(&run);
	for (i = 0; i < n && !wait; i++)
		wait = destage_free(j, &parts[i]);
	free(run.moves);
	if (run.count && !wait)
		times_end(j, JOURNAL_TIMED_DESTAGE, began);
	return wait;
}

int destage(struct journal *j, struct lane *lane, uint64_t want, bool reserved)
{
	struct destage_part part = { .lane = lane, .want = want };
	uint64_t tail = lane->s->tail;
	int error = destage_parts(j, streams_turn(j, reserved), &part, 1, reserved);

	/* what was copied before an error is not copied again by the next attempt */
	return error || lane->s->tail != tail ? error : part.error;
}
