/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines are in no order, ids are: a listing goes by a sorted copy of the lines'
 * numbers.  It is made when a listing begins and once more at its end, for
 * what was opened meanwhile: numbers only grow.
 */
#include "txn/list.h"

#include <errno.h>
#include <stdlib.h>

#include "txn/read.h"

int list_make(struct journal *j)
{
	j->list.numbers = malloc(j->geometry.lines * sizeof(*j->list.numbers));
	return !j->list.numbers || pthread_mutex_init(&j->list.lock, NULL) ? -ENOMEM : 0;
}

void list_free(struct journal *j)
{
	free(j->list.numbers);
}

static int list_order(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static void list_copy(struct journal *j)
{
	uint64_t number;
	uint32_t line;

	j->list.count = 0;
	for (line = 0; line < j->shared->lines_used; line++) {
		number = atomic_load_explicit(&j->lines[line].number, memory_order_relaxed);
		if (number && line_state_of(atomic_load_explicit(&j->lines[line].use,
								 memory_order_relaxed)) !=
				      LINE_FREE)
			j->list.numbers[j->list.count++] = number;
	}
	qsort(j->list.numbers, j->list.count, sizeof(*j->list.numbers), list_order);
}

/* the lowest number above @number in the copy; 0: none */
static uint64_t list_above(const struct journal *j, uint64_t number)
{
	uint32_t low = 0, high = j->list.count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (j->list.numbers[middle] <= number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < j->list.count ? j->list.numbers[low] : 0;
}

static uint64_t list_next_number(struct journal *j, uint64_t number)
{
	uint64_t next = 0;

	pthread_mutex_lock(&j->list.lock);
	if (number)
		next = list_above(j, number);
	if (!next) {
		list_copy(j);
		next = list_above(j, number);
	}
	pthread_mutex_unlock(&j->list.lock);
	return next;
}

int list_in_line(struct journal *j, uint64_t number, uint32_t slot,
		 struct journal_entry *entry)
{
	struct found found;

	for (; slot < SLOTS_PER_LINE; slot++) {
		if (found_look(j, id_make(number, slot), &found))
			continue;
		found_entry(&found, entry);
		return 0;
	}
	return -ENOENT;
}

int journal_next(struct journal *j, uint64_t after, struct journal_entry *entry)
{
	uint64_t number = id_number(after);
	uint32_t from = id_slot(after) + 1;

	if (journal_is_childs(j))
		return journal_childs(j);
	while (!number || list_in_line(j, number, from, entry)) {
		number = list_next_number(j, number);
		from = 0;
		if (!number)
			return -ENOENT;
	}
	return 0;
}
