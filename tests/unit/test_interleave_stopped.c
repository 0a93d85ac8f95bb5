/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P18: a cleaner is stopped (SIGSTOP) at every instruction, in a process of its own, and
 * pins what it has in its hands alone: another one cleans what is left, retires, puts;
 * then the first goes on, and all is right.
 *
 * STRIDE: at every so many'th, 1009 by default; 1 is all.
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
#include "step.h"
#include "txn/clean.h"
#include "txn/clean_job.h"
#include "txn/clean_lines.h"
#include "txn/head.h"
#include "txn/line.h"
#include "txn/segment.h"
#include "txn/takeover.h"

#define LIVE 4u /* the first is retired while the cleaner stands; the last is a large one */
#define LARGE 1200000u

struct stopping {
	struct bed bed;
	uint64_t id[LIVE], seed, retired;
	bool lines;
	bool waits; /* others find out for themselves */
	int error;
};

static uint64_t bytes_of(uint32_t i)
{
	return i + 1 == LIVE ? LARGE : 900;
}

/* ---- the one that is stopped ------------------------------------------------------------ */

static int clean(struct journal *j, bool lines)
{
	bool gained;
	int error;

	if (lines) {
		error = moves_some(j);
		return error < 0 ? error : 0;
	}
	error = clean_step(j, 256, &gained);
	return error;
}

/* With a handle of its own: in a child, or, to be traced, in a thread. */
static void cleaner(void *context)
{
	struct stopping *s = context;
	struct journal *j;

	s->error = journal_open(s->bed.dir, NULL, &j);
	if (s->error)
		return;
	step_begin();
	s->error = clean(j, s->lines);
	step_end();
	if (s->error == -ENOSPC) /* what it was to move, others have */
		s->error = 0;
	if (journal_close(j))
		s->error = -EIO;
}

static pid_t stopped_at(struct stopping *s, uint32_t place, bool *stopped)
{
	const struct step_pair pair = { .first = cleaner, .context = s };
	pid_t pid = child_fork();
	int status;

	if (!pid) {
		step_stopped(&pair, place);
		_exit(s->error ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	*stopped = WIFSTOPPED(status);
	if (!*stopped) {
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	return pid;
}

static void goes_on(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- the others ---------------------------------------------------------------------------- */

static void leave_segments(struct journal *j)
{
	static const enum head_kind kinds[] = { HEAD_EXTENTS, HEAD_STREAM };
	struct head *head;
	uint32_t i;

	for (i = 0; i < 2; i++) {
		assert_int_equal(head_lease(j, kinds[i], &head), 0);
		if (head_segment(j, head))
			assert_int_equal(head_seal(j, head), 0);
		head_return(head);
	}
}

/* each alone in a line, and together in a segment that is left */
static void some_live(struct stopping *s)
{
	struct journal_receipt receipt;
	uint32_t i;

	for (i = 0; i < LIVE; i++) {
		assert_int_equal(bed_put(&s->bed, NULL, bytes_of(i), ++s->seed,
					 bed_has_nvram(&s->bed) ? JOURNAL_PATH_DIRECT :
								  JOURNAL_PATH_SYNCED,
					 &receipt), 0);
		s->id[i] = receipt.id;
		moves_leave(s->bed.j);
	}
	leave_segments(s->bed.j);
	s->retired = 0;
}

static void those_live(struct stopping *s)
{
	struct journal_entry entry = { 0 };
	uint32_t i, count = 0;

	for (i = s->retired; i < LIVE; i++)
		assert_int_equal(bed_verify(s->bed.j, s->id[i], bytes_of(i),
					    s->seed - LIVE + 1 + i), 0);
	while (!journal_next(s->bed.j, entry.id, &entry))
		count++;
	assert_int_equal(count, LIVE - s->retired);
}

/* It is not waited for, and others clean what it has not in its hands. */
static void others_clean(struct stopping *s)
{
	struct journal *j = s->bed.j;
	bool gained;
	uint32_t i, lines;

	if (s->waits)
		assert_true(clean_job_wait(j));
	else
		moves_past_the_stopped(j);
	for (i = 0; i < 3; i++) {
		assert_int_equal(clean_step(j, 256, &gained), 0);
		assert_int_equal(clean_lines_step(j, SLOTS_PER_LINE, &lines), 0);
	}
	those_live(s);
}

/* No hold is left but those of what lives: one, and of a large one a few. */
static void nothing_else_is_held(struct stopping *s)
{
	struct journal *j = s->bed.j;
	uint64_t held = 0;
	uint32_t i;

	for (i = 0; i < segments_end(j); i++)
		held += segment_live_of(atomic_load(&j->segments.all[i].use));
	assert_true(held >= LIVE - s->retired && held <= LIVE - s->retired + 1);
}

static void retire_the_rest(struct stopping *s)
{
	uint32_t i;

	for (i = s->retired; i < LIVE; i++)
		assert_int_equal(journal_retire(s->bed.j, s->id[i]), 0);
	for (i = 0; i < segments_end(s->bed.j); i++)
		assert_true(segment_live_of(atomic_load(&s->bed.j->segments.all[i].use)) == 0);
}

static void at_one_place(struct stopping *s, uint32_t place, bool reopen, uint32_t *count)
{
	bool stopped;
	pid_t pid;

	s->waits = reopen;
	some_live(s);
	pid = stopped_at(s, place, &stopped);
	if (stopped) {
		others_clean(s);
		assert_int_equal(journal_retire(s->bed.j, s->id[0]), 0);
		s->retired = 1;
		others_clean(s);
		goes_on(pid);
		++*count;
	}
	moves_leave(s->bed.j);
	those_live(s);
	moves_nothing_is_half_done(s->bed.j);
	nothing_else_is_held(s);
	if (reopen) {
		bed_check(&s->bed, 0);
		bed_reopen(&s->bed);
		those_live(s);
	}
	others_clean(s);
	retire_the_rest(s);
}

static void nothing(void *context)
{
	(void)context;
}

static uint32_t places_of(struct stopping *s)
{
	const struct step_pair pair = { cleaner, nothing, s };
	uint32_t places;

	some_live(s);
	places = step_places(&pair);
	assert_int_equal(s->error, 0);
	those_live(s);
	retire_the_rest(s);
	return places;
}

static uint32_t stride(void)
{
	const char *given = getenv("STRIDE");

	return given && *given ? (uint32_t)atoi(given) : 1009;
}

static void stopped_anywhere(enum bed_medium medium, bool lines)
{
	struct stopping s = { .lines = lines };
	uint32_t place, places, count = 0;

	if (!step_possible())
		skip();
	bed_make(&s.bed, medium, 32 << 20, 2 << 20);
	places = places_of(&s);
	/* what is made once is made: fewer from now on */
	for (place = 0; place < places; place += stride())
		at_one_place(&s, place, place / stride() % 8 == 0, &count);
	print_message("# stopped at %d of %d places\n", (int)count, (int)places);
	assert_true(count > places / stride() / 4);
	bed_remove(&s.bed);
}

static void p18_a_stopped_cleaner_of_segments(enum bed_medium medium)
{
	stopped_anywhere(medium, false);
}

static void p18_a_stopped_cleaner_of_lines(enum bed_medium medium)
{
	stopped_anywhere(medium, true);
}

#define SHARED_MEDIA (1u << BED_FILE | 1u << BED_PMEM)

int main(void)
{
	static const struct bed_test tests[] = {
		{ "P18: a stopped cleaner of segments", p18_a_stopped_cleaner_of_segments,
		  SHARED_MEDIA },
		{ "P18: a stopped cleaner of lines", p18_a_stopped_cleaner_of_lines,
		  SHARED_MEDIA },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
