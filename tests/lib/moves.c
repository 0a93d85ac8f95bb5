/* SPDX-License-Identifier: BSD-3-Clause */
#include "moves.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "txn/clean_lines.h"
#include "txn/line.h"

const struct crash_plan moves_plan_file = { .checkpointed = true };

void moves_leave(struct journal *j)
{
	line_leave(j, j->own);
	line_leave(j, &j->shared->moving);
}

int moves_put_alone(struct place *p, enum journal_path path, uint64_t seed, uint64_t *id)
{
	int error = place_put(p, path, seed, id);

	if (!error)
		moves_leave(p->j);
	return error;
}

static uint64_t rehomed(struct journal *j)
{
	return counted(j->counters, COUNT_REHOMED);
}

int moves_some(struct journal *j)
{
	uint64_t before = rehomed(j);
	uint32_t gained;
	int error = clean_lines_step(j, SLOTS_PER_LINE, &gained);

	return error ? error : (int)(rehomed(j) - before);
}

int moves_all(struct journal *j)
{
	moves_leave(j);
	return moves_some(j);
}

bool moves_where(const struct journal *j, uint64_t id, struct slot_place *at)
{
	const struct slot *slot = index_live(j, id);
	size_t number;

	if (!slot)
		return false;
	number = (size_t)(slot - j->slots);
	at->line = (uint32_t)(number / SLOTS_PER_LINE);
	at->slot = number % SLOTS_PER_LINE;
	at->number = j->lines[at->line].number;
	return true;
}

void moves_nothing_is_held(const struct journal *j)
{
	uint32_t i;

	for (i = 0; i < segments_end(j); i++)
		assert_int_equal(segment_live_of(j->segments.all[i].use), 0);
}
