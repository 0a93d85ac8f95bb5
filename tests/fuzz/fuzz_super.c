/* SPDX-License-Identifier: BSD-3-Clause */
/* parts: format util */
/* Superblocks of markers, log, and legs of one, with and without a checksum that holds. */
#include "fuzz.h"

#include "format/leg.h"
#include "format/log.h"
#include "format/marker.h"
#include "format/super.h"
#include "journal.h"

#define MEDIUM_BYTES (1ull << 46)

static void marker(struct fuzz_input *in, unsigned int how)
{
	struct marker_geometry g = { .nonce = 1, .ring_bytes = 1 << 20, .lanes = 4, .lines = 9,
				     .digests = 8, .digest_bytes = 4096 };
	struct marker_super super;
	const char *why = NULL;
	int error;

	marker_geometry_make(&g);
	marker_super_encode(&g, &super);
	fuzz_patches(in, &super, how & 2 ? 144 : sizeof(super), 16);
	if (how & 4)
		super.crc = put_le32(super_crc(&super, offsetof(struct marker_super, crc)));
	error = marker_super_decode(&super, MEDIUM_BYTES, how & 8, &g, &why);
	FUZZ_CHECK(!error == !why);
	if (error)
		return;
	FUZZ_CHECK(g.bytes <= MEDIUM_BYTES && g.stage_offset <= g.bytes);
	FUZZ_CHECK(g.lanes && g.lanes <= MARKER_LANES_MAX && g.lines <= MARKER_LINES_MAX);
	FUZZ_CHECK(marker_line_offset(&g, g.lines) <= g.stage_offset);
	FUZZ_CHECK(g.stage_offset + g.lanes * g.ring_bytes <= g.bytes);
}

static void log_(struct fuzz_input *in, unsigned int how)
{
	struct log_geometry g = { .nonce = 1, .bytes = 16 << 20, .segment_bytes = 1 << 20,
				  .digest_bytes = 4096, .block_bytes = 512, .logs = 1 };
	struct log_super super;
	const char *why = NULL;
	int error;

	FUZZ_CHECK(!log_geometry_make(&g));
	log_super_encode(&g, &super);
	fuzz_patches(in, &super, how & 2 ? 120 : sizeof(super), 16);
	if (how & 4)
		super.crc = put_le32(super_crc(&super, offsetof(struct log_super, crc)));
	error = log_super_decode(&super, MEDIUM_BYTES, how & 8, &g, &why);
	FUZZ_CHECK(!error == !why);
	if (error)
		return;
	FUZZ_CHECK(g.bytes <= MEDIUM_BYTES && g.logs <= JOURNAL_LOGS_MAX && g.log < g.logs);
	FUZZ_CHECK(log_segment_offset(&g, g.segments) <= g.bytes);
	FUZZ_CHECK(g.digests_offset + (uint64_t)g.segments * g.digest_bytes <=
		   g.segments_offset);
	FUZZ_CHECK((uint64_t)g.segments * g.logs <= UINT32_MAX);
}

/* the heads of both legs of a mirrored log, and what comes of them */
static void legs(struct fuzz_input *in, unsigned int how)
{
	struct leg_meta meta[LEGS];
	struct leg_super super[LEG_SUPERS];
	const char *why = NULL;
	unsigned int leg, i;
	int error;

	for (leg = 0; leg < LEGS; leg++) {
		meta[leg] = (struct leg_meta){ .pair = 7, .bytes = 1 << 20, .events = 3,
					       .leg = leg, .good = LEGS_ALL };
		for (i = 0; i < LEG_SUPERS; i++) {
			leg_super_encode(&meta[leg], &super[i]);
			fuzz_patches(in, &super[i], how & 4 ? 96 : sizeof(super[i]), 8);
			if (how & 8)
				super[i].crc = put_le32(super_crc(&super[i],
						offsetof(struct leg_super, crc)));
		}
		error = leg_supers_decode(super, MEDIUM_BYTES, how & 16, &meta[leg], &why);
		FUZZ_CHECK(!error == !why);
		if (error)
			return;
		FUZZ_CHECK(meta[leg].leg < LEGS && meta[leg].good &&
			   meta[leg].good <= LEGS_ALL && !(meta[leg].bytes % 4096));
	}
	i = legs_judge(meta);
	FUZZ_CHECK(i <= LEGS_ALL);
	/* none is called good that says itself that it is not */
	for (leg = 0; leg < LEGS; leg++)
		FUZZ_CHECK(i >> leg & 1 || meta[leg].good >> leg & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz_input in = { data, bytes };
	unsigned int how = fuzz_byte(&in);

	if (how & 32)
		legs(&in, how);
	else if (how & 1)
		marker(&in, how);
	else
		log_(&in, how);
	return 0;
}
