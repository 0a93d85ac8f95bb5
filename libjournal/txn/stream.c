/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/stream.h"

#include <errno.h>
#include <string.h>

#include "txn/checkpoint.h"
#include "txn/reserve.h"
#include "txn/segment.h"
#include "txn/segment_seal.h"
#include "util/crc32c.h"

/* Checkpointed markers: replay at most this share of the log, 1/16, and at
 * least a few segments so that checkpoints stay rare. */
static uint32_t stream_checkpoint_every(const struct journal *j)
{
	return (uint32_t)max_u64(2, j->segments.count / 32);
}

int stream_make(struct journal *j)
{
	struct stream *s = &j->stream;
	int i;

	s->ticket = 1;
	if (pthread_mutex_init(&s->lock, NULL) || pthread_cond_init(&s->done, NULL))
		return -ENOMEM;
	for (i = 0; i < 2 && !j->read_only; i++) {
		s->batch[i].buffer = log_store_buffer(j->logs[0]);
		if (!s->batch[i].buffer)
			return -ENOMEM;
	}
	return 0;
}

void stream_free(struct journal *j)
{
	int i;

	for (i = 0; i < 2; i++)
		if (j->stream.batch[i].buffer)
			log_store_buffer_done(j->logs[0], j->stream.batch[i].buffer);
}

static void stream_stop(struct journal *j, int error)
{
	if (!j->stream.error)
		j->stream.error = journal_fail(j, error);
}

/* Lead: write the filled batch.  The lock is held, and dropped meanwhile. */
static void stream_write(struct journal *j)
{
	struct stream *s = &j->stream;
	struct batch *batch = &s->batch[s->filling];
	struct segment *segment = s->segment;
	uint32_t bytes = (uint32_t)round_up(batch->used, j->block_bytes);
	uint64_t last = segment->last_record_seq, ticket = s->ticket++;
	struct log_io io = {
		.offset = segment_base(j, segment->number) + segment->end,
		.buffer = batch->buffer,
		.bytes = bytes,
	};
	int error;

	s->filling ^= 1;
	segment->end += bytes;
	s->writing = true;
	pthread_mutex_unlock(&s->lock);

	memset(batch->buffer + batch->used, 0, bytes - batch->used);
	/* durable before any of its records is acknowledged */
	error = log_store_write(j->logs[segment_log(j, segment->number)], &io, 1, true);

	pthread_mutex_lock(&s->lock);
	batch->used = 0;
	if (error) {
		stream_stop(j, error);
	} else {
		segment->durable_record_seq = last;
		s->durable_ticket = ticket;
	}
	s->writing = false;
	pthread_cond_broadcast(&s->done);
}

/* A checkpoint reads which segment is open, under lines_lock. */
static void stream_switch(struct journal *j, struct segment *fresh)
{
	pthread_mutex_lock(&j->lines_lock);
	j->stream.segment = fresh;
	pthread_mutex_unlock(&j->lines_lock);
}

/* After the switch, which is where replay then begins.  The lock is dropped
 * meanwhile: others may fill the batch. */
static int stream_checkpoint(struct journal *j)
{
	int error;

	if (++j->segments.since_checkpoint < stream_checkpoint_every(j))
		return 0;
	j->segments.since_checkpoint = 0;
	pthread_mutex_unlock(&j->stream.lock);
	error = checkpoint(j);
	pthread_mutex_lock(&j->stream.lock);
	return error;
}

/*
 * A fresh segment, and the summary of the old one, both digests, durable.  Nothing
 * joins the batch meanwhile and nothing is written, so no record goes into the
 * fresh segment before: the last records of the old one have no later record in
 * it that vouches for them, but the digest does (P10).  The fresh one is taken
 * first: when the log is full, the old one stays the head.
 */
static int stream_take(struct journal *j, struct segment *old, bool reserved,
		       struct segment **fresh)
{
	int error = segment_take(j, LOG_STREAM, reserved, fresh);

	if (error || !old)
		return error;
	error = segment_write_summary(j, old);
	if (error)
		segment_give_back(j, *fresh);
	return error;
}

/* Lead: go on in a fresh segment.  Called with the lock, nothing in the batch. */
static int stream_roll(struct journal *j, bool reserved)
{
	struct stream *s = &j->stream;
	struct segment *old = s->segment, *fresh;
	int error;

	s->writing = true;
	s->rolling = true;
	pthread_mutex_unlock(&s->lock);
	error = stream_take(j, old, reserved, &fresh);
	pthread_mutex_lock(&s->lock);
	s->rolling = false;
	if (!error) {
		/* before the old one is let go: dead, it may be taken at once, and a
		 * checkpoint must not take that use of it for the head's */
		stream_switch(j, fresh);
		if (old)
			segment_sealed(j, old);
		error = stream_checkpoint(j);
	} else if (journal_failed(j)) {
		stream_stop(j, error); /* the old one may be half sealed */
	}
	s->writing = false;
	pthread_cond_broadcast(&s->done);
	return error;
}

static bool stream_fits(const struct journal *j, uint32_t need, uint32_t transactions)
{
	const struct stream *s = &j->stream;
	const struct batch *batch = &s->batch[s->filling];

	return s->segment && !s->rolling && batch->used + need <= LOG_BUFFER_BYTES &&
	       segment_fits(j, s->segment, s->segment->end + batch->used, need, transactions);
}

/* Until the record fits: write the batch out, or roll the segment. */
static int stream_make_room(struct journal *j, uint32_t need, uint32_t transactions,
			    bool reserved)
{
	struct stream *s = &j->stream;
	int error = 0;

	while (!error && !stream_fits(j, need, transactions)) {
		if (s->error)
			return s->error;
		if (s->writing)
			pthread_cond_wait(&s->done, &s->lock);
		else if (s->batch[s->filling].used)
			stream_write(j);
		else
			error = stream_roll(j, reserved);
	}
	return error ? error : s->error;
}

static void stream_place(struct journal *j, const struct stream_record *record,
			 struct stream_place *place)
{
	struct stream *s = &j->stream;
	struct batch *batch = &s->batch[s->filling];
	uint8_t *at = batch->buffer + batch->used;
	struct log_meta meta = record->meta;
	uint32_t head = meta.bytes - record->tail_bytes;
	uint64_t bytes = log_record_bytes(meta.bytes);

	place->segment = s->segment;
	place->offset = s->segment->end + batch->used;
	place->ticket = s->ticket;
	meta.seq = ++s->segment->last_record_seq;
	meta.acked = s->segment->durable_record_seq;
	meta.incarnation = (uint32_t)j->shared->incarnation;
	/* what the reader relies on: a segment cannot hold more */
	JASSERT(meta.seq <= place->offset / LOG_RECORD_BYTES && meta.acked < meta.seq);
	memcpy(at + LOG_RECORD_BYTES, record->payload, head);
	if (record->tail_bytes)
		memcpy(at + LOG_RECORD_BYTES + head, record->tail, record->tail_bytes);
	memset(at + LOG_RECORD_BYTES + meta.bytes, 0,
	       bytes - LOG_RECORD_BYTES - meta.bytes);
	meta.payload_crc = crc32c(s->segment->seed, at + LOG_RECORD_BYTES, meta.bytes);
	log_record_encode(&meta, s->segment->seed, place->offset, (struct log_record *)at);
	batch->used += (uint32_t)bytes;
}

static int stream_note(struct segment *segment, const struct log_meta *meta,
		       uint32_t offset)
{
	if (meta->type == LOG_RETIRE) {
		segment_note_retire(segment);
		return 0;
	}
	return segment_note(segment, meta->line, meta->line_epoch, meta->slot, meta->count,
			    offset,
			    (uint32_t)(log_record_bytes(meta->bytes) / 32) | SUMMARY_SELF);
}

/*
 * Room for the record, with the lock.  Whether the log takes it is looked at again
 * under the lock: meanwhile a destage or a retire may have rolled the head into
 * the reserve, and data there would hold it.
 */
static int stream_enter(struct journal *j, uint32_t need, uint32_t transactions, bool reserved)
{
	struct stream *s = &j->stream;
	int error;

	for (;;) {
		error = reserved ? 0 : segments_admit(j);
		pthread_mutex_lock(&s->lock);
		if (!error)
			error = s->error;
		if (!error)
			error = stream_make_room(j, need, transactions, reserved);
		if (error || reserved || !reserve_broken(j))
			return error;
		pthread_mutex_unlock(&s->lock);
	}
}

int stream_append(struct journal *j, const struct stream_record *record, bool reserved,
		  struct stream_place *place)
{
	struct stream *s = &j->stream;
	uint32_t need = (uint32_t)log_record_bytes(record->meta.bytes);
	uint32_t transactions = record->meta.type == LOG_DATA ? record->meta.count : 0;
	int error;

	/* or no fresh segment would ever do */
	JASSERT(need <= LOG_BUFFER_BYTES && need <= segment_room(j));
	error = stream_enter(j, need, transactions, reserved);
	if (!error)
		error = stream_note(s->segment, &record->meta,
				    s->segment->end + s->batch[s->filling].used);
	if (!error) {
		stream_place(j, record, place);
		segment_hold(s->segment, transactions);
	}
	pthread_mutex_unlock(&s->lock);
	return error;
}

int stream_wait(struct journal *j, uint64_t ticket)
{
	struct stream *s = &j->stream;
	int error;

	pthread_mutex_lock(&s->lock);
	while (!s->error && s->durable_ticket < ticket) {
		if (s->writing)
			pthread_cond_wait(&s->done, &s->lock);
		else
			stream_write(j);
	}
	error = s->error;
	pthread_mutex_unlock(&s->lock);
	return error;
}

int stream_drain(struct journal *j)
{
	struct stream *s = &j->stream;
	uint64_t ticket;

	pthread_mutex_lock(&s->lock);
	ticket = s->batch[s->filling].used ? s->ticket : s->ticket - 1;
	pthread_mutex_unlock(&s->lock);
	return stream_wait(j, ticket);
}
