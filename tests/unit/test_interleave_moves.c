/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Races of moving to another line (P2), as test_interleave.c: x is moved, and meanwhile,
 * at every instruction, retired, or read, and its slot is another's; or it is retired,
 * and meanwhile moved.  And a mover that is killed at every instruction, in a process of
 * its own.
 *
 * STRIDE: at every so many'th instruction; 1 is all.  By default the long ones stand at
 * every fifth, and who is killed, is at every 101st.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bed.h"
#include "child.h"
#include "moves.h"
#include "scene.h"
#include "txn/clean_lines.h"
#include "txn/line.h"
#include "txn/stream.h"
#include "txn/takeover.h"

#define OFTEN 5u

/* ---- what is moved is retired ---------------------------------------------------------- */

/* x is in a line that nobody goes on in, and the mover's line is a new one. */
static void x_alone_in_its_line(struct scene *s)
{
	scene_x_and_z(s);
	moves_leave(s->p->j);
}

/* And another one after it, which is moved together with it: when that is announced,
 * the mover has no cell on the line of x, which may be recycled. */
static void x_and_w_alone_in_their_lines(struct scene *s)
{
	x_alone_in_its_line(s);
	assert_int_equal(scene_put(s, 1, 77, &s->w), 0);
	moves_leave(s->p->j);
}

int __real_stream_append(struct stream *s, const struct stream_record *record, bool reserved,
			 struct stream_place *place);
int __wrap_stream_append(struct stream *s, const struct stream_record *record, bool reserved,
			 struct stream_place *place);
int __real_stream_wait(struct stream *s, uint64_t first, uint64_t last);
int __wrap_stream_wait(struct stream *s, uint64_t first, uint64_t last);

/* Nobody stands in a write to the log: nothing but that is changed there, and the
 * world's log is one thread's at a time. */
static bool writes_are_passed;

int __wrap_stream_append(struct stream *s, const struct stream_record *record, bool reserved,
			 struct stream_place *place)
{
	int error;

	if (writes_are_passed)
		step_end();
	error = __real_stream_append(s, record, reserved, place);
	if (writes_are_passed)
		step_begin();
	return error;
}

int __wrap_stream_wait(struct stream *s, uint64_t first, uint64_t last)
{
	int error;

	if (writes_are_passed)
		step_end();
	error = __real_stream_wait(s, first, last);
	if (writes_are_passed)
		step_begin();
	return error;
}

static void first_moves(void *scene)
{
	struct scene *s = scene;
	uint32_t gained;

	writes_are_passed = true;
	step_begin();
	s->first = clean_lines_step(s->p->j, SLOTS_PER_LINE, &gained);
	step_end();
	writes_are_passed = false;
}

static void second_retires_and_puts(void *scene)
{
	struct scene *s = scene;

	s->retired = journal_retire(s->p->j, s->x);
	s->second = scene_put(s, 1, s->seed + 1, &s->y);
}

/* All are killed, and what they stored is there: what was fenced, test_crash_moves has. */
static void all_are_killed(struct scene *s)
{
	s->p->world.dead = true;
	crash_throw_away(s->p->j);
	crash_world_cut(&s->p->world, CRASH_KEEP, 0);
	assert_int_equal(place_open(s->p), 0);
}

/* Also after that: what was acknowledged is so in every slot that it had. */
static void y_alone_lives(struct scene *s)
{
	assert_int_equal(s->first | s->retired, 0);
	assert_int_equal(place_state(s->p, s->x), 0);
	scene_y_lives(s);
	all_are_killed(s);
	assert_int_equal(place_state(s->p, s->x), 0);
	assert_int_equal(place_live(s->p), 1);
	scene_retire(s, s->y);
	scene_nothing_is_held(s);
}

static void y_and_w_live(struct scene *s)
{
	assert_int_equal(place_state(s->p, s->w), JOURNAL_LIVE);
	scene_retire(s, s->w);
	y_alone_lives(s);
}

static void p2_a_retire_meets_a_move(void **state)
{
	struct scenario scenario = { x_and_w_alone_in_their_lines, first_moves,
				     second_retires_and_puts, y_and_w_live, JOURNAL_PATH_DIRECT,
				     X_ALONE, false };

	(void)state;
	scene_at_some(&scenario, OFTEN);
}

/* ---- and the power fails right then -------------------------------------------------- */

/* What would be there, were it to fail while the mover stands. */
static int after_a_power_cut(struct scene *s, uint64_t id)
{
	struct crash_world copy, *before;
	struct journal_entry entry;
	struct journal *j;
	int error;

	crash_world_copy(&s->p->world, CRASH_DROP, 0, &copy);
	before = crash_world_enter(&copy);
	error = journal_open(s->p->look.path[1], &crash_open_options, &j);
	if (!error)
		error = journal_lookup(j, id, &entry);
	copy.dead = true;
	crash_throw_away(j);
	(void)crash_world_enter(before);
	crash_world_free(&copy);
	return error;
}

static void second_retires_and_the_power_fails(void *scene)
{
	struct scene *s = scene;

	s->retired = journal_retire(s->p->j, s->x);
	s->second = after_a_power_cut(s, s->x) == -ENOENT ? 0 : -EEXIST;
	s->second |= after_a_power_cut(s, s->w);
}

static void w_alone_lives(struct scene *s)
{
	assert_int_equal(s->first | s->retired | s->second, 0);
	assert_int_equal(place_state(s->p, s->x), 0);
	assert_int_equal(place_live(s->p), 1);
	scene_retire(s, s->w);
	scene_nothing_is_held(s);
}

static void p2_what_is_retired_while_it_is_moved_stays_so(void **state)
{
	struct scenario scenario = { x_and_w_alone_in_their_lines, first_moves,
				     second_retires_and_the_power_fails, w_alone_lives,
				     JOURNAL_PATH_DIRECT, X_ALONE, false };

	(void)state;
	scene_at_some(&scenario, OFTEN);
}

/* ---- what is retired is moved ----------------------------------------------------------- */

static void first_retires(void *scene)
{
	struct scene *s = scene;

	step_begin();
	s->retired = journal_retire(s->p->j, s->x);
	step_end();
}

static void second_moves_and_puts(void *scene)
{
	struct scene *s = scene;
	uint32_t gained;

	s->first = clean_lines_step(s->p->j, SLOTS_PER_LINE, &gained);
	s->second = scene_put(s, 1, s->seed + 1, &s->y);
}

static void p2_a_move_meets_a_retire(void **state)
{
	struct scenario scenario = { x_alone_in_its_line, first_retires, second_moves_and_puts,
				     y_alone_lives, JOURNAL_PATH_DIRECT, X_ALONE, false };

	(void)state;
	scene_everywhere(&scenario);
}

/* It was moved before, and is just now moved again. */
static void x_in_a_line_of_moved_ones(struct scene *s)
{
	x_alone_in_its_line(s);
	assert_int_equal(moves_some(s->p->j), 1);
	moves_leave(s->p->j);
}

static void p2_a_move_meets_a_retire_of_what_was_moved(void **state)
{
	struct scenario scenario = { x_in_a_line_of_moved_ones, first_retires,
				     second_moves_and_puts, y_alone_lives, JOURNAL_PATH_DIRECT,
				     X_ALONE, false };

	(void)state;
	scene_everywhere(&scenario);
}

/* ---- two retire it ------------------------------------------------------------------------- */

static void second_retires_too_and_puts(void *scene)
{
	struct scene *s = scene;
	uint32_t gained;

	s->first = clean_lines_step(s->p->j, SLOTS_PER_LINE, &gained);
	s->time_ns = (uint64_t)(int64_t)journal_retire(s->p->j, s->x);
	s->second = scene_put(s, 1, s->seed + 1, &s->y);
}

static void one_of_two_retired(struct scene *s)
{
	int other = (int)(int64_t)s->time_ns;

	/* one of them is told -ENOENT, and not both */
	assert_int_equal(s->retired + other, -ENOENT);
	s->retired = 0;
	y_alone_lives(s);
}

static void p2_of_two_who_retire_what_is_moved_one_did(void **state)
{
	struct scenario scenario = { x_alone_in_its_line, first_retires,
				     second_retires_too_and_puts, one_of_two_retired,
				     JOURNAL_PATH_DIRECT, X_ALONE, false };

	(void)state;
	scene_everywhere(&scenario);
}

/* ---- what is moved is read ---------------------------------------------------------------- */

static void second_reads_x(void *scene)
{
	struct scene *s = scene;
	struct journal_entry entry = { 0 };

	s->second = scene_read_x(s);
	s->retired = 0;
	while (!journal_next(s->p->j, entry.id, &entry))
		s->retired += entry.id == s->x ? 1 : 1000;
}

static void x_was_read(struct scene *s)
{
	assert_int_equal(s->first | s->second, 0);
	assert_true(scene_is_made_of(s->read, s->seed));
	/* listed, and once */
	assert_int_equal(s->retired, 1);
	scene_retire(s, s->x);
	scene_nothing_is_held(s);
}

static void p18_either_slot_serves_while_it_is_moved(void **state)
{
	struct scenario scenario = { x_alone_in_its_line, first_moves, second_reads_x, x_was_read,
				     JOURNAL_PATH_DIRECT, X_ALONE, false };

	(void)state;
	scene_at_some(&scenario, OFTEN);
}

/* ---- the mover is killed ------------------------------------------------------------------- */

#define LIVE 3u

struct killing {
	struct bed bed;
	uint64_t id[LIVE], seed;
	bool failed;
};

/* With a handle of its own: in a child, or, to be traced, in a thread. */
static void mover(void *context)
{
	struct killing *k = context;
	struct journal *j;

	k->failed = journal_open(k->bed.dir, NULL, &j);
	if (k->failed)
		return;
	step_begin();
	k->failed = moves_some(j) != (int)LIVE;
	step_end();
	k->failed |= journal_close(j) != 0;
}

/* each alone in a line */
static void lives_alone(struct killing *k)
{
	struct journal_receipt receipt;
	uint32_t i;

	for (i = 0; i < LIVE; i++) {
		assert_int_equal(bed_put(&k->bed, NULL, 900, ++k->seed, bed_has_nvram(&k->bed) ?
					 JOURNAL_PATH_DIRECT : JOURNAL_PATH_SYNCED, &receipt), 0);
		k->id[i] = receipt.id;
		moves_leave(k->bed.j);
	}
}

static void all_live(struct killing *k)
{
	struct journal_entry entry = { 0 };
	uint32_t i;

	for (i = 0; i < LIVE; i++) {
		assert_int_equal(bed_verify(k->bed.j, k->id[i], 900, k->seed - LIVE + 1 + i), 0);
		assert_int_equal(journal_next(k->bed.j, entry.id, &entry), 0);
		assert_true(entry.id == k->id[i]);
	}
	assert_int_equal(journal_next(k->bed.j, entry.id, &entry), -ENOENT);
}

static void retired_for_good(struct killing *k, bool reopen)
{
	uint32_t i;

	for (i = 0; i < LIVE; i++)
		assert_int_equal(journal_retire(k->bed.j, k->id[i]), 0);
	if (reopen)
		bed_reopen(&k->bed);
	for (i = 0; i < LIVE; i++)
		assert_int_equal(journal_retire(k->bed.j, k->id[i]), -ENOENT);
	assert_int_equal(bed_info(&k->bed).live, 0);
}

/* Return: false: it came to its end before */
static bool killed_at(struct killing *k, uint32_t place)
{
	const struct step_pair pair = { .first = mover, .context = k };
	pid_t pid;
	int status;

	pid = child_fork();
	if (!pid) {
		step_killed(&pair, place);
		_exit(k->failed);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	else
		assert_int_equal(WTERMSIG(status), SIGKILL);
	return WIFSIGNALED(status);
}

static void nothing(void *context)
{
	(void)context;
}

static uint32_t places_of(struct killing *k)
{
	const struct step_pair pair = { mover, nothing, k };
	uint32_t places;

	lives_alone(k);
	places = step_places(&pair);
	assert_false(k->failed);
	all_live(k);
	retired_for_good(k, false);
	return places;
}

static uint32_t stride(void)
{
	const char *given = getenv("STRIDE");

	return given && *given ? (uint32_t)atoi(given) : 101;
}

static void p2_a_dead_movers_moves_are_ended(enum bed_medium medium)
{
	struct killing k = { .seed = 0 };
	uint32_t place, places, killed = 0;

	if (!step_possible())
		skip();
	bed_make(&k.bed, medium, 32 << 20, 2 << 20);
	places = places_of(&k);
	for (place = 0; place < places; place += stride()) {
		bool reopen = place / stride() % 8 == 0;

		lives_alone(&k);
		killed += killed_at(&k, place);
		takeover_sweep(k.bed.j, 0);
		all_live(&k);
		/* one that was not killed has left its line to who comes next */
		moves_leave(k.bed.j);
		moves_nothing_is_half_done(k.bed.j);
		if (reopen) {
			bed_check(&k.bed, 0);
			bed_reopen(&k.bed);
			all_live(&k);
		}
		assert_int_equal(moves_all(k.bed.j), LIVE);
		all_live(&k);
		retired_for_good(&k, reopen);
	}
	print_message("# killed at %d of %d places\n", (int)killed, (int)places);
	assert_true(killed > places / stride() / 2);
	bed_remove(&k.bed);
}

#define SHARED_MEDIA (1u << BED_FILE | 1u << BED_PMEM)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p2_what_is_retired_while_it_is_moved_stays_so),
		cmocka_unit_test(p2_a_retire_meets_a_move),
		cmocka_unit_test(p2_a_move_meets_a_retire),
		cmocka_unit_test(p2_a_move_meets_a_retire_of_what_was_moved),
		cmocka_unit_test(p2_of_two_who_retire_what_is_moved_one_did),
		cmocka_unit_test(p18_either_slot_serves_while_it_is_moved),
	};
	static const struct bed_test killed[] = {
		{ "P2: a dead mover's moves are ended", p2_a_dead_movers_moves_are_ended,
		  SHARED_MEDIA },
	};

	return cmocka_run_group_tests(tests, NULL, NULL) || bed_run(killed, 1);
}
