/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/extent.h"

#include <errno.h>
#include <string.h>

#include "txn/head.h"
#include "txn/holds.h"
#include "txn/segment.h"
#include "txn/segment_notes.h"
#include "util/crc32c.h"

int extents_make(struct journal *j)
{
	return pthread_mutex_init(&j->extents.lock, NULL) ||
			       pthread_cond_init(&j->extents.idle, NULL) ?
		       -ENOMEM :
		       0;
}

uint32_t extent_payload_max(const struct journal *j)
{
	return (uint32_t)min_u64(LOG_BUFFER_BYTES, round_down(segment_room(j),
							      j->block_bytes)) -
	       LOG_RECORD_BYTES;
}

/* Nothing is being written: others may write where we did. */
static void extents_rest(struct extents *x)
{
	if (!x->head || x->inflight || x->rolling)
		return;
	head_return(x->head);
	x->head = NULL;
}

/* Get a head, or go on in a fresh segment once the writes in the old one are done. */
static int extents_roll(struct journal *j)
{
	struct extents *x = &j->extents;
	struct head *head = x->head;
	int error = 0;

	x->rolling = true;
	while (x->inflight)
		pthread_cond_wait(&x->idle, &x->lock);
	pthread_mutex_unlock(&x->lock);
	if (head)
		error = head_roll(j, head, HEAD_EXTENTS, false);
	else
		error = head_lease(j, HEAD_EXTENTS, &head);
	if (!error && !head_segment(j, head))
		error = head_roll(j, head, HEAD_EXTENTS, false);
	pthread_mutex_lock(&x->lock);
	x->head = head;
	x->rolling = false;
	if (error)
		extents_rest(x);
	pthread_cond_broadcast(&x->idle);
	return error;
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
static int extent_place(struct journal *j, const struct log_meta *meta, uint32_t bytes,
			const struct segment *again, bool wait, struct extent *extent)
{
	struct extents *x = &j->extents;
	int error = 0;

	pthread_mutex_lock(&x->lock);
	while (!error && (x->rolling || !x->head || !extent_fits(j, x->head, meta, bytes))) {
		if (!wait)
			error = -EAGAIN;
		else if (x->rolling)
			pthread_cond_wait(&x->idle, &x->lock);
		else
			error = extents_roll(j);
	}
	if (!error)
		error = notes_add(&x->head->notes, meta, x->head->s->end / 32,
				  extent_size_flags(meta));
	if (!error) {
		extent->segment = head_segment(j, x->head);
		extent->offset = x->head->s->end;
		x->head->s->end += bytes;
		x->inflight++;
		holds_begin(j, extent->segment, extent->segment == again ? 0 : meta->count);
	} else {
		extents_rest(x);
	}
	pthread_mutex_unlock(&x->lock);
	return error;
}

void extent_end(struct journal *j)
{
	struct extents *x = &j->extents;

	pthread_mutex_lock(&x->lock);
	if (!--x->inflight) {
		extents_rest(x);
		pthread_cond_broadcast(&x->idle);
	}
	pthread_mutex_unlock(&x->lock);
}

static void extent_encode(const struct journal *j, const struct log_meta *given,
			  const struct segment *segment, uint32_t offset, uint8_t *buffer,
			  uint32_t bytes)
{
	struct log_meta meta = *given;

	memset(buffer + LOG_RECORD_BYTES + meta.bytes, 0,
	       bytes - LOG_RECORD_BYTES - meta.bytes);
	meta.incarnation = (uint32_t)j->shared->incarnation;
	meta.payload_crc = crc32c(segment->seed, buffer + LOG_RECORD_BYTES, meta.bytes);
	log_record_encode(&meta, segment->seed, offset, (struct log_record *)buffer);
}

int extent_begin(struct journal *j, const struct log_meta *meta, uint8_t *buffer,
		 const struct segment *again, bool wait, struct extent *extent)
{
	uint32_t bytes = (uint32_t)round_up(LOG_RECORD_BYTES + meta->bytes, j->block_bytes);
	int error = extent_place(j, meta, bytes, again, wait, extent);

	if (error)
		return error;
	extent_encode(j, meta, extent->segment, extent->offset, buffer, bytes);
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
	int error = extent_begin(j, meta, buffer, again, true, &extent);

	if (error)
		return error;
	*segment = extent.segment;
	*offset = extent.offset;
	error = logs_write(j, segment_log(j, extent.segment->number), &extent.io, 1, durable);
	extent_end(j);
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
