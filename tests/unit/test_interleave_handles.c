/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules of two processes, or two handles, each by the schedule under which its model
 * fails without it, as test_interleave_rules.c: one is led to where it matters what the
 * other does (actor.h).
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "actor.h"
#include "bed.h"
#include "child.h"
#include "moves.h"
#include "txn/clean_lines.h"
#include "txn/conf.h"
#include "txn/health.h"
#include "txn/line.h"
#include "txn/returning.h"
#include "txn/takeover.h"
#include "txn/takeover_impl.h"

/* ---- who takes over from a process --------------------------------------------------------- */

struct other {
	struct bed bed;
	struct journal *j; /* of whom it is that goes on */
	uint64_t x, y;
	uint32_t taken;
};

static void other_moves(void *other)
{
	uint32_t gained;

	(void)clean_lines_step(((struct other *)other)->j, SLOTS_PER_LINE, &gained);
}

static void other_takes_over(void *other)
{
	struct other *o = other;

	o->taken = takeover_sweep(o->j, 0);
}

/* In a process of its own.  The copy is there, in the last slot of M's line. */
static void other_is_killed(struct other *o)
{
	pid_t pid = child_fork();
	struct actor *m;
	int status;

	if (!pid) {
		if (journal_open(o->bed.dir, NULL, &o->j))
			child_exit(1);
		moves_use_up(o->j, &o->j->shared->clean[0].moving, SLOTS_PER_LINE - 1);
		m = actor_make(other_moves, o);
		if (ACTOR_AT(m, line_publish, 1))
			(void)kill(getpid(), SIGKILL);
		child_exit(2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void other_put(struct other *o, uint64_t bytes, uint64_t seed, enum journal_path path,
		      uint64_t *id)
{
	struct journal_receipt receipt;

	assert_int_equal(bed_put(&o->bed, NULL, bytes, seed, path, &receipt), 0);
	*id = receipt.id;
}

/* of txn/slots.h, which has a struct place of its own: what the slot names is taken */
void slot_take_large_begins(void) __asm__("slot_take_large");

/* The cells of M go last: else M's line is another's when T gives its slot up. */
static void p2_taker_cells(void **state)
{
	struct other o = { .taken = 0 };
	struct slot_place y;
	struct actor *t;

	(void)state;
	if (!actors_possible())
		skip();
	bed_make(&o.bed, BED_PMEM, 32 << 20, 2 << 20);
	o.j = o.bed.j;
	other_put(&o, 1300000, 1, JOURNAL_PATH_DIRECT, &o.x);
	moves_leave(o.j);
	other_is_killed(&o);
	t = actor_make(other_takes_over, &o);
	assert_true(ACTOR_AT(t, takeover_moves, 1) && ACTOR_AT(t, slot_take_large_begins, 1));
	assert_int_equal(journal_retire(o.j, o.x), 0);
	moves_use_up(o.j, o.j->own, SLOTS_PER_LINE - 1);
	other_put(&o, 900, 2, JOURNAL_PATH_DIRECT, &o.y);
	assert_true(moves_where(o.j, o.y, &y));
	assert_int_equal(y.slot, SLOTS_PER_LINE - 1);
	actor_end(t);
	assert_int_equal(o.taken, 1);
	assert_int_equal(bed_verify(o.j, o.y, 900, 2), 0);
	bed_reopen(&o.bed);
	assert_int_equal(bed_verify(o.bed.j, o.y, 900, 2), 0);
	assert_int_equal(journal_retire(o.bed.j, o.x), -ENOENT);
	bed_remove(&o.bed);
}

/* ---- NVRAM that is gone back to ------------------------------------------------------------ */

static void other_returns(void *other)
{
	struct other *o = other;

	o->taken = (uint32_t)returning_try(o->j);
}

/* Another one has the new medium, and has marked the line of x there, whose bits say
 * retired.  Who opens that line, for y, sees it for the first time, and erases them. */
static void p14_who_opens_a_line_sees_the_medium_first(void **state)
{
	struct other o = { .taken = 0 };
	struct slot_place x, y;
	struct actor *a;

	(void)state;
	if (!actors_possible())
		skip();
	bed_make(&o.bed, BED_PMEM, 32 << 20, 2 << 20);
	other_put(&o, 900, 1, JOURNAL_PATH_DIRECT, &o.x);
	assert_true(moves_where(o.bed.j, o.x, &x));
	assert_int_equal(journal_retire(o.bed.j, o.x), 0);
	moves_leave(o.bed.j);
	assert_int_equal(journal_open(o.bed.dir, NULL, &o.j), 0);
	assert_int_equal(journal_distrust(o.j, "a test"), 0);
	a = actor_make(other_returns, &o);
	assert_true(ACTOR_AT(a, conf_enforce, 1));
	other_put(&o, 900, 2, JOURNAL_PATH_AUTO, &o.y);
	assert_true(moves_where(o.bed.j, o.y, &y));
	assert_true(y.line == x.line && y.slot == x.slot);
	actor_end(a);
	assert_int_equal(o.taken, 0);
	assert_int_equal(health_now(o.j), HEALTH_TRUSTED);
	assert_int_equal(journal_close(o.j), 0);
	bed_reopen(&o.bed);
	assert_int_equal(bed_verify(o.bed.j, o.y, 900, 2), 0);
	assert_int_equal(journal_retire(o.bed.j, o.x), -ENOENT);
	bed_check(&o.bed, 0);
	bed_remove(&o.bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p2_taker_cells),
		cmocka_unit_test(p14_who_opens_a_line_sees_the_medium_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
