/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/checkpoint.h"

#include <errno.h>

#include "txn/segment.h"

/* What of the map has ever been used: lines are taken lowest first. */
static uint64_t checkpoint_bytes(struct journal *j)
{
	return marker_line_offset(&j->geometry, j->lines_used);
}

static int checkpoint_write(struct journal *j)
{
	uint64_t replay = j->stream.segment ? j->stream.segment->seq : j->segments.next_seq;
	int error;

	/* Every retire record of an older segment had its bit cleared in the map
	 * before it was appended, so the map holds it (retire.c). */
	nv_store8(j->marker, (uint64_t *)&state_media(j)->replay_seq,
		  (uint64_t)put_le64(replay));
	error = marker_store_checkpoint(j->marker, checkpoint_bytes(j));
	if (error)
		return journal_fail(j, error);
	atomic_fetch_add_explicit(&j->checkpoints, 1, memory_order_relaxed);
	return 0;
}

int checkpoint(struct journal *j)
{
	uint32_t pending;
	int error;

	if (j->bits_durable)
		return 0;
	pthread_mutex_lock(&j->lines_lock);
	/* what was pending before the map is read may be freed once it is durable */
	pending = segments_pending(j);
	error = checkpoint_write(j);
	if (!error)
		segments_free_pending(j, pending);
	pthread_mutex_unlock(&j->lines_lock);
	return error;
}

int incarnation_set(struct journal *j, uint64_t incarnation)
{
	if (incarnation >= UINT32_MAX)
		return journal_say(j, -EUCLEAN, "markers: the incarnation is used up");
	nv_store8(j->marker, (uint64_t *)&state_media(j)->incarnation,
		  (uint64_t)word_seal(incarnation));
	j->incarnation = incarnation;
	j->next_number = incarnation << LINE_COUNTER_BITS;
	return 0;
}

int incarnation_raise(struct journal *j)
{
	int error = incarnation_set(j, j->incarnation + 1);

	if (error)
		return error;
	if (!j->bits_durable)
		return checkpoint_write(j);
	/* before any id or sequence of the new incarnation can be in a record: they
	 * are other threads' too, whose fences do not wait for our store */
	error = nv_fence(j->marker);
	return error ? journal_fail(j, error) : 0;
}
