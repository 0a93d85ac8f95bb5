/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/stage.h"

#include <errno.h>
#include <string.h>

#include "journal.h"
#include "format/marker.h"
#include "util/crc32c.h"

uint32_t stage_seed(uint64_t nonce, uint32_t lane)
{
	__le64 words[2] = { put_le64(nonce), put_le64(0x5354000000000000ull | lane) };

	return crc32c(~0u, words, sizeof(words));
}

void stage_encode(const struct stage_meta *meta, uint32_t seed, struct stage_record *record)
{
	*record = (struct stage_record){
		.magic = put_le16(STAGE_MAGIC),
		.type = (uint8_t)meta->type,
		.count = (uint8_t)meta->count,
		.position = put_le64(meta->position),
		.id = put_le64(meta->id),
		.line = put_le32(meta->line),
		.bytes = put_le32(meta->bytes),
		.payload_crc = put_le32(meta->payload_crc),
		.time_ns = put_le64(meta->time_ns),
		.tag = put_le64(meta->tag),
		.reference = put_le64(meta->reference),
	};
	record->header_crc = put_le32(crc32c(seed, record, sizeof(*record)));
}

static bool stage_header_verifies(const struct stage_record *record, uint32_t seed)
{
	struct stage_record copy = *record;

	copy.header_crc = 0;
	return crc32c(seed, &copy, sizeof(copy)) == get_le32(record->header_crc);
}

static bool stage_meta_sane(const struct stage_meta *meta, uint64_t room)
{
	if (stage_record_bytes(meta->bytes) > room)
		return false;
	if (meta->type == STAGE_VOID)
		return true;
	return meta->type == STAGE_DATA && meta->count >= 1 &&
	       meta->count <= JOURNAL_GROUP_MAX &&
	       (meta->id & (MARKER_LINE_SLOTS - 1)) + meta->count <= MARKER_LINE_SLOTS;
}

int stage_decode(const struct stage_record *record, uint32_t seed, uint64_t position,
		 uint64_t room, struct stage_meta *meta)
{
	if (get_le16(record->magic) != STAGE_MAGIC || get_le64(record->position) != position)
		return -ENODATA;
	if (!stage_header_verifies(record, seed))
		return -EBADMSG;
	*meta = (struct stage_meta){
		.type = record->type,
		.count = record->count,
		.position = position,
		.id = get_le64(record->id),
		.line = get_le32(record->line),
		.bytes = get_le32(record->bytes),
		.payload_crc = get_le32(record->payload_crc),
		.time_ns = get_le64(record->time_ns),
		.tag = get_le64(record->tag),
		.reference = get_le64(record->reference),
	};
	return stage_meta_sane(meta, room) ? 0 : -EBADMSG;
}
