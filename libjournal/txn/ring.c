/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/ring.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "util/crc32c.h"

int ring_look(const struct lane *lane, uint64_t position, struct stage_meta *meta)
{
	const uint8_t *at = ring_at(lane, position);
	struct stage_record header;
	int error;

	memcpy(&header, at, sizeof(header));
	error = stage_decode(&header, lane->seed, position,
			     lane->ring_bytes - position % lane->ring_bytes, meta);
	if (error || meta->type == STAGE_VOID)
		return error;
	return crc32c(lane->seed, at + STAGE_HEADER_BYTES, meta->bytes) == meta->payload_crc ?
		       0 :
		       -EIO;
}

uint64_t ring_later(const struct lane *lane, uint64_t position)
{
	uint64_t end = lane->s->tail + lane->ring_bytes;
	uint64_t offset = position % lane->ring_bytes;
	struct stage_record header;
	struct stage_meta meta;
	int error;

	/* All of the stage is gone over so when a journal is opened: no division for each, and
	 * no second look at what does not even say that it is one. */
	for (position += STAGE_ALIGN; position < end; position += STAGE_ALIGN) {
		offset += STAGE_ALIGN;
		if (offset == lane->ring_bytes)
			offset = 0;
		memcpy(&header, lane->ring + offset, offsetof(struct stage_record, id));
		if (!stage_claims(&header, position))
			continue;
		error = ring_look(lane, position, &meta);
		if (!error || error == -EIO)
			return position;
	}
	return 0;
}
