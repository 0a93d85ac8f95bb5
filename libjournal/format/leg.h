/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One of the two media that a mirrored log lies on: a leg.  docs/format.md has the byte
 * table.
 *
 *   0        superblock of the leg, 4096 bytes
 *   4096     second copy.  Where they differ, a change was cut off between the two: the
 *            one with more events counts
 *   8192     the log, with its own superblocks: byte n of it is byte 8192 + n of the leg
 *
 * Where a log has its superblock a leg has another one, so that nobody takes a leg for a
 * log, and writes to it alone.
 */
#ifndef FORMAT_LEG_H
#define FORMAT_LEG_H

#include <stdbool.h>
#include <stdint.h>

#include "util/endian.h"

#define LEG_MAGIC       "LJLEG\0\0\0"
#define LEG_SUPER_BYTES 4096u
#define LEG_SUPERS      2u
#define LEG_HEAD_BYTES  (LEG_SUPERS * LEG_SUPER_BYTES)
#define LEGS            2u
#define LEGS_ALL        ((1u << LEGS) - 1)

struct leg_super {
	uint8_t magic[8];
	__le32 version;
	__le32 crc; /* CRC-32C, seed ~0, of all 4096 bytes, this field as zero */
	__le64 compat;
	__le64 ro_compat;
	__le64 incompat;
	uint8_t uuid[16]; /* of the journal */
	__le64 pair;      /* the same on both legs of a log, and on no other */
	__le64 bytes;     /* of the log, as it was formatted */
	__le64 events;    /* one more each time @good changes */
	__le64 left_ns;   /* when the one that is not in @good was left */
	__le32 leg;       /* number of this leg */
	__le32 good;      /* a bit for each leg that has all of the log */
	uint8_t reserved[4096 - 96];
};

struct leg_meta {
	uint8_t uuid[16];
	uint64_t pair;
	uint64_t bytes;
	uint64_t events;
	uint64_t left_ns;
	uint32_t leg;
	uint32_t good;
};

void leg_super_encode(const struct leg_meta *meta, struct leg_super *super);
/* Return: 0, -ENODATA no leg, -EPROTO, -EUCLEAN: as log_super_decode() */
int leg_super_decode(const struct leg_super *super, uint64_t medium_bytes, bool read_only,
		     struct leg_meta *meta, const char **why);
/* Of both copies the one that counts.  Return: as above. */
int leg_supers_decode(const struct leg_super super[LEG_SUPERS], uint64_t medium_bytes,
		      bool read_only, struct leg_meta *meta, const char **why);

/* which copy is written first: not the one that counts until then */
static inline uint64_t leg_super_offset(uint64_t events)
{
	return events % LEG_SUPERS * LEG_SUPER_BYTES;
}

/* a bit for each copy that is damaged */
unsigned int leg_supers_bad(const struct leg_super super[LEG_SUPERS]);

/**
 * legs_judge() - which of the two legs are out of date
 * @meta: what each says
 * A leg is when the other one has gone on without it, or when it says so itself: it is
 * being copied.  Of two that both went on alone neither has all.
 * Return: a bit for each that is; LEGS_ALL: there is none to go on with.
 */
uint32_t legs_judge(const struct leg_meta meta[LEGS]);

#endif
