/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recovery of the stage: each lane's ring from its tail (P5).  The first
 * position without a record that verifies is the end, or the torn record of a
 * commit in flight, unless a record of a later position verifies: then it is
 * damage, and recovery goes on there.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "format/group.h"
#include "txn/checkpoint.h"
#include "txn/extent.h"
#include "txn/found.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/recover.h"
#include "txn/ring.h"

/* a line that does not exist, or an epoch that it has not: nothing is live */
static void stage_members(struct recovery *r, const struct lane *lane,
			  const struct stage_meta *meta, bool valid)
{
	const uint8_t *payload = ring_at(lane, meta->position) + STAGE_HEADER_BYTES;
	struct recover_copy copy = {
		.where = where_stage(lane->index, meta->position),
		.time_ns = meta->time_ns,
	};
	uint32_t i, offset, slot = id_slot(meta->id);

	for (i = 0; i < meta->count; i++) {
		if (!recover_may_live(r, meta->line, id_number(meta->id), slot + i))
			continue;
		valid = valid && !group_find(payload, meta->bytes, meta->count, i, &offset,
					     &copy.bytes) &&
			copy.bytes <= extent_payload_max(r->j);
		copy.units = (uint32_t)(log_record_bytes(copy.bytes) / 32);
		if (valid)
			recover_insert(r, meta->line, slot + i, &copy);
		else
			recover_lose(r, meta->line, slot + i, WHY_STAGE, NO_SEGMENT);
	}
}

/* What is taken over may be in caches only, of a process that was killed before
 * its fence: written back here, fenced before anything is served (P7). */
static void stage_keep(struct recovery *r, struct lane *lane, const struct stage_meta *meta)
{
	uint64_t bytes = stage_record_bytes(meta->bytes);

	if (!r->j->read_only)
		nv_flush(r->j->marker, ring_at(lane, meta->position),
			 meta->type == STAGE_VOID ? STAGE_HEADER_BYTES : bytes);
	if (meta->type == STAGE_DATA)
		lane_last(lane, meta->id, meta->line, meta->count);
	lane_advance(lane, meta->type == STAGE_VOID ? 0 : meta->id,
		     meta->type == STAGE_VOID ? 0 : meta->count, bytes);
}

/* All below was durable when it was last closed, or recovered; 0: not known */
static uint64_t stage_end(struct journal *j, const struct lane *lane)
{
	uint64_t end;

	/* beside a writer it may be newer than what was read of the ring */
	if (j->writer_pid || word_unseal(lane_media(j, lane->index)->end, &end) ||
	    end % STAGE_ALIGN || end > WORD_VALUE_MAX / 2)
		return 0;
	return end;
}

/* Up to where a record that fails at the head is damage: to the next one that verifies,
 * or to where all was durable.  0: it is the last one, and was in flight perhaps. */
static uint64_t stage_later(struct journal *j, const struct lane *lane)
{
	uint64_t later = ring_later(lane, lane->s->head), end = stage_end(j, lane);

	if (later)
		return later;
	return end > lane->s->head && end - lane->s->tail <= lane->ring_bytes ? end : 0;
}

/* It goes into the queue.  @valid: its payload verifies.  Return: 0 or -ENOMEM */
static int stage_record(struct recovery *r, struct lane *lane, const struct stage_meta *meta,
			bool valid)
{
	int error = 0;

	if (meta->type == STAGE_DATA) {
		error = recover_staged_epoch(r, meta->line, id_number(meta->id));
		stage_members(r, lane, meta, valid);
	}
	stage_keep(r, lane, meta);
	return error;
}

/* @more: there is a record at the head, taken into the queue.  Return: 0 or -ENOMEM */
static int recover_ring_record(struct recovery *r, struct lane *lane, bool *more)
{
	struct stage_meta meta;
	uint64_t later;
	int error = ring_look(lane, lane->s->head, &meta);

	*more = true;
	later = error ? stage_later(r->j, lane) : 0;
	/* a whole header with a bad payload, and not the last: damage by name */
	if (!error || (later && error == -EIO))
		return stage_record(r, lane, &meta, !error);
	if (!later || r->j->writer_pid) {
		r->j->recovered.torn += error != -ENODATA;
		*more = false;
		return 0;
	}
	return recover_hole(r, lane, later);
}

/* A header at @offset that verifies, whatever its position. */
static bool stage_header_at(const struct lane *lane, uint64_t offset, struct stage_meta *meta)
{
	struct stage_record header;
	uint64_t position;

	memcpy(&header, lane->ring + offset, sizeof(header));
	position = stage_position(&header);
	return position % lane->ring_bytes == offset && position <= WORD_VALUE_MAX / 2 &&
	       !stage_decode(&header, lane->seed, position, lane->ring_bytes - offset, meta);
}

/* The data record before the one at @lowest, whose own header does not verify; if nobody
 * knows one, or it can not be whole any more, @lowest. */
static uint64_t stage_guess_before(struct journal *j, const struct lane *lane, uint64_t lowest,
				   uint64_t from)
{
	struct stage_before before = { .count = 0 };
	struct stage_meta meta;
	struct stage_last last;
	uint64_t bytes;

	if (stage_header_at(lane, lowest % lane->ring_bytes, &meta) && meta.position == lowest)
		before = meta.before;
	else if (lowest == stage_end(j, lane) &&
		 !stage_last_decode(lane_media(j, lane->index), lane->seed, &last) &&
		 last.position < lowest)
		before = stage_before(&last, lowest);
	bytes = before.count ? before.distance * (uint64_t)STAGE_ALIGN : 0;
	return bytes <= lowest - from ? lowest - bytes : lowest;
}

/*
 * The tail is damaged: the lowest record that can still be whole, one ring
 * before the end of the newest.  Those below the true tail are retired, which
 * their bits say, or have a copy in the log.
 */
static uint64_t stage_guess_tail(struct journal *j, const struct lane *lane)
{
	uint64_t offset, end = 0, lowest, from, durable = stage_end(j, lane);
	struct stage_meta meta;

	for (offset = 0; offset < lane->ring_bytes; offset += STAGE_ALIGN)
		if (stage_header_at(lane, offset, &meta))
			end = max_u64(end, meta.position + stage_record_bytes(meta.bytes));
	/* Positions never restart, even if there is no record any more; but one that is far
	 * from them all is damaged, too. */
	if (!end || (durable > end && durable - end <= lane->ring_bytes))
		end = max_u64(end, durable);
	from = end > lane->ring_bytes ? end - lane->ring_bytes : 0;
	lowest = end;
	for (offset = 0; offset < lane->ring_bytes; offset += STAGE_ALIGN)
		if (stage_header_at(lane, offset, &meta) && meta.position >= from)
			lowest = min_u64(lowest, meta.position);
	return stage_guess_before(j, lane, lowest, from);
}

/* Neither where its records begin nor where they end, and none is there: there may have
 * been some.  Said, and counted, once for all lanes. */
static void stage_doubt(struct recovery *r, const struct lane *lane, uint64_t tail)
{
	struct journal *j = r->j;
	uint64_t end;

	if (tail || r->stage_in_doubt ||
	    word_unseal(lane_media(j, lane->index)->end, &end) != -EUCLEAN)
		return;
	r->stage_in_doubt = true;
	found_damage(j, 0, "%s: lane %u: neither the words of its stage nor a record in it "
		     "verify: what was acknowledged there is lost, without a name",
		     j->conf.marker, lane->index);
	j->recovered.lost_unnamed++;
}

static int recover_tail(struct recovery *r, struct lane *lane)
{
	struct journal *j = r->j;
	uint64_t tail;

	if (!word_unseal(lane_media(j, lane->index)->tail, &tail) && !(tail % STAGE_ALIGN) &&
	    tail <= WORD_VALUE_MAX / 2) {
		lane->s->tail = tail;
		return 0;
	}
	tail = stage_guess_tail(j, lane);
	stage_doubt(r, lane, tail);
	found_damage(j, 0, "%s: the tail of lane %u is damaged: its stage is read from position "
		     "%llu on: if something below it was damaged, too, that is lost without a name",
		     j->conf.marker, lane->index, (unsigned long long)tail);
	lane->s->tail = tail;
	if (!j->read_only)
		nv_store8(j->marker, (uint64_t *)&lane_media(j, lane->index)->tail,
			  (uint64_t)word_seal(tail));
	return 0;
}

static int recover_ring(struct recovery *r, struct lane *lane)
{
	bool more = true;
	int error = recover_tail(r, lane);

	if (error)
		return error;
	lane->s->head = lane->s->tail;
	lane->s->head_offset = lane->s->head % lane->ring_bytes;
	lane->s->queue_head = lane->s->queue_tail;
	lane->s->last.count = 0;
	reserve_forget(lane);
	while (!error && more && lane->s->head - lane->s->tail < lane->ring_bytes) {
		error = lane_queue_ready(r->j, lane);
		if (!error)
			error = recover_ring_record(r, lane, &more);
	}
	return error;
}

/* Beside a writer the tail may move while we read: what we then missed is read
 * again, or is in the log, which is read after. */
static bool recover_ring_moved(struct journal *j, const struct lane *lane)
{
	uint64_t tail;

	return j->writer_pid && !word_unseal(lane_media(j, lane->index)->tail, &tail) &&
	       tail != lane->s->tail;
}

#define RING_TRIES 64

/* What was torn must stay so.  Its header may be whole: if the next commit at
 * this position brought the same payload and was given up, header and payload
 * would fit together, and a later recovery would take it for committed. */
static void stage_scrub(struct journal *j, const struct lane *lane)
{
	struct stage_meta meta;

	if (ring_look(lane, lane->s->head, &meta) != -ENODATA)
		nv_store8(j->marker, (uint64_t *)(lane->ring + lane->s->head_offset), 0);
}

void recover_end_stage(struct journal *j)
{
	uint32_t i;

	for (i = 0; i < j->lane_count && j->geometry.ring_bytes; i++) {
		stage_scrub(j, &j->lanes[i]);
		/* what is served from here on was no torn record; durable it is since
		 * recover_make_durable() */
		lane_end_store(j, &j->lanes[i], j->lanes[i].s->head);
	}
}

/* All of it is read: have it mapped at once, not page by page.  Only advice. */
static void stage_populate(struct journal *j)
{
	(void)madvise(j->marker->map, j->geometry.bytes, MADV_POPULATE_READ);
}

int recover_stage(struct recovery *r)
{
	struct journal *j = r->j;
	uint32_t i, try;
	int error = 0;

	if (j->geometry.ring_bytes)
		stage_populate(j);
	for (i = 0; i < j->lane_count && j->geometry.ring_bytes && !error; i++) {
		try = 0;
		do
			error = recover_ring(r, &j->lanes[i]);
		while (!error && recover_ring_moved(j, &j->lanes[i]) && ++try < RING_TRIES);
	}
	return error;
}
