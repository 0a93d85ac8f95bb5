/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Work in the background, by whoever calls: what would be done in line when there is
 * no room any more is done before.  It takes what it needs as everybody does: a lane
 * by its lease, if that is free, the cleaner's and the checkpointer's job.
 */
#include <errno.h>
#include <string.h>

#include "txn/checkpoint.h"
#include "txn/clean.h"
#include "txn/clean_lines.h"
#include "txn/clock.h"
#include "txn/destage.h"
#include "txn/health.h"
#include "txn/lane.h"
#include "txn/returning.h"
#include "txn/segment.h"
#include "txn/stream.h"
#include "txn/takeover.h"

#define FILL_PERCENT  50u
#define AGE_NS        1000000000ull
#define PENDING_SHARE 16u /* of the segments: so many wait for a checkpoint */
#define FREE_SHARE    4u  /* or fewer than that are free */

struct maintain {
	struct journal *j;
	uint32_t fill_percent;
	uint64_t age_ns, steady_ns;
	struct journal_maintained done;
	int error;
};

/* ---- the stage ------------------------------------------------------------------ */

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
static uint64_t lane_due(const struct maintain *m, const struct lane *lane)
{
	uint64_t used = lane->s->head - lane->s->tail, most = lane->ring_bytes / 4;
	uint64_t level = lane->ring_bytes / 100 * m->fill_percent;

	if (used > level)
		return min_u64(used - level / 2, most);
	if (!lane_older(m->j, lane, m->age_ns, 1))
		return 0;
	return lane_older(m->j, lane, m->age_ns / 2, most);
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
static void maintain_lane(struct maintain *m, struct lane *lane)
{
	uint32_t from = lane->s->queue_tail;
	uint64_t tail = lane->s->tail, want = lane_due(m, lane);
	int error;

	if (!want)
		return;
	error = lane_empty(m->j, lane, want);
	m->done.unstaged += lane_counted(lane, from);
	m->done.stage_bytes += lane->s->tail - tail;
	if (error)
		m->done.lanes_stuck++;
	else if (lane_due(m, lane))
		m->done.more = 1;
	if (error == -ENOMEM)
		m->error = error;
}

static void maintain_stage(struct maintain *m)
{
	struct journal *j = m->j;
	uint32_t i;

	for (i = 0; i < j->lane_count && j->geometry.ring_bytes && health_bits_durable(j) &&
		    !journal_failed(j);
	     i++) {
		if (!lane_try(j, &j->lanes[i])) {
			m->done.lanes_leased++;
			continue;
		}
		maintain_lane(m, &j->lanes[i]);
		lane_return(&j->lanes[i]);
	}
}

/* ---- the log -------------------------------------------------------------------- */

static void maintain_log(struct maintain *m)
{
	bool gained = false;
	int error;

	if (journal_failed(m->j) || !clean_is_due(m->j, CLEAN_BACKGROUND))
		return;
	error = clean_step(m->j, CLEAN_MOSTLY_DEAD, &gained);
	if (error == -ENOMEM)
		m->error = error;
	m->done.cleaned = gained;
	if (gained)
		m->done.more = 1;
}

static void maintain_lines(struct maintain *m)
{
	int error;

	if (journal_failed(m->j) || !clean_lines_due(m->j, CLEAN_LINES_BACKGROUND))
		return;
	error = clean_lines_step(m->j, CLEAN_LINES_MOSTLY_DEAD, &m->done.lines_cleaned);
	if (error == -ENOMEM)
		m->error = error;
	if (m->done.lines_cleaned)
		m->done.more = 1;
}

/* It writes all of the map, so not for one segment that nobody needs. */
static bool checkpoint_due(const struct journal *j)
{
	uint32_t pending = segments_pending(j);

	return (pending && (pending > segments_usable(j) / PENDING_SHARE ||
			    j->shared->segments_free < segments_usable(j) / FREE_SHARE)) ||
	       j->shared->segments_since_checkpoint > stream_checkpoint_every(j) / 2;
}

static void maintain_checkpoint(struct maintain *m)
{
	struct journal *j = m->j;

	if (journal_failed(j) || health_bits_durable(j) || checkpoint_is_somebodys(j) ||
	    !checkpoint_due(j))
		return;
	atomic_store(&j->shared->segments_since_checkpoint, 0);
	if (!checkpoint(j))
		m->done.checkpoints = 1;
}

/* ---- one round ------------------------------------------------------------------ */

static int maintain_allowed(struct journal *j, const struct maintain *m)
{
	if (journal_is_childs(j))
		return journal_childs(j);
	if (j->read_only)
		return journal_say(j, -EROFS, "the journal is open read-only");
	if (m->fill_percent > 100)
		return journal_say(j, -EINVAL, "stage_fill_percent: %u is over 100",
				   m->fill_percent);
	return journal_failed(j) ? journal_fail(j, -EIO) : 0;
}

int journal_maintain(struct journal *j, const struct journal_maintain_options *options,
		     struct journal_maintained *done)
{
	struct maintain m = {
		.j = j,
		.fill_percent = options && options->stage_fill_percent ?
					options->stage_fill_percent : FILL_PERCENT,
		.age_ns = options && options->stage_age_ns ? options->stage_age_ns : AGE_NS,
		.steady_ns = options && options->sound_for_ns ?
				     options->sound_for_ns : RETURN_STEADY_NS,
	};
	int error = maintain_allowed(j, &m);

	if (!error) {
		m.done.takeovers = takeover_sweep(j, 0);
		(void)health_watch(j, m.steady_ns); /* if it fails, that is sticky */
		maintain_stage(&m);
		maintain_log(&m);
		maintain_lines(&m);
		maintain_checkpoint(&m);
		error = journal_failed(j) ? journal_fail(j, -EIO) :
			m.error	? journal_say(j, m.error, "maintenance: out of memory") : 0;
	}
	if (done)
		*done = m.done;
	return error;
}
