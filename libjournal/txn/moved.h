/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where transactions are that were moved to another line.  An id is line epoch and
 * slot, and leads there without anything else; once a transaction lives in another
 * slot, this table says in which.  Whoever does not find an id by itself, or claims a
 * slot in a line that something is moved out of, looks here; nobody else does.
 *
 * An entry has two places (P2, tests/model/p2.pml): where the transaction is, and the
 * other one: announced for it, or left by it and not yet durably retired.  Both change
 * with one store.  An entry is written by the one job of the cleaner that has claimed
 * the line of its id (struct line, mover), or by who takes over from it; of several jobs
 * one takes an entry for a new id, by compare-and-swap.  Readers take no lock.
 *
 * It grows by levels, each four times the one before, of buckets in which an id has its
 * place or not.  All of them together hold more than there are slots.
 */
#ifndef TXN_MOVED_H
#define TXN_MOVED_H

#include "txn/journal_impl.h"

#define MOVED_LEVELS_MAX 11u

/* a slot in one epoch of its line; line NO_LINE: none */
struct slot_place {
	uint64_t number;
	uint32_t line, slot;
};

/*
 * places: at 30 | other 30 | parity 1 | changes 3.  A place is line << 9 | slot, and
 * one more; 0: none.  number[parity] is the epoch of the line that it is at.
 * The changes are for readers who sleep in between.
 */
struct moved_entry {
	_Atomic uint64_t id; /* 0: free; up to CLEAN_JOBS: that job takes it */
	_Atomic uint64_t places;
	_Atomic uint64_t number[2];
};

/* a consistent copy */
struct moved {
	struct moved_entry *entry;
	uint64_t id;
	struct slot_place at, other;
};

static inline bool moved_any(const struct journal *j)
{
	return atomic_load_explicit(&j->shared->moved_levels, memory_order_acquire);
}

static inline bool slot_place_same(const struct slot_place *a, const struct slot_place *b)
{
	return a->line == b->line && a->slot == b->slot && a->number == b->number;
}

/* its line is in that epoch.  Context: a cell on the line, or it is only a guess */
static inline bool slot_place_valid(const struct journal *j, const struct slot_place *place)
{
	return place->line != NO_LINE &&
	       atomic_load(&j->lines[place->line].number) == place->number;
}

static inline bool slot_is_claimed(const struct journal *j, const struct slot_place *place)
{
	return atomic_load(&j->lines[place->line].claimed[place->slot / 64]) >>
		       (place->slot & 63) & 1;
}

static inline struct slot *slot_at(const struct journal *j, const struct slot_place *place)
{
	return &j->slots[(size_t)place->line * SLOTS_PER_LINE + place->slot];
}

/* Return: 0, or -ENOENT it was never moved, or has long been retired */
int moved_find(const struct journal *j, uint64_t id, struct moved *m);
/* where it is, and lives; or NULL */
struct slot *moved_live(const struct journal *j, uint64_t id);

/* bytes of the table, and how many levels it may get */
uint64_t moved_table_bytes(uint32_t lines);
uint32_t moved_levels_max(uint32_t lines);

/* ---- Context: the cleaner's job, or recovery ---- */

/**
 * moved_add() - the entry of @id, which is at @at if it is a new one
 * @job: its number + 1; recovery: 1
 * Return: 0, or -ENOMEM with the text.
 */
int moved_add(struct journal *j, uint32_t job, uint64_t id, const struct slot_place *at,
	      struct moved_entry **entry);
/* the other place, of which there is none */
void moved_announce(struct moved_entry *entry, const struct slot_place *to);
/* it is at its other place, and the other one is where it was */
void moved_publish(struct moved_entry *entry);
/* there is no other place any more */
void moved_settle(struct moved_entry *entry);

/* recovery: it is there and nowhere else */
void moved_put(struct moved_entry *entry, const struct slot_place *at);

/* what a dead @job was about to take is free again */
void moved_free_taken(struct journal *j, uint32_t job);

/* from one to the next that has another place, @after NULL: the first; NULL: none.
 * Context: as above */
struct moved_entry *moved_unsettled(const struct journal *j, const struct moved_entry *after,
				    struct moved *m);

/* ids that are in the table and may live, in no order, @room of them at most; Return:
 * how many there are */
uint32_t moved_list(const struct journal *j, uint64_t *ids, uint32_t room);

#endif
