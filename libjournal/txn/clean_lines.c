/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which lines to clean.  Ahead of need those with the most benefit for their cost, as
 * segments are chosen (clean.c): (1 - u) * age / (1 + u), where u is how much of a line
 * lives; age is counted in lines opened since.  In need those with the least to move.
 */
#include "txn/clean_lines.h"

#include <errno.h>
#include <stdlib.h>

#include "txn/clean.h"
#include "txn/clean_job.h"
#include "txn/destage.h"
#include "txn/health.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/move.h"
#include "txn/reserve.h"

#define VICTIMS     32u
#define AGE_MAX     (1u << 20)
#define IN_NEED     16u /* steps, for one line */

struct victim {
	uint64_t score, number;
	uint32_t line, live;
};

struct victims {
	struct victim all[VICTIMS]; /* the best first */
	uint32_t count;
};

uint32_t clean_lines_reserve(const struct journal *j)
{
	return j->moves_lines ? 1 + (uint32_t)min_u64(j->geometry.lines / 1024, 7) : 0;
}

bool clean_lines_may(const struct journal *j)
{
	return j->moves_lines && (!j->bits_durable || health_moves(j));
}

bool clean_lines_due(const struct journal *j, uint32_t share)
{
	uint32_t few = clean_lines_reserve(j) + 1 + j->geometry.lines / share;

	return clean_lines_may(j) && lines_offered_count(j, few) < few;
}

/* ---- choosing ------------------------------------------------------------------------- */

static uint64_t victim_score(const struct journal *j, const struct victim *v, uint32_t most)
{
	uint64_t age = atomic_load(&j->shared->next_number) - v->number;

	if (most > CLEAN_LINES_MOSTLY_DEAD)
		return SLOTS_PER_LINE - v->live;
	return (SLOTS_PER_LINE - v->live) * min_u64(age, AGE_MAX) * 1024 /
	       (SLOTS_PER_LINE + v->live);
}

/* All of its slots are decided, and some live.  Return: false: no victim */
static bool victim_look(const struct journal *j, uint32_t line, struct victim *v)
{
	const struct line *state = &j->lines[line];
	uint64_t use = atomic_load_explicit(&state->use, memory_order_relaxed), committed, claimed;
	uint32_t word;

	*v = (struct victim){ .line = line, .number = use >> 2 };
	/* somebody moves what is in it, or to it */
	if (line_state_of(use) != LINE_OPEN ||
	    atomic_load_explicit(&state->mover, memory_order_relaxed))
		return false;
	for (word = 0; word < MARKER_LINE_WORDS; word++) {
		committed = atomic_load_explicit(&state->committed[word], memory_order_relaxed);
		claimed = atomic_load_explicit(&state->claimed[word], memory_order_relaxed);
		if (~(committed | claimed))
			return false;
		v->live += (uint32_t)__builtin_popcountll(committed & ~claimed);
	}
	return v->live && v->live != atomic_load_explicit(&state->left, memory_order_relaxed);
}

#define LANES_MAX 64u /* index.h */

/* how far each lane has to go: behind its last survivor */
static bool victim_stage(const struct journal *j, const struct victim *v, uint64_t *ends)
{
	const struct line *state = &j->lines[v->line];
	uint64_t bits, where;
	uint32_t word, slot;
	bool some = false;

	for (word = 0; word < MARKER_LINE_WORDS; word++)
		for (bits = atomic_load(&state->committed[word]) &
			    ~atomic_load(&state->claimed[word]);
		     bits; bits &= bits - 1) {
			slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
			where = atomic_load(
				&j->slots[(size_t)v->line * SLOTS_PER_LINE + slot].where);
			if (where_kind(where) != WHERE_STAGE)
				continue;
			some = true;
			ends[where_lane(where)] = max_u64(ends[where_lane(where)],
							  where_position(where) + 1);
		}
	return some;
}

/* Some of it is staged, in a lane that somebody has. */
static bool victim_waits(const struct journal *j, const struct victim *v)
{
	uint64_t ends[LANES_MAX] = { 0 };
	uint32_t i;

	if (!j->geometry.ring_bytes || !victim_stage(j, v, ends))
		return false;
	for (i = 0; i < j->lane_count; i++)
		if (ends[i] && atomic_load_explicit(&j->lanes[i].s->lease, memory_order_relaxed))
			return true;
	return false;
}

static void victims_keep(struct victims *best, const struct victim *v)
{
	uint32_t at = best->count;

	if (at == VICTIMS && best->all[--at].score >= v->score)
		return;
	for (; at && best->all[at - 1].score < v->score; at--)
		best->all[at] = best->all[at - 1];
	best->all[at] = *v;
	if (best->count < VICTIMS)
		best->count++;
}

static void victims_choose(const struct journal *j, uint32_t most, struct victims *best)
{
	uint32_t line, used = j->shared->lines_used;
	struct victim v;

	best->count = 0;
	for (line = 0; line < used; line++) {
		if (!victim_look(j, line, &v) || v.live > most || victim_waits(j, &v))
			continue;
		v.score = victim_score(j, &v, most);
		victims_keep(best, &v);
	}
}

/* ---- what is staged ---------------------------------------------------------------------- */

/* Return: whether that much of it has gone, or had. */
static bool lane_unstage(struct journal *j, struct lane *lane, uint64_t end)
{
	bool gone = false;

	if (!lane_try(j, lane))
		return false;
	if (lane->s->tail < end && end <= lane->s->head)
		gone = !destage(j, lane, end - lane->s->tail, false);
	else
		gone = lane->s->tail >= end;
	lane_return(lane);
	return gone;
}

/*
 * Survivors that are staged go to the log first, with what lies before them in their
 * lanes: else they would hold their lines until the stage is full.  A lane that somebody
 * has is left, and with it the lines of what is in it, until the next time.
 * Context: no job: who destages may have to clean.
 */
static bool victims_unstage(struct journal *j, struct victims *best)
{
	uint64_t ends[LANES_MAX] = { 0 };
	bool some = false, all = true;
	uint32_t i;

	for (i = 0; i < best->count; i++)
		some |= victim_stage(j, &best->all[i], ends);
	for (i = 0; some && i < j->lane_count; i++)
		if (ends[i])
			all &= lane_unstage(j, &j->lanes[i], ends[i]);
	return all;
}

static bool victims_are_staged(const struct journal *j, const struct victims *best)
{
	uint64_t ends[LANES_MAX] = { 0 };
	uint32_t i;

	for (i = 0; i < best->count && j->geometry.ring_bytes; i++)
		if (victim_stage(j, &best->all[i], ends))
			return true;
	return false;
}

/* ---- cleaning -------------------------------------------------------------------------- */

static uint32_t victim_slots(const struct journal *j, const struct victim *v,
			     struct slot_place *slots)
{
	const struct line *state = &j->lines[v->line];
	uint32_t word, count = 0;
	uint64_t bits;

	for (word = 0; word < MARKER_LINE_WORDS; word++)
		for (bits = atomic_load(&state->committed[word]) &
			    ~atomic_load(&state->claimed[word]);
		     bits; bits &= bits - 1)
			slots[count++] = (struct slot_place){
				v->number, v->line, word * 64 + (uint32_t)__builtin_ctzll(bits),
			};
	return count;
}

/* Whether it is free, or as good as that.  If not, though all of it was @tried, it is left
 * alone until less lives there. */
static bool victim_is_free(const struct journal *j, const struct victim *v, bool tried)
{
	struct victim now;

	if (!victim_look(j, v->line, &now) || now.number != v->number)
		return true;
	if (!tried)
		return false;
	atomic_store(&j->lines[v->line].left, now.live);
	count(j->counters, COUNT_LINES_LEFT, 1);
	return false;
}

/* As many victims as a batch holds. */
static int victims_clean(struct journal *j, struct clean_job *job, const struct victims *best,
			 bool unstaged, uint32_t *gained)
{
	struct slot_place *slots = malloc((MOVE_BATCH + SLOTS_PER_LINE) * sizeof(*slots));
	uint32_t i, k, slot_count = 0;
	int error;

	if (!slots)
		return journal_say(j, -ENOMEM, "no memory to clean lines");
	for (i = 0; i < best->count && slot_count < MOVE_BATCH; i++)
		slot_count += victim_slots(j, &best->all[i], &slots[slot_count]);
	error = move_slots(j, job, slots, slot_count, 0);
	for (k = 0; k < i && !journal_failed(j); k++)
		*gained += victim_is_free(j, &best->all[k], !error && unstaged);
	count(j->counters, COUNT_LINES_CLEANED, *gained);
	free(slots);
	return error;
}

int clean_lines_step(struct journal *j, uint32_t most, uint32_t *gained)
{
	struct clean_job *job;
	struct victims best;
	bool unstaged = true;
	int error = 0;

	*gained = 0;
	if (!clean_lines_may(j) || reserve_broken(j))
		return -ENOSPC;
	job = clean_job_take(j);
	if (!job)
		return -EBUSY;
	victims_choose(j, most, &best);
	if (victims_are_staged(j, &best)) {
		clean_job_give(j, job);
		unstaged = victims_unstage(j, &best);
		job = clean_job_take(j);
		if (!job)
			return -EBUSY;
	}
	if (best.count)
		error = victims_clean(j, job, &best, unstaged, gained);
	clean_job_give(j, job);
	return error;
}

/* ---- when ------------------------------------------------------------------------------- */

void clean_lines_ahead(struct journal *j)
{
	uint32_t gained;

	if (clean_lines_due(j, CLEAN_LINES_IN_LINE))
		(void)clean_lines_step(j, CLEAN_LINES_MOSTLY_DEAD, &gained);
}

static bool lines_some(const struct journal *j)
{
	uint32_t few = clean_lines_reserve(j) + 1;

	return lines_offered_count(j, few) >= few;
}

bool clean_lines_for_room(struct journal *j)
{
	uint32_t i, gained = 1;
	int error = 0;

	for (i = 0; i < IN_NEED && !error && gained && !lines_some(j); i++) {
		error = clean_lines_step(j, CLEAN_LINES_MOSTLY_DEAD, &gained);
		if (!error && !gained)
			error = clean_lines_step(j, CLEAN_LINES_NEED, &gained);
	}
	if (error == -EBUSY)
		return clean_job_wait(j);
	return lines_some(j);
}
