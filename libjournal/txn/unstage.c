/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/unstage.h"

#include <errno.h>

#include "txn/clock.h"
#include "txn/destage.h"
#include "txn/health.h"
#include "txn/lane.h"
#include "txn/segment.h"

/* When it was committed.  0, and so long ago: its line went on, it is retired. */
static uint64_t staged_time(const struct journal *j, const struct staged *staged)
{
	uint32_t line = index_find(j, id_number(staged->id));

	if (line == NO_LINE)
		return 0;
	return atomic_load_explicit(&j->slots[(size_t)line * SLOTS_PER_LINE +
					      id_slot(staged->id)].time_ns,
				    memory_order_relaxed);
}

/* Bytes of the records at the tail that are older than @age_ns, up to @most. */
static uint64_t lane_older(const struct journal *j, const struct lane *lane, uint64_t age_ns,
			   uint64_t most)
{
	/* Later than any commit in the lane: we hold it.  So a time that is still to
	 * come was set before the clock was put back, and is old (unsigned). */
	uint64_t now = clock_ns(), bytes = 0;
	const struct staged *staged;
	uint32_t at;

	for (at = lane->s->queue_tail; at != lane->s->queue_head && bytes < most; at++) {
		staged = &lane->queue[at & lane->queue_mask];
		if (staged->count && now - staged_time(j, staged) <= age_ns)
			break;
		bytes += (uint64_t)staged->units * STAGE_ALIGN;
	}
	return bytes;
}

/* How much is to go.  Once some is, half as old or half as much goes with it: fewer
 * and larger writes. */
static uint64_t lane_due(const struct unstaging *u, const struct lane *lane)
{
	uint64_t used = lane->s->head - lane->s->tail, most = lane->ring_bytes / 4;
	uint64_t level = lane->ring_bytes / 100 * u->fill_percent;

	if (used > level)
		return min_u64(used - level / 2, most);
	if (!lane_older(u->j, lane, u->age_ns, 1))
		return 0;
	return lane_older(u->j, lane, u->age_ns / 2, most);
}

static uint64_t lane_counted(const struct lane *lane, uint32_t from)
{
	uint64_t transactions = 0;

	for (; from != lane->s->queue_tail; from++)
		transactions += lane->queue[from & lane->queue_mask].count;
	return transactions;
}

static int lane_empty(struct journal *j, struct lane *lane, uint64_t want)
{
	uint64_t tail = lane->s->tail;
	int error = lane_reclaim(j, lane, want);

	if (error || lane->s->tail - tail >= want)
		return error;
	/* not with what is set aside for when there is nothing else */
	return reserve_broken(j) ? -ENOSPC : destage(j, lane, want - (lane->s->tail - tail), false);
}

/* Context: the lane's holder. */
static void unstage_lane(struct unstaging *u, struct lane *lane)
{
	uint32_t from = lane->s->queue_tail;
	uint64_t tail = lane->s->tail, want = lane_due(u, lane);
	int error;

	if (!want)
		return;
	error = lane_empty(u->j, lane, want);
	u->transactions += lane_counted(lane, from);
	u->bytes += lane->s->tail - tail;
	if (error)
		u->stuck++;
	else if (lane_due(u, lane))
		u->more = true;
	if (error == -ENOMEM)
		u->error = error;
}

void unstage_all(struct unstaging *u)
{
	struct journal *j = u->j;
	uint32_t i;

	for (i = 0; i < j->lane_count && j->geometry.ring_bytes && health_bits_durable(j) &&
		    !journal_failed(j);
	     i++) {
		if (!lane_try(j, &j->lanes[i])) {
			u->leased++;
			continue;
		}
		unstage_lane(u, &j->lanes[i]);
		lane_return(&j->lanes[i]);
	}
}
