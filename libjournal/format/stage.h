/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stage record: header and payload in a lane's ring, 64-byte aligned, never
 * wrapping.  It certifies itself: iff both checksums verify under the lane's
 * seed and the position is the expected one, it is committed.
 *
 * Write order: payload, header (any order, both flushed), ONE fence.
 *
 * A group (count > 1) is one record: the payloads, each padded to 8 bytes,
 * then a table of count __le32 sizes at the very end.
 */
#ifndef FORMAT_STAGE_H
#define FORMAT_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/endian.h"

#define STAGE_MAGIC        0x534au
#define STAGE_ALIGN        64u
#define STAGE_HEADER_BYTES 64u

enum stage_type {
	STAGE_DATA = 1,
	STAGE_VOID = 2, /* the rest of the ring up to its end is not used */
};

struct stage_record {
	__le16 magic;
	uint8_t type;
	uint8_t count; /* transactions: 1 to 64 */
	__le32 header_crc; /* of these 64 bytes, this field as zero; lane seed */
	__le64 position;   /* of this record in the lane, never restarts */
	__le64 id;         /* of the first: line epoch number << 9 | slot */
	__le32 line;
	__le32 bytes; /* payload, with a group's table */
	__le32 payload_crc; /* of @bytes bytes; lane seed */
	__le32 flags;       /* 0 */
	__le64 time_ns;
	__le64 tag;
	__le64 reference;
};

/* in host order */
struct stage_meta {
	enum stage_type type;
	uint32_t count;
	uint64_t position;
	uint64_t id;
	uint32_t line;
	uint32_t bytes;
	uint32_t payload_crc;
	uint64_t time_ns;
	uint64_t tag;
	uint64_t reference;
};

/* seed of every checksum in one lane's ring */
uint32_t stage_seed(uint64_t nonce, uint32_t lane);

void stage_encode(const struct stage_meta *meta, uint32_t seed, struct stage_record *record);

/**
 * stage_decode() - validate a header
 * @position: the expected one
 * @room:     bytes from the header to the end of the ring
 * Return: 0, -ENODATA not a header of that position at all, -EBADMSG a header
 * of that position whose checksum or sense fails.
 */
int stage_decode(const struct stage_record *record, uint32_t seed, uint64_t position,
		 uint64_t room, struct stage_meta *meta);

static inline uint64_t stage_record_bytes(uint64_t payload_bytes)
{
	return (STAGE_HEADER_BYTES + payload_bytes + STAGE_ALIGN - 1) &
	       ~(uint64_t)(STAGE_ALIGN - 1);
}

#endif
