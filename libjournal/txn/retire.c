/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Retiring.  With durable bits:
 *
 *  1. claim the slot: of two who retire one id, one wins, the other is told
 *     -ENOENT; readers stop finding it;
 *  2. clear the retire bit on the medium; fence: the durable point;
 *  3. give up the place it had in the log.  Whoever claimed the last slot of a
 *     line frees the line; it is not recycled before every claimed bit is
 *     cleared, and recycling has fences of its own (P1).
 *
 * Without (P11): the bit is cleared in the map, which the next checkpoint
 * makes durable, and a retire record in the stream is the durable point.  The
 * bit goes first, so that a checkpoint which ends the replay of the segment
 * with the record already holds it.
 */
#include <errno.h>
#include <stdlib.h>

#include "txn/ended.h"
#include "txn/health.h"
#include "txn/retire_impl.h"
#include "txn/times.h"

/*
 * Claim it and clear its bit, not yet durably.  The cell keeps the line from being
 * recycled until the bit is cleared: who takes over from the dead clears the bits
 * of all that are claimed, and then nothing else would tell that ours is still to
 * be cleared (P2; tests/model/p7_lines.pml, BREAK_CELL_EARLY).
 * Return: whether it was in the slot that its id names.
 */
static bool retire_at_home(struct journal *j, struct retired *r)
{
	struct slot_place *at = &r->one.at;
	struct line *state;
	struct cell *cell;

	at->line = at->number ? index_find(j, at->number) : NO_LINE;
	if (at->line == NO_LINE)
		return false;
	state = &j->lines[at->line];
	cell = cell_take(j, at->line);
	r->one.claimed = slot_place_valid(j, at) &&
			 retire_claim(state, at->slot, &r->one.completes);
	if (r->one.claimed) {
		/* seq_cst, after the claim: who moves it sets the flag, announces the
		 * other slot, and looks at the claim */
		if (atomic_load(&state->flags) & LINE_MOVING)
			retire_other(j, r);
		retire_take(j, r->id, slot_at(j, at), &r->one.place);
		line_retire_bit(j, at->line, at->slot);
	}
	cell_drop(cell);
	return r->one.claimed;
}

/* Return: 0, or -ENOENT it is not there, or somebody else has claimed it. */
static int retire_begin(struct journal *j, uint64_t id, struct retired *r)
{
	r->id = id;
	r->one.at.number = id_number(id);
	r->one.at.slot = id_slot(id);
	r->other.at.line = NO_LINE;
	r->another = false;
	if (retire_at_home(j, r))
		return 0;
	return moved_any(j) ? retire_moved(j, r) : -ENOENT;
}

static void retire_slot_done(struct journal *j, uint64_t id, struct retired_slot *slot)
{
	if (!slot->claimed)
		return;
	place_release(j, id, &slot->place);
	if (slot->completes)
		line_word_done(j, slot->at.line, slot->at.number);
}

/* Durably retired: its bytes in the log may go, and its slot counts as dead. */
static void retire_done(struct journal *j, struct retired *r)
{
	retire_slot_done(j, r->id, &r->one);
	if (r->other.at.line != NO_LINE)
		retire_slot_done(j, r->id, &r->other);
}

/* It is not known whether it is, and will not be by us. */
static void retire_forget(struct retired *r)
{
	if (r->one.claimed)
		place_forget(&r->one.place);
	if (r->other.at.line != NO_LINE && r->other.claimed)
		place_forget(&r->other.place);
}

/* Before anything is claimed: a medium that is gone back to can be seen from here. */
static int retire_allowed(struct journal *j)
{
	uint64_t word = health_word_now(j);

	if (journal_is_childs(j))
		return journal_childs(j);
	if (j->read_only)
		return journal_say(j, -EROFS, "the journal is open read-only");
	if (journal_failed(j))
		return journal_fail(j, -EIO);
	return j->bits_durable && health_state_of(word) <= HEALTH_TRUSTED ?
		       health_seen(j, word) : 0;
}

static int retire_unknown(struct journal *j, uint64_t id)
{
	char text[JOURNAL_ID_CHARS];

	journal_id_print(id, text);
	return journal_say(j, -ENOENT, "%s: no such transaction, or already retired", text);
}

/* all that one call ends */
struct retire_set {
	struct retired *all;
	size_t count;
	struct ended *ended; /* room for two slots of each */
	uint64_t unknown; /* one that was not found, for the text */
	bool some_unknown;
};

static void retire_begin_all(struct journal *j, const uint64_t *ids, size_t want, int *results,
			     struct retire_set *set)
{
	size_t i;
	int error;

	for (i = 0; i < want; i++) {
		struct retired *r = &set->all[set->count];

		error = retire_begin(j, ids[i], r);
		set->count += !error;
		if (!error && r->another)
			error = -ENOENT;
		if (results)
			results[i] = error;
		if (error) {
			set->unknown = ids[i];
			set->some_unknown = true;
		}
	}
}

/* By records: without durable bits, or when NVRAM is given up, whether a list names it or
 * not.  Each slot is named, in whatever state its line is. */
static int retire_by_records(struct journal *j, const struct retire_set *set)
{
	const struct retired *r;
	size_t i, count = 0;

	for (i = 0; i < set->count; i++) {
		r = &set->all[i];
		set->ended[count++] = (struct ended){ r->id, r->one.at };
		if (r->other.at.line != NO_LINE)
			set->ended[count++] = (struct ended){ r->id, r->other.at };
	}
	return ended_by_records(j, set->ended, count);
}

/* The bits of all, on the medium of @word; one that is done twice does no harm. */
static int retire_marks(struct journal *j, const struct retire_set *set, uint64_t word,
			struct settled *settled)
{
	struct settled each;
	const struct retired *r;
	uint32_t lines[2];
	size_t i;
	int error = 0;

	for (i = 0; i < set->count && !error; i++) {
		r = &set->all[i];
		lines[0] = r->one.at.line;
		lines[1] = r->other.at.line;
		each = *settled;
		error = health_marks(j, word, lines, 1 + (lines[1] != NO_LINE), &each);
		if (each.turn != health_turn(word))
			return error; /* not even one */
	}
	settled->turn = health_turn(word);
	return error;
}

/* After they are claimed (P14): else they would be in the list of what lives, or on the
 * medium that is gone back to. */
static int retire_settle(struct journal *j, const struct retire_set *set, struct settled *s)
{
	uint64_t word = health_look(j);
	int error = 0;

	while (!error && (settled_wants_log(s, word) || settled_wants_marks(s, word))) {
		if (settled_wants_log(s, word)) {
			error = retire_by_records(j, set);
			s->logged = true;
		}
		if (!error && settled_wants_marks(s, word))
			error = retire_marks(j, set, word, s);
		word = health_look(j);
	}
	return error;
}

static int retire_set_durably(struct journal *j, const struct retire_set *set, uint64_t turn)
{
	struct settled settled = { .turn = turn };
	int error;

	if (!j->bits_durable)
		return retire_by_records(j, set);
	/* all the bits before the acknowledgement */
	error = turn ? health_fence(j) : 0;
	/* claimed, they are found no more: what cannot be told of them is not "nothing happened" */
	return error ? journal_fail(j, error) :
		       journal_undecided(j, retire_settle(j, set, &settled));
}

static void retire_set_free(struct retire_set *set)
{
	free(set->ended);
	free(set->all);
}

/* before anything is claimed: there is no way back then */
static int retire_set_make(struct journal *j, size_t want, struct retire_set *set)
{
	set->all = malloc(want * sizeof(*set->all));
	set->ended = malloc(want * 2 * sizeof(*set->ended));
	if (set->all && set->ended)
		return 0;
	retire_set_free(set);
	return journal_say(j, -ENOMEM, "no memory to retire %zu transactions", want);
}

/* with I/O each is timed */
static void retire_timed(struct journal *j, uint64_t began, uint64_t turn)
{
	if (turn)
		times_some_end(j, JOURNAL_TIMED_RETIRE, began);
	else
		times_end(j, JOURNAL_TIMED_RETIRE, began);
}

int journal_retire_many(struct journal *j, const uint64_t *ids, size_t want, int *results)
{
	struct retire_set set = { 0 };
	int error = retire_allowed(j);
	uint64_t began, turn;
	size_t i;

	if (error || !want)
		return error;
	turn = health_marks_turn(j);
	began = turn ? times_some(j) : clock_monotonic_ns();
	error = retire_set_make(j, want, &set);
	if (error)
		return error;
	retire_begin_all(j, ids, want, results, &set);
	if (set.count)
		error = retire_set_durably(j, &set, turn);
	for (i = 0; i < set.count; i++)
		if (error)
			retire_forget(&set.all[i]);
		else
			retire_done(j, &set.all[i]);
	if (!error && set.count)
		retire_timed(j, began, turn);
	retire_set_free(&set);
	if (!error && set.some_unknown)
		error = retire_unknown(j, set.unknown);
	return error;
}

/* ---- one ---- */

static int retire_one_by_bit(struct journal *j, uint64_t id, uint64_t turn)
{
	uint64_t began = times_some(j);
	struct ended ended[2];
	struct retired r;
	const struct retire_set set = { .all = &r, .count = 1, .ended = ended };
	int error;

	if (retire_begin(j, id, &r))
		return retire_unknown(j, id);
	error = retire_set_durably(j, &set, turn);
	if (error) {
		retire_forget(&r);
		return error;
	}
	retire_done(j, &r);
	times_some_end(j, JOURNAL_TIMED_RETIRE, began);
	return r.another ? retire_unknown(j, id) : 0;
}

int journal_retire(struct journal *j, uint64_t id)
{
	int error = retire_allowed(j);
	uint64_t turn;

	if (error)
		return error;
	turn = health_marks_turn(j);
	if (turn)
		return retire_one_by_bit(j, id, turn);
	return journal_retire_many(j, &id, 1, NULL);
}
