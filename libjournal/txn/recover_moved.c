/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was moved to another slot (P2).  A crash in the middle of a move leaves two slots
 * with one id: the copy with more moves is taken, and the other slot is retired.  On the
 * medium that is done once the copy that was taken is durable, for it may be in the caches
 * of a process that was killed; and before anybody is served.
 */
#include <errno.h>
#include <stdlib.h>

#include "txn/line.h"
#include "txn/moved.h"
#include "txn/recover.h"

struct recover_moved {
	uint64_t **ids; /* by line; NULL: it is not one of moved ones */
	struct slot_place *losers;
	uint32_t loser_count, loser_room;
};

static struct recover_moved *recover_moved_make(struct recovery *r)
{
	if (!r->moved)
		r->moved = calloc(1, sizeof(*r->moved));
	if (r->moved && !r->moved->ids)
		r->moved->ids = calloc(r->j->geometry.lines, sizeof(*r->moved->ids));
	return r->moved && r->moved->ids ? r->moved : NULL;
}

void recover_moved_free(struct recovery *r)
{
	uint32_t line;

	for (line = 0; r->moved && r->moved->ids && line < r->j->geometry.lines; line++)
		free(r->moved->ids[line]);
	if (r->moved) {
		free(r->moved->ids);
		free(r->moved->losers);
	}
	free(r->moved);
}

void recover_moved_note(struct recovery *r, uint32_t line, uint32_t slot, uint64_t id)
{
	struct line *state = &r->j->lines[line];
	struct recover_moved *moved;

	if (id == id_make(state->number, slot))
		return;
	moved = recover_moved_make(r);
	if (moved && !moved->ids[line])
		moved->ids[line] = calloc(SLOTS_PER_LINE, sizeof(**moved->ids));
	if (!moved || !moved->ids[line]) {
		r->no_memory = true;
		return;
	}
	moved->ids[line][slot] = id;
	if (atomic_load(&state->flags) & LINE_MOVED)
		return;
	/* its slots are nobody's ids */
	atomic_fetch_or(&state->flags, LINE_MOVED);
	index_remove(r->j, state->number, line);
}

uint64_t recover_id(const struct recovery *r, uint32_t line, uint32_t slot)
{
	if (r->moved && r->moved->ids && r->moved->ids[line] && r->moved->ids[line][slot])
		return r->moved->ids[line][slot];
	/* of one that is lost with its record and its table the place is all that is known */
	return id_make(r->j->lines[line].number, slot);
}

/* ---- two slots with one id ---------------------------------------------------------- */

static bool recover_loser_keep(struct recovery *r, const struct slot_place *loser)
{
	struct recover_moved *moved = r->moved;
	uint32_t room = moved->loser_room ? moved->loser_room * 2 : 64;
	struct slot_place *grown;

	if (moved->loser_count == moved->loser_room) {
		grown = realloc(moved->losers, room * sizeof(*grown));
		if (!grown)
			return false;
		moved->losers = grown;
		moved->loser_room = room;
	}
	moved->losers[moved->loser_count++] = *loser;
	return true;
}

static bool recover_is_lost(const struct recovery *r, const struct slot_place *at)
{
	return where_kind(atomic_load(&slot_at(r->j, at)->where)) == WHERE_LOST;
}

/* One that verifies, of those the one with the most moves. */
static bool recover_is_better(const struct recovery *r, const struct slot_place *a,
			      const struct slot_place *b)
{
	if (recover_is_lost(r, a) || recover_is_lost(r, b))
		return recover_is_lost(r, b);
	return recover_moves(r, a->line, a->slot) >= recover_moves(r, b->line, b->slot);
}

static int recover_loses(struct recovery *r, const struct slot_place *loser)
{
	struct line *state = &r->j->lines[loser->line];
	uint64_t bit = 1ull << (loser->slot & 63);

	if (!recover_loser_keep(r, loser))
		return -ENOMEM;
	if (!recover_is_lost(r, loser))
		r->j->recovered.recovered--;
	recover_supersede(r, loser->line, loser->slot);
	atomic_fetch_or(&state->claimed[loser->slot / 64], bit);
	atomic_fetch_and(&state->committed[loser->slot / 64], ~bit);
	return 0;
}

/* Where else @id is by now. */
static bool recover_elsewhere(struct recovery *r, uint64_t id, struct slot_place *at)
{
	struct journal *j = r->j;
	struct moved m;

	if (moved_any(j) && !moved_find(j, id, &m)) {
		*at = m.at;
		return true;
	}
	*at = (struct slot_place){ id_number(id), index_find(j, id_number(id)), id_slot(id) };
	return at->line != NO_LINE && !slot_is_claimed(j, at) &&
	       j->lines[at->line].committed[at->slot / 64] >> (at->slot & 63) & 1;
}

static int recover_moved_slot(struct recovery *r, const struct slot_place *at)
{
	uint64_t id = recover_id(r, at->line, at->slot);
	struct moved_entry *entry;
	struct slot_place other;
	int error = 0;

	if (recover_elsewhere(r, id, &other)) {
		if (!recover_is_better(r, at, &other))
			return recover_loses(r, at);
		error = recover_loses(r, &other);
	}
	if (!error)
		error = moved_add(r->j, 1, id, at, &entry);
	if (!error)
		moved_put(entry, at);
	return error;
}

static int recover_moved_line(struct recovery *r, uint32_t line)
{
	struct line *state = &r->j->lines[line];
	struct slot_place at = { state->number, line, 0 };
	int error = 0;

	for (at.slot = 0; at.slot < SLOTS_PER_LINE && !error; at.slot++)
		if (state->committed[at.slot / 64] >> (at.slot & 63) & 1 &&
		    !slot_is_claimed(r->j, &at))
			error = recover_moved_slot(r, &at);
	return error;
}

int recover_moved(struct recovery *r)
{
	uint32_t line;
	int error = 0;

	if (r->no_memory)
		error = -ENOMEM;
	for (line = 0; line < r->j->shared->lines_used && r->moved && !error; line++)
		if (atomic_load(&r->j->lines[line].flags) & LINE_MOVED)
			error = recover_moved_line(r, line);
	return error ? journal_say(r->j, -ENOMEM, "no memory to recover") : 0;
}

void recover_moved_end(struct recovery *r)
{
	uint32_t i;

	for (i = 0; r->moved && i < r->moved->loser_count; i++)
		line_retire_bit(r->j, r->moved->losers[i].line, r->moved->losers[i].slot);
}
