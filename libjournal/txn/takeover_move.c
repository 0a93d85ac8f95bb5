/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moves to another line that their mover died over.  What is published, or committed in
 * its new slot, is brought to its end; else the new slot is retired, for a copy that
 * names it may be in the log.  All of it is in the entries (moved.h) and in the mover's
 * line.  The dead mover's cells are still there (P2; tests/model/p2.pml,
 * BREAK_TAKER_CELLS).
 */
#include <errno.h>
#include <stdlib.h>

#include "txn/cell.h"
#include "txn/checkpoint.h"
#include "txn/clean_job.h"
#include "txn/health.h"
#include "txn/line.h"
#include "txn/logs.h"
#include "txn/move.h"
#include "txn/slots.h"
#include "txn/takeover_impl.h"

struct half {
	struct moved m;
	const struct slots_from *own; /* the dead mover's */
	bool ends;         /* else it is undone */
	struct place old;  /* what was in the slot that goes */
};

static bool place_committed(const struct journal *j, const struct slot_place *at)
{
	return atomic_load(&j->lines[at->line].committed[at->slot / 64]) >> (at->slot & 63) & 1;
}

static bool place_is_movers(const struct slots_from *own, const struct slot_place *at)
{
	return at->line == own->line && at->number == own->line_number;
}

/* The old slot.  Its line may be another's since, or have no number and yet go on:
 * then the bit is cleared, and what is flushed does no harm. */
static void half_end(struct journal *j, struct half *half, struct cell *cell)
{
	const struct slot_place *old = &half->m.other;
	bool completes;

	cell_move(j, cell, old->line);
	if (slot_place_valid(j, old)) {
		(void)line_claim(&j->lines[old->line], old->slot, 1, &completes);
		/* also where it was claimed: by one who took over before and could not end it */
		slot_take(j, half->m.id, slot_at(j, old), &half->old);
		line_retire_bit(j, old->line, old->slot);
	} else {
		nv_flush(j->marker, &line_media(j, old->line)->retire[old->slot / 64], 8);
	}
}

/* Of a copy that was not published the slot names nothing, most likely; then what it
 * held is the dead one's (holds.h).  The claim first: a checkpoint is written by claims. */
static void half_undo(struct journal *j, struct half *half)
{
	const struct slot_place *to = &half->m.other;
	bool completes;

	(void)line_claim(&j->lines[to->line], to->slot, 1, &completes);
	slot_take(j, half->m.id, slot_at(j, to), &half->old);
	line_retire_bit(j, to->line, to->slot);
}

static void half_decide(struct journal *j, struct half *half, struct cell *cell)
{
	if (!place_is_movers(half->own, &half->m.at) && place_committed(j, &half->m.other)) {
		moved_publish(half->m.entry);
		(void)moved_find(j, half->m.id, &half->m);
	}
	half->ends = place_is_movers(half->own, &half->m.at);
	if (half->ends)
		half_end(j, half, cell);
	else
		half_undo(j, half);
}

static void half_settle(struct journal *j, struct half *half)
{
	const struct slot_place *gone = &half->m.other;

	moved_settle(half->m.entry);
	place_release(j, half->m.id, &half->old);
	if (slot_place_valid(j, gone))
		line_complete(j, gone->line);
}

/* It is taken over later, by us or by another: what the slot held is there, as it was, unless
 * its line is another's by now.  Taken by us, it would be held until we close. */
static void half_put_back(struct journal *j, struct half *half, struct cell *cell)
{
	const struct slot_place *gone = &half->m.other;

	cell_move(j, cell, gone->line);
	if (slot_place_valid(j, gone))
		place_put_back(j, slot_at(j, gone), &half->old);
	else
		place_forget(&half->old);
}

/*
 * Without durable bits by a checkpoint: for who looks for the dead may be waiting for a
 * segment of the stream.  -EAGAIN: two others are stopped in theirs, it is taken over
 * later.  LOG_OUT: NVRAM is given up just now, all stays as it is (takeover_move()).
 */
static int halves_durably(struct journal *j, uint64_t seen)
{
	int error;

	if (!j->bits_durable || health_word_on_file(j, seen)) {
		error = checkpoint_taker(j);
		if (error || !j->bits_durable)
			return error;
	} else {
		error = health_fence(j);
		if (error)
			return journal_fail(j, error);
	}
	return health_look(j) != seen ? LOG_OUT : 0;
}

static int takeover_halves(struct journal *j, struct half *all, uint32_t count, uint64_t seen)
{
	struct cell *cell = cell_take(j, 0);
	uint32_t i;
	int error;

	for (i = 0; i < count; i++)
		half_decide(j, &all[i], cell);
	error = halves_durably(j, seen);
	for (i = 0; i < count; i++)
		if (error == -EAGAIN)
			half_put_back(j, &all[i], cell);
		else if (error)
			place_forget(&all[i].old);
		else
			half_settle(j, &all[i]);
	cell_drop(cell);
	return error == LOG_OUT ? 0 : error;
}

/* One of its two places is in the line that he moved to; others' are others'. */
static bool half_is_of(const struct slots_from *own, const struct moved *m)
{
	return place_is_movers(own, &m->at) || place_is_movers(own, &m->other);
}

static uint32_t halves_of(struct journal *j, const struct slots_from *own, struct half *all)
{
	struct moved_entry *entry = NULL;
	uint32_t count = 0;

	if (!moved_any(j) || own->line == NO_LINE)
		return 0;
	/* one mover has no more than a batch */
	while (count < MOVE_BATCH && (entry = moved_unsettled(j, entry, &all[count].m))) {
		all[count].own = own;
		count += half_is_of(own, &all[count].m);
	}
	return count;
}

static int takeover_unsettled(struct journal *j, const struct slots_from *own, uint64_t seen)
{
	struct half *all = calloc(MOVE_BATCH + 1, sizeof(*all));
	uint32_t count;
	int error = 0;

	if (!all)
		return journal_say(j, -ENOMEM, "no memory to take over from the dead");
	count = halves_of(j, own, all);
	if (count)
		error = takeover_halves(j, all, count, seen);
	free(all);
	return error;
}

/* Lines that he moved from, or to, are anybody's again: when nothing in them has two
 * places any more. */
static void takeover_claims(struct journal *j, const struct slots_from *own)
{
	uint32_t line, used = j->shared->lines_used, mover;

	for (line = 0; line < used; line++) {
		mover = own->moved;
		if (line != own->line)
			(void)atomic_compare_exchange_strong(&j->lines[line].mover, &mover, 0);
	}
	moved_free_taken(j, own->moved);
}

static int moves_over(struct journal *j, struct clean_job *job)
{
	uint64_t seen = health_moves(j);
	int error;

	if (!seen || health_turn(seen) == atomic_load(&job->moves_turn))
		return 0;
	error = takeover_unsettled(j, &job->moving, seen);
	if (error || health_word_now(j) != seen)
		return error;
	takeover_claims(j, &job->moving);
	atomic_store(&job->moves_turn, health_turn(seen));
	return 0;
}

/* Of all jobs that nobody has at the moment: nobody else may ever take them again. */
int takeover_moves_over(struct journal *j, struct clean_job *mine)
{
	struct clean_job *job;
	uint32_t i, nobody;
	int error = moves_over(j, mine);

	for (i = 0; i < CLEAN_JOBS && !error; i++) {
		job = &j->shared->clean[i];
		nobody = 0;
		if (atomic_load(&job->moves_turn) == atomic_load(&mine->moves_turn) ||
		    !atomic_compare_exchange_strong(&job->who, &nobody, j->member))
			continue;
		error = moves_over(j, job);
		clean_job_give(j, job);
	}
	return error;
}

static int takeover_move(struct journal *j, struct clean_job *job)
{
	struct slots_from *own = &job->moving;
	uint64_t seen = health_moves(j);
	int error;

	/* NVRAM was given up: nothing is moved any more, and what has two places keeps
	 * them.  Who retires it names both, and recovery finds one. */
	if (j->bits_durable && !seen)
		return 0;
	takeover_opening(j, own);
	error = takeover_unsettled(j, own, seen);
	/* slots that were taken and not announced */
	if (!error && own->line != NO_LINE)
		error = takeover_line(j, own->line, own->line_number, own->next);
	if (error)
		return error;
	line_leave(j, own);
	takeover_claims(j, own);
	return 0;
}

int takeover_moves(struct journal *j, uint32_t number)
{
	uint32_t i;
	int error = 0;

	for (i = 0; i < CLEAN_JOBS && !error; i++)
		if (atomic_load(&j->shared->clean[i].who) == number + 1)
			error = takeover_move(j, &j->shared->clean[i]);
	return error;
}
