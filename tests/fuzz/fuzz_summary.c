/* SPDX-License-Identifier: BSD-3-Clause */
/* parts: format util */
/* The digest of a segment, its checksum made to hold or not. */
#include "fuzz.h"

#include "format/summary.h"

#define DIGEST_BYTES  4096u
#define SEGMENT_BYTES (1u << 20)
#define SEGMENT       3u
#define NONCE         5u

static union {
	struct summary_head head;
	uint8_t bytes[DIGEST_BYTES];
} digest;

static struct summary_line *line_of(uint32_t index)
{
	return (struct summary_line *)(&digest.head + 1) + index;
}

static void fill(void)
{
	uint32_t i;

	memset(&digest, 0, sizeof(digest));
	digest.head.segment = put_le32(SEGMENT);
	digest.head.kind = put_le16(LOG_STREAM);
	digest.head.sealed = put_le16(1);
	digest.head.lines = put_le32(3);
	digest.head.entries = put_le32(6);
	for (i = 0; i < 3; i++) {
		line_of(i)->first = put_le32(2 * i);
		line_of(i)->used[i] = put_le64(1ull << 40 | 1);
	}
}

static uint32_t bits_of(const struct summary_line *line)
{
	uint32_t i, bits = 0;

	for (i = 0; i < 8; i++)
		bits += (uint32_t)__builtin_popcountll(get_le64(line->used[i]));
	return bits;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_input in = { data, bytes };
	unsigned int how = fuzz_byte(&in);
	uint32_t i, lines, entries;

	fill();
	fuzz_patches(&in, &digest, how & 2 ? 304 : sizeof(digest), 16);
	/* resealing reads as many lines as it is told: what fits at most */
	if (how & 1 && get_le32(digest.head.lines) <= summary_lines_max(DIGEST_BYTES))
		summary_seal(&digest.head, NONCE);
	if (summary_validate(&digest.head, DIGEST_BYTES, SEGMENT_BYTES, SEGMENT, NONCE))
		return 0;
	lines = get_le32(digest.head.lines);
	entries = get_le32(digest.head.entries);
	FUZZ_CHECK(lines <= summary_lines_max(DIGEST_BYTES));
	FUZZ_CHECK(get_le32(digest.head.table_offset) + 8ull * entries <= SEGMENT_BYTES);
	FUZZ_CHECK(get_le32(digest.head.end) <= SEGMENT_BYTES);
	for (i = 0; i < lines; i++)
		FUZZ_CHECK(get_le32(line_of(i)->first) + bits_of(line_of(i)) <= entries);
	return 0;
}
