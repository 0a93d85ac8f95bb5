/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log medium.  docs/format.md has the byte tables.
 *
 *   0        superblock, 4096 bytes
 *   4096     superblock, second copy
 *   digests  second copy of the digest of each segment of the *previous* log
 *            (with one log: of this one), see format/summary.h
 *   segments
 *
 * A segment begins with its header (one block), then records, then the table
 * and the digest of its summary.  Segment n of the journal is segment n / logs
 * of log n % logs.
 */
#ifndef FORMAT_LOG_H
#define FORMAT_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "format/log_before.h"
#include "util/endian.h"

#define LOG_MAGIC         "LJLOG\0\0\0"
#define LOG_SUPER_BYTES   4096u
#define LOG_SUPERS        2u
#define LOG_SEGMENT_MAGIC 0x47534a4cu
#define LOG_RECORD_MAGIC  0x524cu
#define LOG_RECORD_ALIGN  32u
#define LOG_RECORD_BYTES  96u /* header */
#define LOG_SEGMENT_MIN   (1u << 20)
#define LOG_SEGMENT_MAX   (1u << 26)
#define LOG_SEGMENTS_MIN  8u
#define LOG_DIGEST_MIN    4096u

struct log_super {
	uint8_t magic[8];
	__le32 version;
	__le32 crc; /* CRC-32C, seed ~0, of all 4096 bytes, this field as zero */
	__le64 compat;
	__le64 ro_compat;
	__le64 incompat;
	uint8_t uuid[16];
	__le64 nonce;
	__le64 bytes;
	__le64 created_ns;
	__le64 segment_bytes;
	__le64 digests_offset;
	__le64 segments_offset;
	__le32 digest_bytes;
	__le32 block_bytes;
	__le32 segments; /* in this log */
	__le16 log;      /* number of this log */
	__le16 logs;     /* of how many */
	uint8_t reserved[4096 - 120];
};

struct log_geometry {
	uint8_t uuid[16];
	uint64_t nonce;
	uint64_t bytes;
	uint64_t created_ns;
	uint64_t segment_bytes;
	uint64_t digests_offset;
	uint64_t segments_offset;
	uint32_t digest_bytes;
	uint32_t block_bytes;
	uint32_t segments;
	uint32_t log;
	uint32_t logs;
	uint64_t incompat; /* features */
};

enum log_segment_kind {
	LOG_STREAM = 1,  /* self-certifying records, in order of sequence */
	LOG_EXTENTS = 2, /* payload committed by a bit or by a later record */
};

struct log_segment {
	__le32 magic;
	__le32 crc;      /* of these 64 bytes, this field as zero; seed from the nonce */
	__le64 seq;      /* use of a segment: incarnation << 32 | counter, never reused */
	__le32 segment;  /* its number */
	__le16 kind;
	__le16 reserved0;
	__le64 reserved1;
	__le64 opened_ns;
	uint8_t uuid[16];
	__le64 reserved2;
};

struct log_segment_meta {
	uint64_t seq;
	uint32_t segment;
	enum log_segment_kind kind;
	uint64_t opened_ns;
	uint8_t uuid[16];
};

enum log_type {
	LOG_DATA = 1,   /* committed iff it verifies (with all its extents) */
	LOG_EXTENT = 2, /* committed iff its slot's bit is, or its last one is LOG_DATA */
	LOG_RETIRE = 3, /* a list of struct log_retire */
};

/*
 * A record.  A transaction in one piece has extent 0 of 1.  In several, each
 * but the last has extents = 0, and the payload of the last ends with a table
 * of (extents - 1) __le64 locations: segment << 32 | offset.
 */
struct log_record {
	__le16 magic;
	uint8_t type;
	uint8_t count; /* transactions of a group, 1 to 64 */
	__le32 header_crc; /* of these 96 bytes, this field as zero; seed of segment and offset */
	__le64 id;         /* of the first */
	__le32 line;
	__le16 slot;
	__le16 moves;      /* how often it was moved; the highest copy counts (P2) */
	__le64 line_epoch; /* number */
	/* of these two 20 bits, of total_bytes 27; the others: log_before_pack() */
	__le64 seq;        /* stream: 1, 2, ... within this use of the segment; extents: 0 */
	__le64 acked;      /* stream: those of this use up to it were durable (P10); 0: none */
	__le64 time_ns;
	__le64 tag;
	__le64 reference;
	__le32 bytes; /* payload here, with tables */
	__le32 payload_crc; /* seed of the segment */
	__le16 extent;
	__le16 extents;
	__le32 incarnation; /* of the writer: who goes on elsewhere writes other headers */
	__le64 total_bytes; /* payload of the transaction (of a group: of the record) */
};

struct log_meta {
	enum log_type type;
	uint32_t count;
	uint64_t id;
	uint32_t line;
	uint32_t slot;
	uint32_t moves;
	uint64_t line_epoch;
	uint64_t seq;
	uint64_t acked;
	uint64_t time_ns;
	uint64_t tag;
	uint64_t reference;
	uint32_t bytes;
	uint32_t payload_crc;
	uint32_t extent;
	uint32_t extents;
	uint32_t incarnation;
	uint64_t total_bytes;
	struct log_before before; /* stream: the record of sequence seq - 1 */
};

struct log_retire {
	__le64 id;
	__le64 line_epoch;
	__le32 line;
	__le32 slot;
};

/* @g: segment_bytes, digest_bytes, block_bytes, bytes given; the rest filled in.
 * Return: 0, or -ENOSPC when not even 8 segments fit. */
int log_geometry_make(struct log_geometry *g);
void log_super_encode(const struct log_geometry *g, struct log_super *super);
bool log_super_fits(const struct log_geometry *g, uint64_t medium_bytes);
/* Return: 0, -ENODATA no magic, -EPROTO version or feature, -EUCLEAN checksum or nonsense,
 * -EFBIG the medium is shorter than @g says: @g is good all the same */
int log_super_decode(const struct log_super *super, uint64_t medium_bytes, bool read_only,
		     struct log_geometry *g, const char **why);

void log_segment_encode(const struct log_segment_meta *meta, uint64_t nonce,
			struct log_segment *header);
/* Return: 0, -ENODATA no header, -EBADMSG checksum, -EUCLEAN nonsense */
int log_segment_decode(const struct log_segment *header, uint64_t nonce,
		       struct log_segment_meta *meta);

/* seed of every checksum inside one use of a segment */
uint32_t log_seed(uint64_t nonce, uint32_t segment, uint64_t seq);

void log_record_encode(const struct log_meta *meta, uint32_t seed, uint64_t offset,
		       struct log_record *record);

/**
 * log_record_decode() - validate a header that begins at @offset in its segment
 * @room: bytes from there to the end of the records' area
 * Return: 0, -ENODATA no header there, -EBADMSG its checksum or sense fails.
 */
int log_record_decode(const struct log_record *record, uint32_t seed, uint64_t offset,
		      uint64_t room, struct log_meta *meta);

static inline uint64_t log_record_bytes(uint64_t payload_bytes)
{
	return (LOG_RECORD_BYTES + payload_bytes + LOG_RECORD_ALIGN - 1) &
	       ~(uint64_t)(LOG_RECORD_ALIGN - 1);
}

static inline uint64_t log_segment_offset(const struct log_geometry *g, uint32_t index)
{
	return g->segments_offset + (uint64_t)index * g->segment_bytes;
}

#endif
