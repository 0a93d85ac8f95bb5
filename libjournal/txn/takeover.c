/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taking over.  Each step may be done twice, or be begun by one and ended by the
 * next: the taker may die, too.  tests/model/p7.pml and p7_lines.pml.
 *
 *  0. who copies to a leg of a mirrored log is told: log_copies_died().  What is done after
 *     it is on both legs, or will be copied.  Its checkpoint goes: the next steps make one,
 *     which finds no place where two of the dead keep theirs;
 *  1. lanes: takeover_lane.c;
 *  2. lines of its own: what it had begun will never be committed; retired durably,
 *     for the log may hold it whole;
 *  3. retires that it had claimed: ended;
 *  4. what it was moving to another line: takeover_move.c;
 *  5. cells; not before 3 and 4: they keep lines whose bits are still to be cleared;
 *  6. heads: takeover_head.c;
 *  7. what it held and no slot names: holds.h.  Not before 1, 2 and 4, which may publish
 *     what it had done;
 *  8. jobs; then its number is free.
 */
#include "txn/takeover.h"

#include <errno.h>
#include <stdlib.h>

#include "txn/cell.h"
#include "txn/checkpoint.h"
#include "txn/clean.h"
#include "txn/clock.h"
#include "txn/health.h"
#include "txn/holds.h"
#include "txn/line.h"
#include "txn/member.h"
#include "txn/mirror.h"
#include "txn/resize.h"
#include "txn/slots.h"
#include "txn/takeover_impl.h"

/* ---- lines ------------------------------------------------------------------- */

/* bits of @word below slot @limit of the line */
static uint64_t below(uint32_t word, uint32_t limit)
{
	return limit >= (word + 1) * 64 ? ~0ull :
	       limit <= word * 64       ? 0 :
					  (1ull << (limit & 63)) - 1;
}

/* What it has in the log is given up, once; whoever takes where away does it. */
static void place_drop(struct journal *j, uint32_t line, uint32_t slot)
{
	struct slot *entry = &j->slots[(size_t)line * SLOTS_PER_LINE + slot];
	uint64_t id = atomic_load(&j->lines[line].flags) & LINE_MOVED ?
			      0 : id_make(j->lines[line].number, slot);
	struct place place = { 0 };

	if (where_kind(atomic_load(&entry->where)) != WHERE_STAGE)
		slot_take(j, id, entry, &place);
	if (place.where)
		place_release(j, id, &place);
}

/* Slots that were taken and never published nor given up: their bits. */
static uint64_t undecided(const struct line *line, uint32_t word, uint32_t limit)
{
	return ~(atomic_load(&line->committed[word]) | atomic_load(&line->claimed[word])) &
	       below(word, limit);
}

static int takeover_slots(struct journal *j, uint32_t line, uint32_t limit)
{
	struct settled settled = { .turn = health_marks_turn(j) };
	struct line *state = &j->lines[line];
	uint32_t word;
	uint64_t bits, rest;
	int error = 0;

	for (word = 0; word < MARKER_LINE_WORDS; word++)
		for (bits = undecided(state, word, limit); bits; bits &= bits - 1)
			line_retire_bit(j, line, word * 64 + (uint32_t)__builtin_ctzll(bits));
	/* the bits before the claims: a copy in the log stays dead from here on */
	error = health_fence(j);
	if (error)
		return journal_fail(j, error);
	for (word = 0; word < MARKER_LINE_WORDS; word++) {
		bits = undecided(state, word, limit);
		for (rest = bits; rest; rest &= rest - 1)
			place_drop(j, line, word * 64 + (uint32_t)__builtin_ctzll(rest));
		atomic_fetch_or(&state->claimed[word], bits);
	}
	return j->bits_durable ? health_settle_line(j, line, &settled) : 0;
}

/* The cell keeps the line: one that the dead one filled may have been finished since,
 * and be another's, of whose slots nothing is known here. */
int takeover_line(struct journal *j, uint32_t line, uint64_t number, uint32_t limit)
{
	struct cell *cell = cell_take(j, line);
	bool same = atomic_load(&j->lines[line].number) == number;
	int error = same ? takeover_slots(j, line, limit) : 0;

	cell_drop(cell);
	if (same && !error)
		line_complete(j, line);
	return error;
}

/* The lines that it took slots from for direct and synced transactions. */
static int takeover_own(struct journal *j, uint32_t number)
{
	struct slots_from *own = &j->members[number].own;
	uint32_t line, used = j->shared->lines_used;
	uint64_t use;
	int error = 0;

	takeover_opening(j, own);
	for (line = 0; line < used && !error; line++) {
		/* before the owner: it is set before the line is open */
		use = atomic_load(&j->lines[line].use);
		if (line_state_of(use) != LINE_OPEN ||
		    atomic_load(&j->lines[line].owner) != number + 1)
			continue;
		error = takeover_line(j, line, use >> 2,
				      line == own->line ? own->next : SLOTS_PER_LINE);
	}
	if (!error)
		line_leave(j, own); /* it may have been half way to that */
	return error;
}

void takeover_opening(struct journal *j, struct slots_from *from)
{
	uint32_t line = atomic_load(&from->opening);
	uint64_t number = atomic_load(&from->opening_number);

	if (line == NO_LINE)
		return;
	if (atomic_load(&j->lines[line].use) == line_use(number, LINE_OPENING)) {
		atomic_store(&j->lines[line].number, 0);
		index_remove(j, number, line);
		line_unseize(j, from, line, number);
	}
	atomic_store(&from->opening, NO_LINE);
}

/* ---- retires ------------------------------------------------------------------ */

/* of a line, in one epoch: whose bits were made durable */
struct ended_line {
	uint64_t number; /* 0: nothing is known */
	uint64_t bits[MARKER_LINE_WORDS];
};

/* claimed, once committed */
static uint64_t ended_in(const struct journal *j, uint32_t line, uint32_t word)
{
	return atomic_load(&j->lines[line].committed[word]) &
	       atomic_load(&j->lines[line].claimed[word]);
}

/* Not yet retired on the medium; and what is may be so in the dead one's cache only, which
 * nobody else's fence waits for (P7). */
static uint64_t retires_of_word(struct journal *j, uint32_t line, uint32_t word)
{
	const uint64_t *retire = (const uint64_t *)&line_media(j, line)->retire[word];
	uint64_t ended = ended_in(j, line, word);
	uint64_t bits = ended & get_le64((__le64)__atomic_load_n(retire, __ATOMIC_ACQUIRE));

	for (; bits; bits &= bits - 1)
		line_retire_bit(j, line, word * 64 + (uint32_t)__builtin_ctzll(bits));
	if (ended)
		nv_flush(j->marker, retire, sizeof(*retire));
	return ended;
}

static void retires_of_line(struct journal *j, struct cell *cell, uint32_t line,
			    struct ended_line *ended)
{
	uint64_t number = atomic_load(&j->lines[line].number);
	const struct marker_line *media = line_media(j, line);
	uint32_t word;

	ended->number = 0;
	/* or it is recycled, and the bits are the next epoch's */
	cell_move(j, cell, line);
	if (!number || atomic_load(&j->lines[line].number) != number) {
		/* Or it is only tried, and not opened: all bits are cleared then, and of the
		 * last not every one is durable (tests/model/p7_lines.pml, BREAK_AWAY).  To
		 * flush what is another's does no harm. */
		nv_flush(j->marker, media->retire, sizeof(media->retire));
		return;
	}
	for (word = 0; word < MARKER_LINE_WORDS; word++)
		ended->bits[word] = retires_of_word(j, line, word);
	ended->number = number;
}

/* What retired ones still have in the log; the bits are durable by now: of those that were
 * claimed then.  Who claims since gives up what it has by himself, or is taken over, too. */
static void places_of_line(struct journal *j, struct cell *cell, uint32_t line,
			   const struct ended_line *ended)
{
	const struct slot *entry;
	uint32_t word, slot;
	uint64_t bits;

	cell_move(j, cell, line);
	if (!ended->number || atomic_load(&j->lines[line].number) != ended->number)
		return;
	for (word = 0; word < MARKER_LINE_WORDS; word++) {
		for (bits = ended->bits[word]; bits; bits &= bits - 1) {
			slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
			entry = &j->slots[(size_t)line * SLOTS_PER_LINE + slot];
			if (where_kind(atomic_load(&entry->where)) == WHERE_LOG ||
			    where_kind(atomic_load(&entry->where)) == WHERE_LOST)
				place_drop(j, line, slot);
		}
	}
}

/* Whose claims they are nobody knows: those of the living are ended with the others,
 * which does no harm. */
static int takeover_retires(struct journal *j)
{
	uint32_t line, used = j->shared->lines_used;
	struct ended_line *ended = malloc((used + 1ul) * sizeof(*ended));
	struct cell *cell;
	uint64_t word;
	int error;

	if (!ended)
		return journal_say(j, -ENOMEM, "no memory to take over from the dead");
	cell = cell_take(j, 0);
	do {
		word = health_word_now(j);
		error = j->bits_durable && health_state_of(word) <= HEALTH_TRUSTED ?
				health_seen(j, word) : 0;
		for (line = 0; line < used && !error; line++)
			retires_of_line(j, cell, line, &ended[line]);
		/* the bits, before the space that they free is written again */
		if (!error)
			error = health_fence(j);
		/* of the medium that counts by now */
	} while (!error && health_look(j) != word);
	for (line = 0; line < used && !error; line++)
		places_of_line(j, cell, line, &ended[line]);
	cell_drop(cell);
	free(ended);
	for (line = 0; line < used && !error; line++)
		line_complete(j, line);
	return error ? journal_fail(j, error) : 0;
}

/* ---- all of it ------------------------------------------------------------------ */

static void takeover_cells(struct journal *j, uint32_t number)
{
	uint32_t i;

	for (i = 0; i < CELLS; i++)
		if (atomic_load(&j->cells[i].hazard) >> 32 == number + 1)
			cell_drop(&j->cells[i]);
}

/* Whom it was taking over is found dead again: by its number nobody would, once that
 * is a living one's. */
static void takeover_passes_on(struct journal *j, uint32_t taker)
{
	uint64_t word;
	uint32_t i;

	for (i = 0; i < MEMBERS; i++) {
		word = atomic_load(&j->members[i].state);
		if ((word & 0xff) == MEMBER_TAKEN && member_taker(word) == taker)
			(void)atomic_compare_exchange_strong(&j->members[i].state, &word,
							     member_word(word, MEMBER_ALIVE, 0));
	}
}

static void takeover_jobs(struct journal *j, uint32_t number)
{
	clean_takeover(j, number + 1);
	atomic_store(&j->members[number].switching, 0);
	view_forget(j, number + 1);
	resize_takeover(j, number + 1);
	takeover_passes_on(j, number + 1);
}

int takeover_all(struct journal *j, uint32_t number)
{
	int lanes, error;

	mirror_takeover(j, number + 1);
	checkpoint_forget(j, number + 1);
	lanes = takeover_lanes(j, number);
	error = lanes == -EAGAIN ? 0 : lanes;
	if (!error)
		error = takeover_own(j, number);
	if (!error)
		error = takeover_retires(j);
	if (!error)
		error = takeover_moves(j, number);
	/*
	 * What it had begun was given up in the index, and may be whole in the log: where bits
	 * are not durable by themselves, a checkpoint says so before anybody goes on in the log.
	 * Each who takes over makes one: who did before us may have died on the way.
	 */
	if (!error)
		error = checkpoint_taker(j);
	if (error)
		return error;
	takeover_cells(j, number);
	error = takeover_heads(j, number);
	if (!error)
		error = shared_holds_ready(j, number); /* it may have died before it had */
	if (error)
		return error;
	holds_takeover(j, number);
	takeover_jobs(j, number);
	return lanes;
}

/* Of all who find it dead, one takes over. */
static bool takeover_claim(struct journal *j, uint32_t number)
{
	struct member *m = &j->members[number];
	uint64_t state = atomic_load(&m->state);
	uint64_t mine = member_word(state, MEMBER_TAKEN, j->member);

	switch (state & 0xff) {
	case MEMBER_STARTING:
	case MEMBER_ALIVE:
		if (!member_is_dead(j, number))
			return false;
		break;
	case MEMBER_TAKEN: /* by one who died in turn */
		if (member_taker(state) == j->member ||
		    !member_is_dead(j, member_taker(state) - 1))
			return false;
		break;
	default:
		return false;
	}
	return atomic_compare_exchange_strong(&m->state, &state, mine);
}

static bool takeover_member(struct journal *j, uint32_t number)
{
	struct member *m = &j->members[number];
	/* between taking its number and its lock the living look dead, too: they take another
	 * number, and had nothing yet */
	bool began = member_state_of(j, number) != MEMBER_STARTING;

	if (!takeover_claim(j, number))
		return false;
	if (takeover_all(j, number)) {
		/* for want of memory, or while NVRAM is being given up: later, or by another */
		atomic_store(&m->state, member_word(m->state, MEMBER_ALIVE, 0));
		return false;
	}
	count(j->counters, COUNT_TAKEOVERS, began);
	atomic_store(&m->identity, 0);
	atomic_store(&m->state, member_word(m->state, MEMBER_FREE, 0));
	return began;
}

static bool takeover_due(struct journal *j, uint64_t rest_ns)
{
	uint64_t now = clock_monotonic_ns(), before = atomic_load(&j->shared->swept_ns);

	return now - before >= rest_ns &&
	       atomic_compare_exchange_strong(&j->shared->swept_ns, &before, now);
}

uint32_t takeover_sweep(struct journal *j, uint64_t rest_ns)
{
	uint32_t number, taken = 0;

	if (!shared_is_shared(&j->shared_file) || journal_failed(j) || !takeover_due(j, rest_ns))
		return 0;
	for (number = 0; number < MEMBERS; number++)
		if (number + 1 != j->member && member_state_of(j, number) != MEMBER_FREE)
			taken += takeover_member(j, number);
	return taken;
}
