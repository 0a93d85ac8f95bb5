/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/segment_seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "txn/clock.h"
#include "txn/health.h"
#include "txn/runs.h"
#include "txn/segment.h"
#include "txn/segment_notes.h"
#include "util/crc32c.h"

#define NO_LOG UINT32_MAX

bool segment_digests_in_nvram(const struct journal *j)
{
	/* one that is gone back to has none: they are in the logs by then */
	return j->geometry.digests != 0 && health_bits_durable(j) &&
	       health_turn(health_word_now(j)) == 1;
}

/* There is room for as many as there were when it was formatted. */
bool segment_digest_in_nvram(const struct journal *j, uint32_t number)
{
	return number < j->geometry.digests && segment_digests_in_nvram(j);
}

static uint64_t segment_digest_in_log(const struct journal *j, uint32_t number, uint32_t *log)
{
	uint64_t second = atomic_load(&j->segments.all[number].second);

	*log = runs_second_log(second);
	return runs_second_offset(second);
}

uint64_t segment_digest_offset(const struct journal *j, uint32_t number, uint32_t *log)
{
	if (segment_digest_in_nvram(j, number))
		return j->geometry.digests_offset + (uint64_t)number * j->digest_bytes;
	return segment_digest_in_log(j, number, log);
}

/* Return: zeroed memory fit for log I/O, or NULL. */
static void *seal_buffer(uint64_t bytes)
{
	void *buffer;

	if (posix_memalign(&buffer, 4096, bytes))
		return NULL;
	memset(buffer, 0, bytes);
	return buffer;
}

static int segment_write(struct journal *j, uint32_t log, uint64_t offset, void *buffer,
			 uint64_t bytes)
{
	struct log_io io = { .offset = offset, .buffer = buffer, .bytes = (uint32_t)bytes };

	return logs_write(j, log, &io, 1, true);
}

/* For who writes it beside us.  Not where it goes to the same log: that is busy with us. */
static bool segment_give_second(struct journal *j, struct head *head, struct segment *segment,
				const void *digest, uint64_t bytes)
{
	struct second second = { .segment = segment, .bytes = bytes };
	uint32_t log = NO_LOG;

	(void)segment_digest_offset(j, segment->number, &log);
	if (!head->seconds || log == NO_LOG || log == segment_log(j, segment->number))
		return false;
	second.buffer = seal_buffer(bytes);
	if (!second.buffer)
		return false;
	memcpy(second.buffer, digest, bytes);
	seconds_put(head->seconds, &second);
	return true;
}

int segment_write_second(struct journal *j, struct segment *segment, void *digest,
				uint64_t bytes)
{
	uint32_t log = NO_LOG;
	uint64_t offset = segment_digest_offset(j, segment->number, &log);
	int error;

	if (log != NO_LOG) {
		error = segment_write(j, log, offset, digest, bytes);
		return error == LOG_OUT ? 0 : error;
	}
	nv_copy(j->marker, j->marker->map + offset, digest, bytes);
	/* before anything is acknowledged that only this digest could name */
	error = health_fence(j);
	return error ? journal_fail(j, error) : 0;
}

int segment_digest_to_log(struct journal *j, uint32_t number)
{
	const struct summary_head *digest =
		(const void *)(j->marker->map + segment_digest_offset(j, number, NULL));
	uint32_t log = 0;
	uint64_t offset = segment_digest_in_log(j, number, &log);
	void *buffer;
	int error;

	if (get_le32(digest->magic) != SUMMARY_MAGIC)
		return 0;
	buffer = seal_buffer(j->digest_bytes);
	if (!buffer)
		return journal_say(j, -ENOMEM, "no memory for a summary");
	memcpy(buffer, digest, j->digest_bytes);
	error = segment_write(j, log, offset, buffer, j->digest_bytes);
	free(buffer);
	/* there is one copy only while that log is out of use, as of those sealed then */
	return error == LOG_OUT ? 0 : error;
}

static void segment_head(const struct segment *segment, uint32_t end, uint64_t last_record_seq,
			 struct summary_head *head)
{
	head->seq = put_le64(segment->seq);
	head->segment = put_le32(segment->number);
	head->kind = put_le16((uint16_t)segment->kind);
	head->end = put_le32(end);
	head->last_record_seq = put_le64(last_record_seq);
}

static void segment_header_encode(struct journal *j, struct segment *segment, void *buffer)
{
	struct log_segment_meta meta = {
		.seq = segment->seq,
		.segment = segment->number,
		.kind = segment->kind,
		.opened_ns = clock_ns(),
	};

	memcpy(meta.uuid, j->geometry.uuid, sizeof(meta.uuid));
	log_segment_encode(&meta, j->geometry.nonce, buffer);
}

int segment_write_header(struct journal *j, struct head *to, struct segment *segment)
{
	uint8_t *buffer = seal_buffer(2 * 4096);
	struct summary_head *head = (struct summary_head *)(buffer + 4096);
	int error;

	if (!buffer)
		return journal_say(j, -ENOMEM, "log: no memory for a segment's header");
	segment_header_encode(j, segment, buffer);
	segment_head(segment, j->block_bytes, 0, head);
	summary_seal(head, j->geometry.nonce);
	/* Durable before the first record: without it none verifies.  The second copy
	 * before anything in it is acknowledged, and after the header: one that is ahead of
	 * it then tells of damage. */
	error = segment_write(j, segment_log(j, segment->number),
			      segment_base(j, segment->number), buffer, j->block_bytes);
	if (!error && !segment_give_second(j, to, segment, head, 4096))
		error = segment_write_second(j, segment, head, 4096);
	free(buffer);
	return error;
}

/* @buffer: room for the table, the digest, and, behind them, a number for each line */
static void summary_encode(struct journal *j, const struct head *from, struct segment *segment,
			   bool sealed, uint32_t entries, uint32_t ids, uint32_t table_room,
			   uint8_t *buffer)
{
	const struct segment_notes *notes = &from->notes;
	struct summary_head *head = (struct summary_head *)(buffer + table_room);

	notes_encode(notes, (struct summary_line *)(head + 1), (struct summary_entry *)buffer,
		     entries, (uint32_t *)(buffer + table_room + j->digest_bytes));
	segment_head(segment, from->s->end, from->s->durable_record_seq, head);
	head->sealed = put_le16(sealed);
	head->lines = put_le32(notes->counts->lines);
	head->entries = put_le32(entries);
	head->ids = put_le32(ids);
	head->table_offset =
		put_le32((uint32_t)(j->segment_bytes - j->digest_bytes - table_room));
	head->table_crc =
		put_le32(crc32c(segment->seed, buffer, summary_table_bytes(head)));
	head->retires = put_le32(notes->counts->retires);
	head->record_bytes = put_le32(notes_record_bytes(notes, from->s->end));
	summary_seal(head, j->geometry.nonce);
}

/* The summary, in memory: the table, in @table_room bytes, then the digest. */
static int summary_make(struct journal *j, const struct head *from, struct segment *segment,
			bool sealed, uint32_t *table_room, uint8_t **buffer)
{
	uint32_t entries, ids;

	notes_table(&from->notes, &entries, &ids);
	*table_room = (uint32_t)round_up((entries + ids) * sizeof(struct summary_entry),
					 j->block_bytes);
	*buffer = seal_buffer(round_up(*table_room, 4096) + j->digest_bytes +
			      from->notes.counts->lines * sizeof(uint32_t));
	if (!*buffer)
		return journal_say(j, -ENOMEM, "log: no memory for a segment's summary");
	summary_encode(j, from, segment, sealed, entries, ids, *table_room, *buffer);
	if (sealed)
		segment_filled(j, segment, from->s->end,
			       notes_record_bytes(&from->notes, from->s->end), entries);
	return 0;
}

/* The log went out of use while the last records were written.  They are to go
 * elsewhere, if they are not there yet: what is named is lost if it is not found. */
static void segment_keep_durable(struct head *from)
{
	if (from->s->last_record_seq != from->s->durable_record_seq)
		notes_keep(&from->notes, from->s->durable_notes);
}

/*
 * Order: table, then the first digest, then the second, each durable before the
 * next is written: whoever finds a digest may rely on the table, and on what
 * the digest stands for.  A crash in between leaves the first one valid, or
 * neither, and then the segment is read whole.  One write for table and digest
 * would not do: torn, it leaves a digest whose table is bad, which is damage.
 */
int segment_write_summary(struct journal *j, struct head *from, struct segment *segment)
{
	uint32_t table_room, log = segment_log(j, segment->number);
	uint64_t at = segment_base(j, segment->number) + j->segment_bytes - j->digest_bytes;
	uint8_t *buffer;
	int error;

	segment_keep_durable(from);
	error = summary_make(j, from, segment, true, &table_room, &buffer);
	if (error)
		return error;
	if (table_room)
		error = segment_write(j, log, at - table_room, buffer, table_room);
	if (!error)
		error = segment_write(j, log, at, buffer + table_room, j->digest_bytes);
	/* out of use: with the second one alone, what is in it has its names at least */
	if ((!error || error == LOG_OUT) &&
	    segment_give_second(j, from, segment, buffer + table_room, j->digest_bytes))
		error = 0;
	else if (!error || error == LOG_OUT)
		error = segment_write_second(j, segment, buffer + table_room, j->digest_bytes);
	free(buffer);
	return error;
}

int segment_write_names(struct journal *j, struct head *from, struct segment *segment)
{
	struct head_shared *s = from->s;
	uint32_t table_room;
	uint8_t *buffer;
	int error;

	segment_keep_durable(from);
	error = summary_make(j, from, segment, false, &table_room, &buffer);
	if (error)
		return error;
	error = segment_write_second(j, segment, buffer + table_room, j->digest_bytes);
	free(buffer);
	if (!error) {
		s->named_notes = s->notes.notes;
		s->named_seq = s->durable_record_seq;
	}
	return error;
}
