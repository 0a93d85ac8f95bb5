/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/extent.h"

#include <errno.h>

#include "txn/extents.h"
#include "txn/head.h"
#include "txn/holds.h"
#include "txn/segment.h"
#include "txn/segment_notes.h"
#include "util/crc32c.h"

uint32_t extent_payload_max(const struct journal *j)
{
	return (uint32_t)min_u64(LOG_BUFFER_BYTES, round_down(segment_room(j),
							      j->block_bytes)) -
	       LOG_RECORD_BYTES;
}

static uint32_t extent_size_flags(const struct log_meta *meta)
{
	uint32_t size = (uint32_t)(log_record_bytes(meta->bytes) / 32);

	return meta->extents ? size : size | SUMMARY_PART;
}

static bool extent_fits(const struct journal *j, const struct head *head,
			const struct log_meta *meta, uint32_t bytes)
{
	return !segment_is_out(j, head_segment(j, head)) &&
	       segment_fits(j, head, head->s->end, bytes, meta->count);
}

/* Take a place for @bytes; the segment will not be sealed before it is written. */
static int extent_place(struct extents *x, const struct log_meta *meta, uint32_t bytes,
			const struct segment *again, bool wait, struct extent *extent)
{
	struct journal *j = x->j;
	int error = 0;

	pthread_mutex_lock(&x->lock);
	while (!error && (x->rolling || !x->head || !extent_fits(j, x->head, meta, bytes))) {
		if (!wait)
			error = -EAGAIN;
		else if (x->rolling)
			pthread_cond_wait(&x->idle, &x->lock);
		else
			error = extents_roll(x);
		/* no log has a segment left: one that is open may have room */
		if (error == -ENOSPC && !x->head && !x->rolling &&
		    head_lease_room(j, HEAD_EXTENTS, bytes, meta->count, &x->head))
			error = 0;
	}
	if (!error)
		error = notes_add(&x->head->notes, meta, x->head->s->end / 32,
				  extent_size_flags(meta));
	if (!error) {
		extent->extents = x;
		extent->segment = head_segment(j, x->head);
		extent->offset = x->head->s->end;
		x->head->s->end += bytes;
		x->inflight++;
		holds_begin(j, extent->segment, extent->segment == again ? 0 : meta->count);
	} else {
		extents_rest(x);
	}
	pthread_mutex_unlock(&x->lock);
	if (error)
		extents_unpick(x, bytes);
	return error;
}

void extent_end(struct extent *extent)
{
	struct extents *x = extent->extents;

	extents_unpick(x, extent->io.bytes);
	pthread_mutex_lock(&x->lock);
	if (!--x->inflight) {
		extents_rest(x);
		pthread_cond_broadcast(&x->idle);
	}
	pthread_mutex_unlock(&x->lock);
}

static void extent_encode(const struct journal *j, const struct log_meta *given,
			  const struct segment *segment, uint32_t offset, uint8_t *buffer)
{
	struct log_meta meta = *given;

	meta.incarnation = (uint32_t)j->shared->incarnation;
	meta.payload_crc = crc32c(segment->seed, buffer + LOG_RECORD_BYTES, meta.bytes);
	log_record_encode(&meta, segment->seed, offset, (struct log_record *)buffer);
}

int extent_begin(struct journal *j, const struct log_meta *meta, uint8_t *buffer,
		 const struct segment *again, const struct extent *beside, struct extent *extent)
{
	uint32_t bytes = (uint32_t)round_up(LOG_RECORD_BYTES + meta->bytes, j->block_bytes);
	struct extents *x = beside ? beside->extents : NULL;
	int error;

	if (x)
		atomic_fetch_add_explicit(&x->under_way, bytes, memory_order_relaxed);
	else
		x = extents_pick(j, bytes, again);
	error = extent_place(x, meta, bytes, again, !beside, extent);
	if (error)
		return error;
	extent_encode(j, meta, extent->segment, extent->offset, buffer);
	extent->io = (struct log_io){
		.offset = segment_base(j, extent->segment->number) + extent->offset,
		.buffer = buffer,
		.bytes = bytes,
	};
	count(j->counters, COUNT_LOG_BYTES, meta->bytes);
	return 0;
}

static int extent_write_once(struct journal *j, const struct log_meta *meta, uint8_t *buffer,
			     const struct segment *again, bool durable,
			     struct segment **segment, uint32_t *offset)
{
	struct extent extent;
	int error = extent_begin(j, meta, buffer, again, NULL, &extent);

	if (error)
		return error;
	*segment = extent.segment;
	*offset = extent.offset;
	error = logs_write(j, segment_log(j, extent.segment->number), &extent.io, 1, durable);
	extent_end(&extent);
	return error;
}

/* What its log does not take goes to another one: nothing refers to it yet. */
int extent_write(struct journal *j, const struct log_meta *meta, uint8_t *buffer,
		 const struct segment *again, bool durable, struct segment **segment,
		 uint32_t *offset)
{
	int error;

	do {
		error = extent_write_once(j, meta, buffer, again, durable, segment, offset);
		if (error == LOG_OUT && *segment != again)
			holds_end(j, *segment, meta->count);
	} while (error == LOG_OUT);
	return error;
}
