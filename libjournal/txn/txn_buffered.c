/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transactions that are gathered in memory: the direct and the synced path.
 *
 * Direct, the normal case:
 *  1. the payload goes to the log as one extent, durable (or as several, then
 *     one flush for each log they lie on);
 *  2. its slot's commit bit is cleared, one fence: the durable point.
 * A crash before 2 leaves an extent that nobody committed: ignored.
 *
 * Synced: the payload goes into the stream as a self-certifying record and
 * the commit waits for the batch.  Earlier extents of a large one are flushed
 * before, so that the record that certifies them never comes first.
 *
 * No room in the log: nothing was committed, the transaction is aborted and
 * what it wrote is garbage of its segments.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "txn/clock.h"
#include "txn/extent.h"
#include "txn/health.h"
#include "txn/holds.h"
#include "txn/line.h"
#include "txn/logs.h"
#include "txn/pieces.h"
#include "txn/segment.h"
#include "txn/streams.h"
#include "txn/txn_impl.h"

bool txn_is_direct(const struct journal_txn *txn)
{
	return txn->prepared ||
	       (health_bits_durable(txn->j) && txn->wanted != JOURNAL_PATH_SYNCED);
}

/* what one record holds, with room for the table of a large transaction */
static uint64_t txn_piece_max(const struct journal_txn *txn)
{
	return round_down(extent_payload_max(txn->j) - 4096, 4096);
}

static uint8_t *txn_payload(const struct journal_txn *txn)
{
	return txn->base + LOG_RECORD_BYTES;
}

static int txn_use_large(struct journal_txn *txn)
{
	uint8_t *large = log_store_buffer(logs_buffers(txn->j));

	if (!large)
		return journal_say(txn->j, -ENOMEM, "no memory for a transaction's buffer");
	if (txn->fill)
		memcpy(large + LOG_RECORD_BYTES, txn_payload(txn), txn->fill);
	if (txn->base && txn->base == txn->small)
		zeros_used(&txn->small_zeros, (uint32_t)(LOG_RECORD_BYTES + txn->fill));
	txn->large = large;
	txn->base = large;
	txn->room = txn_piece_max(txn);
	return 0;
}

static int txn_use_small(struct journal_txn *txn)
{
	void *small = txn->small;

	if (!small && posix_memalign(&small, 4096, TXN_SMALL_BYTES))
		return journal_say(txn->j, -ENOMEM, "no memory for a transaction's buffer");
	txn->small = small;
	txn->base = small;
	/* room for a group's table, and to pad to a block */
	txn->room = TXN_SMALL_BYTES - 4096 - LOG_RECORD_BYTES;
	return 0;
}

int txn_buffered_room(struct journal_txn *txn, uint64_t more)
{
	if (!txn->base && more <= TXN_SMALL_BYTES - 4096 - LOG_RECORD_BYTES)
		return txn_use_small(txn);
	if (txn->fill + more > txn->room && !txn->large)
		return txn_use_large(txn);
	return 0;
}

static void txn_meta(const struct journal_txn *txn, struct log_meta *meta)
{
	*meta = (struct log_meta){
		.count = txn_group_count(txn),
		.id = id_make(txn->number, txn->slot),
		.line = txn->line,
		.slot = txn->slot,
		.line_epoch = txn->number,
		.time_ns = txn->time_ns,
		.tag = txn->tag,
		.reference = txn->reference,
		.bytes = (uint32_t)txn->fill,
		.total_bytes = txn->spilled + txn->fill,
	};
}

/* no bytes of another transaction get into the log */
static void txn_end_block(struct journal_txn *txn, const struct log_meta *meta)
{
	uint32_t used = LOG_RECORD_BYTES + meta->bytes;
	uint32_t end = (uint32_t)round_up(used, txn->j->block_bytes);

	if (txn->base == txn->small)
		zeros_make(&txn->small_zeros, txn->base, used, end);
	else
		memset(txn->base + used, 0, end - used);
}

static int txn_remember_extent(struct journal_txn *txn, struct segment *segment,
			       uint32_t offset)
{
	txn->extents[txn->extent_count++] = put_le64((uint64_t)segment->number << 32 | offset);
	txn->flush_logs |= 1u << segment_log(txn->j, segment->number);
	txn->last_segment = segment;
	return 0;
}

static int txn_grow_extents(struct journal_txn *txn)
{
	uint32_t room = txn->extent_room ? txn->extent_room * 2 : 16;
	__le64 *grown;

	if (txn->extent_count + 1 < txn->extent_room)
		return 0;
	grown = realloc(txn->extents, room * sizeof(*grown));
	if (!grown)
		return journal_say(txn->j, -ENOMEM, "no memory for a transaction's extents");
	txn->extents = grown;
	txn->extent_room = room;
	return 0;
}

/* The buffer is full and more comes: it becomes an extent that is not the last. */
static int txn_spill_piece(struct journal_txn *txn)
{
	struct log_meta meta;
	struct segment *segment;
	uint32_t offset;
	int error = txn_take_slots(txn);

	if (!error)
		error = txn_grow_extents(txn);
	if (error)
		return error;
	txn_meta(txn, &meta);
	meta.type = LOG_EXTENT;
	meta.extent = txn->extent_count;
	txn_end_block(txn, &meta);
	error = extent_write(txn->j, &meta, txn->base, txn->last_segment, false, &segment,
			     &offset);
	if (error)
		return error;
	txn->spilled += txn->fill;
	txn->fill = 0;
	return txn_remember_extent(txn, segment, offset);
}

static int txn_group_too_large(struct journal_txn *txn)
{
	return journal_say(txn->j, -EMSGSIZE, "a group is limited to %llu bytes together",
			   (unsigned long long)txn->room);
}

int txn_buffered_make_piece(struct journal_txn *txn, uint64_t more)
{
	JASSERT(more <= txn->room);
	return txn->count ? txn_group_too_large(txn) : txn_spill_piece(txn);
}

int txn_buffered_append(struct journal_txn *txn, const void *data, size_t bytes)
{
	const uint8_t *from = data;
	size_t take;
	int error;

	while (bytes) {
		if (txn->fill == txn->room) {
			error = txn->count ? txn_group_too_large(txn) :
					     txn_spill_piece(txn);
			if (error)
				return error;
		}
		take = min_u64(bytes, txn->room - txn->fill);
		memcpy(txn_payload(txn) + txn->fill, from, take);
		txn->fill += take;
		from += take;
		bytes -= take;
	}
	return 0;
}

/* Add the table of the group, or of the extents, to the last record. */
static void txn_finish(struct journal_txn *txn)
{
	__le32 table[JOURNAL_GROUP_MAX];
	uint32_t bytes;

	if (txn->finished)
		return;
	txn->finished = true;
	txn->time_ns = clock_ns();
	txn->sizes[txn->count] = (uint32_t)(txn->spilled + txn->fill - txn->start);
	bytes = txn_group_table(txn, table);
	if (bytes) {
		memset(txn_payload(txn) + txn->fill, 0, -txn->fill & 7);
		txn->fill = round_up(txn->fill, 8);
		memcpy(txn_payload(txn) + txn->fill, table, bytes);
		txn->fill += bytes;
	}
	if (txn->extent_count) {
		bytes = txn->extent_count * 8;
		memcpy(txn_payload(txn) + txn->fill, txn->extents, bytes);
		txn->fill += bytes;
	}
}

static void txn_final_meta(const struct journal_txn *txn, enum log_type type,
			   struct log_meta *meta)
{
	txn_meta(txn, meta);
	meta->type = type;
	meta->extent = txn->extent_count;
	meta->extents = txn->extent_count + 1;
	meta->total_bytes = txn->count ? txn->fill :
					 txn->spilled + txn->fill - 8ull * txn->extent_count;
}

static int txn_flush_logs(struct journal_txn *txn)
{
	int error = 0;

	while (txn->flush_logs && !error) {
		error = logs_flush(txn->j, (uint32_t)__builtin_ctz(txn->flush_logs));
		txn->flush_logs &= txn->flush_logs - 1;
	}
	txn->flush_logs = 0;
	return logs_out_say(txn->j, error);
}

/* Where the transaction is found: its final record.  Its slots say so from here on, and
 * what it holds is found by them. */
static void txn_locate(struct journal_txn *txn, struct segment *segment, uint32_t offset,
		       uint64_t flags)
{
	struct journal *j = txn->j;

	txn->where = where_log(segment->number, offset,
			       txn->extent_count ? flags | WHERE_MULTI : flags);
	txn->units = (uint32_t)(log_record_bytes(txn->fill) / 32);
	holds_settle(j, segment, txn_group_count(txn));
	pieces_settle(j, txn->extents, txn->extent_count, segment->number);
	txn_fill_slots(txn, txn->where, txn->units);
}

/* It was lost with its log, and is to go to another one. */
static void txn_unlocate(struct journal_txn *txn)
{
	struct journal *j = txn->j;
	struct segment *segment = &j->segments.all[where_segment(txn->where)];

	txn_clear_slots(txn);
	pieces_count(j, txn->extents, txn->extent_count, segment->number);
	segment_release(j, segment, txn_group_count(txn));
	txn->slots_taken = true;
}

static void txn_direct_prepared(struct journal_txn *txn, struct segment *segment, uint32_t offset)
{
	txn_locate(txn, segment, offset, WHERE_DIRECT);
	txn->prepared = true;
}

/* The whole payload durable in extents; the commit bit is all that is missing. */
static int txn_direct_prepare(struct journal_txn *txn)
{
	struct log_meta meta;
	struct segment *segment;
	uint32_t offset;
	int error = txn_take_slots(txn);

	if (error)
		return error;
	txn_finish(txn);
	txn_final_meta(txn, LOG_EXTENT, &meta);
	txn_end_block(txn, &meta);
	error = extent_write(txn->j, &meta, txn->base, txn->last_segment, !txn->extent_count,
			     &segment, &offset);
	if (error)
		return error;
	if (txn->extent_count) {
		txn->flush_logs |= 1u << segment_log(txn->j, segment->number);
		error = txn_flush_logs(txn);
		if (error) {
			/* sticky, or the others are given up with it */
			if (segment != txn->last_segment)
				holds_end(txn->j, segment, 1);
			return error;
		}
	}
	txn_direct_prepared(txn, segment, offset);
	return 0;
}

int txn_direct_begin(struct journal_txn *txn, const struct extent *beside,
		     struct extent *extent)
{
	struct log_meta meta;
	int error = txn_take_slots(txn);

	if (error)
		return error;
	JASSERT(!txn->extent_count && !txn->prepared);
	txn_finish(txn);
	txn_final_meta(txn, LOG_EXTENT, &meta);
	txn_end_block(txn, &meta);
	return extent_begin(txn->j, &meta, txn->base, NULL, beside, extent);
}

void txn_direct_end(struct journal_txn *txn, const struct extent *extent)
{
	txn_direct_prepared(txn, extent->segment, extent->offset);
}

int txn_buffered_prepare(struct journal_txn *txn)
{
	if (txn->prepared || !txn_is_direct(txn))
		return 0;
	return txn_direct_prepare(txn);
}

void txn_direct_bits(struct journal_txn *txn)
{
	struct journal *j = txn->j;
	struct marker_line *line = line_media(j, txn->line);

	nv_and8(j->marker, (uint64_t *)&line->commit[txn->slot / 64],
		~line_mask(txn->slot, txn_group_count(txn)));
}

static int txn_direct_commit(struct journal_txn *txn, struct settled *settled)
{
	struct journal *j = txn->j;
	int error = txn_buffered_prepare(txn);

	if (error)
		return error;
	settled->turn = health_marks_turn(j);
	txn_direct_bits(txn);
	/* The durable point: the bit before the acknowledgement; the extents were
	 * durable before the bit was stored. */
	error = health_fence(j);
	if (error) {
		txn->slots_taken = false; /* undecided: they stay taken */
		return journal_fail(j, error);
	}
	count(j->counters, COUNT_DIRECT, txn_group_count(txn));
	return 0;
}

static int txn_synced_record(struct journal_txn *txn, struct stream_record *record)
{
	int error = txn_take_slots(txn);

	if (error)
		return error;
	txn_finish(txn);
	/* the extents before the record that certifies them, for recovery */
	error = txn_flush_logs(txn);
	if (error)
		return error;
	*record = (struct stream_record){ .payload = txn_payload(txn) };
	txn_final_meta(txn, LOG_DATA, &record->meta);
	return 0;
}

static void txn_synced_placed(struct journal_txn *txn, const struct stream_place *place)
{
	txn_locate(txn, place->segment, place->offset, 0);
	/* it is in the batch and will be durable, whatever happens to us */
	txn->slots_taken = false;
}

int txn_synced_append(struct journal_txn *txn, struct stream *s, struct stream_place *place)
{
	struct stream_record record;
	int error = txn_synced_record(txn, &record);

	if (!error)
		error = stream_append(s ? s : streams_pick(txn->j), &record, false, place);
	if (!error)
		txn_synced_placed(txn, place);
	return error;
}

int txn_synced_append_now(struct journal_txn *txn, struct stream *s, uint32_t most,
			  struct stream_place *place)
{
	struct stream_record record;
	int error = txn_synced_record(txn, &record);

	if (!error)
		error = s ? stream_append_now(s, &record, place) :
			    streams_append_now(txn->j, &record, most, place);
	if (!error)
		txn_synced_placed(txn, place);
	return error;
}

static int txn_synced_commit(struct journal_txn *txn)
{
	struct stream_place place;
	bool lost = false;
	int error;

	for (;;) {
		error = txn_synced_append(txn, NULL, &place);
		if (!error)
			error = stream_wait(place.stream, place.ticket, place.ticket);
		if (error != LOG_OUT)
			break;
		/* lost with its log: again, on another one, as what it is */
		txn_unlocate(txn);
		lost = true;
	}
	if (lost && error)
		return journal_say(txn->j, -EIO, LOG_OUT_UNDECIDED);
	if (!error)
		count(txn->j->counters, COUNT_SYNCED, txn_group_count(txn));
	return error;
}

void txn_buffered_receipt(const struct journal_txn *txn, struct journal_receipt *receipt)
{
	*receipt = (struct journal_receipt){
		.id = id_make(txn->number, txn->slot),
		.count = txn_group_count(txn),
		.path = txn_is_direct(txn) ? JOURNAL_PATH_DIRECT : JOURNAL_PATH_SYNCED,
		.survives = txn->j->survives_log,
	};
}

int txn_direct_settle(struct journal *j, uint32_t line, struct settled *s)
{
	uint64_t word = health_look(j);
	int error = 0;

	while (!error && (settled_wants_log(s, word) || settled_wants_marks(s, word))) {
		/* a bit of NVRAM is worth nothing any more, or not yet all */
		if (settled_wants_log(s, word))
			error = health_list(j);
		s->logged = s->logged || settled_wants_log(s, word);
		if (!error)
			error = health_settle_line(j, line, s);
		word = health_look(j);
	}
	return error;
}

int txn_buffered_commit(struct journal_txn *txn, struct journal_receipt *receipt)
{
	struct journal *j = txn->j;
	struct settled settled = { 0 };
	bool direct = txn_is_direct(txn);
	int error = txn->base ? 0 : txn_buffered_room(txn, 0);

	if (!error)
		error = direct ? txn_direct_commit(txn, &settled) : txn_synced_commit(txn);
	if (error) {
		txn_buffered_abort(txn);
		return error;
	}
	line_publish(&j->lines[txn->line], txn->slot, txn_group_count(txn));
	/* after it is in the index (P14) */
	error = direct ? txn_direct_settle(j, txn->line, &settled) : health_settle_log(j);
	error = journal_undecided(j, error);
	txn_buffered_receipt(txn, receipt);
	txn->slots_taken = false;
	txn_free(txn);
	return error;
}

void txn_buffered_abort(struct journal_txn *txn)
{
	struct journal *j = txn->j;
	uint32_t final = NO_SEGMENT;

	if (journal_failed(j)) {
		txn_free(txn); /* undecided: nothing that it took is given back */
		return;
	}
	/* first: what a slot names may be released by who takes over, and only once */
	txn_drop_slots(txn);
	if (txn->prepared) {
		final = where_segment(txn->where);
		segment_release(j, &j->segments.all[final], txn_group_count(txn));
	} else {
		pieces_settle(j, txn->extents, txn->extent_count, final);
	}
	pieces_release(j, txn->extents, txn->extent_count, final);
	txn_free(txn);
}
