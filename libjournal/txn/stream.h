/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stream: self-certifying records, group-committed.
 *
 * Records of all threads are copied into one batch while the batch before is
 * being written; whoever finds no write under way leads: it writes the filled
 * batch with one durable write, for itself and all who wait (P13 within a
 * process).  Batches of one stream never overlap in time, so everything
 * before a batch was durable when it was written.  Each record says so of the
 * ones before it in its segment, by a count that begins anew with each use of a
 * segment: the watermark (P10).  A segment is left only sealed, so the last ones
 * in it need no witness in another.
 *
 * A process has one for what is committed, with several logs one for each (streams.h),
 * one for what its cleaner moves, and while much is staged, some for what is destaged in
 * the background.
 */
#ifndef TXN_STREAM_H
#define TXN_STREAM_H

#include "txn/journal_impl.h"

/* @meta: all but seq, acked, before, incarnation, payload_crc; bytes is payload plus tail */
struct stream_record {
	struct log_meta meta;
	const void *payload;
	const void *tail;
	uint32_t tail_bytes;
};

struct stream_place {
	struct stream *stream;
	struct segment *segment;
	uint32_t offset;
	uint64_t ticket; /* of its batch, in this process and stream */
};

int stream_make(struct stream *s, struct journal *j, enum head_kind kind);
/* what it writes from, once it is to be written to; Return: 0 or -ENOMEM with the text */
int stream_buffers(struct stream *s);
/* others, of @bytes, LOG_BUFFER_BYTES or more, for who alone uses the stream */
int stream_buffers_large(struct stream *s, uint32_t bytes);
void stream_free(struct stream *s);

/* the largest payload of one record */
static inline uint32_t stream_payload_max(void)
{
	return LOG_BUFFER_BYTES - LOG_RECORD_BYTES;
}

/**
 * stream_append() - put a record into the batch that fills
 * @reserved: may use the segments set aside
 * A LOG_DATA record holds its segment from here on, for each transaction; so does a
 * piece, LOG_EXTENT.
 * Return: 0; -ENOSPC, -ENOMEM: nothing happened; or the sticky failure.
 */
int stream_append(struct stream *s, const struct stream_record *record, bool reserved,
		  struct stream_place *place);

/* The same, if that takes no waiting.  -EAGAIN: it would, or the log is nearly full;
 * nothing happened. */
int stream_append_now(struct stream *s, const struct stream_record *record,
		      struct stream_place *place);

/* The same, without what is set aside, as long as nothing is to be cleaned for it: for
 * what may use that elsewhere.  -ENOSPC: nothing happened. */
int stream_append_spare(struct stream *s, const struct stream_record *record,
			struct stream_place *place);

/**
 * stream_wait() - the batches of tickets @first to @last are durable on return 0
 * Return: 0; LOG_OUT: one of them is lost with its log, and what was put in is to be
 * put in again; or the sticky failure.
 */
int stream_wait(struct stream *s, uint64_t first, uint64_t last);

/* write what is in the batch and seal nothing: for close */
int stream_drain(struct stream *s);

/* Checkpointed markers: after so many segments.  Replay at most this share of the log,
 * 1/16, and at least a few segments so that checkpoints stay rare. */
uint32_t stream_checkpoint_every(const struct journal *j);

#endif
