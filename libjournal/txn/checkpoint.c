/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/checkpoint.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "txn/clock.h"
#include "txn/head.h"
#include "txn/health.h"
#include "txn/segment.h"
#include "txn/stand_in.h"
#include "txn/takeover.h"

/* What of the map has ever been used: lines are taken lowest first. */
static uint64_t checkpoint_bytes(struct journal *j)
{
	return marker_line_offset(j->bits_durable ? &j->stand_in_geometry : &j->geometry,
				  j->shared->lines_used);
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
	 * before it was appended, so the map holds it (retire.c).  A fence: another's
	 * checkpoint may get this word, and must get those bits, which it copies
	 * later.  A late one may lower the word: then more is replayed. */
	(void)nv_fence(checkpoint_store(j));
	if (j->bits_durable)
		atomic_store(&j->shared->replay_seq, replay);
	else
		nv_store8(j->marker, (uint64_t *)&state_media(j)->replay_seq,
			  (uint64_t)put_le64(replay));
	error = marker_store_checkpoint(checkpoint_store(j), checkpoint_bytes(j), j->member);
	if (error == -EAGAIN)
		return error;
	if (error)
		return journal_fail(j, error);
	atomic_fetch_add_explicit(&j->shared->checkpoints, 1, memory_order_relaxed);
	return 0;
}

/* ---- one at a time, of all processes -------------------------------------------- */

/*
 * The job, shared->checkpointer, is turn << 32 | who; it is there so that not all do
 * the same at once.  Nothing depends on it: who was stopped in the middle loses it,
 * and is late when he goes on.  Then his checkpoint does not come into force
 * (marker/file_slots.c), his release fails, since the turn is another's, and what he
 * frees is in the one that is in force.
 */
#define MOMENT_NS   100000
#define PATIENCE_NS 50000000ull

static bool checkpoint_take(struct journal *j, uint64_t word, uint64_t *turn)
{
	*turn = ((word >> 32) + 1) << 32 | j->member;
	return atomic_compare_exchange_strong(&j->shared->checkpointer, &word, *turn);
}

static void checkpoint_release(struct journal *j, uint64_t turn)
{
	(void)atomic_compare_exchange_strong(&j->shared->checkpointer, &turn,
					     turn >> 32 << 32);
}

/* whether all that had been stored when @drawn was the last generation is durable */
static bool checkpoint_covers(const struct journal *j, uint64_t drawn)
{
	return marker_store_generations(checkpoint_store(j)).in_force > drawn;
}

/* one who waits for the job */
struct checkpoint_wait {
	uint64_t end_ns;   /* from then on, one try is the last */
	uint64_t word;     /* the job, as it was last seen */
	uint64_t since_ns; /* it has been so */
};

/* Return: whether it may be taken: it is nobody's, or has been the same one's for long. */
static bool checkpoint_is_due(struct journal *j, struct checkpoint_wait *wait)
{
	uint64_t word = atomic_load(&j->shared->checkpointer), now = clock_monotonic_ns();

	if (word != wait->word) {
		wait->word = word;
		wait->since_ns = now;
	}
	return !(uint32_t)word || now - wait->since_ns > PATIENCE_NS || now > wait->end_ns;
}

/*
 * Until a checkpoint that was begun after @drawn is in force: ours or another's.
 * Return: 0; the sticky failure; or -EAGAIN: not now, for two are stopped or slow in
 * the middle of theirs.
 */
static int checkpoint_after(struct journal *j, uint64_t drawn)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	uint64_t now = clock_monotonic_ns(), turn;
	struct checkpoint_wait wait = { .end_ns = now + 2 * PATIENCE_NS, .since_ns = now };
	int error;

	while (!checkpoint_covers(j, drawn)) {
		if (checkpoint_is_due(j, &wait) && checkpoint_take(j, wait.word, &turn)) {
			error = checkpoint_write(j);
			checkpoint_release(j, turn);
			if (error != -EAGAIN || clock_monotonic_ns() > wait.end_ns)
				return error;
		}
		if (journal_failed(j))
			return journal_fail(j, -EIO);
		takeover_sweep(j, SWEEP_WAITING_NS);
		nanosleep(&moment, NULL);
	}
	return 0;
}

static void checkpoint_free_pending(struct journal *j)
{
	pthread_mutex_lock(&j->lines_lock);
	segments_note_pending(j);
	segments_free_pending(j);
	pthread_mutex_unlock(&j->lines_lock);
}

/* Context: lines_lock. */
static int checkpoint_locked(struct journal *j)
{
	uint64_t drawn;
	int error = j->bits_durable ? stand_in_open(j, journal_message(j)) : 0;

	if (error)
		return journal_fail(j, error);
	/*
	 * What is pending before a generation is drawn is in the map that is copied
	 * after, of that generation and of all higher ones.  So it may be freed, no
	 * matter whose is in force, and how late we are: if it was freed already, its
	 * use has changed.
	 */
	segments_note_pending(j);
	drawn = marker_store_generations(checkpoint_store(j)).drawn;
	error = checkpoint_after(j, drawn);
	if (!error)
		segments_free_pending(j);
	return error;
}

int checkpoint_try(struct journal *j)
{
	int error;

	if (health_bits_durable(j)) {
		/* what waits for one was retired while NVRAM was given up */
		if (segments_pending(j))
			checkpoint_free_pending(j);
		return 0;
	}
	pthread_mutex_lock(&j->lines_lock);
	error = checkpoint_locked(j);
	pthread_mutex_unlock(&j->lines_lock);
	return error;
}

int checkpoint_taker(struct journal *j)
{
	int error;

	if (health_bits_durable(j))
		return 0;
	if (pthread_mutex_trylock(&j->lines_lock))
		return -EAGAIN;
	error = checkpoint_locked(j);
	pthread_mutex_unlock(&j->lines_lock);
	return error;
}

int checkpoint(struct journal *j)
{
	int error = checkpoint_try(j);

	return error == -EAGAIN ? 0 : error;
}

void checkpoint_forget(struct journal *j, uint32_t who)
{
	uint64_t word = atomic_load(&j->shared->checkpointer);

	if (!checkpoint_store(j))
		return;
	marker_store_forget(checkpoint_store(j), who);
	if ((uint32_t)word == who)
		checkpoint_release(j, word);
}

/* ---- incarnations ------------------------------------------------------------------ */

static int incarnation_store(struct journal *j, uint64_t incarnation)
{
	uint64_t wanted = atomic_load(&j->shared->incarnation_wanted);

	if (incarnation >= UINT32_MAX)
		return journal_say(j, -EUCLEAN, "markers: the incarnation is used up");
	/* for a checkpoint that is written from the index */
	while (wanted < incarnation &&
	       !atomic_compare_exchange_weak(&j->shared->incarnation_wanted, &wanted, incarnation))
		;
	nv_store8(j->marker, (uint64_t *)&state_media(j)->incarnation,
		  (uint64_t)word_seal(incarnation));
	return 0;
}

int incarnation_set(struct journal *j, uint64_t incarnation)
{
	int error = incarnation_store(j, incarnation);

	if (!error)
		j->shared->incarnation = incarnation;
	return error;
}

/* Context: lines_lock. */
static int incarnation_checkpoint(struct journal *j)
{
	uint64_t drawn;
	int error = j->bits_durable ? stand_in_open(j, journal_message(j)) : 0;

	if (error)
		return error;
	drawn = marker_store_generations(checkpoint_store(j)).drawn;
	do
		error = checkpoint_after(j, drawn);
	while (error == -EAGAIN);
	return error;
}

static int incarnation_again(struct journal *j, uint64_t incarnation)
{
	uint64_t word = health_word_now(j);
	int error = 0;

	if (health_state_of(word) > HEALTH_TRUSTED)
		return 0;
	error = health_seen(j, word);
	if (!error)
		error = incarnation_store(j, incarnation + 1);
	if (!error && health_fence(j))
		error = journal_fail(j, -EIO);
	return error;
}

int incarnation_raise(struct journal *j, uint64_t incarnation)
{
	uint64_t seen, before = atomic_load(&j->shared->incarnation);
	int error = incarnation_store(j, incarnation);

	if (error)
		return error;
	/* before any id or sequence of the new incarnation can be in a record: they
	 * are other threads' too, whose fences do not wait for our store */
	seen = health_word_now(j);
	if (health_bits_durable(j))
		error = health_fence(j);
	else
		error = incarnation_checkpoint(j);
	if (error)
		return journal_fail(j, error);
	/* and then the others may see it */
	while (before < incarnation &&
	       !atomic_compare_exchange_weak(&j->shared->incarnation, &before, incarnation))
		;
	/* a medium that is gone back to meanwhile was made for one more than there were */
	return j->bits_durable && health_look(j) != seen ? incarnation_again(j, incarnation) : 0;
}
