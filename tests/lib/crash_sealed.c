/* SPDX-License-Identifier: BSD-3-Clause */
#include "crash_sealed.h"

#include <string.h>

#include "format/log.h"
#include "format/marker.h"
#include "format/summary.h"
#include "util/assert.h"

static void geometries(const struct crash_world *world, struct log_geometry *log,
		       struct marker_geometry *marker)
{
	const char *why;

	JASSERT(!log_super_decode((const struct log_super *)(void *)world->log.durable,
				  world->log.bytes, false, log, &why));
	JASSERT(!marker_super_decode((const struct marker_super *)(void *)world->marker.durable,
				     world->marker.bytes, false, marker, &why));
}

static bool digest_seals(const void *at, const struct log_geometry *g,
			 const struct log_segment_meta *meta)
{
	const struct summary_head *head = at;

	return !summary_validate(head, g->digest_bytes, g->segment_bytes, meta->segment,
				 g->nonce) &&
	       get_le16(head->sealed) && get_le64(head->seq) == meta->seq;
}

/* its header, if what is durable there is a stream segment */
static bool stream_at(const struct crash_world *world, const struct log_geometry *g,
		      uint32_t segment, struct log_segment_meta *meta)
{
	const void *at = world->log.durable + log_segment_offset(g, segment);

	return !log_segment_decode(at, g->nonce, meta) && meta->kind == LOG_STREAM;
}

static bool sealed_twice(const struct crash_world *world, uint32_t segment)
{
	struct log_segment_meta meta;
	struct marker_geometry marker;
	struct log_geometry g;
	const uint8_t *second;

	geometries(world, &g, &marker);
	JASSERT(stream_at(world, &g, segment, &meta));
	second = marker.digests ? world->marker.durable + marker.digests_offset :
				  world->log.durable + g.digests_offset;
	return digest_seals(world->log.durable + log_segment_offset(&g, segment + 1) -
				    g.digest_bytes, &g, &meta) &&
	       digest_seals(second + (uint64_t)segment * g.digest_bytes, &g, &meta);
}

static void sealed_write(const struct crash_world *world, const struct crash_write *write,
			 struct crash_sealed *sealed)
{
	struct marker_geometry marker;
	struct log_segment_meta meta;
	struct log_geometry g;
	uint32_t segment;
	__le16 magic;

	/* the bytes lie anywhere */
	memcpy(&magic, write->data, sizeof(magic));
	if (get_le16(magic) != LOG_RECORD_MAGIC)
		return;
	geometries(world, &g, &marker);
	segment = (uint32_t)((write->offset - g.segments_offset) / g.segment_bytes);
	if (!stream_at(world, &g, segment, &meta))
		return;
	if (sealed->any && sealed->segment != segment) {
		sealed->left++;
		sealed->wrong += !sealed_twice(world, sealed->segment);
	}
	sealed->any = true;
	sealed->segment = segment;
}

void crash_sealed_hook(struct crash_world *world, void *context)
{
	const struct crash_write *write;

	for (write = world->oldest; write; write = write->next)
		if (write->in_flight)
			sealed_write(world, write, context);
}
