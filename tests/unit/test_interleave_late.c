/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P14: a writer stands still (SIGSTOP) at every instruction of a staged commit while NVRAM
 * is given up, goes on until it finds that out, and stands there, while others look and
 * NVRAM is gone back to; then it is killed.  What it has published behind the evacuation it
 * has told nobody: it may be there, or not; it is never lost.
 *
 * STRIDE: at every so many'th, 15 by default; 1 is all.
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

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/step.h"
#include "lib/turns.h"
#include "txn/checkpoint.h"
#include "txn/health.h"
#include "txn/stand_in.h"
#include "txn/takeover.h"

#define BYTES 700u
#define LATE  99u /* the seed of who is late */

struct late {
	struct bed bed;
	struct model model;
	uint32_t late, there;
	bool acknowledged; /* what the late one put has to be there */
	int error;
};

/* ---- the late one ------------------------------------------------------------------- */

static int put(struct journal *j)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_STAGED, .bytes = BYTES };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint8_t payload[BYTES];
	int error = journal_begin(j, &options, &txn);

	bed_fill(payload, sizeof(payload), LATE);
	if (!error)
		error = journal_append(txn, payload, sizeof(payload));
	if (error)
		return error;
	step_begin();
	error = journal_commit(txn, &receipt);
	step_end();
	return error;
}

static void writer(void *context)
{
	struct late *l = context;
	struct journal *j;

	l->error = journal_open(l->bed.dir, NULL, &j);
	if (!l->error)
		l->error = put(j);
	if (journal_close(j))
		l->error = -EIO;
}

static void nothing(void *context)
{
	(void)context;
}

extern __typeof__(health_unstage) __real_health_unstage, __wrap_health_unstage;
static bool stands_late;

/* It has published, and looked. */
int __wrap_health_unstage(struct journal *j, uint64_t id, uint32_t count)
{
	if (stands_late)
		(void)raise(SIGSTOP);
	return __real_health_unstage(j, id, count);
}

extern __typeof__(stand_in_enforce) __real_stand_in_enforce, __wrap_stand_in_enforce;
static bool stands_switching;

/* All is in the log, and health is switching. */
int __wrap_stand_in_enforce(struct journal *j)
{
	if (stands_switching)
		(void)raise(SIGSTOP);
	return __real_stand_in_enforce(j);
}

/* Return: 0: it has ended */
static pid_t stands(struct late *l, pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	l->acknowledged = !WIFSTOPPED(status);
	if (WIFSTOPPED(status))
		return pid;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return 0;
}

/* Return: 0: it did not come there */
static pid_t stopped_at(struct late *l, uint32_t place)
{
	const struct step_pair pair = { .first = writer, .context = l };
	pid_t pid = child_fork();

	if (!pid) {
		stands_late = true;
		step_stopped(&pair, place);
		_exit(l->error ? 1 : 0);
	}
	return stands(l, pid);
}

/* NVRAM has been given up meanwhile.  Return: as stopped_at() */
static pid_t goes_on(struct late *l, pid_t pid)
{
	if (!pid)
		return 0;
	assert_int_equal(kill(pid, SIGCONT), 0);
	pid = stands(l, pid);
	l->late += pid != 0;
	return pid;
}

static void killed(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_ends(pid, SIGKILL);
}

/* ---- what is there -------------------------------------------------------------------- */

/* all of the model, and perhaps the late one's, which is retired then */
static void all_is_right(struct late *l)
{
	struct journal_entry entry = { 0 };
	uint64_t late = 0;
	uint32_t count = 0;

	assert_int_equal(bed_info(&l->bed).lost, 0);
	assert_int_equal(bed_info(&l->bed).lost_unnamed, 0);
	while (!journal_next(l->bed.j, entry.id, &entry)) {
		if (model_find(&l->model, entry.id)) {
			count++;
			continue;
		}
		assert_int_equal(late, 0);
		late = entry.id;
		assert_int_equal(bed_verify(l->bed.j, late, BYTES, LATE), 0);
	}
	assert_int_equal(count, model_live(&l->model));
	assert_true(late || !l->acknowledged);
	l->acknowledged = false;
	if (!late)
		return;
	l->there++;
	assert_int_equal(journal_retire(l->bed.j, late), 0);
}

/* it is given up again: nothing is called lost that was left of the late one */
static void nothing_is_left(struct late *l)
{
	struct journal_health health;

	turns_goes_down(&l->bed);
	assert_int_equal(journal_health(l->bed.j, &health), 0);
	assert_int_equal(health.evacuated_lost, 0);
	turns_comes_back(&l->bed);
	all_is_right(l);
}

/* ---- it is taken over ------------------------------------------------------------------ */

static void taken_over(struct late *l, uint32_t place, bool back)
{
	pid_t pid = stopped_at(l, place);

	turns_goes_down(&l->bed);
	pid = goes_on(l, pid);
	if (back)
		turns_comes_back(&l->bed);
	if (pid) {
		killed(pid);
		assert_int_equal(takeover_sweep(l->bed.j, 0), 1);
	}
	turns_comes_back(&l->bed);
	all_is_right(l);
	nothing_is_left(l);
}

/* ... while NVRAM is being given up: not before that is done */
static void switches(struct late *l)
{
	struct journal *j;
	int error = journal_open(l->bed.dir, NULL, &j);

	stands_switching = true;
	if (!error)
		error = journal_distrust(j, "a test");
	_exit(journal_close(j) || error);
}

static void taken_over_meanwhile(struct late *l, uint32_t place, bool back)
{
	pid_t pid = stopped_at(l, place), other = child_fork();
	bool acknowledged = l->acknowledged;

	(void)back;
	if (!other)
		switches(l);
	assert_int_equal(stands(l, other), other);
	l->acknowledged = acknowledged;
	assert_int_equal(health_now(l->bed.j), HEALTH_SWITCHING);
	pid = goes_on(l, pid);
	acknowledged = l->acknowledged;
	if (pid) {
		killed(pid);
		assert_int_equal(takeover_sweep(l->bed.j, 0), 0);
	}
	assert_int_equal(kill(other, SIGCONT), 0);
	assert_int_equal(stands(l, other), 0);
	l->acknowledged = acknowledged;
	turns_goes_down(&l->bed);
	if (pid)
		assert_int_equal(takeover_sweep(l->bed.j, 0), 1);
	turns_comes_back(&l->bed);
	all_is_right(l);
	nothing_is_left(l);
}

/* ---- all are killed --------------------------------------------------------------------- */

static void turns_and_dies(struct late *l, bool back)
{
	const struct journal_maintain_options options = { .sound_for_ns = 1 };
	struct journal *j;
	int error = journal_open(l->bed.dir, NULL, &j);

	if (!error)
		error = journal_distrust(j, "a test");
	if (!error)
		(void)raise(SIGSTOP);
	/* a list, and perhaps a medium, that is made behind it */
	if (!error)
		error = checkpoint(j);
	while (back && !error && health_now(j) != HEALTH_TRUSTED)
		error = journal_maintain(j, &options, NULL);
	if (!error)
		(void)kill(getpid(), SIGKILL);
	_exit(1);
}

static void all_killed(struct late *l, uint32_t place, bool back)
{
	pid_t pid = stopped_at(l, place), other;
	bool acknowledged = l->acknowledged;

	bed_close(&l->bed);
	other = child_fork();
	if (!other)
		turns_and_dies(l, back);
	assert_int_equal(stands(l, other), other);
	l->acknowledged = acknowledged;
	pid = goes_on(l, pid);
	acknowledged = l->acknowledged;
	assert_int_equal(kill(other, SIGCONT), 0);
	child_ends(other, SIGKILL);
	if (pid)
		killed(pid);
	bed_check(&l->bed, 0);
	bed_open(&l->bed, NULL);
	l->acknowledged = acknowledged;
	all_is_right(l);
	turns_comes_back(&l->bed);
}

/* ---- everywhere ---------------------------------------------------------------------------- */

static uint32_t stride(void)
{
	const char *given = getenv("STRIDE");

	return given && *given ? (uint32_t)atoi(given) : 15;
}

static uint32_t places_of(struct late *l)
{
	const struct step_pair pair = { writer, nothing, l };
	uint32_t places = step_places(&pair);

	assert_int_equal(l->error, 0);
	all_is_right(l);
	return places;
}

static void everywhere(void (*once)(struct late *l, uint32_t place, bool back), uint32_t step)
{
	struct late l = { 0 };
	uint32_t place, places, tries = 0;

	if (!step_possible())
		skip();
	bed_make(&l.bed, BED_PMEM, 16 << 20, 2 << 20);
	model_make(&l.model);
	assert_int_equal(bed_put(&l.bed, &l.model, 500, 1, JOURNAL_PATH_STAGED, NULL), 0);
	assert_int_equal(bed_put(&l.bed, &l.model, 500, 2, JOURNAL_PATH_DIRECT, NULL), 0);
	places = places_of(&l);
	for (place = 0; place < places; place += step)
		once(&l, place, tries++ % 2);
	print_message("# of %d times, late %d, there %d\n", (int)tries, (int)l.late,
		      (int)l.there);
	assert_true(l.late > tries / 2 && l.there > 0);
	model_verify_reopened(&l.model, &l.bed);
	model_free(&l.model);
	bed_remove(&l.bed);
}

static void p14_a_late_commit_is_taken_over(void **state)
{
	(void)state;
	everywhere(taken_over, stride());
}

static void p14_a_late_commit_is_taken_over_when_nvram_is_given_up(void **state)
{
	(void)state;
	everywhere(taken_over_meanwhile, stride() * 3);
}

static void p14_a_late_commit_is_not_called_lost(void **state)
{
	(void)state;
	everywhere(all_killed, stride());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_a_late_commit_is_taken_over),
		cmocka_unit_test(p14_a_late_commit_is_taken_over_when_nvram_is_given_up),
		cmocka_unit_test(p14_a_late_commit_is_not_called_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
