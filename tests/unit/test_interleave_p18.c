/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P18 at every instruction: one thread stands still in a commit, a retire or a
 * read, another does all that could hurt it (lib/step.h).  On media in memory;
 * linked with CRASH_LDFLAGS and STEP_LDFLAGS.
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

/* ---- P18 ------------------------------------------------------------------------------- */

static void first_retires_x(void *scene)
{
	struct scene *s = scene;

	step_begin();
	s->first = journal_retire(s->p->j, s->x);
	step_end();
}

static void first_reads_x(void *scene)
{
	struct scene *s = scene;

	step_begin();
	s->first = scene_read_x(s);
	step_end();
}

/* Another record of the same size begins where that of x did, a lap later. */
static int overwrite_x(struct scene *s)
{
	struct lane *lane = &s->p->j->lanes[0];
	uint64_t target = s->position + lane->ring_bytes, before;
	uint64_t bytes = stage_record_bytes(SCENE_BYTES);
	int error = 0;

	while (!error && lane->s->head <= target) {
		before = lane->s->head;
		error = scene_put_and_retire(s, (target - before) % bytes == 0);
		if (lane->s->head == before)
			return -ENOBUFS; /* not on this lane */
	}
	return error;
}

/* y in the slot of x, and something else in its place in the ring. */
static void second_overwrites_x(void *scene)
{
	struct scene *s = scene;

	s->second = journal_retire(s->p->j, s->x);
	crash_set_cpu(1);
	if (!s->second)
		s->second = scene_put(s, 1, s->seed + 1, &s->y);
	crash_set_cpu(0);
	if (!s->second)
		s->second = overwrite_x(s);
}

static void x_and_its_position(struct scene *s)
{
	uint32_t line;

	scene_x_first_of_its_ring(s);
	line = index_find(s->p->j, id_number(s->x));
	s->position = where_position(s->p->j->slots[(size_t)line * SLOTS_PER_LINE].where);
}

static void x_or_nothing_was_read(struct scene *s)
{
	if (s->first)
		assert_int_equal(s->first, -ENOENT);
	else
		assert_true(scene_is_made_of(s->read, s->seed));
	scene_y_lives(s);
	scene_retire(s, s->y);
}

static void p18_a_reader_that_sleeps_reads_nothing_else(void **state)
{
	struct scenario scenario = { x_and_its_position, first_reads_x, second_overwrites_x,
				     x_or_nothing_was_read, JOURNAL_PATH_STAGED, X_ALONE, false };

	(void)state;
	scene_everywhere(&scenario);
}

static void x_as_it_was(struct scene *s)
{
	struct journal_entry entry;

	x_and_its_position(s);
	assert_int_equal(journal_lookup(s->p->j, s->x, &entry), 0);
	s->time_ns = entry.time_ns;
}

static void first_looks_up_x(void *scene)
{
	struct scene *s = scene;
	struct journal_entry entry = { 0 };

	step_begin();
	s->first = journal_lookup(s->p->j, s->x, &entry);
	step_end();
	if (!s->first && (entry.id != s->x || entry.time_ns != s->time_ns))
		s->first = -EBADMSG;
}

static void x_or_nothing_was_found(struct scene *s)
{
	assert_true(!s->first || s->first == -ENOENT);
	scene_y_lives(s);
	scene_retire(s, s->y);
}

static void p18_a_look_up_that_sleeps_finds_nothing_else(void **state)
{
	struct scenario scenario = { x_as_it_was, first_looks_up_x, second_overwrites_x,
				     x_or_nothing_was_found, JOURNAL_PATH_STAGED, X_ALONE,
				     false };

	(void)state;
	scene_everywhere(&scenario);
}

/* x moves to the log meanwhile: it was there all the time, and is read. */
static void second_moves_x(void *scene)
{
	struct scene *s = scene;
	struct lane *lane = &s->p->j->lanes[0];

	atomic_store(&lane->s->lease, 1);
	s->second = destage(s->p->j, lane, 1, false);
	lane_return(lane);
	crash_set_cpu(0);
	if (!s->second)
		s->second = overwrite_x(s);
}

static void x_was_read_by_the_first(struct scene *s)
{
	assert_int_equal(s->second, 0);
	assert_int_equal(s->first, 0);
	assert_true(scene_is_made_of(s->read, s->seed));
	scene_retire(s, s->x);
}

static void p18_a_reader_follows_what_is_moved(void **state)
{
	struct scenario scenario = { x_and_its_position, first_reads_x, second_moves_x,
				     x_was_read_by_the_first, JOURNAL_PATH_STAGED, X_ALONE, false };

	(void)state;
	scene_everywhere(&scenario);
}

static void nothing_before(struct scene *s)
{
	crash_set_cpu(0);
	s->seed++;
	s->x = 0;
}

static void first_puts_x(void *scene)
{
	struct scene *s = scene;
	uint64_t id;

	step_begin();
	s->first = scene_put(s, 1, s->seed, &id);
	step_end();
	s->x = id;
}

/* Were the power to go here, would @id be there? */
static bool is_durable(struct scene *s, uint64_t id)
{
	struct crash_world *before = crash_world_entered();
	struct place copy = *s->p;
	bool there;

	crash_world_copy(before, CRASH_DROP, 1, &copy.world);
	crash_world_enter(&copy.world);
	there = !journal_open(copy.look.path[1], &crash_open_options, &copy.j) &&
		place_state(&copy, id) == JOURNAL_LIVE;
	copy.world.dead = true;
	crash_throw_away(copy.j);
	crash_world_enter(before);
	crash_world_free(&copy.world);
	return there;
}

/* What is listed is whole, and durable. */
static void second_lists(void *scene)
{
	struct scene *s = scene;
	struct journal_entry entry = { 0 };
	size_t got;

	s->second = 0;
	while (!journal_next(s->p->j, entry.id, &entry)) {
		if (journal_read(s->p->j, entry.id, s->read, SCENE_BYTES, &got) ||
		    got != SCENE_BYTES || entry.bytes != SCENE_BYTES || !entry.time_ns ||
		    !scene_is_made_of(s->read, s->seed))
			s->second = -EBADMSG;
		else if (!is_durable(s, entry.id))
			s->second = -ENODATA;
	}
}

static void x_was_put(struct scene *s)
{
	assert_int_equal(s->first, 0);
	assert_int_equal(s->second, 0);
	scene_retire(s, s->x);
}

static void p18_what_is_visible_is_whole_and_durable(void **state)
{
	struct scenario scenario = { nothing_before, first_puts_x, second_lists, x_was_put,
				     JOURNAL_PATH_STAGED, X_ALONE, false };

	(void)state;
	for (; scenario.path <= JOURNAL_PATH_SYNCED; scenario.path++)
		scene_everywhere(&scenario);
}

/* Commit, read and retire by another thread: on lane 1, and of w. */
static void second_does_all(void *scene)
{
	struct scene other = *(struct scene *)scene;
	struct scene *s = scene;

	other.path = JOURNAL_PATH_STAGED;
	crash_set_cpu(1);
	other.second = scene_put(&other, 1, 7, &other.x);
	if (!other.second)
		other.second = scene_read_x(&other);
	if (!other.second)
		other.second = journal_retire(s->p->j, other.x);
	crash_set_cpu(0);
	s->second = other.second;
}

/* Its own line is not to be opened or freed meanwhile. */
static void room_for_all(struct scene *s)
{
	struct scene other = *s;
	struct slots_from *lane = &s->p->j->lanes[1].s->from;

	other.path = JOURNAL_PATH_STAGED;
	if (lane->line != NO_LINE && lane->next > SLOTS_PER_LINE - 4)
		scene_use_up(&other, 1);
	crash_set_cpu(1);
	if (lane->line == NO_LINE || lane->next == SLOTS_PER_LINE)
		assert_int_equal(scene_put_and_retire(&other, 1), 0);
	nothing_before(s);
}

static void room_for_all_and_x(struct scene *s)
{
	room_for_all(s);
	assert_int_equal(scene_put(s, 1, s->seed, &s->x), 0);
}

static void all_went_well(struct scene *s)
{
	assert_int_equal(s->first, 0);
	assert_int_equal(s->second, 0);
	if (place_state(s->p, s->x))
		scene_retire(s, s->x);
}

/* Wherever one stands still, in a commit by any path, a retire or a read: who
 * commits on the staged path, reads and retires takes no lock and waits for nobody. */
static void p18_a_stopped_thread_stops_nobody(void **state)
{
	struct scenario scenario = { room_for_all, first_puts_x, second_does_all, all_went_well,
				     JOURNAL_PATH_STAGED, X_ALONE, true };

	(void)state;
	for (; scenario.path <= JOURNAL_PATH_SYNCED; scenario.path++)
		scene_everywhere(&scenario);
	scenario.path = JOURNAL_PATH_STAGED;
	scenario.before = room_for_all_and_x;
	scenario.first = first_retires_x;
	scene_everywhere(&scenario);
	scenario.first = first_reads_x;
	scene_everywhere(&scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p18_a_reader_that_sleeps_reads_nothing_else),
		cmocka_unit_test(p18_a_look_up_that_sleeps_finds_nothing_else),
		cmocka_unit_test(p18_a_reader_follows_what_is_moved),
		cmocka_unit_test(p18_what_is_visible_is_whole_and_durable),
		cmocka_unit_test(p18_a_stopped_thread_stops_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
