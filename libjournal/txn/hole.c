/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/hole.h"

#include <errno.h>

#include "txn/checkpoint.h"
#include "txn/lane.h"
#include "txn/ring.h"

/* Of the record that goes on behind it; or, where none does, of the words beside the lane's
 * end, which then is where it ends. */
static void hole_read_name(struct journal *j, struct lane *lane, struct hole *hole)
{
	struct stage_meta next;
	struct stage_last last;
	int error = ring_look(lane, hole->to, &next);

	lane->s->last.count = 0;
	if (!error || error == -EIO) {
		hole->before = next.before;
		return;
	}
	if (!stage_last_decode(lane_media(j, lane->index), lane->seed, &last) &&
	    last.position < hole->to)
		lane->s->last = last;
	hole->before = stage_before(&lane->s->last, hole->to);
}

static int hole_skip(struct journal *j, struct lane *lane, uint64_t to)
{
	int error;

	if (lane->s->head >= to)
		return 0;
	error = lane_queue_ready(j, lane);
	if (error)
		return error;
	lane_advance(lane, 0, 0, to - lane->s->head);
	lane->s->head_offset = lane->s->head % lane->ring_bytes;
	return 0;
}

int hole_take(struct journal *j, struct lane *lane, struct hole *hole)
{
	uint64_t at;
	int error;

	hole_read_name(j, lane, hole);
	at = hole_named_at(hole);
	error = hole_skip(j, lane, at);
	hole->entry = lane->s->queue_head;
	/* the least that is a record: how long it was nobody knows */
	if (!error)
		error = hole_skip(j, lane, at + STAGE_ALIGN);
	return error ? error : hole_skip(j, lane, hole->to);
}

uint32_t hole_line(const struct journal *j, const struct hole *hole, uint64_t *id)
{
	const struct stage_before *before = &hole->before;
	uint64_t number;

	if (!before->count || hole_is_void(hole) || before->line >= j->shared->lines_used)
		return NO_LINE;
	number = atomic_load(&j->lines[before->line].number);
	if (!number || stage_epoch_check(number) != before->epoch_check)
		return NO_LINE;
	*id = id_make(number, before->slot);
	return before->line;
}

void hole_keep(struct lane *lane, const struct hole *hole, uint64_t id)
{
	struct staged *staged = &lane->queue[hole->entry & lane->queue_mask];
	uint32_t i;

	staged->id = id;
	staged->count = hole->before.count;
	/* a line is owed once for each time that the queue comes to it */
	reserve_forget(lane);
	for (i = lane->s->queue_tail; i != lane->s->queue_head; i++)
		reserve_owe(lane, &lane->queue[i & lane->queue_mask]);
}
