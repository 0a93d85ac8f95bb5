/* SPDX-License-Identifier: BSD-3-Clause */
/* parts: format util */
/* A lane's ring: headers at every place, walked as recovery walks it. */
#include "fuzz.h"

#include "format/group.h"
#include "format/marker.h"
#include "format/stage.h"
#include "journal.h"
#include "util/crc32c.h"

#define RING_BYTES 4096u
#define RECORDS    6u

static uint8_t ring[RING_BYTES] __attribute__((aligned(64)));

static void check_groups(const uint8_t *payload, const struct stage_meta *meta)
{
	uint32_t i, offset, size;

	for (i = 0; i <= meta->count; i++)
		if (!group_find(payload, meta->bytes, meta->count, i, &offset, &size))
			FUZZ_CHECK(i < meta->count && size <= meta->bytes &&
				   offset <= meta->bytes - size);
}

static void fill(uint32_t seed)
{
	struct stage_meta meta = { .type = STAGE_DATA, .count = 4, .id = 7 << 9, .bytes = 250 };
	struct stage_last last = { .count = 0 };
	uint32_t i, at = 0;

	memset(ring, 0, sizeof(ring));
	for (i = 0; i < RECORDS; i++, at += (uint32_t)stage_record_bytes(meta.bytes)) {
		meta.position = at;
		stage_encode(&meta, &last, seed, (struct stage_record *)(ring + at));
		last = (struct stage_last){ .id = meta.id, .position = at, .count = meta.count };
	}
}

/* give what was patched a checksum that holds */
static void reseal(struct stage_record *record, uint32_t seed)
{
	record->header_crc = 0;
	record->header_crc = put_le32(crc32c(seed, record, sizeof(*record)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_input in = { data, bytes };
	unsigned int how = fuzz_byte(&in);
	uint32_t seed = stage_seed(5, how >> 4), at;
	struct stage_meta meta;

	fill(seed);
	fuzz_patches(&in, ring, sizeof(ring), 16);
	if (how & 1)
		for (at = 0; at < RING_BYTES; at += STAGE_ALIGN)
			reseal((struct stage_record *)(ring + at), seed);
	for (at = 0; at < RING_BYTES; at += STAGE_ALIGN) {
		if (stage_decode((struct stage_record *)(ring + at), seed, at, RING_BYTES - at,
				 &meta))
			continue;
		FUZZ_CHECK(stage_record_bytes(meta.bytes) <= RING_BYTES - at);
		FUZZ_CHECK(meta.position == at);
		FUZZ_CHECK(meta.before.count <= JOURNAL_GROUP_MAX &&
			   meta.before.slot + meta.before.count <= MARKER_LINE_SLOTS &&
			   meta.before.line < MARKER_LINES_MAX);
		if (meta.type == STAGE_VOID)
			continue;
		FUZZ_CHECK(meta.count >= 1 && meta.count <= JOURNAL_GROUP_MAX);
		check_groups(ring + at + STAGE_HEADER_BYTES, &meta);
	}
	return 0;
}
