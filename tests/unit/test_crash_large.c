/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P2: moving what is in several pieces, segment by segment (txn/clean_large.c): each
 * piece and the final record leave, at each operation of that the power may go, and
 * whoever retires it meanwhile finds all that it holds.  Linked with CRASH_LDFLAGS.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crash_place.h"
#include "fault.h"
#include "moves.h"
#include "txn/clean.h"
#include "txn/head.h"
#include "txn/pieces.h"
#include "txn/segment.h"
#include "txn/stream.h"

#define LARGE 2300000u /* three pieces */

struct large {
	struct place *p;
	uint64_t id, seed, random;
	uint32_t looked;
};

static void remove_all(struct large *l)
{
	oracle_free(&l->p->oracle);
	place_remove(l->p);
}

static uint8_t *payload_of(const struct large *l)
{
	uint8_t *payload = malloc(LARGE);

	assert_non_null(payload);
	oracle_payload(l->seed, payload, LARGE);
	return payload;
}

static void put_large(struct large *l, enum journal_path path)
{
	struct journal_txn_options options = { .path = path };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint8_t *payload;

	l->seed++;
	payload = payload_of(l);
	oracle_begin(&l->p->oracle);
	oracle_add_flight(&l->p->oracle, l->seed, LARGE);
	assert_int_equal(journal_begin(l->p->j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, payload, LARGE), 0);
	assert_int_equal(journal_commit(txn, &receipt), 0);
	assert_true(oracle_committed(&l->p->oracle, receipt.id));
	l->id = receipt.id;
	free(payload);
}

static void is_whole(const struct large *l)
{
	uint8_t *payload = payload_of(l), *got = malloc(LARGE);
	size_t bytes;

	assert_non_null(got);
	assert_int_equal(journal_read(l->p->j, l->id, got, LARGE, &bytes), 0);
	assert_int_equal(bytes, LARGE);
	assert_memory_equal(got, payload, LARGE);
	free(payload);
	free(got);
}

static void leave(struct journal *j)
{
	static const enum head_kind kinds[] = { HEAD_EXTENTS, HEAD_STREAM, HEAD_MOVED };
	struct head *head;
	uint32_t i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(head_lease(j, kinds[i], &head), 0);
		if (head_segment(j, head))
			assert_int_equal(head_seal(j, head), 0);
		head_return(head);
	}
}

/* the segments of its pieces, in order, and of its final record */
static uint32_t segments_of(const struct large *l, uint32_t *segments, uint32_t room)
{
	struct journal *j = l->p->j;
	struct slot *slot = index_live(j, l->id);
	struct record final;
	const uint8_t *table;
	uint32_t i, count;

	assert_non_null(slot);
	assert_int_equal(pieces_final(j, l->id, slot->where, slot->units, &final, &table), 0);
	count = final.meta.extents;
	assert_true(count <= room);
	for (i = 0; i + 1 < count; i++)
		segments[i] = (uint32_t)(pieces_where(table, i) >> 32);
	segments[count - 1] = where_segment(slot->where);
	free(final.buffer);
	return count;
}

/* Whatever it costs.  Return: whether it is free. */
static bool clean_the(struct journal *j, uint32_t number)
{
	struct segment *victim = &j->segments.all[number];
	bool gained;

	if (!segment_keep(victim)) /* open, or free */
		return false;
	assert_int_equal(stream_buffers(&j->moved), 0);
	assert_int_equal(clean_victim(j, &j->shared->clean[0], victim, UINT64_MAX, &gained), 0);
	segment_release(j, victim, 1);
	return gained;
}

static uint32_t clean_all_of(const struct large *l)
{
	uint32_t segments[8], count, i, gained = 0;

	leave(l->p->j);
	count = segments_of(l, segments, 8);
	for (i = 0; i < count; i++)
		gained += clean_the(l->p->j, segments[i]);
	return gained;
}

/* It holds the segments that it is in, and nothing else is held. */
static void is_held_where_it_is(const struct large *l)
{
	struct journal *j = l->p->j;
	uint32_t segments[8], i, k, holds, count = segments_of(l, segments, 8);

	for (i = 0; i < segments_end(j); i++) {
		holds = segments[count - 1] == i;
		for (k = 0; k + 1 < count; k++)
			holds += segments[k] == i && segments[count - 1] != i &&
				 (!k || segments[k - 1] != i);
		assert_int_equal(segment_live_of(j->segments.all[i].use), holds);
	}
}

/* ---- it moves ------------------------------------------------------------------------- */

static void all_of_it_moves(const struct crash_plan *plan, enum journal_path path, bool elsewhere)
{
	struct large l = { .p = place_make(plan) };
	uint32_t before[8], after[8], i;

	put_large(&l, path);
	for (i = 0; i < 3; i++) {
		/* pieces know where it was put, and only the final record where it is */
		if (elsewhere)
			assert_int_equal(moves_all(l.p->j), 1);
		/* the final record leaves with the first piece, so its segment is free then */
		assert_int_equal(clean_all_of(&l), 2);
		is_held_where_it_is(&l);
		is_whole(&l);
		segments_of(&l, before, 8);
		if (i == 1)
			place_crash(l.p);
		else
			place_close(l.p);
		assert_int_equal(place_check(l.p), 0);
		assert_int_equal(place_open(l.p), 0);
		is_whole(&l);
		is_held_where_it_is(&l);
		/* the copy with the most moves is taken: what was cleaned stays free */
		segments_of(&l, after, 8);
		assert_memory_equal(before, after, 3 * sizeof(*before));
		assert_int_equal(place_live(l.p), 1);
	}
	assert_int_equal(journal_retire(l.p->j, l.id), 0);
	moves_nothing_is_held(l.p->j);
	place_crash(l.p);
	assert_int_equal(place_open(l.p), 0);
	assert_int_equal(place_live(l.p), 0);
	moves_nothing_is_held(l.p->j);
	remove_all(&l);
}

static void a_large_one_moves(void **state)
{
	(void)state;
	all_of_it_moves(NULL, JOURNAL_PATH_DIRECT, false);
	all_of_it_moves(NULL, JOURNAL_PATH_SYNCED, false);
	all_of_it_moves(&moves_plan_file, JOURNAL_PATH_SYNCED, false);
}

static void a_large_one_moves_that_was_moved_to_another_line(void **state)
{
	(void)state;
	all_of_it_moves(NULL, JOURNAL_PATH_DIRECT, true);
	all_of_it_moves(&moves_plan_file, JOURNAL_PATH_SYNCED, true);
}

/* ---- and the power goes --------------------------------------------------------------- */

static void look(struct crash_world *world, void *context)
{
	struct large *l = context;

	world->hook = NULL;
	if (crash_look(&l->p->look, world, &l->p->oracle, fault_random(&l->random)))
		fail_msg("operation %d: %s", (int)world->operations, l->p->oracle.why);
	l->looked++;
	world->hook = look;
}

static void the_power_goes_while_it_moves(const struct crash_plan *plan, enum journal_path path)
{
	struct large l = { .p = place_make(plan), .random = fault_seed("a large one moves") };
	uint32_t i;

	put_large(&l, path);
	l.p->world.context = &l;
	for (i = 0; i < 6; i++) {
		if (i % 3 == 2)
			assert_int_equal(moves_all(l.p->j), 1);
		l.p->world.hook = look;
		assert_true(clean_all_of(&l) > 0);
		l.p->world.hook = NULL;
		is_whole(&l);
	}
	assert_true(l.looked > 20);
	oracle_state(&l.p->oracle, l.id, ORACLE_RETIRING);
	assert_int_equal(journal_retire(l.p->j, l.id), 0);
	moves_nothing_is_held(l.p->j);
	remove_all(&l);
}

static void p2_a_large_one_is_there_whenever_the_power_goes(void **state)
{
	(void)state;
	the_power_goes_while_it_moves(NULL, JOURNAL_PATH_DIRECT);
	the_power_goes_while_it_moves(&moves_plan_file, JOURNAL_PATH_SYNCED);
}

/* Its place is claimed, and the next operation fails: nothing of it is given up, nor kept
 * in memory, for which AddressSanitizer looks. */
static void the_media_die_while_it_moves(const struct crash_plan *plan, enum journal_path path)
{
	struct large l = { .p = place_make(plan) };
	uint32_t at, failed = 0;
	int moved = -EIO;

	put_large(&l, path);
	for (at = 1; moved < 0; at++) {
		moves_leave(l.p->j);
		l.p->world.die_at = l.p->world.operations + at;
		moved = moves_some(l.p->j);
		failed += moved < 0;
		place_crash(l.p);
		assert_int_equal(place_check(l.p), 0);
		assert_int_equal(place_open(l.p), 0);
		is_whole(&l);
		is_held_where_it_is(&l);
	}
	assert_int_equal(moved, 1);
	assert_true(failed > 1);
	remove_all(&l);
}

static void a_large_one_stays_when_its_move_fails(void **state)
{
	(void)state;
	the_media_die_while_it_moves(NULL, JOURNAL_PATH_DIRECT);
	the_media_die_while_it_moves(&moves_plan_file, JOURNAL_PATH_SYNCED);
}

/* ---- what does not move ------------------------------------------------------------------ */

/* One that does not verify stays: who reads it is told, and it is not certified anew. */
static void a_damaged_piece_pins_its_segment(void **state)
{
	struct large l = { .p = place_make(NULL) };
	uint32_t segments[8];
	uint8_t *durable;
	uint64_t head;
	size_t got;
	void *buffer = malloc(LARGE);

	(void)state;
	put_large(&l, JOURNAL_PATH_DIRECT);
	leave(l.p->j);
	segments_of(&l, segments, 8);
	oracle_payload(l.seed, buffer, 64);
	memcpy(&head, buffer, 8);
	durable = memmem(l.p->world.log.durable, l.p->world.log.bytes, buffer, 64);
	assert_non_null(durable);
	place_spoil(&l.p->world.log, durable);
	assert_false(clean_the(l.p->j, segments[0]));
	assert_int_equal(journal_read(l.p->j, l.id, buffer, LARGE, &got), -EBADMSG);
	assert_int_equal(segment_live_of(l.p->j->segments.all[segments[0]].use), 1);
	assert_int_equal(journal_retire(l.p->j, l.id), 0);
	moves_nothing_is_held(l.p->j);
	free(buffer);
	remove_all(&l);
}

/* Prepared, it pins its segments until it is committed or aborted. */
static void a_prepared_one_pins_its_segment(void **state)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_DIRECT };
	struct large l = { .p = place_make(NULL), .seed = 1 };
	struct journal_receipt receipt;
	uint8_t *payload = payload_of(&l);
	struct journal_txn *txn;
	uint32_t i, pinned = 0;

	(void)state;
	assert_int_equal(journal_begin(l.p->j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, payload, LARGE), 0);
	assert_int_equal(journal_prepare(txn), 0);
	leave(l.p->j);
	for (i = 0; i < segments_end(l.p->j); i++) {
		assert_false(clean_the(l.p->j, i));
		pinned += segment_live_of(l.p->j->segments.all[i].use) != 0;
	}
	assert_int_equal(pinned, 3);
	assert_int_equal(journal_commit(txn, &receipt), 0);
	l.id = receipt.id;
	assert_int_equal(clean_all_of(&l), 2);
	is_whole(&l);
	free(payload);
	remove_all(&l);
}

/* Its pieces lie on two logs, and both are flushed before it counts. */
static void on_two_logs(enum journal_path path)
{
	const struct crash_plan plan = { .logs = 2 };
	struct large l = { .p = place_make(&plan) };
	uint32_t segments[8], count, i, logs = 0, tries;

	for (tries = 0; logs != 3; tries++) {
		assert_true(tries < 20);
		put_large(&l, path);
		count = segments_of(&l, segments, 8);
		for (i = 0, logs = 0; i < count; i++)
			logs |= 1u << segment_log(l.p->j, segments[i]);
	}
	place_crash(l.p);
	assert_int_equal(place_open(l.p), 0);
	is_whole(&l);
	remove_all(&l);
}

static void p9_all_logs_that_it_lies_on_are_flushed(void **state)
{
	(void)state;
	on_two_logs(JOURNAL_PATH_DIRECT);
	on_two_logs(JOURNAL_PATH_SYNCED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p9_all_logs_that_it_lies_on_are_flushed),
		cmocka_unit_test(a_large_one_moves),
		cmocka_unit_test(a_large_one_moves_that_was_moved_to_another_line),
		cmocka_unit_test(p2_a_large_one_is_there_whenever_the_power_goes),
		cmocka_unit_test(a_large_one_stays_when_its_move_fails),
		cmocka_unit_test(a_damaged_piece_pins_its_segment),
		cmocka_unit_test(a_prepared_one_pins_its_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
