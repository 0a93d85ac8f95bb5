/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moving what lives in one segment.
 *
 *  1. Its digest and table say what is in it, the index what of that still lives here.
 *  2. Each is read, verified, and appended to the cleaner's stream as a record that
 *     certifies itself, with one move more.  What does not verify is not certified
 *     anew: it is lost, and said to be.
 *  3. The copies are durable.
 *  4. Where each is read from is exchanged, old place for new.  Of a retire and a
 *     move one gets the old place: who retires takes what he finds and gives
 *     that up, old or new; if it was the old one, the exchange fails, and the copy's
 *     hold is given up here.
 *  5. The holds on the old segment are given up: nothing lives there, it is free.
 *
 * The cleaner holds the segment from before 1 until after 5: nobody writes there
 * meanwhile, so no other transaction can have the very same place.
 *
 * A crash before 3 leaves copies that nobody relies on.  After it both verify, and
 * the same bit retires both: recovery takes the one with more moves.
 *
 * clean_collect.c has the first step, clean_large.c what is in several pieces.
 */
#include <errno.h>
#include <stdlib.h>

#include "format/group.h"
#include "txn/cell.h"
#include "txn/clean_impl.h"
#include "txn/clean_lines.h"
#include "txn/copies.h"
#include "txn/holds.h"
#include "txn/line.h"
#include "txn/move.h"
#include "txn/segment.h"
#include "txn/slots.h"
#include "txn/stream.h"
#include "util/crc32c.h"

#define WINDOW_BYTES (LOG_BUFFER_BYTES + 8192u) /* a record, wherever its blocks begin */
#define GAP_BYTES    65536u                     /* read through */

/* ---- what it costs ----------------------------------------------------------------- */

/* the survivors of the same record as @first: Return: the one behind them */
static uint32_t clean_run(const struct clean *c, uint32_t first)
{
	uint32_t i = first + 1;

	while (i < c->count && c->all[i].from == c->all[first].from)
		i++;
	return i;
}

/* each in a record of its own */
static uint64_t clean_alone_bytes(const struct clean *c, uint32_t first, uint32_t end)
{
	uint64_t bytes = 0;

	for (; first < end; first++)
		bytes += log_record_bytes(c->all[first].bytes);
	return bytes;
}

/* A group whose members have mostly gone is taken apart. */
static bool clean_apart(const struct clean *c, uint32_t first, uint32_t end)
{
	return clean_alone_bytes(c, first, end) < c->all[first].units * 32ull;
}

/* A segment is full when its bytes are, or the lines of its summary: so survivors of
 * many lines take the lines' share of one, however small they are. */
static uint64_t clean_cost(const struct clean *c)
{
	uint64_t bytes = 0, lines = (uint64_t)c->lines * c->victim->used_bytes /
				    summary_lines_max(c->j->digest_bytes);
	uint32_t i, end;

	for (i = 0; i < c->count; i = end) {
		end = clean_run(c, i);
		bytes += min_u64(clean_alone_bytes(c, i, end), c->all[i].units * 32ull);
	}
	return max_u64(bytes, lines);
}

/* ---- copying ------------------------------------------------------------------------ */

/* The record of @first, and of those behind it what a read of that size brings.
 * Return: 0, or what the read said. */
static int clean_window(struct clean *c, uint32_t first, const uint8_t **bytes)
{
	struct journal *j = c->j;
	uint64_t from = where_offset(c->all[first].from), end = from + c->all[first].units * 32ull;
	struct log_io io = { .buffer = c->window };
	uint64_t to, next;
	uint32_t i;
	int error;

	if (from < c->window_from || end > c->window_to) {
		c->window_from = round_down(from, j->block_bytes);
		to = min_u64(round_up(end, j->block_bytes), j->segment_bytes);
		for (i = first + 1; i < c->count; i++) {
			next = where_offset(c->all[i].from);
			end = round_up(next + c->all[i].units * 32ull, j->block_bytes);
			if (next > to + GAP_BYTES || end - c->window_from > WINDOW_BYTES)
				break;
			to = min_u64(max_u64(to, end), j->segment_bytes);
		}
		c->window_to = 0;
		if (to - c->window_from > WINDOW_BYTES)
			return -EBADMSG;
		io.offset = segment_base(j, c->victim->number) + c->window_from;
		io.bytes = (uint32_t)(to - c->window_from);
		/* by whichever leg: each record in it is verified, and looked for on the
		 * other one, by itself (clean_other_copy()) */
		error = log_store_read(logs_at(j, segment_log(j, c->victim->number)), &io, 1);
		if (error)
			return error;
		c->window_to = to;
	}
	*bytes = c->window + (from - c->window_from);
	return 0;
}

/* Whether the bytes are the record that the survivors [first, end) are in. */
static bool clean_verify(const struct clean *c, uint32_t first, uint32_t end,
			 const uint8_t *bytes, struct log_meta *meta)
{
	uint64_t seed = c->victim->seed;
	const struct survivor *s = &c->all[first];
	uint32_t i;

	if (log_record_decode((const struct log_record *)bytes, (uint32_t)seed,
			      where_offset(s->from), s->units * 32ull, meta) ||
	    crc32c((uint32_t)seed, bytes + LOG_RECORD_BYTES, meta->bytes) != meta->payload_crc ||
	    meta->type == LOG_RETIRE || meta->extents != 1 || meta->line != s->line ||
	    meta->line_epoch != s->number)
		return false;
	for (i = first; i < end; i++)
		if (c->all[i].at < meta->slot || c->all[i].at >= meta->slot + meta->count)
			return false;
	return true;
}

/* The copy that was read does not verify: the other one, in its place in the window. */
static bool clean_other_copy(const struct clean *c, uint32_t first, uint32_t end,
			     const uint8_t *bytes, struct log_meta *meta)
{
	uint32_t offset = where_offset(c->all[first].from);
	struct record record;
	struct log_io io;

	if (record_span(c->j, c->victim->number, offset, c->all[first].units * 32ull, &io))
		return false;
	io.buffer = (void *)(uintptr_t)(bytes - offset % c->j->block_bytes);
	return !copies_record(c->j, c->victim->number, offset, &io, &record) &&
	       clean_verify(c, first, end, bytes, meta);
}

/* A reader would say so at the next look: it does not verify, and never will. */
static void clean_lose(struct clean *c, uint32_t first, uint32_t end)
{
	uint64_t from;

	for (; first < end; first++) {
		from = c->all[first].from;
		(void)atomic_compare_exchange_strong(&c->all[first].slot->where, &from,
						     where_lost_in(c->victim->number));
	}
	c->pinned = true;
}

/*
 * Survivors by age: what was moved before and survived there, too, goes to segments of its
 * own, where nothing is left that dies soon.  They are open beside the one that is set
 * aside for the cleaner (reserve.h): so not in a small log, and not when few are free; then
 * all goes to that one.
 */
static struct stream *clean_stream(struct journal *j, uint32_t moves)
{
	uint32_t free_count = atomic_load(&j->shared->segments_free);

	if (moves > 1 && segments_usable(j) >= CLEAN_AGES_FROM &&
	    free_count > segments_reserve(j) + 1 && !stream_buffers(&j->old))
		return &j->old;
	return &j->moved;
}

int clean_append(struct clean *c, const struct stream_record *record, struct stream_place *place)
{
	int error;

	/* all that survives in one victim: a segment is enough for it */
	if (!c->to)
		c->to = clean_stream(c->j, record->meta.moves);
	error = stream_append(c->to, record, true, place);
	clean_job_beat(c->job);
	if (!error)
		c->last_ticket = place->ticket;
	if (!c->first_ticket)
		c->first_ticket = c->last_ticket;
	return error;
}

static int clean_append_copy(struct clean *c, const struct log_meta *meta,
			     const uint8_t *payload, struct stream_place *place)
{
	struct stream_record record = { .meta = *meta, .payload = payload };

	record.meta.type = LOG_DATA;
	record.meta.moves = (uint32_t)min_u64(meta->moves + 1ull, UINT16_MAX);
	return clean_append(c, &record, place);
}

int clean_wait(struct clean *c)
{
	int error = c->first_ticket ?
			    stream_wait(c->to, c->first_ticket, c->last_ticket) : 0;

	clean_job_beat(c->job);
	return error;
}

static void clean_copied(struct survivor *s, const struct stream_place *place, uint32_t bytes)
{
	s->to = where_log(place->segment->number, place->offset, 0);
	s->units = (uint32_t)(log_record_bytes(bytes) / 32);
}

static int clean_copy_apart(struct clean *c, uint32_t first, uint32_t end,
			    const struct log_meta *group, const uint8_t *payload)
{
	struct log_meta meta = *group;
	struct stream_place place;
	uint32_t index, offset;
	int error = 0;

	meta.count = 1;
	for (; first < end && !error; first++) {
		index = c->all[first].at - group->slot;
		if (group_find(payload, group->bytes, group->count, index, &offset, &meta.bytes)) {
			clean_lose(c, first, first + 1);
			continue;
		}
		meta.id = group->id + index;
		meta.slot = c->all[first].at;
		meta.total_bytes = meta.bytes;
		error = clean_append_copy(c, &meta, payload + offset, &place);
		if (!error)
			clean_copied(&c->all[first], &place, meta.bytes);
	}
	return error;
}

static int clean_copy_whole(struct clean *c, uint32_t first, uint32_t end,
			    struct log_meta *meta, const uint8_t *payload)
{
	struct stream_place place;
	int error = clean_append_copy(c, meta, payload, &place);

	if (error)
		return error;
	/* a group's that do not live any more hold nothing */
	holds_end(c->j, place.segment, meta->count - (end - first));
	for (; first < end; first++)
		clean_copied(&c->all[first], &place, meta->bytes);
	return 0;
}

static int clean_copy_run(struct clean *c, uint32_t first, uint32_t end)
{
	struct log_meta meta;
	const uint8_t *bytes;
	int error = clean_window(c, first, &bytes);

	if (error) {
		c->pinned = true; /* not to be read, now: it stays as it is */
		return 0;
	}
	if (!clean_verify(c, first, end, bytes, &meta) &&
	    !clean_other_copy(c, first, end, bytes, &meta)) {
		clean_lose(c, first, end);
		return 0;
	}
	return clean_apart(c, first, end) ?
		       clean_copy_apart(c, first, end, &meta, bytes + LOG_RECORD_BYTES) :
		       clean_copy_whole(c, first, end, &meta, bytes + LOG_RECORD_BYTES);
}

static int clean_copy(struct clean *c)
{
	uint32_t i, end;
	int error = 0, wait;

	if (posix_memalign((void **)&c->window, 4096, WINDOW_BYTES))
		return -ENOMEM;
	for (i = 0; i < c->count && !error; i = end) {
		end = clean_run(c, i);
		error = clean_copy_run(c, i, end);
	}
	/* the copies durable before anybody reads them: the old ones go then */
	wait = clean_wait(c);
	return wait ? wait : error;
}

/* ---- the exchange ---------------------------------------------------------------------- */

static bool clean_exchange(struct clean *c, struct cell *cell, const struct survivor *s)
{
	uint64_t from = s->from;

	/* or its units could be those of the slot's next transaction */
	cell_move(c->j, cell, s->line);
	if (atomic_load(&c->j->lines[s->line].number) != s->number ||
	    !atomic_compare_exchange_strong(&s->slot->where, &from, s->to))
		return false;
	/* Of a member of a group, now alone, they become less.  Who reads the new place
	 * with the old ones reads too much, and it does not matter. */
	atomic_store_explicit(&s->slot->units, s->units, memory_order_release);
	return true;
}

static void clean_publish(struct clean *c)
{
	struct journal *j = c->j;
	struct cell *cell = cell_take(j, 0);
	uint32_t i, moved = 0;

	for (i = 0; i < c->count; i++) {
		if (!c->all[i].to)
			continue;
		holds_settle(j, &j->segments.all[where_segment(c->all[i].to)], 1);
		if (clean_exchange(c, cell, &c->all[i]))
			moved++;
		else
			segment_release(j, &j->segments.all[where_segment(c->all[i].to)], 1);
	}
	cell_drop(cell);
	segment_release(j, c->victim, moved);
	count(j->counters, COUNT_MOVED, moved);
}

/* Some of the copies are lost with their log: all stays where it was. */
static void clean_undo(struct clean *c)
{
	uint32_t i;

	for (i = 0; i < c->count; i++)
		if (c->all[i].to)
			holds_end(c->j, &c->j->segments.all[where_segment(c->all[i].to)], 1);
}

/* Not worth it, or it cannot be: until more of it has died it counts as full. */
static void clean_leave(struct clean *c)
{
	/* the cleaner's own hold does not count */
	segment_measure(c->victim, c->j->segment_bytes,
			segment_live_of(atomic_load(&c->victim->use)) - 1);
	count(c->j->counters, COUNT_UNMOVED, 1);
}

/* ---- to slots that lie together ------------------------------------------------------ */

/* Survivors of many lines get new slots, together, where that takes less of a segment. */
static uint64_t clean_cost_rehomed(const struct clean *c)
{
	uint64_t lines = (c->count / SLOTS_PER_LINE + 1) * c->victim->used_bytes /
			 summary_lines_max(c->j->digest_bytes);

	return max_u64(clean_alone_bytes(c, 0, c->count), lines);
}

static int clean_rehome(struct clean *c)
{
	struct slot_place *slots = malloc(c->count * sizeof(*slots));
	uint32_t i;
	int error;

	if (!slots)
		return -ENOMEM;
	for (i = 0; i < c->count; i++)
		slots[i] = (struct slot_place){ c->all[i].number, c->all[i].line, c->all[i].at };
	error = move_slots(c->j, c->job, slots, c->count, MOVE_RESERVED | MOVE_TOGETHER);
	free(slots);
	return error;
}

/* ---- all of it ------------------------------------------------------------------------ */

static int clean_out_small(struct clean *c, bool rehomes)
{
	int error;

	if (rehomes)
		return clean_rehome(c);
	error = clean_copy(c);
	if (journal_failed(c->j))
		return error; /* undecided: nothing is given up any more */
	if (error == LOG_OUT)
		clean_undo(c);
	else
		clean_publish(c);
	return error;
}

static int clean_out(struct clean *c, bool rehomes)
{
	int error = c->count ? clean_out_small(c, rehomes) : 0;

	if (!error && c->large_count)
		error = clean_larges_move(c);
	/* the cleaner's own hold is left */
	if (segment_live_of(atomic_load(&c->victim->use)) > 1)
		c->pinned = true;
	return error;
}

static int clean_move(struct clean *c, uint64_t bytes_max, bool *gained)
{
	uint64_t large = clean_larges_cost(c), cost = clean_cost(c) + large;
	uint64_t rehomed = clean_cost_rehomed(c) + large;
	bool rehomes = c->count && clean_lines_may(c->j) && rehomed < cost / 4 * 3;
	int error;

	/* what is known by now, instead of a mean */
	segment_measure(c->victim, rehomes ? rehomed : cost, c->count + c->large_count);
	if (c->pinned || !(c->count + c->large_count)) {
		clean_leave(c);
		return 0;
	}
	rehomes = rehomes && !line_renew(c->j, &c->job->moving);
	if ((rehomes ? rehomed : cost) > bytes_max)
		return 0;
	error = clean_out(c, rehomes);
	if (journal_failed(c->j))
		return error;
	if (c->pinned)
		clean_leave(c);
	*gained = !error && !c->pinned;
	return error;
}

int clean_victim(struct journal *j, struct clean_job *job, struct segment *victim,
		 uint64_t bytes_max, bool *gained)
{
	struct clean c = { .j = j, .job = job, .victim = victim };
	int error = clean_collect(&c);

	*gained = false;
	if (!error)
		error = clean_move(&c, bytes_max, gained);
	else if (error != -ENOMEM)
		clean_leave(&c); /* its summary is not to be had */
	free(c.window);
	free(c.larges);
	free(c.all);
	if (error == -ENOMEM)
		return journal_say(j, error, "no memory to clean a segment");
	return journal_failed(j) || error == -ENOSPC ? error : 0;
}
