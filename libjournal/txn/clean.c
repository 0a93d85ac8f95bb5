/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which segment to clean, when, and by whom.
 *
 * The victim is the one with the most benefit for its cost, (1 - u) * age / (1 + u),
 * where u is how much of it lives: the rule of the log-structured file system
 * (Rosenblum and Ousterhout, "The Design and Implementation of a Log-Structured File
 * System", ACM TOCS 10(1), 1992, section 3.5), which F2FS cleans by in the background,
 * too (Lee et al., "F2FS: A New File System for Flash Storage", FAST 2015).
 * Reading costs 1, writing u, 1 - u is gained; and what has lived for long will live
 * on, so that what is gained there stays gained.  Age is counted in segments taken
 * since.
 */
#include "txn/clean.h"

#include <errno.h>
#include <time.h>

#include "txn/clock.h"
#include "txn/reserve.h"
#include "txn/segment.h"
#include "txn/stream.h"

#define AGE_MAX     (1u << 20) /* uses of an incarnation before are as old as that */
#define PASSES      8u         /* victims that are looked at and left, in one step */
#define AHEAD       2u         /* victims, for each segment that is taken */
#define MOMENT_NS   500000
#define PATIENCE_NS 20000000ull

static uint64_t clean_live_bytes(const struct journal *j, const struct segment *segment,
				 uint64_t use)
{
	return min_u64(segment_live_of(use) * atomic_load(&segment->mean_bytes),
		       j->segment_bytes);
}

/* Return: 0: no victim */
static uint64_t clean_score(struct journal *j, const struct segment *segment, uint32_t most)
{
	uint64_t use = atomic_load(&segment->use), all = j->segment_bytes, live, age;

	if (segment_state_of(use) != SEGMENT_SEALED || !segment_live_of(use))
		return 0;
	live = clean_live_bytes(j, segment, use);
	if (live > all / 256 * most)
		return 0;
	age = atomic_load(&j->shared->next_seq) - atomic_load(&segment->seq);
	/* 26 bits, 20, 10 */
	return 1 + (all - live) * min_u64(age, AGE_MAX) * 1024 / (all + live);
}

static struct segment *clean_choose(struct journal *j, uint32_t most)
{
	struct segment *best = NULL;
	uint64_t score, best_score = 0;
	uint32_t i;

	for (i = 0; i < j->segments.count; i++) {
		score = clean_score(j, &j->segments.all[i], most);
		if (score > best_score) {
			best_score = score;
			best = &j->segments.all[i];
		}
	}
	return best;
}

static int clean_one(struct journal *j, uint32_t most, bool *gained)
{
	struct segment *victim;
	uint32_t i;
	int error = 0;

	for (i = 0; i < PASSES && !error && !*gained; i++) {
		victim = clean_choose(j, most);
		if (!victim)
			break;
		if (!segment_keep(victim))
			continue;
		error = clean_victim(j, victim, j->segment_bytes / 256 * most, gained);
		segment_release(j, victim, 1);
	}
	return error;
}

int clean_step(struct journal *j, uint32_t most, bool *gained)
{
	uint32_t nobody = 0;
	int error;

	*gained = false;
	if (atomic_load_explicit(&j->shared->cleaner, memory_order_relaxed) ||
	    !atomic_compare_exchange_strong(&j->shared->cleaner, &nobody, j->member))
		return -EBUSY;
	error = stream_buffers(&j->moved);
	if (!error)
		error = clean_one(j, most, gained);
	if (*gained)
		count(j->counters, COUNT_CLEANED, 1);
	atomic_store(&j->shared->cleaner, 0);
	return error;
}

/* Few are free above what is set aside. */
static bool clean_is_due(const struct journal *j)
{
	return atomic_load_explicit(&j->shared->segments_free, memory_order_relaxed) +
		       segments_pending(j) <
	       j->segments.reserve + 2 + j->segments.count / 32;
}

void clean_ahead(struct journal *j)
{
	bool gained = true;
	uint32_t i;

	for (i = 0; i < AHEAD && gained && clean_is_due(j); i++)
		if (clean_step(j, CLEAN_MOSTLY_DEAD, &gained))
			return;
}

/* Another one is at it, and done in a moment; or stopped, and then not waited for. */
static bool clean_by_another(struct journal *j)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	uint64_t end = clock_monotonic_ns() + PATIENCE_NS;

	while (atomic_load(&j->shared->cleaner)) {
		if (clock_monotonic_ns() > end)
			return false;
		nanosleep(&moment, NULL);
	}
	return true;
}

bool clean_for_room(struct journal *j)
{
	bool gained;
	int error = clean_step(j, CLEAN_MOSTLY_DEAD, &gained);

	if (!error && !gained)
		error = clean_step(j, CLEAN_NEED, &gained);
	return error == -EBUSY ? clean_by_another(j) : gained;
}
