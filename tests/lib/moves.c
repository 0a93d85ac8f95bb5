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
	uint32_t i;

	line_leave(j, j->own);
	for (i = 0; i < CLEAN_JOBS; i++)
		if (!atomic_load(&j->shared->clean[i].who))
			line_leave(j, &j->shared->clean[i].moving);
}

void moves_use_up(struct journal *j, struct slots_from *from, uint32_t slot)
{
	uint32_t next, count;

	JASSERT(!line_renew(j, from));
	while (from->next < slot) {
		next = from->next;
		count = (uint32_t)min_u64(64 - next % 64, slot - next);
		JASSERT(!line_take(j, from, count, &next));
		line_dead(j, from->line, from->line_number, next, count);
	}
	JASSERT(from->next == slot);
}

void moves_past_the_stopped(struct journal *j)
{
	uint32_t i;

	for (i = 0; i < CLEAN_JOBS; i++)
		atomic_store(&j->shared->clean[i].stopped, j->shared->clean[i].beat);
}

void moves_nothing_is_half_done(struct journal *j)
{
	const struct line *line;
	uint32_t i, word;
	struct moved m;

	for (i = 0; i < CLEAN_JOBS; i++) {
		assert_int_equal(atomic_load(&j->shared->clean[i].who), 0);
		assert_true(atomic_load(&j->shared->clean[i].cleaning) == 0);
		assert_int_equal(j->shared->clean[i].moving.line, NO_LINE);
	}
	assert_null(moved_unsettled(j, NULL, &m));
	for (i = 0; i < j->shared->lines_used; i++) {
		line = &j->lines[i];
		assert_int_equal(atomic_load(&line->mover), 0);
		for (word = 0; word < MARKER_LINE_WORDS; word++)
			if (line_state_of(line->use) == LINE_OPEN)
				assert_true((line->committed[word] | line->claimed[word]) ==
					    ~0ull);
	}
}

int moves_put_alone(struct place *p, enum journal_path path, uint64_t seed, uint64_t *id)
{
	int error = place_put(p, path, seed, id);

	if (!error)
		moves_leave(p->j);
	return error;
}

uint64_t moves_put_large(struct place *p, enum journal_path path, uint32_t bytes)
{
	struct journal_txn_options options = { .path = path, .bytes = bytes };
	uint8_t *payload = test_calloc(bytes, 1);
	struct journal_receipt receipt;
	struct journal_txn *txn;

	assert_int_equal(journal_begin(p->j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, payload, bytes), 0);
	assert_int_equal(journal_commit(txn, &receipt), 0);
	test_free(payload);
	moves_leave(p->j);
	return receipt.id;
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
