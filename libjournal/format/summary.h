/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The summary of a sealed segment: which transactions have bytes in it and
 * where.  The digest (which) is kept twice: at the end of the segment, and on
 * another medium where there is one (NVRAM, else the next log).  The table
 * (where) lies in the segment, before the digest.
 *
 * An open segment has a digest of no lines in the second place only, so that
 * its use is known even with its header gone; after a clean close it has lines, of
 * what was there then.
 */
#ifndef FORMAT_SUMMARY_H
#define FORMAT_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "format/log.h"
#include "util/endian.h"

#define SUMMARY_MAGIC 0x4d534a4cu

struct summary_head {
	__le32 magic;
	__le32 crc; /* of head and lines, this field as zero; log_seed() of the segment */
	__le64 seq;
	__le32 segment;
	__le16 kind;
	__le16 sealed; /* 1; 0: the segment was just opened */
	__le32 lines;
	__le32 entries;
	__le32 table_offset; /* in the segment */
	__le32 table_crc;    /* of entries and ids, 8 bytes each; the same seed */
	__le32 end;          /* records end here */
	__le32 retires;      /* LOG_RETIRE records in it */
	__le32 ids;          /* behind the table's entries: of those that were moved */
	__le32 record_bytes; /* of them all, without what fills their blocks up; 0: unknown */
	__le64 last_record_seq; /* stream: all up to it were durable */
};

struct summary_line {
	__le64 epoch; /* number */
	__le32 line;
	__le32 first; /* index of its first entry in the table */
	__le64 used[8];
};

/* one for each bit of used, in order */
struct summary_entry {
	__le32 offset; /* of the record, in units of 32 bytes */
	__le32 size;   /* of the record, in units of 32 bytes, with the flags below */
};

#define SUMMARY_PART 0x80000000u /* only extents that are not the last */
#define SUMMARY_SELF 0x40000000u /* LOG_DATA: committed without a bit */
#define SUMMARY_MOVED 0x20000000u /* the slot is not that of its id, which is behind the table */
#define SUMMARY_SIZE 0x1fffffffu

static inline uint32_t summary_lines_max(uint32_t digest_bytes)
{
	return (digest_bytes - (uint32_t)sizeof(struct summary_head)) /
	       (uint32_t)sizeof(struct summary_line);
}

/* of entries and ids together */
static inline uint32_t summary_table_bytes(const struct summary_head *head)
{
	return (get_le32(head->entries) + get_le32(head->ids)) *
	       (uint32_t)sizeof(struct summary_entry);
}

/* @digest: head followed by its lines; fills in magic and crc */
void summary_seal(struct summary_head *head, uint64_t nonce);

/**
 * summary_validate() - of a digest of @digest_bytes at @head
 * Return: 0, -ENODATA nothing there, -EBADMSG checksum or sense fails.
 */
int summary_validate(const struct summary_head *head, uint32_t digest_bytes,
		     uint64_t segment_bytes, uint32_t segment, uint64_t nonce);

#endif
