/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Races of the protocol, each at every instruction where it could happen: one
 * thread stands still there, another does all that could hurt it (lib/step.h),
 * then the first goes on.  On media in memory; linked with CRASH_LDFLAGS and
 * STEP_LDFLAGS.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "scene.h"
#include "txn/destage.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/stream.h"

/* ---- P2: a retire, and its line is recycled ----------------------------------------- */

static void first_retires_x(void *scene)
{
	struct scene *s = scene;

	step_begin();
	s->first = journal_retire(s->p->j, s->x);
	step_end();
}

/* The line is free then, if nothing else prevents it, and y is in the slot of x. */
static void second_retires_and_puts(void *scene)
{
	struct scene *s = scene;

	s->retired = journal_retire(s->p->j, s->mode == X_AND_Z ? s->z : s->x);
	s->second = scene_put(s, 1, s->seed + 1, &s->y);
}

static void y_alone_lives(struct scene *s)
{
	assert_int_equal(place_state(s->p, s->x), 0);
	assert_int_equal(place_state(s->p, s->z), 0);
	scene_y_lives(s);
	scene_retire(s, s->y);
	scene_nothing_is_held(s);
}

static void one_of_two_retired(struct scene *s)
{
	assert_int_equal(s->first ? s->first : s->retired,
			 s->mode == X_AND_Z ? 0 : -ENOENT);
	assert_int_equal(s->first ? s->retired : s->first, 0);
	y_alone_lives(s);
}

/* Both want x: who comes late must not retire y instead. */
static void p2_a_retire_that_sleeps_retires_nothing_else(void **state)
{
	struct scenario scenario = { scene_x_and_z, first_retires_x, second_retires_and_puts,
				     one_of_two_retired, JOURNAL_PATH_STAGED, X_ALONE, false };

	(void)state;
	scene_everywhere(&scenario);
	scenario.path = JOURNAL_PATH_DIRECT;
	scene_everywhere(&scenario);
}

/* z is the last of its line but for x, which has been claimed: the line must wait
 * for the bit of x. */
static void p2_a_line_waits_for_bits_that_are_being_cleared(void **state)
{
	struct scenario scenario = { scene_x_and_z, first_retires_x, second_retires_and_puts,
				     one_of_two_retired, JOURNAL_PATH_STAGED, X_AND_Z, false };

	(void)state;
	scene_everywhere(&scenario);
	scenario.path = JOURNAL_PATH_DIRECT;
	scene_everywhere(&scenario);
}

/* ---- P2: a line is recycled ------------------------------------------------------------ */

static void x_retired(struct scene *s)
{
	scene_x_and_z(s);
	scene_retire(s, s->x);
}

static void first_recycles(void *scene)
{
	struct scene *s = scene;

	step_begin();
	s->first = scene_put(s, 1, s->seed + 1, &s->y);
	step_end();
}

/* Once the medium says that the epoch of x is over, nobody takes the line for it
 * any more: who looked it up before x was retired may come only now. */
static void second_looks_at_the_line(void *scene)
{
	struct scene *s = scene;
	struct journal *j = s->p->j;
	uint32_t line;
	uint64_t epoch;

	s->second = 0;
	for (line = 0; line < j->geometry.lines; line++)
		if (j->lines[line].number == id_number(s->x) &&
		    (word_unseal(line_media(j, line)->epoch, &epoch) ||
		     epoch != (id_number(s->x) << 1 | 1)))
			s->second = -EBUSY;
}

static void p2_nobody_claims_in_a_line_that_is_recycled(void **state)
{
	struct scenario scenario = { x_retired, first_recycles, second_looks_at_the_line,
				     y_alone_lives, JOURNAL_PATH_STAGED, X_ALONE, true };

	(void)state;
	scene_everywhere(&scenario);
}

/* ---- P2: a destage, and what it moves is retired ------------------------------------ */

int __real_stream_wait(struct stream *s, uint64_t first, uint64_t last);
int __wrap_stream_wait(struct stream *s, uint64_t first, uint64_t last);

static bool destaging;

/* Up to here a destage only wrote: from here on it changes what others see. */
int __wrap_stream_wait(struct stream *s, uint64_t first, uint64_t last)
{
	int error = __real_stream_wait(s, first, last);

	if (destaging)
		step_begin();
	return error;
}

static void first_destages_x(void *scene)
{
	struct scene *s = scene;
	struct lane *lane = &s->p->j->lanes[0];

	atomic_store(&lane->s->lease, 1);
	destaging = true;
	s->first = destage(s->p->j, lane, 1, false);
	destaging = false;
	step_end();
	lane_return(lane);
}

static void second_retires_on_another_lane(void *scene)
{
	crash_set_cpu(1);
	second_retires_and_puts(scene);
}

static void x_was_destaged_and_retired(struct scene *s)
{
	assert_int_equal(s->first | s->retired, 0);
	y_alone_lives(s);
}

static void p2_a_destage_that_sleeps_moves_nothing_else(void **state)
{
	struct scenario scenario = { scene_x_first_of_its_ring, first_destages_x,
				     second_retires_on_another_lane,
				     x_was_destaged_and_retired, JOURNAL_PATH_STAGED, X_ALONE,
				     false };

	(void)state;
	scene_everywhere(&scenario);
	scenario.mode = X_BEHIND_Y;
	scene_everywhere(&scenario);
}

static void second_reads_x(void *scene)
{
	struct scene *s = scene;

	s->second = scene_read_x(s);
}

static void x_was_read(struct scene *s)
{
	assert_int_equal(s->first, 0);
	assert_int_equal(s->second, 0);
	assert_true(scene_is_made_of(s->read, s->seed));
	scene_retire(s, s->x);
	scene_nothing_is_held(s);
}

static void p6_either_copy_serves_while_it_is_destaged(void **state)
{
	struct scenario scenario = { scene_x_first_of_its_ring, first_destages_x, second_reads_x,
				     x_was_read, JOURNAL_PATH_STAGED, X_ALONE, true };

	(void)state;
	scene_everywhere(&scenario);
}

/* ---- P3 -------------------------------------------------------------------------------- */

static void second_retires_z(void *scene)
{
	struct scene *s = scene;

	s->second = journal_retire(s->p->j, s->z);
}

static void both_bits_are_cleared(struct scene *s)
{
	uint64_t w = s->w;

	assert_int_equal(s->first | s->second, 0);
	assert_int_equal(place_state(s->p, s->x), 0);
	assert_int_equal(place_state(s->p, s->z), 0);
	assert_false(scene_retire_bit(s, s->x));
	assert_false(scene_retire_bit(s, s->z));
	/* the line stays: w, and the next w */
	assert_int_equal(scene_put(s, 1, s->seed, &s->w), 0);
	if (w)
		scene_retire(s, w);
}

static void x_beside_z(struct scene *s)
{
	if (scene_lane(s, 0)->line != NO_LINE && scene_lane(s, 0)->next % 64 > 60)
		scene_use_up(s, 0);
	crash_set_cpu(0);
	assert_int_equal(scene_put(s, 1, ++s->seed, &s->x), 0);
	assert_int_equal(scene_put(s, 1, s->seed, &s->z), 0);
	assert_int_equal(id_slot(s->x) / 64, id_slot(s->z) / 64);
}

/* Two threads clear bits of one word: neither is stored back. */
static void p3_retire_bits_are_cleared_by_an_atomic_and(void **state)
{
	struct scenario scenario = { x_beside_z, first_retires_x, second_retires_z,
				     both_bits_are_cleared, JOURNAL_PATH_STAGED, X_ALONE, true };

	(void)state;
	scene_everywhere(&scenario);
}

static void prepare_two(struct scene *s)
{
	int i;

	if (s->p->j->own->line != NO_LINE && s->p->j->own->next % 64 > 60)
		scene_use_up(s, 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(scene_begin(s, 1, ++s->seed, &s->txn[i]), 0);
		assert_int_equal(journal_prepare(s->txn[i]), 0);
	}
}

static void first_commits(void *scene)
{
	struct scene *s = scene;
	struct journal_receipt receipt = { 0 };

	step_begin();
	s->first = journal_commit(s->txn[0], &receipt);
	step_end();
	s->x = receipt.id;
}

static void second_commits(void *scene)
{
	struct scene *s = scene;
	struct journal_receipt receipt = { 0 };

	s->second = journal_commit(s->txn[1], &receipt);
	s->z = receipt.id;
}

static bool commit_bit_of(struct scene *s, uint64_t id)
{
	uint32_t line = index_find(s->p->j, id_number(id));

	assert_int_not_equal(line, NO_LINE);
	return get_le64(line_media(s->p->j, line)->commit[id_slot(id) / 64]) >>
		       (id_slot(id) & 63) & 1;
}

static void both_are_committed(struct scene *s)
{
	assert_int_equal(s->first | s->second, 0);
	assert_false(commit_bit_of(s, s->x));
	assert_false(commit_bit_of(s, s->z));
	scene_retire(s, s->x);
	scene_retire(s, s->z);
}

static void p3_commit_bits_are_cleared_by_an_atomic_and(void **state)
{
	struct scenario scenario = { prepare_two, first_commits, second_commits,
				     both_are_committed, JOURNAL_PATH_DIRECT, X_ALONE, false };

	(void)state;
	scene_everywhere(&scenario);
}

/* The first slot after @taken of a word has been taken. */
static void take(struct scene *s, uint32_t taken)
{
	struct slots_from *lane = scene_lane(s, 0);

	while (lane->line == NO_LINE || lane->next % 64 != taken % 64)
		assert_int_equal(scene_put_and_retire(s, 1), 0);
}

/* Whatever was taken before it, and by each path. */
static void p3_a_group_lies_in_one_word(void **state)
{
	static const uint32_t counts[] = { 2, 3, 31, 32, 33, 63, 64 };
	struct scene s = { .p = place_make(NULL) };
	uint32_t i, k, taken, last;
	uint64_t id;

	(void)state;
	for (s.path = JOURNAL_PATH_STAGED; s.path <= JOURNAL_PATH_SYNCED; s.path++)
		for (i = 0; i < sizeof(counts) / sizeof(*counts); i++)
			for (taken = 1; taken <= 64; taken += 9) {
				take(&s, taken);
				assert_int_equal(scene_put(&s, counts[i], 1, &id), 0);
				last = id_slot(id) + counts[i] - 1;
				assert_int_equal(id_slot(id) / 64, last / 64);
				for (k = 0; k < counts[i]; k++)
					scene_retire(&s, id + k);
			}
	place_remove(s.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p2_a_retire_that_sleeps_retires_nothing_else),
		cmocka_unit_test(p2_a_line_waits_for_bits_that_are_being_cleared),
		cmocka_unit_test(p2_nobody_claims_in_a_line_that_is_recycled),
		cmocka_unit_test(p2_a_destage_that_sleeps_moves_nothing_else),
		cmocka_unit_test(p6_either_copy_serves_while_it_is_destaged),
		cmocka_unit_test(p3_retire_bits_are_cleared_by_an_atomic_and),
		cmocka_unit_test(p3_commit_bits_are_cleared_by_an_atomic_and),
		cmocka_unit_test(p3_a_group_lies_in_one_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
