/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/recover.h"

#include <errno.h>
#include <stdlib.h>

#include "txn/checkpoint.h"
#include "txn/clock.h"
#include "txn/found.h"
#include "txn/line.h"
#include "txn/segment.h"
#include "txn/segment_second.h"

#define THREADS_MAX 8u

static uint32_t recover_threads(const struct journal_open_options *o)
{
	/* not one for each processor: they mostly wait, and a disk is at its fastest when
	 * much is asked of it at a time */
	return o->recover_threads ? (uint32_t)min_u64(o->recover_threads, THREADS_MAX) :
				    THREADS_MAX;
}

/* A clean close left some word of where a line goes on; a writer erases them all. */
static bool recover_was_closed(struct journal *j)
{
	uint64_t value;
	uint32_t i;
	bool closed = !word_unseal(state_media(j)->shared_clean, &value);

	for (i = 0; i < j->lane_count && !closed; i++)
		closed = !word_unseal(lane_media(j, i)->clean, &value);
	return closed && !j->marker->fell_back;
}

static int recover_state(struct recovery *r)
{
	struct journal *j = r->j;

	/* the next one is above all that is seen anyway: recover_incarnation() */
	if (word_unseal(state_media(j)->incarnation, &r->incarnation)) {
		r->incarnation = 0;
		r->incarnation_damaged = true;
		found_damage(j, 0, "%s: the incarnation is damaged: the highest of all ids on "
			     "media stands in", j->conf.marker);
	}
	if (word_unseal(state_media(j)->abandoned, &r->abandoned))
		r->abandoned = 0;
	r->replay_seq = get_le64(state_media(j)->replay_seq);
	r->closed = recover_was_closed(j);
	j->shared->incarnation = r->incarnation;
	return 0;
}

/* The second digests that lie in NVRAM, as far as they are filled. */
static void recover_flush_digests(struct journal *j)
{
	const struct summary_head *head;
	uint32_t i;

	for (i = 0; i < j->geometry.digests; i++) {
		head = (const struct summary_head *)(j->marker->map + j->geometry.digests_offset +
						     (uint64_t)i * j->digest_bytes);
		if (get_le32(head->magic) == SUMMARY_MAGIC)
			nv_flush(j->marker, head,
				 min_u64(j->digest_bytes,
					 sizeof(*head) + (uint64_t)get_le32(head->lines) *
								 sizeof(struct summary_line)));
	}
}

/* What was found exists only in caches perhaps: of a process that was killed
 * before its fence or flush.  Durable before anybody is told (P7). */
static int recover_make_durable(struct journal *j)
{
	uint64_t lines = marker_line_offset(&j->geometry, j->shared->lines_used);
	uint32_t log;
	int error;

	/* the words and bits that it was decided by; records: recover_stage.c */
	nv_flush(j->marker, j->marker->map + j->geometry.state_offset,
		 lines - j->geometry.state_offset);
	recover_flush_digests(j);
	error = nv_fence(j->marker);
	if (error)
		return journal_fail(j, error);
	for (log = 0; log < logs_end(j) && !error; log++)
		if (!logs_removed(j, log) && logs_flush(j, log) != LOG_OUT)
			error = journal_failed(j);
	return error;
}

uint64_t recover_log_incarnation(const struct recovery *r)
{
	const struct segment_scan *scan;
	uint64_t incarnation = 0;
	uint32_t i, k;

	for (i = 0; i < r->order_count; i++) {
		scan = &r->scans[r->order[i]];
		incarnation = max_u64(incarnation, scan->seq >> 32);
		for (k = 0; k < scan->count; k++)
			incarnation = max_u64(incarnation, scan->records[k].meta.incarnation);
	}
	return incarnation;
}

/* Ids and uses of segments are drawn above all that were ever seen (P4): a checkpoint
 * that stands in for a newer, damaged one has an older incarnation. */
static void recover_incarnation(struct recovery *r)
{
	struct journal *j = r->j;
	uint32_t i;

	r->incarnation = max_u64(r->incarnation, recover_log_incarnation(r));
	for (i = 0; i < j->shared->lines_used; i++)
		r->incarnation = max_u64(r->incarnation,
					 j->lines[i].number >> LINE_COUNTER_BITS);
	/* what damaged the word may have taken what had higher ones with it */
	if (r->incarnation_damaged && r->incarnation < UINT32_MAX / 2)
		r->incarnation += INCARNATIONS_LOST;
}

/* Slots that the last close called unused are unused no more, what is torn stays
 * so, and ids are new from here on.  One fence will do: each of these words may
 * reach the medium without the others. */
static int recover_begin(struct recovery *r)
{
	struct journal *j = r->j;
	uint32_t i;
	int error;

	for (i = 0; i < j->lane_count; i++)
		nv_store8(j->marker, (uint64_t *)&lane_media(j, i)->clean, WORD_ERASED);
	nv_store8(j->marker, (uint64_t *)&state_media(j)->shared_clean, WORD_ERASED);
	recover_end_stage(j);
	recover_moved_end(r);
	error = incarnation_set(j, r->incarnation + 1);
	if (!error)
		error = recover_mend_epochs(r);
	if (error)
		return error;
	/* before the first slot is taken (P1: a slot is used once per epoch), and
	 * before an id or a sequence of the incarnation is in a record (P4) */
	error = nv_fence(j->marker);
	return error ? journal_fail(j, error) : 0;
}

static int recover_become_writer(struct recovery *r)
{
	struct journal *j = r->j;
	int error = recover_copies(r);

	if (!error)
		error = recover_make_durable(j);
	checkpoint_begin(j);

	recover_incarnation(r);
	if (!error)
		error = recover_begin(r);
	if (error)
		return error;
	j->shared->next_number = j->shared->incarnation << LINE_COUNTER_BITS;
	j->shared->next_seq = j->shared->incarnation << 32;
	error = recover_heads(r);
	j->recovering = false;
	return error ? error : checkpoint(j);
}

static int recover_steps(struct recovery *r)
{
	struct journal *j = r->j;
	int error = recover_state(r);

	if (!error)
		error = recover_lines(r);
	if (!error)
		error = recover_stage(r);
	if (!error)
		error = recover_segments(r);
	/* what could not be looked at is not lost: nothing is believed */
	if (!error && r->no_memory)
		error = journal_say(j, -ENOMEM, "no memory to recover");
	if (error)
		return error;
	recover_holes(r);
	recover_lost_bits(r);
	error = recover_moved(r);
	if (error)
		return error;
	recover_tell_lost(r);
	recover_settle_lines(r);
	recover_tell_seconds(r);
	if (j->rescue_lines) {
		/* what takes the markers' place goes on above all that was seen (P4) */
		recover_incarnation(r);
		j->shared->incarnation = r->incarnation;
	}
	if (j->read_only) {
		recover_count_free(r);
		j->recovering = false;
		return 0;
	}
	return recover_become_writer(r);
}

static void recovery_free(struct recovery *r)
{
	uint32_t i, k;

	for (i = 0; r->scans && i < segments_end(r->j); i++) {
		for (k = 0; k < r->scans[i].count; k++)
			free(r->scans[i].records[k].tail);
		free(r->scans[i].records);
		free(r->scans[i].digest);
		free(r->scans[i].named);
	}
	free(r->scans);
	free(r->order);
	free(r->moves);
	free(r->by_records);
	free(r->holes);
	recover_moved_free(r);
	recover_buffers_free(r);
	pthread_mutex_destroy(&r->lock);
}

int recover(struct journal *j, const struct journal_open_options *o)
{
	struct recovery r = { .j = j, .threads = recover_threads(o), .progress = o->progress };
	uint64_t start = clock_monotonic_ns();
	int error;

	r.scans = calloc(segments_end(j), sizeof(*r.scans));
	r.order = calloc(segments_end(j), sizeof(*r.order));
	if (pthread_mutex_init(&r.lock, NULL) || !r.scans || !r.order) {
		error = journal_say(j, -ENOMEM, "no memory to recover");
	} else {
		j->recovering = true;
		error = recover_steps(&r);
	}
	j->recovered.bytes_read = r.bytes_read;
	j->recovered.duration_ns = clock_monotonic_ns() - start;
	recovery_free(&r);
	return error;
}
