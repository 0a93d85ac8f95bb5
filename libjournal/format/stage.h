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
 *
 * Each header names the data record before it in its ring, so that this one has a name
 * although its own header is damaged.  That lies in what the other fields leave free.
 */
#ifndef FORMAT_STAGE_H
#define FORMAT_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "format/marker.h"
#include "util/endian.h"

#define STAGE_MAGIC        0x534au
#define STAGE_ALIGN        64u
#define STAGE_HEADER_BYTES 64u
/* units of STAGE_ALIGN bytes; and bits of what an epoch number is known by */
#define STAGE_DISTANCE_MAX     ((1u << 15) - 1)
#define STAGE_EPOCH_CHECK_BITS 15u
/* of a record's position word: the rest is of the distance */
#define STAGE_POSITION_MASK    0x007fffffffffffc0ull

enum stage_type {
	STAGE_DATA = 1,
	STAGE_VOID = 2, /* the rest of the ring up to its end is not used */
};

struct stage_record {
	__le16 magic;
	uint8_t type;  /* bits 2 to 7: before's count - 1 */
	uint8_t count; /* transactions: 1 to 64; bit 7: one is named before it */
	__le32 header_crc; /* of these 64 bytes, this field as zero; lane seed */
	/* of this record in the lane, never restarts; bits 0 to 5 and 55 to 63: before's
	 * distance */
	__le64 position;
	__le64 id;    /* of the first: line epoch number << 9 | slot */
	__le32 line;  /* bits 20 to 28: before's slot, 29 to 31: its epoch's check, upper part */
	__le32 bytes; /* payload, with a group's table */
	__le32 payload_crc; /* of @bytes bytes; lane seed */
	__le32 before;      /* its line; bits 20 to 31: its epoch's check, lower part */
	__le64 time_ns;
	__le64 tag;
	__le64 reference;
};

/* a data record, by what it commits */
struct stage_last {
	uint64_t id; /* of the first */
	uint64_t position;
	uint32_t line;
	uint32_t count; /* 0: not known */
};

/* the same, as the header of the one behind it names it */
struct stage_before {
	uint32_t count; /* 0: none is named, and the rest says nothing */
	uint32_t line;
	uint32_t slot;
	uint32_t epoch_check; /* stage_epoch_check() */
	uint32_t distance;    /* from its start to that of the other, in units; 0: too far */
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
	struct stage_before before;
};

/* What tells the use of a line from those before and behind it: near numbers differ in
 * it, and numbers of the same counter in near incarnations. */
static inline uint32_t stage_epoch_check(uint64_t number)
{
	return (uint32_t)(number * 0x9e3779b97f4a7c15ull >> (64 - STAGE_EPOCH_CHECK_BITS));
}

/* how the record at @position names @last */
static inline struct stage_before stage_before(const struct stage_last *last, uint64_t position)
{
	uint64_t units = (position - last->position) / STAGE_ALIGN;

	if (!last->count)
		return (struct stage_before){ .count = 0 };
	return (struct stage_before){
		.count = last->count,
		.line = last->line,
		.slot = (uint32_t)(last->id % MARKER_LINE_SLOTS),
		.epoch_check = stage_epoch_check(last->id / MARKER_LINE_SLOTS),
		.distance = units <= STAGE_DISTANCE_MAX ? (uint32_t)units : 0,
	};
}

/* of a record's position word */
static inline uint64_t stage_position(const struct stage_record *record)
{
	return get_le64(record->position) & STAGE_POSITION_MASK;
}

/* seed of every checksum in one lane's ring */
uint32_t stage_seed(uint64_t nonce, uint32_t lane);

/* @last: the data record before it in its ring; its count 0: not known.  @meta->before is
 * what that comes to, for who reads it */
void stage_encode(const struct stage_meta *meta, const struct stage_last *last, uint32_t seed,
		  struct stage_record *record);

/* It says itself that it is the header of @position; whether it is, the checksum tells. */
static inline bool stage_claims(const struct stage_record *record, uint64_t position)
{
	return get_le16(record->magic) == STAGE_MAGIC && stage_position(record) == position;
}

/**
 * stage_decode() - validate a header
 * @position: the expected one
 * @room:     bytes from the header to the end of the ring
 * Return: 0, -ENODATA not a header of that position at all, -EBADMSG a header
 * of that position whose checksum or sense fails.
 */
int stage_decode(const struct stage_record *record, uint32_t seed, uint64_t position,
		 uint64_t room, struct stage_meta *meta);

/* Which record ends at @lane->end, sealed together with that word: the last of a ring has
 * none behind it that would name it.  Context: @lane->end is set */
void stage_last_encode(const struct stage_last *last, uint32_t seed, struct marker_lane *lane);

/* Return: 0, or -ENODATA not known */
int stage_last_decode(const struct marker_lane *lane, uint32_t seed, struct stage_last *last);

static inline uint64_t stage_record_bytes(uint64_t payload_bytes)
{
	return (STAGE_HEADER_BYTES + payload_bytes + STAGE_ALIGN - 1) &
	       ~(uint64_t)(STAGE_ALIGN - 1);
}

#endif
