/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/segment.h"

#include <errno.h>

#include "txn/checkpoint.h"
#include "txn/clean.h"
#include "txn/head.h"
#include "txn/health.h"
#include "txn/reserve.h"
#include "txn/segment_seal.h"
#include "txn/takeover.h"

/* ---- the bits that say which segments may be free ---------------------------- */

static void segment_offer(struct journal *j, const struct segment *segment)
{
	atomic_fetch_or(&j->free_segments[segment->number / 64], 1ull << (segment->number & 63));
	/* last: whoever counts on one finds it offered */
	atomic_fetch_add(&j->shared->segments_free, 1);
}

static bool segment_count_down(struct journal *j, uint32_t keep)
{
	uint32_t free_count = atomic_load(&j->shared->segments_free);

	do
		if (free_count <= keep)
			return false;
	while (!atomic_compare_exchange_weak(&j->shared->segments_free, &free_count,
					     free_count - 1));
	return true;
}

static void segment_out(struct segment *segment)
{
	uint64_t use = atomic_load(&segment->use);

	if (segment_state_of(use) == SEGMENT_FREE)
		(void)atomic_compare_exchange_strong(&segment->use, &use,
						     segment_use(use >> 32, SEGMENT_OUT, 0));
}

/* One that somebody has counted on is taken out by him: segment_pop(). */
void segment_withdraw(struct journal *j, struct segment *segment)
{
	uint64_t bit = 1ull << (segment->number & 63);
	_Atomic uint64_t *word = &j->free_segments[segment->number / 64];

	if (!(atomic_load(word) & bit) || !segment_count_down(j, 0))
		return;
	if (atomic_fetch_and(word, ~bit) & bit)
		segment_out(segment);
	else
		atomic_fetch_add(&j->shared->segments_free, 1);
}

/* It is free, and in state SEGMENT_FREE.  Its log may go out of use just now: who
 * marks it so withdraws all, then, and we look after we have offered this one. */
static void segment_freed(struct journal *j, struct segment *segment)
{
	segment_offer(j, segment);
	if (segment_is_out(j, segment))
		segment_withdraw(j, segment);
}

void segment_offered_again(struct journal *j, struct segment *segment)
{
	segment_freed(j, segment);
}

static struct segment *segment_offered_in(struct journal *j, uint32_t log, uint32_t word,
					  uint64_t mask)
{
	uint64_t bit, bits = atomic_load_explicit(&j->free_segments[word], memory_order_relaxed) &
			     mask;
	struct segment *segment;

	for (; bits; bits &= bits - 1) {
		segment = &j->segments.all[word * 64 + (uint32_t)__builtin_ctzll(bits)];
		bit = bits & -bits;
		if (segment->log == log && atomic_fetch_and(&j->free_segments[word], ~bit) & bit)
			return segment;
	}
	return NULL;
}

/* The next one of @log that is offered, round and round: the disk is written in order. */
static struct segment *segment_offered_on(struct journal *j, uint32_t log)
{
	uint32_t end = segments_end(j), hint = atomic_load(&j->shared->segment_hint[log]) % end;
	uint32_t i, word, words = (end + 63) / 64;
	struct segment *segment;
	uint64_t mask;

	for (i = 0; i <= words; i++) {
		word = (hint / 64 + i) % words;
		/* of the hint's own word, first what is above it, at the end the rest */
		mask = !i ? ~0ull << (hint & 63) : i == words ? ~(~0ull << (hint & 63)) : ~0ull;
		segment = segment_offered_in(j, log, word, mask);
		if (!segment)
			continue;
		atomic_store(&j->shared->segment_hint[log], segment->number + 1);
		return segment;
	}
	return NULL;
}

/* Several logs by turns, whatever their numbers are; who opens the journal for one message
 * begins with another one than who did so before.  @log: that one first; or NO_LOG */
static struct segment *segment_offered(struct journal *j, uint32_t log)
{
	uint32_t logs = logs_end(j), turn = 0, i;
	struct segment *segment = NULL;

	if (log != NO_LOG && log < logs)
		segment = segment_offered_on(j, log);
	if (logs > 1 && !segment)
		turn = atomic_fetch_add(&j->shared->log_turn, 1) +
		       (uint32_t)atomic_load(&j->shared->incarnation);
	for (i = 0; i < logs && !segment; i++)
		segment = segment_offered_on(j, (turn + i) % logs);
	return segment;
}

/* ---- dying ---------------------------------------------------------------------- */

/* Nothing of a sealed segment is live: free, or free after a checkpoint.  Of all who
 * see that, one changes the use that they saw. */
static void segment_dead(struct journal *j, struct segment *segment, uint64_t use)
{
	enum segment_state state = health_bits_durable(j) ? SEGMENT_FREE : SEGMENT_PENDING;

	if (segment_state_of(use) != SEGMENT_SEALED || segment_live_of(use) ||
	    !atomic_compare_exchange_strong(&segment->use, &use,
					    segment_use(use >> 32, state, 0)))
		return;
	count(j->counters, COUNT_SEGMENTS, 1);
	if (state == SEGMENT_FREE)
		segment_freed(j, segment);
	else
		atomic_fetch_add(&j->shared->segments_pending, 1);
}

void segment_release(struct journal *j, struct segment *segment, uint32_t transactions)
{
	uint64_t use = atomic_fetch_sub(&segment->use, transactions);

	JASSERT(segment_live_of(use) >= transactions);
	segment_dead(j, segment, use - transactions);
}

bool segment_keep(struct segment *segment)
{
	uint64_t use = atomic_load(&segment->use);

	do
		if (segment_state_of(use) != SEGMENT_SEALED || !segment_live_of(use))
			return false;
	while (!atomic_compare_exchange_weak(&segment->use, &use, use + 1));
	return true;
}

/* What is free behind the records was too small for the next one, and would be so
 * elsewhere, too: no gain, or the same would be moved for ever.  But a segment that
 * an open has sealed early is mostly room. */
void segment_filled(const struct journal *j, struct segment *segment, uint32_t end,
		    uint32_t record_bytes, uint32_t transactions)
{
	/* a small one that was synced alone has a block for itself, and is moved without */
	segment_measure(segment, record_bytes ? record_bytes : end, transactions);
	atomic_store(&segment->used_bytes,
		     end < j->segment_bytes / 2 ? (uint32_t)j->segment_bytes : end);
}

void segment_sealed(struct journal *j, struct segment *segment)
{
	uint64_t use = atomic_load(&segment->use), sealed;

	do
		sealed = segment_use(use >> 32, SEGMENT_SEALED, segment_live_of(use));
	while (!atomic_compare_exchange_weak(&segment->use, &use, sealed));
	segment_dead(j, segment, sealed);
}

void segments_note_pending(struct journal *j)
{
	uint32_t i;

	for (i = 0; i < segments_end(j); i++)
		j->pending_uses[i] = atomic_load(&j->segments.all[i].use);
}

void segments_free_pending(struct journal *j)
{
	struct segment *segment;
	uint64_t use;
	uint32_t i;

	for (i = 0; i < segments_end(j); i++) {
		segment = &j->segments.all[i];
		use = j->pending_uses[i];
		if (segment_state_of(use) != SEGMENT_PENDING ||
		    !atomic_compare_exchange_strong(&segment->use, &use,
						    segment_use(use >> 32, SEGMENT_FREE, 0)))
			continue;
		atomic_fetch_sub(&j->shared->segments_pending, 1);
		segment_freed(j, segment);
	}
}

void segment_adopt(struct segment *segment)
{
	atomic_store(&segment->use, segment_use(1, SEGMENT_OPEN, 0));
}

void segment_free(struct journal *j, struct segment *segment)
{
	atomic_store(&segment->use, segment_use(1, SEGMENT_FREE, 0));
	segment_freed(j, segment);
}

/* ---- taking ---------------------------------------------------------------------- */

static struct segment *segment_pop(struct journal *j, struct head *head, bool reserved)
{
	uint32_t keep = reserved ? 0 : segments_reserve(j);
	struct segment *segment;
	uint64_t use;

	if (!segment_count_down(j, keep))
		return NULL;
	for (;;) {
		segment = segment_offered(j, head->log);
		if (!segment)
			break;
		if (segment_is_out(j, segment)) {
			segment_out(segment);
			if (!segment_count_down(j, keep)) /* that was the one we counted on */
				return NULL;
			continue;
		}
		use = atomic_load(&segment->use);
		/* who is killed after this leaves a note of what it opened, and in which turn:
		 * given back, it may be another's before the note is gone */
		atomic_store(&head->s->opening,
			     ((use >> 32) + 1) << 32 | (segment->number + 1));
		if (segment_state_of(use) == SEGMENT_FREE &&
		    atomic_compare_exchange_strong(&segment->use, &use,
						   segment_use((use >> 32) + 1, SEGMENT_OPEN, 0)))
			return segment;
	}
	/* somebody died between counting and offering */
	atomic_store(&head->s->opening, 0);
	atomic_fetch_add(&j->shared->segments_free, 1);
	return NULL;
}

int segments_full(struct journal *j)
{
	if (!logs_left(j)) /* the last one fails just now */
		return journal_fail(j, -EIO);
	return journal_say(j, -ENOSPC, "log: full: %u of %u segments hold transactions "
			   "that are not retired, the rest is set aside to retire "
			   "and destage them",
			   segments_usable(j) - j->shared->segments_free, segments_usable(j));
}

int segments_admit(struct journal *j)
{
	int error = 0;

	/* not when the stream takes one: see there */
	if (health_is_file(j))
		clean_ahead(j);
	if (!reserve_broken(j))
		return 0;
	takeover_sweep(j, SWEEP_WAITING_NS);
	if (heads_shed(j) && !reserve_broken(j))
		return 0;
	if (segments_pending(j))
		error = checkpoint(j);
	while (!error && reserve_broken(j) && clean_for_room(j))
		if (segments_pending(j))
			error = checkpoint(j);
	if (error)
		return error;
	return reserve_broken(j) ? segments_full(j) : 0;
}

/* The order of uses, drawn by one after the other.  A checkpoint replays from the
 * oldest use that is open: so it must know of this one before it can be seen. */
static void segment_draw(struct journal *j, struct head *head, struct segment *segment,
			 enum log_segment_kind kind)
{
	atomic_store(&head->s->floor, atomic_load(&j->shared->next_seq));
	segment->seq = atomic_fetch_add(&j->shared->next_seq, 1);
	segment->kind = kind;
	segment->seed = log_seed(j->geometry.nonce, segment->number, segment->seq);
}

/* As they are: of the count, one who was killed may have left too much. */
static bool segments_some_pending(const struct journal *j)
{
	uint32_t i;

	if (!segments_pending(j))
		return false;
	for (i = 0; i < segments_end(j); i++)
		if (segment_state_of(atomic_load(&j->segments.all[i].use)) == SEGMENT_PENDING)
			return true;
	return false;
}

/*
 * Make some free.  Who has retired in the map, and needs room for the record of it,
 * cannot go back any more: he waits while two others are stopped in the middle of their
 * checkpoints, for without the record all would be over.
 * Return: whether to look again.
 */
static bool segments_regain(struct journal *j, bool reserved, bool cleans, int *error)
{
	if (heads_shed(j))
		return true;
	if (!segments_some_pending(j))
		return cleans && clean_for_room(j);
	do
		*error = checkpoint_try(j);
	while (*error == -EAGAIN && reserved);
	if (*error != -EAGAIN)
		return true;
	*error = 0;
	return false;
}

static int segment_take_free(struct journal *j, struct head *head, bool reserved, bool cleans,
			     struct segment **segment)
{
	int error = 0;

	*segment = segment_pop(j, head, reserved);
	while (!*segment && segments_regain(j, reserved, cleans, &error)) {
		if (error)
			return error;
		*segment = segment_pop(j, head, reserved);
	}
	error = *segment ? 0 : segments_full(j);
	JASSERT(*segment || error);
	return error;
}

/* What is reserved is for those that nobody may wait for.  The cleaner does not clean to
 * have room to clean.  Where the markers are a file it writes records of retires to the stream: so
 * not while that is waiting for the segment. */
static bool segment_take_cleans(const struct journal *j, enum head_kind kind, bool reserved)
{
	return !reserved && !head_is_cleaners(kind) &&
	       (!health_is_file(j) || kind == HEAD_EXTENTS);
}

int segment_take(struct journal *j, struct head *head, enum head_kind kind, bool reserved,
		 struct segment **out)
{
	bool cleans = segment_take_cleans(j, kind, reserved);
	struct segment *segment;
	int error = 0;

	if (cleans)
		clean_ahead(j);
	do {
		error = segment_take_free(j, head, reserved, cleans, &segment);
		if (error)
			return error;
		segment_draw(j, head, segment,
			     kind == HEAD_EXTENTS ? LOG_EXTENTS : LOG_STREAM);
		error = segment_write_header(j, head, segment);
		if (error) {
			segment_give_back(j, segment);
			atomic_store(&head->s->opening, 0);
			atomic_store(&head->s->floor, 0);
		}
	} while (error == LOG_OUT);
	*out = segment;
	return error;
}

void segment_give_back(struct journal *j, struct segment *segment)
{
	uint64_t use = atomic_load(&segment->use);

	atomic_store(&segment->use, segment_use(use >> 32, SEGMENT_FREE, 0));
	segment_freed(j, segment);
}

static uint64_t segment_limit(const struct journal *j, uint32_t entries)
{
	uint64_t table = round_up((uint64_t)entries * sizeof(struct summary_entry),
				  j->block_bytes);

	return j->segment_bytes - j->digest_bytes - table;
}

bool segment_fits(const struct journal *j, const struct head *head, uint32_t offset,
		  uint64_t bytes, uint32_t entries)
{
	const struct notes_counts *counts = &head->s->notes;

	/* one record brings one line at most */
	return counts->lines < head->notes.line_max &&
	       round_up(offset + bytes, j->block_bytes) <=
		       segment_limit(j, counts->entries + entries);
}

uint64_t segment_room(const struct journal *j)
{
	return segment_limit(j, JOURNAL_GROUP_MAX) - j->block_bytes;
}
