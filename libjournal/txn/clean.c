/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which segment to clean, when, and by whom.
 *
 * Ahead of need the victim is the one with the most benefit for its cost, (1 - u) *
 * age / (1 + u), where u is how much of it lives: the rule of the log-structured file
 * system (Rosenblum and Ousterhout, "The Design and Implementation of a
 * Log-Structured File System", ACM TOCS 10(1), 1992, section 3.5).  Reading costs 1,
 * writing u, 1 - u is gained; and what has lived for long will live on, so that what
 * is gained there stays gained.  Age is counted in segments taken since.
 * In need it is the one that has the least to move, whatever its age: F2FS chooses so,
 * too, when somebody waits (Lee et al., "F2FS: A New File System for Flash Storage",
 * FAST 2015, section 2.4).
 */
#include "txn/clean.h"

#include <errno.h>

#include "txn/clean_job.h"
#include "txn/reserve.h"
#include "txn/segment.h"
#include "txn/stream.h"

#define AGE_MAX     (1u << 20) /* uses of an incarnation before are as old as that */
#define PASSES      8u         /* victims that are looked at and left, in one step */
#define AHEAD       2u         /* victims, for each segment that is taken */
#define IN_NEED     16u        /* victims, for one more free segment */

/* In segments taken since.  Of an incarnation before it is not known: very old, or, for
 * @sure, what was taken in this one. */
static uint64_t clean_age(const struct journal *j, const struct segment *segment, bool sure)
{
	uint64_t next = atomic_load(&j->shared->next_seq), seq = atomic_load(&segment->seq);

	return min_u64(sure && next >> 32 != seq >> 32 ? (uint32_t)next : next - seq, AGE_MAX);
}

/*
 * How many bytes may live in a victim.  At least @most: of what is young that is little,
 * for what is half dead mostly dies by itself soon.  What has outlived the log's own turn
 * has not; there it is worth it if (1 - u) * age / (1 + u) is a turn or more, as if it
 * were empty and one turn old.  Else what survives together with some that do not holds
 * their room for ever, and all that is free lies in such holes.
 */
static uint64_t clean_limit(const struct journal *j, const struct segment *segment, uint32_t most)
{
	uint64_t age = clean_age(j, segment, true), turn = segments_usable(j), old;

	old = age > turn ? (age - turn) * 256 / (age + turn) : 0;
	return atomic_load(&segment->used_bytes) / 256 * max_u64(most, min_u64(old, CLEAN_NEED));
}

/* Return: 0: no victim */
static uint64_t clean_score(struct journal *j, const struct segment *segment, uint32_t most)
{
	uint64_t use = atomic_load(&segment->use), all = atomic_load(&segment->used_bytes);
	uint64_t live = segment_live_of(use) * atomic_load(&segment->mean_bytes);

	if (segment_state_of(use) != SEGMENT_SEALED || !segment_live_of(use) ||
	    segment_is_out(j, segment) || clean_job_has(j, segment))
		return 0;
	if (live > clean_limit(j, segment, most) || live > all)
		return 0;
	if (most > CLEAN_MOSTLY_DEAD)
		return 1 + all - live;
	/* 26 bits, 20, 10 */
	return 1 + (all - live) * clean_age(j, segment, false) * 1024 / (all + live);
}

static struct segment *clean_choose(struct journal *j, uint32_t most)
{
	struct segment *best = NULL;
	uint64_t score, best_score = 0;
	uint32_t i;

	for (i = 0; i < segments_end(j); i++) {
		score = clean_score(j, &j->segments.all[i], most);
		if (score > best_score) {
			best_score = score;
			best = &j->segments.all[i];
		}
	}
	return best;
}

/* The hold is noted, for who takes over from us; killed between two of these steps
 * we leave one too many, never one too few. */
static bool clean_hold(struct clean_job *job, struct segment *segment)
{
	if (!segment_keep(segment))
		return false;
	atomic_store(&job->cleaning,
		     atomic_load(&segment->use) >> 32 << 32 | (segment->number + 1));
	return true;
}

static void clean_let_go(struct journal *j, struct clean_job *job)
{
	uint64_t held = atomic_exchange(&job->cleaning, 0);

	if (held)
		segment_release(j, &j->segments.all[(uint32_t)held - 1], 1);
}

void clean_takeover(struct journal *j, uint32_t member)
{
	struct clean_job *job;
	uint32_t i;

	for (i = 0; i < CLEAN_JOBS; i++) {
		job = &j->shared->clean[i];
		if (atomic_load(&job->who) != member)
			continue;
		clean_let_go(j, job);
		clean_job_give(j, job);
	}
}

static int clean_one(struct journal *j, struct clean_job *job, uint32_t most, bool *gained)
{
	struct segment *victim;
	uint32_t i;
	int error = 0;

	for (i = 0; i < PASSES && !error && !*gained; i++) {
		victim = clean_choose(j, most);
		if (!victim)
			break;
		if (!clean_hold(job, victim))
			continue;
		error = clean_victim(j, job, victim, clean_limit(j, victim, most), gained);
		clean_let_go(j, job);
	}
	return error;
}

static int clean_it(struct journal *j, struct clean_job *job, struct segment *victim,
		    bool *gained)
{
	int error;

	if (!clean_hold(job, victim))
		return 0;
	error = clean_victim(j, job, victim, UINT64_MAX, gained);
	clean_let_go(j, job);
	return error;
}

/* @victim: NULL: which is worth it */
static int clean_some(struct journal *j, struct segment *victim, uint32_t most, bool *gained)
{
	struct clean_job *job = clean_job_take(j);
	int error;

	*gained = false;
	if (!job)
		return -EBUSY;
	error = stream_buffers(&j->moved);
	if (!error)
		error = victim ? clean_it(j, job, victim, gained) : clean_one(j, job, most, gained);
	if (*gained)
		count(j->counters, COUNT_CLEANED, 1);
	clean_job_give(j, job);
	return error;
}

int clean_step(struct journal *j, uint32_t most, bool *gained)
{
	return clean_some(j, NULL, most, gained);
}

int clean_segment(struct journal *j, struct segment *victim, bool *gained)
{
	return clean_some(j, victim, 0, gained);
}

bool clean_is_due(const struct journal *j, uint32_t share)
{
	return atomic_load_explicit(&j->shared->segments_free, memory_order_relaxed) +
		       segments_pending(j) <
	       segments_reserve(j) + 2 + segments_usable(j) / share;
}

void clean_ahead(struct journal *j)
{
	uint64_t next = atomic_load(&j->shared->next_seq);
	bool gained = true;
	uint32_t i;

	/* once for each segment that is taken */
	if (atomic_exchange_explicit(&j->ahead_seq, next, memory_order_relaxed) == next)
		return;
	for (i = 0; i < AHEAD && gained && clean_is_due(j, CLEAN_IN_LINE); i++)
		if (clean_step(j, CLEAN_MOSTLY_DEAD, &gained))
			return;
}

static uint32_t clean_free(const struct journal *j)
{
	return atomic_load(&j->shared->segments_free) + segments_pending(j);
}

/* What is moved out of several may fill one: until there is one more.  That one may have
 * been taken by another; what was gained was gained all the same, and there is an end to
 * that, since each time less is in use. */
bool clean_for_room(struct journal *j)
{
	uint32_t i, before = clean_free(j);
	bool gained = true, some = false;
	int error = 0;

	for (i = 0; i < IN_NEED && gained && !error && clean_free(j) <= before; i++) {
		error = clean_step(j, CLEAN_MOSTLY_DEAD, &gained);
		if (!error && !gained)
			error = clean_step(j, CLEAN_NEED, &gained);
		some |= gained;
	}
	return error == -EBUSY ? clean_job_wait(j) : some || clean_free(j) > before;
}
