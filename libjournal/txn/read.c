/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading takes no lock.  What is read is verified after it was copied; if it
 * does not verify, or the transaction was moved or retired meanwhile, it is
 * looked up again (P18).
 */
#include "txn/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/group.h"
#include "txn/copies.h"
#include "txn/logs.h"
#include "txn/pieces.h"
#include "txn/segment.h"
#include "txn/times.h"
#include "txn/view.h"
#include "util/crc32c.h"

int found_look(struct journal *j, uint64_t id, struct found *found)
{
	const struct slot *slot = index_live(j, id);

	if (!slot)
		return -ENOENT;
	found->id = id;
	do {
		found->where = atomic_load_explicit(&slot->where, memory_order_acquire);
		/* acquire: each before where is looked at again */
		found->bytes = atomic_load_explicit(&slot->bytes, memory_order_acquire);
		found->time_ns = atomic_load_explicit(&slot->time_ns, memory_order_acquire);
		found->units = atomic_load_explicit(&slot->units, memory_order_acquire);
	} while (found->where != atomic_load_explicit(&slot->where, memory_order_relaxed));
	/* retired meanwhile, its line perhaps another's: then this is not its entry */
	return where_kind(found->where) == WHERE_NONE || index_live(j, id) != slot ? -ENOENT : 0;
}

void found_entry(const struct found *found, struct journal_entry *entry)
{
	enum where_kind kind = where_kind(found->where);

	*entry = (struct journal_entry){
		.id = found->id,
		.bytes = found->bytes,
		.time_ns = found->time_ns,
		.state = kind == WHERE_LOST ? JOURNAL_LOST : JOURNAL_LIVE,
		.path = kind == WHERE_LOST          ? JOURNAL_PATH_AUTO :
			kind == WHERE_STAGE         ? JOURNAL_PATH_STAGED :
			found->where & WHERE_DIRECT ? JOURNAL_PATH_DIRECT :
						      JOURNAL_PATH_SYNCED,
	};
}

static int say_unknown(struct journal *j, uint64_t id)
{
	char text[JOURNAL_ID_CHARS];

	journal_id_print(id, text);
	return journal_say(j, -ENOENT, "%s: no such transaction, or retired", text);
}

int journal_lookup(struct journal *j, uint64_t id, struct journal_entry *entry)
{
	struct found found;

	if (journal_is_childs(j))
		return journal_childs(j);
	if (found_look(j, id, &found))
		return say_unknown(j, id);
	found_entry(&found, entry);
	return 0;
}

/* ---- one record ---- */

int record_span(struct journal *j, uint32_t number, uint32_t offset, uint64_t bytes,
		struct log_io *io)
{
	uint64_t from = round_down(offset, j->block_bytes);
	uint64_t to = min_u64(round_up(offset + bytes, j->block_bytes), j->segment_bytes);

	if (from >= to)
		return -EBADMSG;
	io->offset = segment_base(j, number) + from;
	io->bytes = (uint32_t)(to - from);
	return 0;
}

int record_verify(struct journal *j, uint32_t number, uint32_t offset, const struct log_io *io,
		  struct record *record)
{
	const struct segment *segment = &j->segments.all[number];
	uint32_t skip = (uint32_t)(offset - round_down(offset, j->block_bytes));
	const uint8_t *at = (const uint8_t *)io->buffer + skip;

	record->payload = at + LOG_RECORD_BYTES;
	if (log_record_decode((const void *)at, segment->seed, offset, io->bytes - skip,
			      &record->meta) ||
	    crc32c(segment->seed, record->payload, record->meta.bytes) !=
		    record->meta.payload_crc)
		return -EBADMSG;
	return 0;
}

int record_read(struct journal *j, uint32_t number, uint32_t offset, uint64_t bytes,
		struct record *record)
{
	uint32_t log = segment_log(j, number);
	struct log_io io;
	int error = record_span(j, number, offset, bytes, &io);

	record->buffer = NULL;
	if (error)
		return error;
	if (posix_memalign(&record->buffer, 4096, io.bytes))
		return -ENOMEM;
	io.buffer = record->buffer;
	if (copies_all_records(j, log))
		return copies_record(j, number, offset, &io, record);
	error = log_store_read(logs_at(j, log), &io, 1);
	if (!error)
		error = record_verify(j, number, offset, &io, record);
	return error == -EBADMSG ? copies_record(j, number, offset, &io, record) : error;
}

int record_find(const struct found *found, const struct record *record, const uint8_t **data)
{
	uint32_t at, bytes;

	if (found->id - record->meta.id >= record->meta.count ||
	    group_find(record->payload, record->meta.bytes, record->meta.count,
		       (uint32_t)(found->id - record->meta.id), &at, &bytes) ||
	    bytes != found->bytes)
		return -EBADMSG;
	*data = record->payload + at;
	return 0;
}

/*
 * Copy whole words out of a ring.  The lane may be writing its next record there:
 * what is copied is verified before it is used.  A data race by design, as is lane_used(), so
 * kept from ThreadSanitizer's eyes; the commit path's stores stay what they are.
 */
__attribute__((no_sanitize_thread))
static void ring_copy(uint64_t *to, const uint8_t *ring, size_t bytes)
{
	const volatile uint64_t *from = (const volatile uint64_t *)(const volatile void *)ring;
	size_t i;

	for (i = 0; i < (bytes + 7) / 8; i++)
		to[i] = from[i];
}

int read_staged_meta(struct journal *j, const struct found *found, struct stage_meta *meta,
		     uint8_t **copy, const uint8_t **data)
{
	struct lane *lane = &j->lanes[where_lane(found->where)];
	uint64_t position = where_position(found->where);
	uint64_t offset = position % lane->ring_bytes;
	union {
		struct stage_record record;
		uint64_t words[sizeof(struct stage_record) / 8];
	} header;
	uint32_t at, bytes;

	*copy = NULL;
	if (view_lane(j, lane))
		return -EBADMSG;
	ring_copy(header.words, lane->ring + offset, sizeof(header));
	if (stage_decode(&header.record, lane->seed, position, lane->ring_bytes - offset, meta))
		return -EBADMSG;
	*copy = malloc(meta->bytes + 8ull);
	if (!*copy)
		return -ENOMEM;
	/* the record's place is a multiple of 64 bytes: its last word is all there */
	ring_copy((uint64_t *)(void *)*copy, lane->ring + offset + STAGE_HEADER_BYTES, meta->bytes);
	if (crc32c(lane->seed, *copy, meta->bytes) != meta->payload_crc ||
	    found->id - meta->id >= meta->count ||
	    group_find(*copy, meta->bytes, meta->count, (uint32_t)(found->id - meta->id), &at,
		       &bytes) ||
	    bytes != found->bytes)
		return -EBADMSG;
	*data = *copy + at;
	return 0;
}

int read_staged(struct journal *j, struct found *found, uint8_t **copy, const uint8_t **data)
{
	struct stage_meta meta;
	int error = read_staged_meta(j, found, &meta, copy, data);

	if (!error)
		found->tags = (struct journal_tags){ meta.tag, meta.reference };
	return error;
}

static int read_single(struct journal *j, const struct found *found, struct record *record,
		       const uint8_t **data)
{
	int error = record_read(j, where_segment(found->where), where_offset(found->where),
				(uint64_t)found->units * 32, record);

	return error ? error : record_find(found, record, data);
}

/* One piece of a large transaction, at @at of the @bytes that the pieces have. */
static int read_piece(struct journal *j, const struct found *found, uint32_t index,
		      uint64_t where, uint8_t *buffer, uint64_t bytes, uint64_t *at)
{
	struct record record;
	int error = piece_read(j, found->id, index, where, &record);

	if (!error && record.meta.bytes > bytes - *at)
		error = -EBADMSG;
	if (!error) {
		memcpy(buffer + *at, record.payload, record.meta.bytes);
		*at += record.meta.bytes;
	}
	free(record.buffer);
	return error;
}

/* The final record says where the others are, and ends the payload. */
int read_multi(struct journal *j, struct found *found, uint8_t *buffer)
{
	struct record final;
	const uint8_t *table;
	uint64_t at = 0, bytes, last;
	uint32_t i;
	int error = pieces_final(j, found->id, found->where, found->units, &final, &table);

	if (!error && final.meta.total_bytes != found->bytes)
		error = -EBADMSG;
	if (!error) {
		found->tags = (struct journal_tags){ final.meta.tag, final.meta.reference };
		last = (uint64_t)(table - final.payload);
		bytes = found->bytes - last;
		for (i = 0; i + 1 < final.meta.extents && !error; i++)
			error = read_piece(j, found, i, pieces_where(table, i), buffer, bytes, &at);
		if (!error && at != bytes)
			error = -EBADMSG;
		if (!error)
			memcpy(buffer + at, final.payload, last);
	}
	free(final.buffer);
	return error;
}

static int read_found(struct journal *j, struct found *found, void *buffer)
{
	struct record record = { .buffer = NULL };
	const uint8_t *data = NULL;
	uint8_t *copy = NULL;
	int error;

	switch (where_kind(found->where)) {
	case WHERE_STAGE:
		error = read_staged(j, found, &copy, &data);
		break;
	case WHERE_LOG:
		if (found->where & WHERE_MULTI)
			return read_multi(j, found, buffer);
		error = read_single(j, found, &record, &data);
		break;
	default:
		return -EBADMSG;
	}
	if (!error && found->bytes) /* empty: the buffer may be NULL */
		memcpy(buffer, data, found->bytes);
	free(copy);
	free(record.buffer);
	return error;
}

/* A reader that shares the writers' index sees what they see, while it is theirs. */
static bool read_index_is_right(const struct journal *j)
{
	return j->role == ENTRY_JOINS && atomic_load(&j->shared->state) == SHARED_READY;
}

/* Of what is known to be lost: the log that it is on, or may be, if that is not there; else
 * NULL. */
static const char *read_log_gone(struct journal *j, uint64_t id, const char **is)
{
	struct found found;
	uint32_t log;

	if (found_look(j, id, &found) || where_kind(found.where) != WHERE_LOST)
		return NULL;
	*is = "it is";
	if (found.where & WHERE_LOST_SEGMENT) {
		log = segment_log(j, where_segment(found.where));
		return logs_gone(j, log) ? j->conf.logs[log] : NULL;
	}
	*is = "no record of it verifies; it may be";
	for (log = 0; log < j->conf.log_count; log++)
		if (logs_gone(j, log))
			return j->conf.logs[log];
	return NULL;
}

static int say_lost(struct journal *j, uint64_t id, const char *text)
{
	const char *is, *log = read_log_gone(j, id, &is);

	if (log)
		return journal_say(j, -EBADMSG, "%s: COMMITTED_BUT_LOST: %s on %s, which is not "
				   "there", text, is, log);
	return journal_say(j, -EBADMSG, "%s: COMMITTED_BUT_LOST: the record on its medium does "
			   "not verify", text);
}

int read_say(struct journal *j, uint64_t id, int error)
{
	char text[JOURNAL_ID_CHARS];

	if (error == -ENOENT)
		return say_unknown(j, id);
	journal_id_print(id, text);
	if (error == -EBADMSG && j->writer_pid && !read_index_is_right(j))
		return journal_say(j, -ENOENT, "%s: moved or retired by pid %d, which has the "
				   "journal open: open again", text, j->writer_pid);
	if (error == -EBADMSG)
		return say_lost(j, id, text);
	return message_errno(journal_message(j), error, "%s", text);
}

/* What is in NVRAM is read in less time than the clock takes: now and then. */
static int read_timed(struct journal *j, struct found *found, void *buffer)
{
	bool quick = where_kind(found->where) == WHERE_STAGE;
	uint64_t began;
	int error;

	if (j->read_only)
		return read_found(j, found, buffer);
	began = quick ? times_some(j) : clock_monotonic_ns();
	error = read_found(j, found, buffer);
	if (!error && quick)
		times_some_end(j, JOURNAL_TIMED_READ, began);
	else if (!error)
		times_end(j, JOURNAL_TIMED_READ, began);
	return error;
}

int journal_read(struct journal *j, uint64_t id, void *buffer, size_t bytes, size_t *got)
{
	struct found found, again;
	int error;

	if (journal_is_childs(j))
		return journal_childs(j);
	for (;;) {
		if (found_look(j, id, &found))
			return say_unknown(j, id);
		*got = found.bytes;
		if (bytes < found.bytes && where_kind(found.where) != WHERE_LOST)
			return journal_say(j, -ENOBUFS, "the buffer is too small: %u bytes are "
					   "needed", found.bytes);
		error = read_timed(j, &found, buffer);
		if (!error)
			return 0;
		/* moved or retired meanwhile?  then that was why */
		if (found_look(j, id, &again))
			return say_unknown(j, id);
		if (again.where == found.where)
			return read_say(j, id, error);
	}
}
