/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "journal.h"
#include "format/log.h"
#include "format/super.h"
#include "util/math.h"

int log_geometry_make(struct log_geometry *g)
{
	uint64_t head = (uint64_t)LOG_SUPERS * LOG_SUPER_BYTES, room, count;

	if (g->bytes < head + LOG_SEGMENTS_MIN * (g->segment_bytes + g->digest_bytes) + 4096)
		return -ENOSPC;
	g->digests_offset = head;
	room = g->bytes - head - 4096;
	count = room / (g->segment_bytes + g->digest_bytes);
	g->segments = (uint32_t)count;
	g->segments_offset = round_up(head + count * g->digest_bytes, 4096);
	return 0;
}

void log_super_encode(const struct log_geometry *g, struct log_super *super)
{
	memset(super, 0, sizeof(*super));
	memcpy(super->magic, LOG_MAGIC, sizeof(super->magic));
	super->version = put_le32(FORMAT_VERSION);
	memcpy(super->uuid, g->uuid, sizeof(super->uuid));
	super->nonce = put_le64(g->nonce);
	super->bytes = put_le64(g->bytes);
	super->created_ns = put_le64(g->created_ns);
	super->segment_bytes = put_le64(g->segment_bytes);
	super->digests_offset = put_le64(g->digests_offset);
	super->segments_offset = put_le64(g->segments_offset);
	super->digest_bytes = put_le32(g->digest_bytes);
	super->block_bytes = put_le32(g->block_bytes);
	super->segments = put_le32(g->segments);
	super->log = put_le16((uint16_t)g->log);
	super->logs = put_le16((uint16_t)g->logs);
	super->incompat = put_le64(g->incompat);
	super->crc = put_le32(super_crc(super, offsetof(struct log_super, crc)));
}

static void log_super_read(const struct log_super *super, struct log_geometry *g)
{
	memcpy(g->uuid, super->uuid, sizeof(g->uuid));
	g->nonce = get_le64(super->nonce);
	g->bytes = get_le64(super->bytes);
	g->created_ns = get_le64(super->created_ns);
	g->segment_bytes = get_le64(super->segment_bytes);
	g->digest_bytes = get_le32(super->digest_bytes);
	g->block_bytes = get_le32(super->block_bytes);
	g->log = get_le16(super->log);
	g->logs = get_le16(super->logs);
	g->incompat = get_le64(super->incompat);
}

static bool log_geometry_sane(const struct log_super *super, struct log_geometry *g)
{
	if (!is_power_of_two(g->segment_bytes) || g->segment_bytes < LOG_SEGMENT_MIN ||
	    g->segment_bytes > LOG_SEGMENT_MAX || !is_power_of_two(g->block_bytes) ||
	    g->block_bytes < 512 || g->block_bytes > 4096 ||
	    !is_power_of_two(g->digest_bytes) || g->digest_bytes < LOG_DIGEST_MIN ||
	    g->digest_bytes > g->segment_bytes / 8 || g->bytes % 4096 ||
	    g->bytes > 1ull << 50 || g->logs > JOURNAL_LOGS_MAX || g->log >= g->logs)
		return false;
	return !log_geometry_make(g) && g->segments == get_le32(super->segments) &&
	       (uint64_t)g->segments * g->logs <= UINT32_MAX &&
	       g->digests_offset == get_le64(super->digests_offset) &&
	       g->segments_offset == get_le64(super->segments_offset);
}

bool log_super_fits(const struct log_geometry *g, uint64_t medium_bytes)
{
	/* one that was resized may have been made shorter: who knows its runs looks at them */
	return g->bytes <= medium_bytes || g->incompat & FORMAT_INCOMPAT_RUNS;
}

int log_super_decode(const struct log_super *super, uint64_t medium_bytes, bool read_only,
		     struct log_geometry *g, const char **why)
{
	struct super_common common = {
		.magic_wanted = LOG_MAGIC,
		.magic = super->magic,
		.version = super->version,
		.crc = super->crc,
		.crc_expected = super_crc(super, offsetof(struct log_super, crc)),
		.ro_compat = super->ro_compat,
		.incompat = super->incompat,
		.incompat_known = LOG_INCOMPAT_KNOWN,
	};
	int error = super_validate(&common, read_only, why);

	if (error)
		return error;
	log_super_read(super, g);
	if (!log_geometry_sane(super, g)) {
		*why = "the geometry in the superblock makes no sense";
		return -EUCLEAN;
	}
	if (!log_super_fits(g, medium_bytes)) {
		*why = "the medium is shorter than its superblock says";
		return -EFBIG;
	}
	return 0;
}
