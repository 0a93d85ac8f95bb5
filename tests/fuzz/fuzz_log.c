/* SPDX-License-Identifier: BSD-3-Clause */
/* parts: format util */
/* A segment: its header, and records at every place. */
#include "fuzz.h"

#include "format/group.h"
#include "format/log.h"
#include "format/marker.h"
#include "journal.h"
#include "util/crc32c.h"

#define SEGMENT_BYTES 4096u
#define NONCE         5u

static uint8_t segment[SEGMENT_BYTES] __attribute__((aligned(64)));

static void check_record(const uint8_t *payload, const struct log_meta *meta)
{
	uint32_t i, offset, size;

	if (meta->type == LOG_RETIRE) {
		FUZZ_CHECK(meta->bytes % sizeof(struct log_retire) == 0);
		return;
	}
	FUZZ_CHECK(meta->before.type <= LOG_RETIRE);
	FUZZ_CHECK(meta->before.slot + meta->before.count <= MARKER_LINE_SLOTS);
	FUZZ_CHECK(meta->count >= 1 && meta->slot + meta->count <= MARKER_LINE_SLOTS);
	FUZZ_CHECK(meta->total_bytes <= JOURNAL_TXN_BYTES_MAX);
	FUZZ_CHECK(!meta->extents || (meta->extents - 1) * 8ull <= meta->bytes);
	for (i = 0; i <= meta->count; i++)
		if (!group_find(payload, meta->bytes, meta->count, i, &offset, &size))
			FUZZ_CHECK(i < meta->count && size <= meta->bytes &&
				   offset <= meta->bytes - size);
}

static void fill(uint32_t seed)
{
	struct log_segment_meta header = { .seq = 1, .kind = LOG_STREAM };
	struct log_meta meta = { .type = LOG_DATA, .count = 1, .bytes = 300, .extents = 1,
				 .total_bytes = 300 };
	uint32_t at;

	memset(segment, 0, sizeof(segment));
	log_segment_encode(&header, NONCE, (struct log_segment *)segment);
	for (at = 512; at + log_record_bytes(meta.bytes) <= SEGMENT_BYTES;
	     at += (uint32_t)log_record_bytes(meta.bytes)) {
		meta.seq++;
		meta.type = meta.type % 3 + 1;
		meta.bytes = meta.type == LOG_RETIRE ? 240 : 300;
		log_record_encode(&meta, seed, at, (struct log_record *)(segment + at));
		meta.before = log_before_of(&meta);
	}
}

/* give what was patched a checksum that holds in its place */
static void reseal(uint32_t seed, uint32_t at)
{
	struct log_record *record = (struct log_record *)(segment + at);

	record->header_crc = 0;
	record->header_crc = put_le32(crc32c(seed ^ at / LOG_RECORD_ALIGN, record,
					     sizeof(*record)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_input in = { data, bytes };
	unsigned int how = fuzz_byte(&in);
	uint32_t seed = log_seed(NONCE, 0, 1), at;
	struct log_segment_meta header;
	struct log_meta meta;

	fill(seed);
	fuzz_patches(&in, segment, sizeof(segment), 16);
	if (!log_segment_decode((struct log_segment *)segment, NONCE, &header))
		FUZZ_CHECK(header.kind == LOG_STREAM || header.kind == LOG_EXTENTS);
	if (how & 1)
		for (at = 512; at + LOG_RECORD_BYTES <= SEGMENT_BYTES; at += 128)
			reseal(seed, at);
	for (at = 512; at + LOG_RECORD_BYTES <= SEGMENT_BYTES; at += LOG_RECORD_ALIGN) {
		if (log_record_decode((struct log_record *)(segment + at), seed, at,
				      SEGMENT_BYTES - at, &meta))
			continue;
		FUZZ_CHECK(log_record_bytes(meta.bytes) <= SEGMENT_BYTES - at);
		check_record(segment + at + LOG_RECORD_BYTES, &meta);
	}
	return 0;
}
