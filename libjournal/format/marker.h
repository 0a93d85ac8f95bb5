/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The marker medium.  docs/format.md has the byte tables.
 *
 *   0       superblock, 4096 bytes
 *   4096    superblock, second copy
 *   state   one 64-byte line of sealed words
 *   lanes   64 bytes each: sealed words
 *   lines   192 bytes each: epoch, commit map, retire map, 64 bytes apiece
 *   digests one per log segment (NVRAM only), see format/summary.h
 *   stage   one ring per lane (NVRAM only), see format/stage.h
 *
 * Erased is all ones.  Bits are only ever cleared within a line's epoch.
 */
#ifndef FORMAT_MARKER_H
#define FORMAT_MARKER_H

#include <stdbool.h>
#include <stdint.h>

#include "format/word.h"
#include "util/endian.h"

#define MARKER_MAGIC       "LJMARKER"
#define MARKER_SUPER_BYTES 4096u
#define MARKER_SUPERS      2u
#define MARKER_STATE_BYTES 64u
#define MARKER_LANE_BYTES  64u
#define MARKER_LINE_BYTES  192u
#define MARKER_LINE_SLOTS  512u
#define MARKER_LINE_WORDS  8u
#define MARKER_CLEAN_SLOT_BITS 10u /* of a clean word: the rest is the line */
#define MARKER_LANES_MAX   64u
#define MARKER_LINES_MAX   (1u << 20)

struct marker_super {
	uint8_t magic[8];
	__le32 version;
	__le32 crc; /* CRC-32C, seed ~0, of all 4096 bytes, this field as zero */
	__le64 compat;
	__le64 ro_compat;
	__le64 incompat;
	uint8_t uuid[16];
	__le64 nonce; /* secret: seeds every other checksum on media */
	__le64 bytes; /* of the medium that are used */
	__le64 created_ns;
	__le64 state_offset;
	__le64 lanes_offset;
	__le64 lines_offset;
	__le64 digests_offset;
	__le64 stage_offset;
	__le64 ring_bytes; /* of one lane; 0: no stage */
	__le32 lanes;
	__le32 lines;
	__le32 digests; /* 0: none here */
	__le32 digest_bytes;
	uint8_t reserved[4096 - 144];
};

/* the state line */
struct marker_state {
	__le64 incarnation; /* sealed: of ids, raised durably by every writing open */
	/* checkpointed stores: first segment to replay.  Not sealed: 64 bits long,
	 * and under the checkpoint's checksum */
	__le64 replay_seq;
	__le64 shared_clean; /* as marker_lane.clean, of the lane of buffered transactions */
	/* sealed: the incarnation up to which another medium held the marks, which is
	 * abandoned: this one stands in its place; erased: it was there from the start */
	__le64 abandoned;
	uint8_t reserved[32];
};

struct marker_lane {
	__le64 tail;  /* sealed: stage position below which nothing is needed */
	__le64 clean; /* sealed: line << 10 | next slot, after a clean close; else erased */
	__le64 end;   /* sealed: stage position below which every record was durable once */
	/* the data record before that: format/stage.h; all ones: not known */
	__le64 last_id;
	__le64 last_position;
	__le32 last_line; /* bits 20 to 25: its count - 1 */
	__le32 last_crc;  /* of end and all behind it; lane seed */
	uint8_t reserved[16];
};

/* maps of a line that are gone */
#define MARKER_MENDING_COMMIT 1u
#define MARKER_MENDING_RETIRE 2u
#define MARKER_MENDING_BOTH   (MARKER_MENDING_COMMIT | MARKER_MENDING_RETIRE)

struct marker_line {
	__le64 epoch; /* sealed: number << 1 | open; erased: never used */
	__le64 epoch_copy; /* the same again */
	__le64 mending;    /* sealed MARKER_MENDING_*: being made anew; else erased */
	uint8_t reserved[40];
	__le64 commit[MARKER_LINE_WORDS];
	__le64 retire[MARKER_LINE_WORDS];
};

/* what a superblock says, in host order */
struct marker_geometry {
	uint8_t uuid[16];
	uint64_t nonce;
	uint64_t bytes;
	uint64_t created_ns;
	uint64_t state_offset;
	uint64_t lanes_offset;
	uint64_t lines_offset;
	uint64_t digests_offset;
	uint64_t stage_offset;
	uint64_t ring_bytes;
	uint32_t lanes;
	uint32_t lines;
	uint32_t digests;
	uint32_t digest_bytes;
	uint64_t incompat; /* FORMAT_INCOMPAT_* */
	uint64_t compat;   /* those not known, too: who writes the superblock anew keeps them */
};

/**
 * marker_geometry_make() - lay out a medium
 * @g: lanes, lines, digests, digest_bytes, ring_bytes are given; the offsets
 *     and @g->bytes are filled in
 */
void marker_geometry_make(struct marker_geometry *g);

void marker_super_encode(const struct marker_geometry *g, struct marker_super *super);

/**
 * marker_super_decode() - validate everything and decode
 * @medium_bytes: size of the medium that the geometry must fit
 * @why:          receives the reason, a constant string
 * Return: 0, -ENODATA no magic there, -EPROTO other version or feature,
 * -EUCLEAN damaged.
 */
int marker_super_decode(const struct marker_super *super, uint64_t medium_bytes,
			bool read_only, struct marker_geometry *g, const char **why);

/**
 * marker_line_epoch() - of its two words the higher one that verifies
 * @value: number << 1 | open
 *
 * They are stored one after the other: a crash may leave one of them the older one, or
 * still erased.
 * Return: 0, -ENODATA never used, -EUCLEAN one is damaged, and the other one is no help
 */
int marker_line_epoch(const struct marker_line *line, uint64_t *value);

/* one of the words at least is neither erased nor a number */
bool marker_line_epoch_damaged(const struct marker_line *line);

static inline uint64_t marker_line_offset(const struct marker_geometry *g, uint32_t line)
{
	return g->lines_offset + (uint64_t)line * MARKER_LINE_BYTES;
}

#endif
