/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines are in no order, ids are: a listing goes by a sorted copy of the lines'
 * numbers, and one of the ids that were moved to other lines.  They are made when a
 * listing begins and once more at its end, for what was opened meanwhile: numbers only
 * grow.  What is moved in between is found by its id, as ever.
 */
#include "txn/list.h"

#include <errno.h>
#include <stdlib.h>

#include "txn/moved.h"
#include "txn/read.h"

int list_make(struct journal *j)
{
	j->list.numbers = malloc(j->geometry.lines * sizeof(*j->list.numbers));
	return !j->list.numbers || pthread_mutex_init(&j->list.lock, NULL) ? -ENOMEM : 0;
}

void list_free(struct journal *j)
{
	free(j->list.numbers);
	free(j->list.moved);
}

static int list_order(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* Return: 0 or -ENOMEM; with what there was room for, then. */
static int list_copy_moved(struct journal *j)
{
	uint32_t found = moved_list(j, j->list.moved, j->list.moved_room), room;
	uint64_t *grown;
	int error = 0;

	while (found > j->list.moved_room) {
		room = found + found / 4 + 64;
		grown = realloc(j->list.moved, room * sizeof(*grown));
		if (!grown) {
			error = -ENOMEM;
			break;
		}
		j->list.moved = grown;
		j->list.moved_room = room;
		found = moved_list(j, j->list.moved, room);
	}
	j->list.moved_count = (uint32_t)min_u64(found, j->list.moved_room);
	if (j->list.moved_count)
		qsort(j->list.moved, j->list.moved_count, sizeof(*j->list.moved), list_order);
	return error;
}

static int list_copy(struct journal *j)
{
	uint64_t number;
	uint32_t line;

	j->list.count = 0;
	for (line = 0; line < j->shared->lines_used; line++) {
		number = atomic_load_explicit(&j->lines[line].number, memory_order_relaxed);
		if (number &&
		    !(atomic_load_explicit(&j->lines[line].flags, memory_order_relaxed) &
		      LINE_MOVED) &&
		    line_state_of(atomic_load_explicit(&j->lines[line].use,
								 memory_order_relaxed)) !=
				      LINE_FREE)
			j->list.numbers[j->list.count++] = number;
	}
	qsort(j->list.numbers, j->list.count, sizeof(*j->list.numbers), list_order);
	return moved_any(j) ? list_copy_moved(j) : 0;
}

/* the lowest that is above @value; 0: none */
static uint64_t list_above(const uint64_t *all, uint32_t count, uint64_t value)
{
	uint32_t low = 0, high = count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (all[middle] <= value)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count ? all[low] : 0;
}

/* the next line's number; 0: there is none */
static int list_next_number(struct journal *j, uint64_t number, uint64_t *next)
{
	int error = 0;

	*next = 0;
	pthread_mutex_lock(&j->list.lock);
	if (number)
		*next = list_above(j->list.numbers, j->list.count, number);
	if (!*next) {
		error = list_copy(j);
		*next = list_above(j->list.numbers, j->list.count, number);
	}
	pthread_mutex_unlock(&j->list.lock);
	return error;
}

static uint64_t list_next_moved(struct journal *j, uint64_t after)
{
	uint64_t next;

	pthread_mutex_lock(&j->list.lock);
	next = list_above(j->list.moved, j->list.moved_count, after);
	pthread_mutex_unlock(&j->list.lock);
	return next;
}

/* Retired, for certain: not moved since, nor its line another's by now. */
static bool list_is_dead(const struct journal *j, uint32_t line, uint64_t number, uint32_t slot)
{
	const struct line *state = &j->lines[line];

	return line != NO_LINE && atomic_load(&state->claimed[slot / 64]) >> (slot & 63) & 1 &&
	       !(atomic_load(&state->flags) & LINE_MOVING) &&
	       atomic_load(&state->number) == number;
}

int list_in_line(struct journal *j, uint64_t number, uint32_t slot,
		 struct journal_entry *entry)
{
	uint32_t line = index_find(j, number);
	struct found found;

	for (; slot < SLOTS_PER_LINE; slot++) {
		if (list_is_dead(j, line, number, slot))
			continue;
		if (found_look(j, id_make(number, slot), &found))
			continue;
		found_entry(&found, entry);
		return 0;
	}
	return -ENOENT;
}

/* The next one of which the line was there.  Return: 0, -ENOENT, or -ENOMEM. */
static int list_next_of_lines(struct journal *j, uint64_t after, struct journal_entry *entry)
{
	uint64_t number = id_number(after);
	uint32_t from = id_slot(after) + 1;
	int error;

	while (!number || list_in_line(j, number, from, entry)) {
		error = list_next_number(j, number, &number);
		if (error)
			return error;
		from = 0;
		if (!number)
			return -ENOENT;
	}
	return 0;
}

/* The next one that was moved, below @limit. */
static int list_next_of_moved(struct journal *j, uint64_t after, uint64_t limit,
			      struct journal_entry *entry)
{
	struct found found;

	for (;;) {
		after = list_next_moved(j, after);
		if (!after || after >= limit)
			return -ENOENT;
		if (found_look(j, after, &found))
			continue;
		found_entry(&found, entry);
		return 0;
	}
}

int journal_next(struct journal *j, uint64_t after, struct journal_entry *entry)
{
	int error;

	if (journal_is_childs(j))
		return journal_childs(j);
	error = list_next_of_lines(j, after, entry);
	if (error == -ENOMEM)
		return journal_say(j, error, "no memory to list what was moved");
	if (!moved_any(j))
		return error;
	return list_next_of_moved(j, after, error ? UINT64_MAX : entry->id, entry) && error ?
		       -ENOENT : 0;
}
