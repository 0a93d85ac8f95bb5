/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/lane.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>

#include "txn/background.h"
#include "txn/checkpoint.h"
#include "txn/clean.h"
#include "txn/destage.h"
#include "txn/health.h"
#include "txn/line.h"
#include "txn/takeover.h"
#include "txn/times.h"

#define LANE_WINDOW (64ull << 10)
#define MOMENTS     20u /* that somebody waits for room in a full stage: 5 ms */

/* pages not used cost nothing */
uint32_t lane_queue_entries(const struct journal *j)
{
	uint32_t entries = 1;

	while (entries < j->room_geometry.ring_bytes / STAGE_ALIGN && entries < 1u << 31)
		entries <<= 1;
	return entries;
}

static void lane_make(struct journal *j, struct lane *lane, uint32_t index)
{
	lane->index = index;
	lane->s = shared_lane(j, index);
	if (!j->geometry.ring_bytes)
		return;
	lane->queue = shared_queue(j, index);
	lane->queue_mask = lane_queue_entries(j) - 1;
	lane->ring_bytes = j->geometry.ring_bytes;
	lane->ring = j->marker->map + j->geometry.stage_offset + index * lane->ring_bytes;
	lane->seed = stage_seed(j->geometry.nonce, index);
	atomic_store(&lane->shown, view_turn(j));
}

static void lane_hints_make(struct journal *j)
{
	uint32_t i, member = j->member ? j->member - 1 : 0, first = member * 8 + member / 8;
	/* the first of them have 8 lanes to themselves, while there are few */
	bool few = member <= j->lane_count / 8;

	for (i = 0; i < LANE_HINTS; i++)
		atomic_init(&j->lane_hint[i],
			    (uint8_t)((first + (few ? i % 8 : 0)) % j->lane_count));
}

int lanes_make(struct journal *j)
{
	uint32_t i;

	j->lane_count = j->geometry.lanes;
	if (posix_memalign((void **)&j->lanes, 128, j->lane_count * sizeof(*j->lanes)))
		return -ENOMEM;
	memset(j->lanes, 0, j->lane_count * sizeof(*j->lanes));
	for (i = 0; i < j->lane_count; i++)
		lane_make(j, &j->lanes[i], i);
	lane_hints_make(j);
	return 0;
}

void lanes_free(struct journal *j)
{
	free(j->lanes);
}

int lane_tail_store(struct journal *j, struct lane *lane, uint64_t tail)
{
	int error;

	if (tail == lane->s->tail)
		return 0;
	nv_store8(j->marker, (uint64_t *)&lane_media(j, lane->index)->tail,
		  (uint64_t)word_seal(tail));
	/* durable before the bytes below it are written again: recovery would
	 * take the new record for a damaged old one (P5, P6) */
	error = health_fence(j);
	if (error)
		return journal_fail(j, error);
	lane->s->tail = tail;
	lane_tell(lane);
	return 0;
}

void lane_end_store(struct journal *j, const struct lane *lane, uint64_t end)
{
	struct marker_lane *media = lane_media(j, lane->index), now;

	now.end = end == WORD_ERASED ? (__le64)end : word_seal(end);
	stage_last_encode(end == WORD_ERASED ? &(struct stage_last){ 0 } : &lane->s->last,
			  lane->seed, &now);
	/* no order between them: until all are there, nothing is named */
	nv_copy(j->marker, &media->end, &now.end,
		offsetof(struct marker_lane, reserved) - offsetof(struct marker_lane, end));
}

__attribute__((no_sanitize_thread))
uint64_t lane_used(const struct lane *lane)
{
	const volatile struct lane_shared *s = lane->s;
	uint64_t tail = s->tail, head = s->head;

	return head > tail ? min_u64(head - tail, lane->ring_bytes) : 0;
}

/* Retired, all of them: the line moved on, or every slot is claimed.  One whose
 * retire is in flight may lose its record: it is gone then, as it may be. */
static bool staged_dead(const struct journal *j, const struct staged *staged)
{
	uint32_t line, slot = id_slot(staged->id);

	if (!staged->count)
		return true;
	line = index_find(j, id_number(staged->id));
	return line == NO_LINE ||
	       !(line_mask(slot, staged->count) &
		 ~atomic_load_explicit(&j->lines[line].claimed[slot / 64], memory_order_acquire));
}

int lane_reclaim(struct journal *j, struct lane *lane, uint64_t want)
{
	uint64_t tail = lane->s->tail, elided = 0;
	const struct staged *staged;

	while (lane->s->queue_tail != lane->s->queue_head && tail - lane->s->tail < want) {
		staged = &lane->queue[lane->s->queue_tail & lane->queue_mask];
		if (!staged_dead(j, staged))
			break;
		elided += staged->count;
		reserve_settle(lane, staged);
		tail += (uint64_t)staged->units * STAGE_ALIGN;
		lane->s->queue_tail++;
	}
	if (elided)
		count(j->counters, COUNT_ELIDED, elided);
	return lane_tail_store(j, lane, tail);
}

/* A record never wraps: fill up to the ring's end with a void one. */
static int lane_wrap(struct journal *j, struct lane *lane)
{
	uint64_t rest = lane->ring_bytes - lane->s->head_offset;
	struct stage_meta meta = {
		.type = STAGE_VOID,
		.position = lane->s->head,
		.bytes = (uint32_t)(rest - STAGE_HEADER_BYTES),
		.time_ns = 0,
	};
	struct stage_record record;
	int error;

	stage_encode(&meta, &lane->s->last, lane->seed, &record);
	nv_copy(j->marker, lane->ring + lane->s->head_offset, &record, sizeof(record));
	/* before any byte of the next record: only the last of a lane may be torn */
	error = health_fence(j);
	if (error)
		return journal_fail(j, error);
	lane_advance(lane, 0, 0, rest);
	return 0;
}

int lane_queue_ready(struct journal *j, struct lane *lane)
{
	uint32_t at = lane->s->queue_head & lane->queue_mask;

	return shared_queue_ready(j, lane->index, (uint32_t)min_u64(at + 2ull,
								    lane->queue_mask + 1ull));
}

static uint64_t lane_window(const struct lane *lane)
{
	return min_u64(LANE_WINDOW, lane->ring_bytes / 4);
}

/*
 * What is retired soon after its commit leaves the ring empty again and again.  Then
 * the next record goes to the front, which the processor still has in its caches,
 * instead of through all of the ring: so many lanes find room there together.
 * Looked at once in a while only, for it takes two fences.
 */
static void lane_rewind(struct journal *j, struct lane *lane)
{
	struct lane_shared *s = lane->s;
	uint64_t window = lane_window(lane);

	s->look_at = s->head_offset + window;
	lane_tell(lane);
	if (!s->head_offset || lane_reclaim(j, lane, UINT64_MAX) || s->head != s->tail)
		return;
	s->queue_head = s->queue_tail = 0;
	if (lane_queue_ready(j, lane) || lane_wrap(j, lane) || lane_reclaim(j, lane, UINT64_MAX))
		return;
	s->look_at = window;
}

/* Make room at the head, as far as finished records allow. */
static bool lane_room(struct journal *j, struct lane *lane, uint64_t need, bool *looked)
{
	uint64_t rest;

	if (lane->s->head_offset >= lane->s->look_at) {
		lane_rewind(j, lane);
		*looked = lane->s->head - lane->s->tail > lane->ring_bytes / 4;
	}
	if (lane_fits(lane, need))
		return true;
	rest = lane->ring_bytes - lane->s->head_offset;
	if (lane_queue_ready(j, lane))
		return false;
	/* a sixteenth at a time: the tail is stored once for many commits */
	if ((lane->s->head + need + (need > rest ? rest : 0) - lane->s->tail > lane->ring_bytes ||
	     !reserve_allows(lane, need)) &&
	    lane_reclaim(j, lane, max_u64(need + rest, lane->ring_bytes / 16)))
		return false;
	if (need > rest &&
	    (lane->s->head + rest - lane->s->tail > lane->ring_bytes || lane_wrap(j, lane)))
		return false;
	return lane_fits(lane, need);
}

/* It was nearly full when its holder last told. */
static bool lane_seems_full(const struct lane *lane, uint64_t need)
{
	return atomic_load_explicit(&lane->s->used, memory_order_relaxed) + need +
	       lane_window(lane) > lane->ring_bytes;
}

/* @all: also those that seem full; what in them is retired by now makes room */
static struct lane *lane_of_these(struct journal *j, uint32_t first, uint64_t need, bool all,
				  bool *looked)
{
	struct lane *lane;
	uint32_t i;

	for (i = 0; i < j->lane_count; i++) {
		lane = &j->lanes[(first + i) % j->lane_count];
		if (lane_seems_full(lane, need) != all || !lane_try(j, lane))
			continue;
		if (lane_room(j, lane, need, looked))
			return lane;
		lane_return(lane);
	}
	return NULL;
}

static struct lane *lane_with_room(struct journal *j, uint32_t first, uint64_t need,
				   bool *looked)
{
	struct lane *lane = lane_of_these(j, first, need, false, looked);

	return lane ? lane : lane_of_these(j, first, need, true, looked);
}

/* What seemed full may be empty by now, since all in it is retired: look at @most of
 * those that have @least bytes, by turns. */
void lanes_refresh(struct journal *j, uint32_t most, uint64_t least)
{
	struct lane *lane;
	uint32_t i, at;

	for (i = 0; i < j->lane_count && most; i++) {
		at = atomic_fetch_add_explicit(&j->background.next, 1, memory_order_relaxed);
		lane = &j->lanes[at % j->lane_count];
		if (atomic_load_explicit(&lane->s->used, memory_order_relaxed) < least ||
		    !lane_try(j, lane))
			continue;
		(void)lane_reclaim(j, lane, UINT64_MAX);
		lane_tell(lane);
		lane_return(lane);
		most--;
	}
}

/*
 * Where to look first: each process at a lane of its own, and each of its processors at the
 * one that it had last.  So threads that run beside each other part when they first meet,
 * and a process of one thread stays with its lane wherever it runs: one that is
 * interrupted keeps its lane, and what it has not retired yet keeps the room in it.
 */
static _Atomic uint8_t *lane_hint(struct journal *j)
{
	return &j->lane_hint[(uint32_t)sched_getcpu() % LANE_HINTS];
}

/* None has room as it is. */
static struct lane *lane_make_room(struct journal *j, uint32_t first, uint64_t need)
{
	struct lane *lane = NULL;
	bool looked;
	uint32_t i;

	takeover_sweep(j, SWEEP_WAITING_NS);
	clean_ahead(j);
	/* The whole stage is full: destage some of one lane, in line.  Not with what
	 * is set aside for the rest of it. */
	for (i = 0; !lane && i < j->lane_count && !journal_failed(j) && !reserve_broken(j);
	     i++) {
		struct lane *full = &j->lanes[(first + i) % j->lane_count];

		if (!lane_try(j, full))
			continue;
		if (!destage(j, full, full->ring_bytes / 4, false) &&
		    lane_room(j, full, need, &looked))
			lane = full;
		else
			lane_return(full);
	}
	return lane;
}

struct lane *lane_lease(struct journal *j, uint64_t need)
{
	_Atomic uint8_t *hint = lane_hint(j);
	uint32_t first = atomic_load_explicit(hint, memory_order_relaxed);
	bool looked = false;
	struct lane *lane = lane_with_room(j, first, need, &looked);
	uint64_t began;
	uint32_t i;

	if (looked) { /* now and then */
		if (lane)
			lane_return(lane);
		lanes_refresh(j, 1, j->geometry.ring_bytes / 4);
		background_look(j);
		lane = lane_with_room(j, first, need, &looked);
	}
	if (lane) {
		if (lane->index != first)
			atomic_store_explicit(hint, (uint8_t)lane->index, memory_order_relaxed);
		return lane;
	}
	began = clock_monotonic_ns();
	for (i = 0; !lane && i < MOMENTS && background_moment(j); i++)
		lane = lane_with_room(j, first, need, &looked);
	if (!lane)
		lane = lane_make_room(j, first, need);
	if (lane)
		times_end(j, JOURNAL_TIMED_ROOM, began);
	return lane;
}
