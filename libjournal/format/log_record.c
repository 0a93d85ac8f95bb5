/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "journal.h"
#include "format/log.h"
#include "format/marker.h"
#include "util/crc32c.h"

static uint32_t log_nonce_seed(uint64_t nonce)
{
	__le64 words[2] = { put_le64(nonce), put_le64(0x5345000000000000ull) };

	return crc32c(~0u, words, sizeof(words));
}

uint32_t log_seed(uint64_t nonce, uint32_t segment, uint64_t seq)
{
	__le64 words[3] = { put_le64(nonce), put_le64(segment), put_le64(seq) };

	return crc32c(~0u, words, sizeof(words));
}

void log_segment_encode(const struct log_segment_meta *meta, uint64_t nonce,
			struct log_segment *header)
{
	*header = (struct log_segment){
		.magic = put_le32(LOG_SEGMENT_MAGIC),
		.seq = put_le64(meta->seq),
		.segment = put_le32(meta->segment),
		.kind = put_le16((uint16_t)meta->kind),
		.opened_ns = put_le64(meta->opened_ns),
	};
	memcpy(header->uuid, meta->uuid, sizeof(header->uuid));
	header->crc = put_le32(crc32c(log_nonce_seed(nonce), header, sizeof(*header)));
}

int log_segment_decode(const struct log_segment *header, uint64_t nonce,
		       struct log_segment_meta *meta)
{
	struct log_segment copy = *header;

	if (get_le32(header->magic) != LOG_SEGMENT_MAGIC)
		return -ENODATA;
	copy.crc = 0;
	if (crc32c(log_nonce_seed(nonce), &copy, sizeof(copy)) != get_le32(header->crc))
		return -EBADMSG;
	*meta = (struct log_segment_meta){
		.seq = get_le64(header->seq),
		.segment = get_le32(header->segment),
		.kind = get_le16(header->kind),
		.opened_ns = get_le64(header->opened_ns),
	};
	memcpy(meta->uuid, header->uuid, sizeof(meta->uuid));
	return meta->kind == LOG_STREAM || meta->kind == LOG_EXTENTS ? 0 : -EUCLEAN;
}

/* Offsets are multiples of 32 below 2^26: distinct seeds for distinct places,
 * so that a record that lies in the wrong place does not verify. */
static uint32_t log_place_seed(uint32_t seed, uint64_t offset)
{
	return seed ^ (uint32_t)(offset / LOG_RECORD_ALIGN);
}

void log_record_encode(const struct log_meta *meta, uint32_t seed, uint64_t offset,
		       struct log_record *record)
{
	struct log_before_words words = { meta->seq, meta->acked, meta->total_bytes };

	log_before_pack(&meta->before, &words);
	*record = (struct log_record){
		.magic = put_le16(LOG_RECORD_MAGIC),
		.type = (uint8_t)meta->type,
		.count = (uint8_t)meta->count,
		.id = put_le64(meta->id),
		.line = put_le32(meta->line),
		.slot = put_le16((uint16_t)meta->slot),
		.moves = put_le16((uint16_t)meta->moves),
		.line_epoch = put_le64(meta->line_epoch),
		.seq = put_le64(words.seq),
		.acked = put_le64(words.acked),
		.time_ns = put_le64(meta->time_ns),
		.tag = put_le64(meta->tag),
		.reference = put_le64(meta->reference),
		.bytes = put_le32(meta->bytes),
		.payload_crc = put_le32(meta->payload_crc),
		.extent = put_le16((uint16_t)meta->extent),
		.extents = put_le16((uint16_t)meta->extents),
		.incarnation = put_le32(meta->incarnation),
		.total_bytes = put_le64(words.total_bytes),
	};
	record->header_crc =
		put_le32(crc32c(log_place_seed(seed, offset), record, sizeof(*record)));
}

static bool log_header_verifies(const struct log_record *record, uint32_t seed,
				uint64_t offset)
{
	struct log_record copy = *record;

	copy.header_crc = 0;
	return crc32c(log_place_seed(seed, offset), &copy, sizeof(copy)) ==
	       get_le32(record->header_crc);
}

static void log_record_read(const struct log_record *record, struct log_meta *meta)
{
	struct log_before_words words = { get_le64(record->seq), get_le64(record->acked),
					  get_le64(record->total_bytes) };
	struct log_before before;

	log_before_unpack(&words, &before);
	*meta = (struct log_meta){
		.type = record->type,
		.count = record->count,
		.id = get_le64(record->id),
		.line = get_le32(record->line),
		.slot = get_le16(record->slot),
		.moves = get_le16(record->moves),
		.line_epoch = get_le64(record->line_epoch),
		.seq = words.seq,
		.acked = words.acked,
		.time_ns = get_le64(record->time_ns),
		.tag = get_le64(record->tag),
		.reference = get_le64(record->reference),
		.bytes = get_le32(record->bytes),
		.payload_crc = get_le32(record->payload_crc),
		.extent = get_le16(record->extent),
		.extents = get_le16(record->extents),
		.incarnation = get_le32(record->incarnation),
		.total_bytes = words.total_bytes,
		.before = before,
	};
}

/* so that a reader may believe it when it asks for memory */
static bool log_total_sane(const struct log_meta *meta, uint64_t tables)
{
	if (meta->total_bytes > JOURNAL_TXN_BYTES_MAX)
		return false;
	if (meta->extents == 1)
		return meta->total_bytes == meta->bytes;
	return meta->total_bytes >= meta->bytes - tables;
}

static bool log_meta_sane(const struct log_meta *meta, uint64_t room)
{
	uint64_t tables = meta->extents ? (meta->extents - 1ull) * 8 : 0;

	if (log_record_bytes(meta->bytes) > room)
		return false;
	if (meta->type == LOG_RETIRE)
		return meta->bytes && meta->bytes % sizeof(struct log_retire) == 0;
	return (meta->type == LOG_DATA || meta->type == LOG_EXTENT) && meta->count >= 1 &&
	       meta->count <= JOURNAL_GROUP_MAX &&
	       meta->slot + meta->count <= MARKER_LINE_SLOTS &&
	       (meta->count == 1 || (meta->extents == 1 && meta->bytes >= meta->count * 4)) &&
	       tables <= meta->bytes &&
	       (!meta->extents || meta->extent == meta->extents - 1) &&
	       (meta->type == LOG_EXTENT || meta->extents) && log_total_sane(meta, tables);
}

/* so that a reader may count with them: there is room for so many before it */
static bool log_seq_sane(const struct log_meta *meta, uint64_t offset)
{
	return meta->seq <= offset / LOG_RECORD_BYTES &&
	       (!meta->acked || meta->acked < meta->seq) &&
	       log_before_sane(&meta->before, meta->seq);
}

int log_record_decode(const struct log_record *record, uint32_t seed, uint64_t offset,
		      uint64_t room, struct log_meta *meta)
{
	if (get_le16(record->magic) != LOG_RECORD_MAGIC || room < LOG_RECORD_BYTES)
		return -ENODATA;
	if (!log_header_verifies(record, seed, offset))
		return -EBADMSG;
	log_record_read(record, meta);
	return log_seq_sane(meta, offset) && log_meta_sane(meta, room) ? 0 : -EBADMSG;
}
