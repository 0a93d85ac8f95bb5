/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/checkpoint.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "txn/clock.h"
#include "txn/head.h"
#include "txn/segment.h"
#include "txn/takeover.h"

/* What of the map has ever been used: lines are taken lowest first. */
static uint64_t checkpoint_bytes(struct journal *j)
{
	return marker_line_offset(&j->geometry, j->shared->lines_used);
}

/*
 * A line as one moment had it, though others recycle it meanwhile: its epoch is
 * closed before its maps are erased, and a new one opened after, each behind a
 * fence; so maps between two reads of the same epoch are of that epoch, or the
 * epoch is closed and they do not matter.
 */
static void checkpoint_line(const struct marker_line *line, struct marker_line *copy)
{
	const uint64_t *from = (const uint64_t *)(const void *)line;
	uint64_t *to = (uint64_t *)(void *)copy;
	uint64_t epoch = __atomic_load_n(from, __ATOMIC_ACQUIRE), again;
	size_t i;

	for (;;) {
		/* acquire, each: before the epoch is looked at again */
		for (i = 1; i < sizeof(*line) / 8; i++)
			to[i] = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
		again = __atomic_load_n(from, __ATOMIC_ACQUIRE);
		if (again == epoch)
			break;
		epoch = again;
	}
	to[0] = epoch;
}

static void checkpoint_words(const uint8_t *map, uint64_t at, uint8_t *buffer, uint64_t bytes)
{
	uint64_t i, word;

	for (i = 0; i + 8 <= bytes; i += 8) {
		word = __atomic_load_n((const uint64_t *)(const void *)(map + at + i),
				       __ATOMIC_ACQUIRE);
		memcpy(buffer + i, &word, 8);
	}
}

static uint64_t checkpoint_snapshot(const struct marker_store *store, uint64_t at,
				    void *buffer, uint64_t bytes)
{
	const struct marker_geometry *g = store->snapshot_context;
	uint64_t i, count;

	if (at < g->lines_offset) {
		bytes = min_u64(bytes, g->lines_offset - at);
		checkpoint_words(store->map, at, buffer, bytes);
		return bytes;
	}
	/* lines are all that is behind, and a checkpoint ends behind one */
	count = bytes / MARKER_LINE_BYTES;
	for (i = 0; i < count; i++)
		checkpoint_line((const struct marker_line *)(store->map + at) + i,
				(struct marker_line *)buffer + i);
	return count * MARKER_LINE_BYTES;
}

void checkpoint_begin(struct journal *j)
{
	j->marker->snapshot_context = &j->geometry;
	j->marker->snapshot = checkpoint_snapshot;
}

static int checkpoint_write(struct journal *j)
{
	uint64_t replay = heads_oldest(j);
	int error;

	/* Every retire record of an older segment had its bit cleared in the map
	 * before it was appended, so the map holds it (retire.c). */
	nv_store8(j->marker, (uint64_t *)&state_media(j)->replay_seq,
		  (uint64_t)put_le64(replay));
	error = marker_store_checkpoint(j->marker, checkpoint_bytes(j));
	if (error)
		return journal_fail(j, error);
	atomic_fetch_add_explicit(&j->shared->checkpoints, 1, memory_order_relaxed);
	return 0;
}

/* ---- one at a time, of all processes -------------------------------------------- */

#define MOMENT_NS   100000
#define PATIENCE_NS 100000000ull

static bool checkpoint_job(struct journal *j)
{
	uint32_t none = 0;

	return atomic_compare_exchange_strong(&j->shared->checkpointer, &none, j->member);
}

/* Two that ended since @before: the second began after the call. */
static bool checkpoint_done(const struct journal *j, uint64_t before)
{
	return atomic_load(&j->shared->checkpoints) >= before + 2;
}

/*
 * Return: whether it is our turn.  Not when others have done it meanwhile; nor behind
 * one who is stopped in the middle: what is pending stays so.
 */
static bool checkpoint_turn(struct journal *j)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	uint64_t before = atomic_load(&j->shared->checkpoints);
	uint64_t end = clock_monotonic_ns() + PATIENCE_NS;

	while (!checkpoint_job(j)) {
		if (checkpoint_done(j, before) || clock_monotonic_ns() > end)
			return false;
		takeover_sweep(j, SWEEP_WAITING_NS);
		nanosleep(&moment, NULL);
	}
	return true;
}

static int checkpoint_now(struct journal *j)
{
	int error;

	/* what was pending before the map is read may be freed once it is durable */
	segments_note_pending(j);
	error = checkpoint_write(j);
	if (!error)
		segments_free_pending(j);
	atomic_store(&j->shared->checkpointer, 0);
	return error;
}

int checkpoint(struct journal *j)
{
	int error = 0;

	if (j->bits_durable)
		return 0;
	pthread_mutex_lock(&j->lines_lock);
	if (checkpoint_turn(j))
		error = checkpoint_now(j);
	pthread_mutex_unlock(&j->lines_lock);
	return error;
}

int incarnation_set(struct journal *j, uint64_t incarnation)
{
	if (incarnation >= UINT32_MAX)
		return journal_say(j, -EUCLEAN, "markers: the incarnation is used up");
	nv_store8(j->marker, (uint64_t *)&state_media(j)->incarnation,
		  (uint64_t)word_seal(incarnation));
	j->shared->incarnation = incarnation;
	return 0;
}

/* Context: lines_lock.  A checkpoint by somebody else will not do: it may have begun
 * before. */
static int incarnation_checkpoint(struct journal *j)
{
	int error;

	while (!checkpoint_turn(j))
		if (journal_failed(j))
			return journal_fail(j, -EIO);
	error = checkpoint_write(j);
	atomic_store(&j->shared->checkpointer, 0);
	return error;
}

int incarnation_raise(struct journal *j, uint64_t incarnation)
{
	int error = incarnation_set(j, incarnation);

	if (error)
		return error;
	if (!j->bits_durable)
		return incarnation_checkpoint(j);
	/* before any id or sequence of the new incarnation can be in a record: they
	 * are other threads' too, whose fences do not wait for our store */
	error = nv_fence(j->marker);
	return error ? journal_fail(j, error) : 0;
}
