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
#include "txn/health.h"
#include "txn/returning.h"
#include "txn/segment.h"
#include "txn/stream.h"
#include "txn/takeover.h"
#include "txn/unstage.h"

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

static void maintain_stage(struct maintain *m)
{
	struct unstaging u = { .j = m->j, .fill_percent = m->fill_percent, .age_ns = m->age_ns };

	unstage_all(&u);
	m->done.unstaged = u.transactions;
	m->done.stage_bytes = u.bytes;
	m->done.lanes_stuck = u.stuck;
	m->done.lanes_leased = u.leased;
	if (u.more)
		m->done.more = 1;
	m->error = u.error;
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
