/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading a whole segment: one that is not sealed, or whose retire records
 * are replayed.  Records are looked for at every 32 bytes, so that holes, torn
 * writes and damage hide nothing behind them; the seeded checksums tell
 * records from payload that looks like one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "txn/copies.h"
#include "txn/found.h"
#include "txn/line.h"
#include "txn/head.h"
#include "txn/recover.h"
#include "txn/segment.h"
#include "txn/segment_notes.h"
#include "util/crc32c.h"

/* the largest record, twice: read ahead, and never twice the same */
#define WINDOW_BYTES (2u * LOG_BUFFER_BYTES)
#define WINDOW_READS 4u

/*
 * Of a mirrored log both copies are looked at: a record is there if it is whole on one of
 * them.  What was on its way to both when the writer died may be on one only.
 */
struct window {
	struct recovery *r;
	uint32_t segment;
	struct log_store *store;
	unsigned int copies; /* 1, or 2 */
	uint8_t *buffer;     /* of both, one behind the other */
	uint64_t from, to;   /* of the segment, in the buffer */
	uint64_t limit;      /* records end here at the latest */
	bool differs;        /* the copies do, in this window */
	bool unreadable;     /* some of it was, of both */
};

static int window_read(const struct window *w, unsigned int copy, struct log_io *io,
		       uint32_t count)
{
	return w->copies == 1 ? log_store_read(w->store, io, count) :
				log_copies_read(w->store, copy, io, count);
}

/* One bad block must not take its neighbours' records with it: again, block by
 * block.  What is unreadable then holds no records. */
static void window_again(struct window *w, unsigned int copy, const struct log_io *failed)
{
	struct journal *j = w->r->j;
	struct log_io io = { .bytes = j->block_bytes };
	uint32_t at;

	for (at = 0; at < failed->bytes; at += j->block_bytes) {
		io.offset = failed->offset + at;
		io.buffer = (uint8_t *)failed->buffer + at;
		if (!window_read(w, copy, &io, 1))
			continue;
		w->unreadable |= w->copies == 1 || window_read(w, !copy, &io, 1);
		memset(io.buffer, 0, io.bytes);
	}
}

/* What was there may have been acknowledged, and nobody can tell.  The segment is
 * not gone on with: it would be written over. */
static void window_tell(const struct window *w, struct segment_scan *scan)
{
	struct recovery *r = w->r;

	if (!w->unreadable)
		return;
	scan->unreadable = true;
	found_damage(r->j, 0, "%s: segment %u: not all of it can be read: what was there is lost, "
		     "without a name", r->j->conf.logs[segment_log(r->j, w->segment)],
		     w->segment);
	pthread_mutex_lock(&r->lock);
	r->j->recovered.lost_unnamed++;
	pthread_mutex_unlock(&r->lock);
}

static void window_fill(struct window *w, unsigned int copy, uint64_t from, uint64_t size)
{
	struct journal *j = w->r->j;
	struct log_io io[WINDOW_READS];
	uint64_t chunk = round_up((size + WINDOW_READS - 1) / WINDOW_READS, j->block_bytes);
	uint32_t i, count = 0;

	for (i = 0; i * chunk < size; i++, count++)
		io[i] = (struct log_io){
			.offset = segment_base(j, w->segment) + from + i * chunk,
			.buffer = w->buffer + copy * WINDOW_BYTES + i * chunk,
			.bytes = (uint32_t)min_u64(chunk, size - i * chunk),
		};
	if (window_read(w, copy, io, count))
		for (i = 0; i < count; i++)
			if (io[i].result)
				window_again(w, copy, &io[i]);
	atomic_fetch_add(&w->r->bytes_read, size);
}

/* Return: @bytes at @at of the first copy, or NULL when they cannot be read. */
static const uint8_t *window_at(struct window *w, uint64_t at, uint64_t bytes)
{
	struct journal *j = w->r->j;
	uint64_t from = round_down(at, j->block_bytes), size;
	unsigned int copy;

	if (at >= w->from && at + bytes <= w->to)
		return w->buffer + (at - w->from);
	size = min_u64(WINDOW_BYTES, w->limit - from);
	for (copy = 0; copy < w->copies; copy++)
		window_fill(w, copy, from, size);
	w->differs = w->copies > 1 && memcmp(w->buffer, w->buffer + WINDOW_BYTES, size);
	w->from = from;
	w->to = from + size;
	return at + bytes <= w->to ? w->buffer + (at - w->from) : NULL;
}

static int scan_keep(struct segment_scan *scan, const struct log_meta *meta, uint32_t offset,
		     const uint8_t *payload, unsigned int legs)
{
	bool valid = legs;
	uint32_t room = scan->room ? scan->room * 2 : 64;
	uint32_t tail_bytes = recover_tail_bytes(meta);
	struct scanned *records = scan->records;
	uint8_t *tail = NULL;

	if (scan->count == scan->room) {
		records = realloc(records, room * sizeof(*records));
		if (!records)
			return -ENOMEM;
		scan->records = records;
		scan->room = room;
	}
	if (valid && tail_bytes) {
		tail = malloc(tail_bytes);
		if (!tail)
			return -ENOMEM;
		memcpy(tail, payload + meta->bytes - tail_bytes, tail_bytes);
	}
	records[scan->count++] = (struct scanned){ *meta, offset, valid, (uint8_t)legs, tail };
	return 0;
}

/* what one copy has at a place */
struct seen {
	const uint8_t *bytes;
	struct log_meta meta;
	bool header, valid;
};

/* Return: false: it cannot be read */
static bool scan_look(struct window *w, unsigned int copy, uint64_t at, struct seen *seen)
{
	uint32_t seed = w->r->j->segments.all[w->segment].seed;
	const uint8_t *bytes = window_at(w, at, LOG_RECORD_BYTES);
	const struct log_record *record =
		(const void *)(bytes ? bytes + copy * WINDOW_BYTES : NULL);

	if (!bytes)
		return false;
	/* a header that fails may be torn, or of an older use of the segment */
	seen->valid = false;
	seen->header = !log_record_decode(record, seed, at, w->limit - at, &seen->meta);
	if (!seen->header)
		return true;
	bytes = window_at(w, at, LOG_RECORD_BYTES + seen->meta.bytes);
	if (!bytes)
		return false;
	seen->bytes = bytes + copy * WINDOW_BYTES;
	seen->valid = crc32c(seed, seen->bytes + LOG_RECORD_BYTES, seen->meta.bytes) ==
		      seen->meta.payload_crc;
	return true;
}

/* Where the copies differ, the better one.  *@legs: those that verify. */
static bool scan_best(struct window *w, uint64_t at, struct seen *best, unsigned int *legs)
{
	struct seen other;

	if (!scan_look(w, 0, at, best))
		return false;
	*legs = best->valid ? 3 : 0;
	if (!w->differs)
		return true;
	if (!scan_look(w, 1, at, &other))
		return false;
	*legs = best->valid | other.valid << 1;
	if ((other.valid && !best->valid) || (other.header && !best->header))
		*best = other;
	/* the second look may have moved the window on */
	else if (best->header && !scan_look(w, 0, at, best))
		return false;
	return true;
}

/* Most of a segment that was not filled is no record: where the next may be, of any copy. */
static uint64_t scan_skip(const struct window *w, uint64_t at)
{
	const struct log_record *record;
	unsigned int copy;

	for (at += LOG_RECORD_ALIGN; at + LOG_RECORD_BYTES <= w->to; at += LOG_RECORD_ALIGN)
		for (copy = 0; copy < w->copies; copy++) {
			record = (const void *)(w->buffer + copy * WINDOW_BYTES + (at - w->from));
			if (get_le16(record->magic) == LOG_RECORD_MAGIC)
				return at;
		}
	return at;
}

/* Look for a record at @at; Return: where to look next, 0 on an error. */
static uint64_t scan_step(struct window *w, struct segment_scan *scan, uint64_t at, int *error)
{
	unsigned int legs;
	struct seen seen;

	if (!scan_best(w, at, &seen, &legs))
		return w->limit;
	if (!seen.header)
		return scan_skip(w, at);
	*error = scan_keep(scan, &seen.meta, (uint32_t)at, seen.bytes + LOG_RECORD_BYTES, legs);
	if (seen.valid)
		scan->end = (uint32_t)round_up(at + log_record_bytes(seen.meta.bytes),
					       w->r->j->block_bytes);
	/* a bad payload may be a torn batch with whole records inside */
	return at + (seen.valid ? log_record_bytes(seen.meta.bytes) : LOG_RECORD_ALIGN);
}

int recover_scan(struct recovery *r, uint32_t segment)
{
	struct journal *j = r->j;
	struct segment_scan *scan = &r->scans[segment];
	struct window w = { .r = r, .segment = segment,
			    .store = logs_at(j, segment_log(j, segment)),
			    .limit = j->segment_bytes - j->digest_bytes };
	uint64_t at = j->block_bytes;
	int error = 0;

	if (scan->digest)
		w.limit = round_down(min_u64(w.limit, get_le32(scan->digest->table_offset)),
				     j->block_bytes);
	w.buffer = NULL;
	w.copies = log_copies_several(w.store) ? 2 : 1;
	if (posix_memalign((void **)&w.buffer, 4096, (size_t)w.copies * WINDOW_BYTES))
		return journal_say(j, -ENOMEM, "no memory to recover");
	scan->end = j->block_bytes;
	while (at + LOG_RECORD_BYTES <= w.limit && !error)
		at = scan_step(&w, scan, at, &error);
	free(w.buffer);
	window_tell(&w, scan);
	return error ? journal_say(j, error, "no memory to recover") : 0;
}

/* ---- what the records say, once all are known ---- */

static void scan_retires(struct recovery *r, const struct scanned *record)
{
	struct log_retire entry;
	uint32_t i;

	for (i = 0; i < record->meta.bytes / sizeof(entry); i++) {
		memcpy(&entry, record->tail + i * sizeof(entry), sizeof(entry));
		recover_retire(r, get_le32(entry.line), get_le64(entry.line_epoch),
			       get_le32(entry.slot));
	}
}

/*
 * P10: up to which record all of this use were durable.  A record says so of
 * those before it, by a header that verifies even if its payload is torn; the
 * digest says it of all that were there when it was written.
 */
void recover_watermark(struct segment_scan *scan)
{
	uint32_t i;

	scan->acked = scan->digest ? get_le64(scan->digest->last_record_seq) :
		      scan->named  ? get_le64(scan->named->last_record_seq) :
				     0;
	for (i = 0; i < scan->count; i++)
		scan->acked = max_u64(scan->acked, scan->records[i].meta.acked);
}

static bool scan_was_acked(const struct segment_scan *scan, const struct scanned *record)
{
	return record->meta.seq && record->meta.seq <= scan->acked;
}

/* What a digest names did verify when the segment was sealed. */
static bool scan_is_named(const struct segment_scan *scan, const struct log_meta *meta)
{
	const struct summary_line *line;
	uint32_t i;

	if (!scan->digest)
		return false;
	line = (const struct summary_line *)(scan->digest + 1);
	for (i = 0; i < get_le32(scan->digest->lines); i++, line++)
		if (get_le32(line->line) == meta->line &&
		    get_le64(line->epoch) == meta->line_epoch)
			return get_le64(line->used[meta->slot / 64]) >> (meta->slot & 63) & 1;
	return false;
}

/*
 * What a digest neither names nor vouches for was being written when the log went out
 * of use.  Though it verifies, it does not count: it has its place on another log, if
 * it was acknowledged; and the next recovery, which goes by the digest, would miss it.
 */
bool recover_vouched(const struct segment_scan *scan, const struct scanned *record)
{
	return !scan->digest || scan->kind != LOG_STREAM || record->meta.type == LOG_RETIRE ||
	       record->meta.seq <= get_le64(scan->digest->last_record_seq) ||
	       scan_is_named(scan, &record->meta);
}

static void scan_enter(struct recovery *r, uint32_t segment, const struct scanned *record)
{
	const struct segment_scan *scan = &r->scans[segment];
	bool known = record->valid || record->meta.type == LOG_EXTENT ||
		     scan_was_acked(scan, record) ||
		     (record->meta.type == LOG_DATA && scan_is_named(scan, &record->meta));

	if (!known || !recover_vouched(scan, record)) {
		r->j->recovered.torn++;
		return;
	}
	if (record->meta.type == LOG_RETIRE && !record->valid)
		found_damage(r->j, 0, "%s: segment %u: a retire record was acknowledged and does "
			     "not verify: what it retired may be back",
			     r->j->conf.logs[segment_log(r->j, segment)], segment);
	if (record->meta.type == LOG_RETIRE)
		return;
	recover_record(r, segment, record->offset, &record->meta, record->tail, record->valid);
}

/*
 * Of @unnamed records in gaps of a sealed segment those that its digest has no name for, which
 * brought @lost transactions to light: a group is one record with several, and a retire record
 * is none of them.  What a clean close has named is not among them.
 */
static uint64_t scan_unnamed(const struct recovery *r, uint32_t number, uint64_t unnamed,
			     uint64_t lost)
{
	uint64_t retires = min_u64(unnamed, recover_gaps_retires(r, number));

	if (!r->scans[number].digest)
		return unnamed;
	return retires + (unnamed - retires) - min_u64(unnamed - retires, lost);
}

/* one segment that was read whole */
static void scan_finish(struct recovery *r, uint32_t number)
{
	const struct segment_scan *scan = &r->scans[number];
	uint64_t unnamed = recover_gaps(r, number), lost;
	uint32_t k;

	for (k = 0; k < scan->count; k++)
		scan_enter(r, number, &scan->records[k]);
	recover_copies_tell_records(r, number);
	lost = r->lost;
	recover_named(r, number);
	unnamed = scan_unnamed(r, number, unnamed, r->lost - lost);
	if (unnamed)
		recover_gaps_tell(r, number);
	r->j->recovered.lost_unnamed += unnamed;
}

void recover_scan_finish(struct recovery *r)
{
	struct segment_scan *scan;
	uint32_t i, k;

	for (i = 0; i < r->order_count; i++) {
		scan = &r->scans[r->order[i]];
		recover_watermark(scan);
		for (k = 0; k < scan->count; k++)
			if (scan->records[k].meta.type == LOG_RETIRE && scan->records[k].valid)
				scan_retires(r, &scan->records[k]);
	}
	for (i = 0; i < r->order_count; i++)
		if (r->scans[r->order[i]].whole)
			scan_finish(r, r->order[i]);
}

/*
 * Up to which record of a stream all are there, or known to be lost.  The next
 * writer's first record says so as its watermark, or the digest does: nothing
 * else would ever vouch for the last records before a crash or close, and damage
 * to them would pass for a commit that was in flight.  What lies behind a hole is
 * left out: the hole is torn, and must not become damage.
 */
static uint64_t scan_served(const struct segment_scan *scan)
{
	uint64_t served = scan->acked;
	uint32_t i;

	for (i = 0; i < scan->count; i++)
		if (scan->records[i].valid && scan->records[i].meta.seq == served + 1)
			served++;
	return served;
}

/* What is lost there and known by name only keeps it: where no record is. */
static int reseal_lost(struct recovery *r, uint32_t number, struct head *head)
{
	const struct summary_head *named = r->scans[number].named;
	const struct summary_line *lines = (const struct summary_line *)(named + 1);
	struct log_meta meta = { .type = LOG_DATA, .count = 1, .extents = 1 };
	uint32_t i, slot;
	int error = 0;

	for (i = 0; named && i < get_le32(named->lines); i++)
		for (slot = 0; slot < SLOTS_PER_LINE && !error; slot++) {
			meta.line = get_le32(lines[i].line);
			meta.line_epoch = get_le64(lines[i].epoch);
			meta.slot = (uint16_t)slot;
			if (!(get_le64(lines[i].used[slot / 64]) >> (slot & 63) & 1) ||
			    !recover_is_lost_in(r, meta.line, meta.line_epoch, slot, number))
				continue;
			meta.id = recover_id(r, meta.line, slot);
			error = notes_add(&head->notes, &meta, 0,
					  LOG_RECORD_BYTES / 32 | SUMMARY_SELF);
		}
	return error;
}

/* Nothing has come since the close that named it all: need not be named again. */
static void reseal_named(const struct segment_scan *scan, struct head *head)
{
	struct head_shared *s = head->s;
	uint32_t entries, ids;

	notes_table(&head->notes, &entries, &ids);
	if (!scan->named || get_le32(scan->named->entries) != entries ||
	    get_le64(scan->named->last_record_seq) != s->durable_record_seq)
		return;
	s->named_notes = s->notes.notes;
	s->named_seq = s->durable_record_seq;
}

/* What the next record says of the last one; nothing, if that is lost. */
static void reseal_last(const struct segment_scan *scan, struct head_shared *s)
{
	const struct scanned *last = scan->count ? &scan->records[scan->count - 1] : NULL;

	if (last && last->meta.seq == s->last_record_seq)
		s->last_record = log_before_of(&last->meta);
}

/* The summary of a segment that was not sealed, again from its records. */
int recover_reseal(struct recovery *r, uint32_t number, struct head *head)
{
	struct journal *j = r->j;
	const struct segment_scan *scan = &r->scans[number];
	const struct scanned *record;
	uint32_t i, flags;
	int error = 0;

	head_adopt(j, head, &j->segments.all[number]);
	/* what is lost before what is there: of one slot the entry that is made last counts */
	error = reseal_lost(r, number, head);
	if (!error)
		error = recover_gaps_reseal(r, number, head);
	for (i = 0; i < scan->count && !error; i++) {
		record = &scan->records[i];
		if (record->meta.type == LOG_RETIRE) {
			head->s->notes.retires++;
			continue;
		}
		/* what was acknowledged and is lost keeps its name (P10) */
		if (!record->valid && !scan_was_acked(scan, record))
			continue;
		flags = record->meta.type == LOG_DATA ? SUMMARY_SELF :
			record->meta.extents         ? 0 :
						       SUMMARY_PART;
		error = notes_add(&head->notes, &record->meta, record->offset / 32,
				  (uint32_t)(log_record_bytes(record->meta.bytes) / 32) | flags);
	}
	head->s->end = scan->end;
	head->s->last_record_seq = head->s->durable_record_seq = scan_served(scan);
	reseal_last(scan, head->s);
	head->s->durable_notes = head->s->notes.notes;
	reseal_named(scan, head);
	return error ? journal_say(j, -ENOMEM, "no memory to recover") : 0;
}
