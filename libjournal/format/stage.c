/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/stage.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "journal.h"
#include "format/marker.h"
#include "util/crc32c.h"

uint32_t stage_seed(uint64_t nonce, uint32_t lane)
{
	__le64 words[2] = { put_le64(nonce), put_le64(0x5354000000000000ull | lane) };

	return crc32c(~0u, words, sizeof(words));
}

/* Whole words, as registers have them: the checksum reads them at once, and a word that was
 * stored in parts makes it wait. */
void stage_encode(const struct stage_meta *meta, const struct stage_last *last, uint32_t seed,
		  struct stage_record *record)
{
	struct stage_before before = stage_before(last, meta->position);
	uint32_t named = before.count != 0;
	uint32_t type = (uint32_t)meta->type | (before.count - named) << 2;
	uint32_t count = meta->count | named << 7;
	uint32_t line = meta->line | before.slot << 20 | before.epoch_check >> 12 << 29;
	uint32_t name = before.line | before.epoch_check << 20;
	uint64_t position = meta->position | (before.distance & 63) |
			    (uint64_t)(before.distance >> 6) << 55;
	__le64 *words = (__le64 *)(void *)record;

	words[0] = put_le64(STAGE_MAGIC | type << 16 | (uint64_t)count << 24);
	words[1] = put_le64(position);
	words[2] = put_le64(meta->id);
	words[3] = put_le64(line | (uint64_t)meta->bytes << 32);
	words[4] = put_le64(meta->payload_crc | (uint64_t)name << 32);
	words[5] = put_le64(meta->time_ns);
	words[6] = put_le64(meta->tag);
	words[7] = put_le64(meta->reference);
	words[0] |= put_le64((uint64_t)crc32c(seed, words, sizeof(*record)) << 32);
}

static bool stage_header_verifies(const struct stage_record *record, uint32_t seed)
{
	struct stage_record copy = *record;

	copy.header_crc = 0;
	return crc32c(seed, &copy, sizeof(copy)) == get_le32(record->header_crc);
}

static bool stage_slots_sane(uint64_t slot, uint32_t count)
{
	return count >= 1 && count <= JOURNAL_GROUP_MAX && slot + count <= MARKER_LINE_SLOTS;
}

static bool stage_meta_sane(const struct stage_meta *meta, uint64_t room)
{
	if (stage_record_bytes(meta->bytes) > room)
		return false;
	if (meta->type == STAGE_VOID)
		return true;
	return meta->type == STAGE_DATA &&
	       stage_slots_sane(meta->id % MARKER_LINE_SLOTS, meta->count);
}

/* Return: whether it makes sense */
static bool stage_before_decode(const struct stage_record *record, struct stage_before *named)
{
	uint32_t line = get_le32(record->line), before = get_le32(record->before);
	uint64_t position = get_le64(record->position);

	*named = (struct stage_before){ .count = 0 };
	if (!(record->count >> 7))
		return !(record->type >> 2 | line >> 20 | before) &&
		       position == stage_position(record);
	*named = (struct stage_before){
		.count = (record->type >> 2) + 1u,
		.line = before % MARKER_LINES_MAX,
		.slot = line >> 20 & (MARKER_LINE_SLOTS - 1),
		.epoch_check = before >> 20 | line >> 29 << 12,
		.distance = (uint32_t)((position & 63) | position >> 55 << 6),
	};
	return stage_slots_sane(named->slot, named->count);
}

int stage_decode(const struct stage_record *record, uint32_t seed, uint64_t position,
		 uint64_t room, struct stage_meta *meta)
{
	if (!stage_claims(record, position))
		return -ENODATA;
	if (!stage_header_verifies(record, seed))
		return -EBADMSG;
	*meta = (struct stage_meta){
		.type = record->type & 3,
		.count = record->count & 127,
		.position = position,
		.id = get_le64(record->id),
		.line = get_le32(record->line) % MARKER_LINES_MAX,
		.bytes = get_le32(record->bytes),
		.payload_crc = get_le32(record->payload_crc),
		.time_ns = get_le64(record->time_ns),
		.tag = get_le64(record->tag),
		.reference = get_le64(record->reference),
	};
	return stage_before_decode(record, &meta->before) && stage_meta_sane(meta, room) ?
		       0 : -EBADMSG;
}

/* of the words from @end on to the checksum: stored one by one, they hold together or not */
static uint32_t stage_last_crc(const struct marker_lane *lane, uint32_t seed)
{
	return crc32c(seed, &lane->end, offsetof(struct marker_lane, last_crc) -
						offsetof(struct marker_lane, end));
}

void stage_last_encode(const struct stage_last *last, uint32_t seed, struct marker_lane *lane)
{
	bool known = last->count;

	lane->last_id = put_le64(known ? last->id : WORD_ERASED);
	lane->last_position = put_le64(known ? last->position : WORD_ERASED);
	lane->last_line = put_le32(known ? last->line | (last->count - 1) << 20 : ~0u);
	lane->last_crc = put_le32(known ? stage_last_crc(lane, seed) : ~0u);
}

int stage_last_decode(const struct marker_lane *lane, uint32_t seed, struct stage_last *last)
{
	uint32_t line = get_le32(lane->last_line);

	*last = (struct stage_last){
		.id = get_le64(lane->last_id),
		.position = get_le64(lane->last_position),
		.line = line % MARKER_LINES_MAX,
		.count = (line >> 20) + 1,
	};
	if (stage_last_crc(lane, seed) == get_le32(lane->last_crc) &&
	    last->position == (last->position & STAGE_POSITION_MASK) &&
	    stage_slots_sane(last->id % MARKER_LINE_SLOTS, last->count))
		return 0;
	last->count = 0;
	return -ENODATA;
}
