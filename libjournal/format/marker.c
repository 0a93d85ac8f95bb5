/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/marker.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "format/log.h"
#include "format/super.h"
#include "util/math.h"

void marker_geometry_make(struct marker_geometry *g)
{
	uint64_t at = (uint64_t)MARKER_SUPERS * MARKER_SUPER_BYTES;

	g->state_offset = at;
	at += MARKER_STATE_BYTES;
	g->lanes_offset = at;
	at += (uint64_t)g->lanes * MARKER_LANE_BYTES;
	g->lines_offset = at;
	at += (uint64_t)g->lines * MARKER_LINE_BYTES;
	at = round_up(at, 4096);
	g->digests_offset = at;
	at += (uint64_t)g->digests * g->digest_bytes;
	at = round_up(at, 4096);
	g->stage_offset = at;
	at += g->lanes * g->ring_bytes;
	g->bytes = at;
}

void marker_super_encode(const struct marker_geometry *g, struct marker_super *super)
{
	memset(super, 0, sizeof(*super));
	memcpy(super->magic, MARKER_MAGIC, sizeof(super->magic));
	super->version = put_le32(FORMAT_VERSION);
	super->compat = put_le64(g->compat);
	super->incompat = put_le64(g->incompat);
	memcpy(super->uuid, g->uuid, sizeof(super->uuid));
	super->nonce = put_le64(g->nonce);
	super->bytes = put_le64(g->bytes);
	super->created_ns = put_le64(g->created_ns);
	super->state_offset = put_le64(g->state_offset);
	super->lanes_offset = put_le64(g->lanes_offset);
	super->lines_offset = put_le64(g->lines_offset);
	super->digests_offset = put_le64(g->digests_offset);
	super->stage_offset = put_le64(g->stage_offset);
	super->ring_bytes = put_le64(g->ring_bytes);
	super->lanes = put_le32(g->lanes);
	super->lines = put_le32(g->lines);
	super->digests = put_le32(g->digests);
	super->digest_bytes = put_le32(g->digest_bytes);
	super->crc = put_le32(super_crc(super, offsetof(struct marker_super, crc)));
}

/* 0 is no number: an id of it would be no id */
static int marker_epoch_word(__le64 word, uint64_t *value)
{
	int error = word_unseal(word, value);

	return !error && !(*value >> 1) ? -EUCLEAN : error;
}

int marker_line_epoch(const struct marker_line *line, uint64_t *value)
{
	uint64_t copy = 0;
	int error = marker_epoch_word(line->epoch, value), copy_error;

	if (line->epoch == line->epoch_copy)
		return error;
	copy_error = marker_epoch_word(line->epoch_copy, &copy);
	if (!error)
		*value = !copy_error && copy > *value ? copy : *value;
	else if (!copy_error)
		*value = copy;
	else if (error != copy_error)
		return -EUCLEAN; /* one damaged, one erased */
	return error && copy_error ? error : 0;
}

bool marker_line_epoch_damaged(const struct marker_line *line)
{
	uint64_t value;

	return marker_epoch_word(line->epoch, &value) == -EUCLEAN ||
	       marker_epoch_word(line->epoch_copy, &value) == -EUCLEAN;
}

static void marker_super_read(const struct marker_super *super, struct marker_geometry *g)
{
	memcpy(g->uuid, super->uuid, sizeof(g->uuid));
	g->nonce = get_le64(super->nonce);
	g->created_ns = get_le64(super->created_ns);
	g->ring_bytes = get_le64(super->ring_bytes);
	g->lanes = get_le32(super->lanes);
	g->lines = get_le32(super->lines);
	g->digests = get_le32(super->digests);
	g->digest_bytes = get_le32(super->digest_bytes);
	g->compat = get_le64(super->compat);
	g->incompat = get_le64(super->incompat);
}

/* The offsets follow from the counts: anything else is damage. */
static bool marker_geometry_sane(const struct marker_super *super, struct marker_geometry *g)
{
	if (!g->lanes || g->lanes > MARKER_LANES_MAX || !g->lines ||
	    g->lines > MARKER_LINES_MAX || g->ring_bytes % 64 ||
	    g->ring_bytes > 1ull << 40 || g->digest_bytes % 64 ||
	    g->digest_bytes > 1u << 24 || g->digests > 1u << 24 ||
	    (g->digests && g->digest_bytes < LOG_DIGEST_MIN))
		return false;
	marker_geometry_make(g);
	return g->bytes == get_le64(super->bytes) &&
	       g->state_offset == get_le64(super->state_offset) &&
	       g->lanes_offset == get_le64(super->lanes_offset) &&
	       g->lines_offset == get_le64(super->lines_offset) &&
	       g->digests_offset == get_le64(super->digests_offset) &&
	       g->stage_offset == get_le64(super->stage_offset);
}

int marker_super_decode(const struct marker_super *super, uint64_t medium_bytes,
			bool read_only, struct marker_geometry *g, const char **why)
{
	struct super_common common = {
		.magic_wanted = MARKER_MAGIC,
		.magic = super->magic,
		.version = super->version,
		.crc = super->crc,
		.crc_expected = super_crc(super, offsetof(struct marker_super, crc)),
		.ro_compat = super->ro_compat,
		.incompat = super->incompat,
		.incompat_known = MARKER_INCOMPAT_KNOWN,
	};
	int error = super_validate(&common, read_only, why);

	if (error)
		return error;
	marker_super_read(super, g);
	if (!marker_geometry_sane(super, g)) {
		*why = "the geometry in the superblock makes no sense";
		return -EUCLEAN;
	}
	if (g->bytes > medium_bytes) {
		*why = "the medium is shorter than its superblock says";
		return -EFBIG;
	}
	return 0;
}
