/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "txn/checkpoint.h"
#include "txn/clean.h"
#include "txn/clock.h"
#include "txn/head.h"
#include "txn/health.h"
#include "txn/holds.h"
#include "txn/reserve.h"
#include "txn/segment.h"
#include "txn/segment_notes.h"
#include "txn/stream_gather.h"
#include "txn/stream_sleep.h"
#include "txn/streams.h"
#include "util/crc32c.h"

#define LARGE_PAGE_BYTES (2ul << 20)

uint32_t stream_checkpoint_every(const struct journal *j)
{
	return (uint32_t)max_u64(2, segments_usable(j) / 32);
}

int stream_make(struct stream *s, struct journal *j, enum head_kind kind)
{
	s->j = j;
	s->kind = kind;
	s->index = s->log = NO_LOG;
	s->ticket = 1;
	s->batch_bytes = LOG_BUFFER_BYTES;
	if (pthread_mutex_init(&s->lock, NULL) || pthread_mutex_init(&s->destage_lock, NULL) ||
	    gather_make(s))
		return -ENOMEM;
	return seconds_make(&s->seconds, j);
}

int stream_buffers(struct stream *s)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (s->batch[i].buffer)
			continue;
		s->batch[i].buffer = log_store_buffer(logs_buffers(s->j));
		if (!s->batch[i].buffer)
			return journal_say(s->j, -ENOMEM, "no memory for a batch of the log");
	}
	return 0;
}

int stream_buffers_large(struct stream *s, uint32_t bytes)
{
	void *buffer;
	int i;

	for (i = 0; i < 2; i++) {
		if (s->batch[i].buffer)
			continue;
		if (posix_memalign(&buffer, LARGE_PAGE_BYTES, bytes))
			return journal_say(s->j, -ENOMEM, "no memory for a batch of the log");
		/* fewer pieces for the disk; where there are none, small pages serve */
		(void)madvise(buffer, bytes, MADV_HUGEPAGE);
		s->batch[i].buffer = buffer;
		s->batch_bytes = bytes;
		s->batch_is_large = true;
	}
	return 0;
}

void stream_free(struct stream *s)
{
	int i;

	seconds_stop(&s->seconds);
	for (i = 0; i < 2; i++) {
		if (s->batch[i].buffer && !s->batch_is_large)
			log_store_buffer_done(logs_buffers(s->j), s->batch[i].buffer);
		else
			free(s->batch[i].buffer);
		s->batch[i] = (struct batch){ 0 };
	}
}

static void stream_stop(struct stream *s, int error)
{
	if (!s->error)
		s->error = journal_fail(s->j, error);
}

/* Nothing is left to write: others may write where we did. */
static void stream_rest(struct stream *s)
{
	if (s->writing || s->batch[s->filling].used)
		return;
	atomic_store_explicit(&s->busy_ns, 0, memory_order_relaxed);
	if (s->head && s->head->seconds) /* rolled, and then there was no memory for the rest */
		(void)head_settle(s->j, s->head);
	if (s->head)
		head_return(s->head);
	s->head = NULL;
}

/* For who chooses: a write begins, or will very soon.  With one log nobody does.
 * Return: now, or 0 */
static uint64_t stream_busy(struct stream *s)
{
	uint64_t now = logs_end(s->j) > 1 ? clock_monotonic_ns() : 0;

	atomic_store_explicit(&s->busy_ns, now, memory_order_relaxed);
	return now;
}

/* A write that began at @began has ended, for which @woken have waited; the next one begins as
 * soon as somebody who waits for it is awake. */
static void stream_took(struct stream *s, uint64_t began, uint32_t woken)
{
	uint64_t before = atomic_load_explicit(&s->takes_ns, memory_order_relaxed), took;

	if (!began)
		return;
	took = stream_busy(s) - began;
	gather_expect(s, woken, began + took, before);
	atomic_store_explicit(&s->takes_ns, before ? (7 * before + took) / 8 : took,
			      memory_order_relaxed);
}

/*
 * The log is out of use: the batch is lost, and so is the one that fills, for it was
 * made for the same segment.  Who waits for one of them tries again, elsewhere.
 * Lead, with the lock; it is dropped meanwhile.
 */
static void stream_lose(struct stream *s, uint64_t ticket)
{
	struct journal *j = s->j;

	JASSERT(s->lost_count + 2 <= ARRAY_COUNT(s->lost)); /* once for each log */
	s->lost[s->lost_count++] = ticket;
	if (s->batch[s->filling].used) {
		s->batch[s->filling].used = 0;
		s->batch[s->filling].zeros.to = 0; /* what was in it stays there */
		s->lost[s->lost_count++] = s->ticket++;
	}
	atomic_store_explicit(&s->durable_ticket, s->ticket - 1, memory_order_release);
	s->rolling = true;
	pthread_mutex_unlock(&s->lock);
	(void)head_seal(j, s->head);
	/* what was retired, and stands there only, is in the map; with NVRAM in its bits */
	(void)checkpoint(j);
	pthread_mutex_lock(&s->lock);
	s->rolling = false;
}

/* Lead: write the filled batch.  The lock is held, and dropped meanwhile.  Return: who is to be
 * woken, best without the lock */
static struct stream_bed *stream_write(struct stream *s)
{
	struct journal *j = s->j;
	struct batch *batch = &s->batch[s->filling];
	struct head_shared *head = s->head->s;
	struct segment *segment = head_segment(j, s->head);
	uint32_t bytes = (uint32_t)round_up(batch->used, j->block_bytes);
	uint64_t last = head->last_record_seq, ticket = s->ticket++;
	uint32_t notes = head->notes.notes;
	uint64_t began = stream_busy(s);
	uint32_t woken = began ? gather_close(s) : 0;
	struct log_io io = {
		.offset = segment_base(j, segment->number) + head->end,
		.buffer = batch->buffer,
		.bytes = bytes,
	};
	int error, settled = 0;

	s->filling ^= 1;
	head->end += bytes;
	s->writing = true;
	pthread_mutex_unlock(&s->lock);

	zeros_make(&batch->zeros, batch->buffer, batch->used, bytes);
	/* durable before any of its records is acknowledged, and so is what tells of the
	 * segment on another log, and of the one before it */
	error = logs_write(j, segment_log(j, segment->number), &io, 1, true);
	if (s->head->seconds)
		settled = head_settle(j, s->head);
	error = settled ? settled : error;

	pthread_mutex_lock(&s->lock);
	batch->used = 0;
	if (error == LOG_OUT) {
		stream_lose(s, ticket);
	} else if (error) {
		stream_stop(s, error);
	} else {
		head->durable_record_seq = last;
		head->durable_notes = notes;
		atomic_store_explicit(&s->durable_ticket, ticket, memory_order_release);
	}
	s->writing = false;
	stream_took(s, began, woken);
	stream_rest(s);
	if (error) {
		stream_tell_all(s);
		return NULL;
	}
	/* Of those who wait for the next one a single one has to wake, to write it; the others
	 * would find it under way, and sleep again.  The disk waits for him alone: he is first. */
	if (s->batch[s->filling].used)
		stream_wake_one(s, s->ticket);
	return stream_tell(s, ticket);
}

/* After the switch, which is where replay then begins.  The lock is dropped
 * meanwhile: others may fill the batch. */
static int stream_checkpoint(struct stream *s)
{
	_Atomic uint32_t *since = &s->j->shared->segments_since_checkpoint;
	int error;

	if (atomic_fetch_add(since, 1) + 1 < stream_checkpoint_every(s->j))
		return 0;
	atomic_store(since, 0);
	pthread_mutex_unlock(&s->lock);
	error = checkpoint(s->j);
	pthread_mutex_lock(&s->lock);
	return error;
}

/* Lead: get a head, or go on in a fresh segment.  Called with the lock, nothing in
 * the batch; the lock is dropped, and nothing joins the batch meanwhile. */
static int stream_roll(struct stream *s, bool reserved)
{
	struct journal *j = s->j;
	struct head *head = s->head;
	bool rolls = head;
	int error = 0;

	s->writing = true;
	s->rolling = true;
	pthread_mutex_unlock(&s->lock);
	if (s->log == NO_LOG)
		s->log = streams_log_next(j, s->index, s->log);
	if (!head)
		error = head_lease_on(j, s->kind, s->log, &head);
	/* nothing was written to the one that it went on in: it is withdrawn, or its log is
	 * out of use, by now; what it left, if anything, goes with its copies */
	if (!error && head->seconds)
		error = head_settle(j, head);
	if (!error && (rolls || !head_segment(j, head))) {
		rolls = true;
		head->log = s->log = streams_log_next(j, s->index, s->log);
		head->seconds = logs_end(j) > 1 ? &s->seconds : NULL;
		error = head_roll(j, head, s->kind, reserved);
	}
	pthread_mutex_lock(&s->lock);
	s->rolling = false;
	s->head = head;
	if (!error && rolls)
		error = stream_checkpoint(s);
	else if (error && journal_failed(j))
		stream_stop(s, error); /* the old one may be half sealed */
	s->writing = false;
	if (error)
		stream_rest(s);
	stream_tell_all(s);
	return error;
}

static bool stream_fits(const struct stream *s, uint32_t need, uint32_t entries)
{
	const struct batch *batch = &s->batch[s->filling];

	return s->head && !s->rolling && head_segment(s->j, s->head) &&
	       !segment_is_out(s->j, head_segment(s->j, s->head)) &&
	       batch->used + need <= s->batch_bytes &&
	       segment_fits(s->j, s->head, s->head->s->end + batch->used, need, entries);
}

/* Until the record fits: write the batch out, or roll the segment. */
static int stream_make_room(struct stream *s, uint32_t need, uint32_t entries, bool reserved)
{
	int error = 0;

	while (!error && !stream_fits(s, need, entries)) {
		if (s->error)
			return s->error;
		if (s->writing) {
			stream_sleep(s, s->ticket - 1); /* the batch before ours */
			pthread_mutex_lock(&s->lock);
		} else if (s->batch[s->filling].used) {
			stream_wake(stream_write(s));
		} else {
			error = stream_roll(s, reserved);
		}
	}
	return error ? error : s->error;
}

static void stream_place(struct stream *s, const struct stream_record *record,
			 struct stream_place *place)
{
	struct batch *batch = &s->batch[s->filling];
	uint8_t *at = batch->buffer + batch->used;
	struct head_shared *to = s->head->s;
	struct log_meta meta = record->meta;
	uint32_t head = meta.bytes - record->tail_bytes;
	uint64_t bytes = log_record_bytes(meta.bytes);

	place->stream = s;
	place->segment = head_segment(s->j, s->head);
	place->offset = to->end + batch->used;
	place->ticket = s->ticket;
	meta.seq = ++to->last_record_seq;
	meta.acked = to->durable_record_seq;
	meta.before = to->last_record;
	to->last_record = log_before_of(&meta);
	meta.incarnation = (uint32_t)s->j->shared->incarnation;
	/* what the reader relies on: a segment cannot hold more */
	JASSERT(meta.seq <= place->offset / LOG_RECORD_BYTES && meta.acked < meta.seq);
	memcpy(at + LOG_RECORD_BYTES, record->payload, head);
	if (record->tail_bytes)
		memcpy(at + LOG_RECORD_BYTES + head, record->tail, record->tail_bytes);
	memset(at + LOG_RECORD_BYTES + meta.bytes, 0,
	       bytes - LOG_RECORD_BYTES - meta.bytes);
	meta.payload_crc = crc32c(place->segment->seed, at + LOG_RECORD_BYTES, meta.bytes);
	log_record_encode(&meta, place->segment->seed, place->offset, (struct log_record *)at);
	batch->used += (uint32_t)bytes;
}

static int stream_note(struct head *head, const struct log_meta *meta, uint32_t offset)
{
	if (meta->type == LOG_RETIRE) {
		head->s->notes.retires++;
		return 0;
	}
	/* a piece is one that was moved (clean_large.c), and not the last */
	return notes_add(&head->notes, meta, offset / 32,
			 (uint32_t)(log_record_bytes(meta->bytes) / 32) |
				 (meta->type == LOG_DATA ? SUMMARY_SELF : SUMMARY_PART));
}

/* Where the markers are a file nothing is cleaned while a segment is taken (segment.c), but
 * here; and who cleans has what he needs set aside. */
static bool stream_is_full(const struct stream *s, int error, bool reserved)
{
	return error == -ENOSPC && !reserved && health_is_file(s->j) && s->kind == HEAD_STREAM;
}

/* The cleaner does not clean to have room to clean. */
static int stream_admit(const struct stream *s)
{
	if (!head_is_cleaners(s->kind))
		return segments_admit(s->j);
	return reserve_broken(s->j) ? segments_full(s->j) : 0;
}

/*
 * Room for the record, with the lock.  Whether the log takes it is looked at again
 * under the lock: meanwhile a destage or a retire may have rolled the head into
 * the reserve, and data there would hold it.
 */
static int stream_enter(struct stream *s, uint32_t need, uint32_t entries, bool reserved)
{
	struct journal *j = s->j;
	bool cleaned;
	int error;

	for (;;) {
		error = reserved ? 0 : stream_admit(s);
		pthread_mutex_lock(&s->lock);
		if (!error)
			error = s->error;
		if (!error)
			error = stream_make_room(s, need, entries, reserved);
		if (stream_is_full(s, error, reserved)) {
			pthread_mutex_unlock(&s->lock);
			cleaned = clean_for_room(j);
			pthread_mutex_lock(&s->lock);
			if (!cleaned)
				return segments_full(j);
		} else if (error || reserved || !reserve_broken(j)) {
			return error;
		}
		pthread_mutex_unlock(&s->lock);
	}
}

/* There is room.  Called with the lock. */
static int stream_add(struct stream *s, const struct stream_record *record,
		      uint32_t transactions, struct stream_place *place)
{
	int error = stream_note(s->head, &record->meta,
				s->head->s->end + s->batch[s->filling].used);

	if (error)
		return error;
	stream_place(s, record, place);
	if (!atomic_load_explicit(&s->busy_ns, memory_order_relaxed))
		(void)stream_busy(s);
	holds_begin(s->j, place->segment, transactions);
	if (transactions)
		count(s->j->counters,
		      head_is_cleaners(s->kind) ? COUNT_MOVED_BYTES : COUNT_LOG_BYTES,
		      record->meta.bytes);
	return 0;
}

static uint32_t stream_need(const struct stream *s, const struct stream_record *record,
			    uint32_t *transactions, uint32_t *entries)
{
	uint32_t need = (uint32_t)log_record_bytes(record->meta.bytes);
	bool moved = record->meta.id != id_make(record->meta.line_epoch, record->meta.slot);

	/* or no fresh segment would ever do */
	JASSERT(need <= LOG_BUFFER_BYTES && need <= segment_room(s->j));
	*transactions = record->meta.type == LOG_RETIRE ? 0 : record->meta.count;
	/* the id of one that lies in another slot is in the table, too; it is no group */
	*entries = *transactions + (*transactions && moved);
	return need;
}

int stream_append(struct stream *s, const struct stream_record *record, bool reserved,
		  struct stream_place *place)
{
	uint32_t transactions, entries, need = stream_need(s, record, &transactions, &entries);
	int error = stream_enter(s, need, entries, reserved);

	if (!error)
		error = stream_add(s, record, transactions, place);
	if (error)
		stream_rest(s);
	pthread_mutex_unlock(&s->lock);
	return error;
}

int stream_append_now(struct stream *s, const struct stream_record *record,
		      struct stream_place *place)
{
	uint32_t transactions, entries, need = stream_need(s, record, &transactions, &entries);
	int error;

	pthread_mutex_lock(&s->lock);
	error = s->error;
	if (!error && (reserve_broken(s->j) || !stream_fits(s, need, entries)))
		error = -EAGAIN;
	if (!error)
		error = stream_add(s, record, transactions, place);
	if (error)
		stream_rest(s);
	pthread_mutex_unlock(&s->lock);
	return error;
}

int stream_append_spare(struct stream *s, const struct stream_record *record,
			struct stream_place *place)
{
	uint32_t transactions, entries, need = stream_need(s, record, &transactions, &entries);
	int error;

	pthread_mutex_lock(&s->lock);
	error = s->error;
	if (!error)
		error = stream_make_room(s, need, entries, false);
	if (!error)
		error = stream_add(s, record, transactions, place);
	if (error)
		stream_rest(s);
	pthread_mutex_unlock(&s->lock);
	return error;
}

static bool stream_lost(const struct stream *s, uint64_t first, uint64_t last)
{
	uint32_t i;

	for (i = 0; i < s->lost_count; i++)
		if (s->lost[i] >= first && s->lost[i] <= last)
			return true;
	return false;
}

/* without the lock */
static bool stream_is_durable(const struct stream *s, uint64_t last)
{
	/* what was lost is counted before it is passed */
	return atomic_load_explicit(&s->durable_ticket, memory_order_acquire) >= last &&
	       !atomic_load_explicit(&s->lost_count, memory_order_relaxed);
}

int stream_wait(struct stream *s, uint64_t first, uint64_t last)
{
	struct stream_bed *wake = NULL;
	int error;

	pthread_mutex_lock(&s->lock);
	if (last == s->ticket && logs_end(s->j) > 1)
		gather_enter(s);
	while (!s->error && s->durable_ticket < last) {
		if (s->writing || s->gather.waits) {
			stream_sleep(s, last);
			if (stream_is_durable(s, last))
				return 0;
			pthread_mutex_lock(&s->lock);
		} else if (!s->gather.expected || !gather_wait(s)) {
			wake = stream_write(s); /* ours: it was the last turn */
		}
	}
	/* what was durable before a failure stays so */
	error = s->durable_ticket >= last ? 0 : s->error;
	if (!error && stream_lost(s, first, last))
		error = LOG_OUT;
	pthread_mutex_unlock(&s->lock);
	stream_wake(wake);
	return error;
}

int stream_drain(struct stream *s)
{
	uint64_t ticket;
	int error;

	pthread_mutex_lock(&s->lock);
	ticket = s->batch[s->filling].used ? s->ticket : s->ticket - 1;
	pthread_mutex_unlock(&s->lock);
	/* what was lost, its own waiters know */
	error = stream_wait(s, ticket, ticket);
	return error == LOG_OUT ? 0 : error;
}
