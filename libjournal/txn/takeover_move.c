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
#include "txn/health.h"
#include "txn/line.h"
#include "txn/logs.h"
#include "txn/move.h"
#include "txn/slots.h"
#include "txn/takeover_impl.h"

struct half {
	struct moved m;
	bool ends;         /* else it is undone */
	struct place old;  /* what was in the slot that goes */
};

static bool place_committed(const struct journal *j, const struct slot_place *at)
{
	return atomic_load(&j->lines[at->line].committed[at->slot / 64]) >> (at->slot & 63) & 1;
}

static bool place_is_movers(const struct journal *j, const struct slot_place *at)
{
	const struct slots_from *own = &j->shared->moving;

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
		if (line_claim(&j->lines[old->line], old->slot, 1, &completes))
			slot_take(j, half->m.id, slot_at(j, old), &half->old);
		line_retire_bit(j, old->line, old->slot);
	} else {
		nv_flush(j->marker, &line_media(j, old->line)->retire[old->slot / 64], 8);
	}
}

/* Of a copy that was not published the slot names nothing, most likely; then what it
 * held is the dead one's (holds.h). */
static void half_undo(struct journal *j, struct half *half)
{
	const struct slot_place *to = &half->m.other;

	slot_take(j, half->m.id, slot_at(j, to), &half->old);
	line_retire_bit(j, to->line, to->slot);
}

static void half_decide(struct journal *j, struct half *half, struct cell *cell)
{
	if (!place_is_movers(j, &half->m.at) && place_committed(j, &half->m.other)) {
		moved_publish(half->m.entry);
		(void)moved_find(j, half->m.id, &half->m);
	}
	half->ends = place_is_movers(j, &half->m.at);
	if (half->ends)
		half_end(j, half, cell);
	else
		half_undo(j, half);
}

static void half_settle(struct journal *j, struct half *half)
{
	const struct slot_place *gone = &half->m.other;

	if (!half->ends)
		line_dead(j, gone->line, gone->number, gone->slot, 1);
	moved_settle(half->m.entry);
	place_release(j, half->m.id, &half->old);
	if (half->ends && slot_place_valid(j, gone))
		line_complete(j, gone->line);
}

/*
 * Without durable bits by a checkpoint: for who looks for the dead may be waiting for a
 * segment of the stream.  -EAGAIN: two others are stopped in theirs, it is taken over
 * later.  LOG_OUT: NVRAM is given up just now, all stays as it is (takeover_move()).
 */
static int halves_durably(struct journal *j, uint64_t seen)
{
	int error;

	if (!j->bits_durable)
		return checkpoint_try(j);
	error = health_fence(j);
	if (error)
		return journal_fail(j, error);
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
	for (i = 0; i < count && !error; i++)
		half_settle(j, &all[i]);
	cell_drop(cell);
	return error == LOG_OUT ? 0 : error;
}

static int takeover_unsettled(struct journal *j, uint64_t seen)
{
	struct half *all = calloc(MOVE_BATCH, sizeof(*all));
	struct moved_entry *entry = NULL;
	uint32_t count = 0;
	int error = 0;

	if (!all)
		error = journal_say(j, -ENOMEM, "no memory to take over from the dead");
	/* one mover has no more than a batch */
	while (!error && count < MOVE_BATCH &&
	       (entry = moved_unsettled(j, entry, &all[count].m)))
		count++;
	if (count)
		error = takeover_halves(j, all, count, seen);
	free(all);
	return error;
}

int takeover_moves(struct journal *j)
{
	uint64_t seen = health_trusted(j);
	struct moved unsettled;
	int error = 0;

	if (!seen || health_turn(seen) == atomic_load(&j->shared->moves_turn))
		return 0;
	while (!error && moved_any(j) && moved_unsettled(j, NULL, &unsettled) &&
	       health_word_now(j) == seen)
		error = takeover_unsettled(j, seen);
	if (!error && health_word_now(j) == seen)
		atomic_store(&j->shared->moves_turn, health_turn(seen));
	return error;
}

int takeover_move(struct journal *j)
{
	struct slots_from *own = &j->shared->moving;
	uint64_t seen = health_trusted(j);
	int error;

	/* NVRAM was given up: nothing is moved any more, and what has two places keeps
	 * them.  Who retires it names both, and recovery finds one. */
	if (j->bits_durable && !seen)
		return 0;
	takeover_opening(j, own);
	error = moved_any(j) ? takeover_unsettled(j, seen) : 0;
	/* slots that were taken and not announced */
	if (!error && own->line != NO_LINE)
		error = takeover_line(j, own->line, own->line_number, own->next);
	if (!error)
		line_leave(j, own);
	return error;
}
