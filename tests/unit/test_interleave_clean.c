/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Races of cleaning (P2): x is moved to another segment, and meanwhile, at every
 * instruction once the copy is durable, retired, or read, or both, and its slot is
 * another's.  As test_interleave.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scene.h"
#include "txn/clean.h"
#include "txn/head.h"
#include "txn/line.h"
#include "txn/segment.h"
#include "txn/stream.h"

int __real_stream_wait(struct stream *s, uint64_t first, uint64_t last);
int __wrap_stream_wait(struct stream *s, uint64_t first, uint64_t last);

/* Up to here a move only wrote: from here on it changes what others see. */
int __wrap_stream_wait(struct stream *s, uint64_t first, uint64_t last)
{
	int error = __real_stream_wait(s, first, last);

	if (s->kind == HEAD_MOVED)
		step_begin();
	return error;
}

static void leave(struct journal *j, enum head_kind kind)
{
	struct head *head;

	assert_int_equal(head_lease(j, kind, &head), 0);
	if (head_segment(j, head))
		assert_int_equal(head_roll(j, head, kind, false), 0);
	head_return(head);
}

/* x is in a segment that is sealed, with much that is dead. */
static void x_in_a_sealed_segment(struct scene *s)
{
	scene_x_and_z(s);
	leave(s->p->j, s->path == JOURNAL_PATH_DIRECT ? HEAD_EXTENTS : HEAD_STREAM);
}

static void first_cleans(void *scene)
{
	struct scene *s = scene;
	bool gained;

	s->first = clean_step(s->p->j, CLEAN_NEED, &gained);
	step_end();
	if (!s->first && !gained)
		s->first = -ENODATA; /* the race was not about anything */
}

static void second_retires_and_puts(void *scene)
{
	struct scene *s = scene;

	s->retired = journal_retire(s->p->j, s->x);
	s->second = scene_put(s, 1, s->seed + 1, &s->y);
}

static void y_alone_lives(struct scene *s)
{
	assert_int_equal(s->first | s->retired, 0);
	assert_int_equal(place_state(s->p, s->x), 0);
	scene_y_lives(s);
	scene_retire(s, s->y);
	scene_nothing_is_held(s);
}

static void p2_a_move_that_sleeps_moves_nothing_else(void **state)
{
	struct scenario scenario = { x_in_a_sealed_segment, first_cleans, second_retires_and_puts,
				     y_alone_lives, JOURNAL_PATH_DIRECT, X_ALONE, false };

	(void)state;
	scene_everywhere(&scenario);
	scenario.path = JOURNAL_PATH_SYNCED;
	scene_everywhere(&scenario);
}

static void second_reads_x(void *scene)
{
	struct scene *s = scene;

	s->second = scene_read_x(s);
}

static void x_was_read(struct scene *s)
{
	assert_int_equal(s->first | s->second, 0);
	assert_true(scene_is_made_of(s->read, s->seed));
	scene_retire(s, s->x);
	scene_nothing_is_held(s);
}

static void p18_either_copy_serves_while_it_is_moved(void **state)
{
	struct scenario scenario = { x_in_a_sealed_segment, first_cleans, second_reads_x,
				     x_was_read, JOURNAL_PATH_DIRECT, X_ALONE, true };

	(void)state;
	scene_everywhere(&scenario);
}

/* ---- x in several pieces ----------------------------------------------------------- */

#define LARGE 1300000u /* two */

static uint8_t large[LARGE], large_read[LARGE];

/* All is moved of what does not lie in an open segment: so both of its pieces are. */
static void large_x_in_sealed_segments(struct scene *s)
{
	struct journal_txn_options options = { .path = s->path };
	struct journal_receipt receipt;
	struct journal_txn *txn;

	oracle_payload(++s->seed, large, LARGE);
	assert_int_equal(journal_begin(s->p->j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, large, LARGE), 0);
	assert_int_equal(journal_commit(txn, &receipt), 0);
	s->x = receipt.id;
	leave(s->p->j, HEAD_EXTENTS);
	leave(s->p->j, HEAD_STREAM);
}

static void first_cleans_large(void *scene)
{
	struct scene *s = scene;
	struct segment *victim;
	bool gained = false;

	victim = &s->p->j->segments.all[where_segment(index_live(s->p->j, s->x)->where)];
	s->first = segment_keep(victim) ? stream_buffers(&s->p->j->moved) : -ENODATA;
	if (!s->first)
		s->first = clean_victim(s->p->j, &s->p->j->shared->clean[0], victim, UINT64_MAX,
					&gained);
	step_end();
	segment_release(s->p->j, victim, 1);
}

static void x_is_gone(struct scene *s)
{
	assert_int_equal(s->first | s->retired | s->second, 0);
	assert_int_equal(place_state(s->p, s->x), 0);
	scene_retire(s, s->y);
	scene_nothing_is_held(s);
}

static void p2_a_large_one_is_retired_while_it_is_moved(void **state)
{
	struct scenario scenario = { large_x_in_sealed_segments, first_cleans_large,
				     second_retires_and_puts, x_is_gone, JOURNAL_PATH_DIRECT,
				     X_ALONE, false };

	(void)state;
	scene_everywhere(&scenario);
}

static void first_retires_large(void *scene)
{
	struct scene *s = scene;

	step_begin();
	s->retired = journal_retire(s->p->j, s->x);
	step_end();
}

static void second_cleans_large_and_puts(void *scene)
{
	struct scene *s = scene;

	s->first = 0;
	if (index_live(s->p->j, s->x))
		first_cleans_large(scene);
	s->second = scene_put(s, 1, s->seed + 1, &s->y);
}

static void p2_a_large_one_is_moved_while_it_is_retired(void **state)
{
	struct scenario scenario = { large_x_in_sealed_segments, first_retires_large,
				     second_cleans_large_and_puts, x_is_gone,
				     JOURNAL_PATH_DIRECT, X_ALONE, false };

	(void)state;
	scene_everywhere(&scenario);
}

static void second_reads_large_x(void *scene)
{
	struct scene *s = scene;
	size_t got;

	s->second = journal_read(s->p->j, s->x, large_read, LARGE, &got);
}

static void large_x_was_read(struct scene *s)
{
	assert_int_equal(s->first | s->second, 0);
	assert_memory_equal(large, large_read, LARGE);
	scene_retire(s, s->x);
	scene_nothing_is_held(s);
}

static void p18_either_table_serves_while_it_is_moved(void **state)
{
	struct scenario scenario = { large_x_in_sealed_segments, first_cleans_large,
				     second_reads_large_x, large_x_was_read,
				     JOURNAL_PATH_DIRECT, X_ALONE, true };

	(void)state;
	scene_everywhere(&scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p2_a_move_that_sleeps_moves_nothing_else),
		cmocka_unit_test(p18_either_copy_serves_while_it_is_moved),
		cmocka_unit_test(p2_a_large_one_is_retired_while_it_is_moved),
		cmocka_unit_test(p2_a_large_one_is_moved_while_it_is_retired),
		cmocka_unit_test(p18_either_table_serves_while_it_is_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
