/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "txn/checkpoint.h"
#include "txn/clock.h"
#include "txn/reserve.h"
#include "txn/segment_notes.h"
#include "txn/segment_seal.h"

int segments_make(struct journal *j)
{
	struct segments *s = &j->segments;
	uint32_t i;

	s->count = j->log_geometry[0].segments * j->log_count;
	s->all = calloc(s->count, sizeof(*s->all));
	s->free = calloc(s->count, sizeof(*s->free));
	s->pending = calloc(s->count, sizeof(*s->pending));
	if (!s->all || !s->free || !s->pending)
		return -ENOMEM;
	for (i = 0; i < s->count; i++)
		s->all[i].number = i;
	return pthread_mutex_init(&s->lock, NULL) ? -ENOMEM : 0;
}

void segments_free(struct journal *j)
{
	struct segments *s = &j->segments;
	uint32_t i;

	for (i = 0; s->all && i < s->count; i++)
		notes_free(s->all[i].notes);
	free(s->all);
	free(s->free);
	free(s->pending);
}

void segment_push_free(struct journal *j, struct segment *segment)
{
	struct segments *s = &j->segments;

	atomic_store_explicit(&segment->state, SEGMENT_FREE, memory_order_relaxed);
	s->free[s->free_count] = segment->number;
	atomic_fetch_add_explicit(&s->free_count, 1, memory_order_relaxed);
}

/* Nothing of a sealed segment is live: free, or free after a checkpoint. */
static void segment_dead(struct journal *j, struct segment *segment)
{
	struct segments *s = &j->segments;

	if (j->bits_durable) {
		segment_push_free(j, segment);
	} else {
		atomic_store_explicit(&segment->state, SEGMENT_PENDING, memory_order_relaxed);
		s->pending[s->pending_count++] = segment->number;
	}
	count(j->counters, COUNT_SEGMENTS, 1);
}

static void segment_dead_if(struct journal *j, struct segment *segment)
{
	pthread_mutex_lock(&j->segments.lock);
	if (atomic_load_explicit(&segment->state, memory_order_relaxed) == SEGMENT_SEALED &&
	    !atomic_load_explicit(&segment->live, memory_order_acquire))
		segment_dead(j, segment);
	pthread_mutex_unlock(&j->segments.lock);
}

void segment_release(struct journal *j, struct segment *segment, uint32_t transactions)
{
	uint32_t before = atomic_fetch_sub_explicit(&segment->live, transactions,
						    memory_order_acq_rel);

	JASSERT(before >= transactions);
	if (before == transactions && !j->recovering)
		segment_dead_if(j, segment);
}

uint32_t segments_pending(struct journal *j)
{
	uint32_t pending;

	pthread_mutex_lock(&j->segments.lock);
	pending = j->segments.pending_count;
	pthread_mutex_unlock(&j->segments.lock);
	return pending;
}

void segments_free_pending(struct journal *j, uint32_t pending)
{
	struct segments *s = &j->segments;
	uint32_t i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < pending; i++)
		segment_push_free(j, &s->all[s->pending[i]]);
	s->pending_count -= pending;
	memmove(s->pending, s->pending + pending, s->pending_count * sizeof(*s->pending));
	pthread_mutex_unlock(&s->lock);
}

/* Take a free one; the order of uses is drawn with it, for two heads may roll
 * at a time. */
static struct segment *segment_pop(struct journal *j, bool reserved)
{
	struct segments *s = &j->segments;
	uint32_t keep = reserved ? 0 : s->reserve;
	struct segment *segment = NULL;

	pthread_mutex_lock(&s->lock);
	if (s->free_count > keep) {
		segment = &s->all[s->free[s->free_count - 1]];
		atomic_fetch_sub_explicit(&s->free_count, 1, memory_order_relaxed);
		segment->seq = s->next_seq++;
	}
	pthread_mutex_unlock(&s->lock);
	return segment;
}

static int segments_full(struct journal *j)
{
	return journal_say(j, -ENOSPC, "log: full: %u of %u segments hold transactions "
			   "that are not retired, the rest is set aside to retire "
			   "and destage them",
			   j->segments.count - j->segments.free_count, j->segments.count);
}

int segments_admit(struct journal *j)
{
	int error = 0;

	if (!reserve_broken(j))
		return 0;
	if (segments_pending(j))
		error = checkpoint(j);
	if (error)
		return error;
	return reserve_broken(j) ? segments_full(j) : 0;
}

int segment_take(struct journal *j, enum log_segment_kind kind, bool reserved,
		 struct segment **out)
{
	struct segment *segment = segment_pop(j, reserved);
	int error;

	if (!segment && segments_pending(j)) {
		error = checkpoint(j);
		if (error)
			return error;
		segment = segment_pop(j, reserved);
	}
	if (!segment)
		return segments_full(j);
	segment->last_record_seq = segment->durable_record_seq = 0;
	segment->kind = kind;
	segment->end = j->block_bytes;
	segment->live = 0;
	segment->inflight = 0;
	error = segment_reopen(j, segment);
	if (!error)
		error = segment_write_header(j, segment);
	if (error)
		segment_give_back(j, segment);
	else
		*out = segment;
	return error;
}

void segment_give_back(struct journal *j, struct segment *segment)
{
	pthread_mutex_lock(&j->segments.lock);
	segment_push_free(j, segment);
	pthread_mutex_unlock(&j->segments.lock);
}

int segment_reopen(struct journal *j, struct segment *segment)
{
	notes_free(segment->notes);
	segment->notes = notes_make(j->digest_bytes);
	if (!segment->notes)
		return journal_say(j, -ENOMEM, "log: no memory for a segment's summary");
	segment->seed = log_seed(j->geometry.nonce, segment->number, segment->seq);
	atomic_store_explicit(&segment->state, SEGMENT_OPEN, memory_order_relaxed);
	return 0;
}

static uint64_t segment_limit(const struct journal *j, uint32_t entries)
{
	uint64_t table = round_up((uint64_t)entries * sizeof(struct summary_entry),
				  j->block_bytes);

	return j->segment_bytes - j->digest_bytes - table;
}

bool segment_fits(const struct journal *j, const struct segment *segment, uint32_t offset,
		  uint64_t bytes, uint32_t transactions)
{
	const struct segment_notes *notes = segment->notes;

	/* one record brings one line at most */
	return notes->line_count < notes->line_max &&
	       round_up(offset + bytes, j->block_bytes) <=
		       segment_limit(j, notes->entries + transactions);
}

uint64_t segment_room(const struct journal *j)
{
	return segment_limit(j, JOURNAL_GROUP_MAX) - j->block_bytes;
}

int segment_note(struct segment *segment, uint32_t line, uint64_t number, uint32_t slot,
		 uint32_t transactions, uint32_t offset, uint32_t size)
{
	return notes_add(segment->notes, line, number, slot, transactions, offset / 32, size);
}

void segment_note_retire(struct segment *segment)
{
	segment->notes->retires++;
}

int segment_seal(struct journal *j, struct segment *segment)
{
	int error = segment_write_summary(j, segment);

	if (!error)
		segment_sealed(j, segment);
	return error;
}

void segment_sealed(struct journal *j, struct segment *segment)
{
	notes_free(segment->notes);
	segment->notes = NULL;
	atomic_store_explicit(&segment->state, SEGMENT_SEALED, memory_order_release);
	segment_dead_if(j, segment);
}
