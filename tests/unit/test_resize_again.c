/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Resizing after a resize: what the one before has taken away does not come back when
 * this one comes to nothing, and what one who was killed has left is not kept.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/resize_killed.h"
#include "txn/member.h"
#include "txn/resize.h"
#include "txn/segment.h"

#define MIB  (1ull << 20)
#define HELD (3u << 20)

static int sized(struct bed *bed, uint64_t bytes)
{
	return journal_resize(bed->j, &(struct journal_resize_options){
		.bytes = bytes, .wait_ns = 200000000 }, NULL);
}

static void put_some(struct bed *bed, struct model *model, uint32_t count)
{
	static uint64_t seed;

	while (count--)
		assert_int_equal(bed_put(bed, model, 100000, ++seed, JOURNAL_PATH_SYNCED, NULL), 0);
}

static void retire_first(struct bed *bed, struct model *model, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (model->all[i].retired)
			continue;
		assert_int_equal(journal_retire(bed->j, model->all[i].id), 0);
		model_retire(model, model->all[i].id);
	}
}

static uint64_t log_size(const struct bed *bed)
{
	char path[PATH_MAX * 2];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/log", bed->dir);
	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

/* ---- fewer, and then not even fewer ------------------------------------------------------- */

/* those that are not there any more, by journal.conf */
static uint32_t gone(const struct bed *bed)
{
	uint32_t number, count = 0;
	const struct segment *segment;

	for (number = 0; number < segments_end(bed->j); number++) {
		segment = &bed->j->segments.all[number];
		if (!segment->leaving)
			continue;
		assert_int_equal(segment_state_of(segment->use), SEGMENT_OUT);
		count++;
	}
	return count;
}

/* So many that all that is there has to be used; behind the end there is nothing. */
static void fill(struct bed *bed, struct model *model)
{
	uint64_t size = log_size(bed), seed = 1ull << 32;

	while (!bed_put(bed, model, 100000, ++seed, JOURNAL_PATH_SYNCED, NULL))
		;
	assert_int_equal(log_size(bed), size);
	model_verify(model, bed->j);
	retire_first(bed, model, model->count);
	model_verify_reopened(model, bed);
}

static void in_vain(enum bed_medium medium, bool killed)
{
	uint8_t *payload = bed_payload(HELD, 7);
	struct journal_txn *txn;
	struct model model;
	struct bed bed;
	uint32_t went;

	bed_make(&bed, medium, 64 * MIB, 4 * MIB);
	model_make(&model);
	put_some(&bed, &model, 20);
	assert_int_equal(sized(&bed, 48 * MIB), 0);
	went = gone(&bed);
	assert_true(went > 10);
	/* the last ones lie behind where it would end */
	put_some(&bed, &model, 320);
	retire_first(&bed, &model, 300);
	if (killed) {
		resize_killed(&bed, 32 * MIB, RESIZE_EMPTIES);
		assert_int_equal(journal_maintain(bed.j, NULL, NULL), 0);
	} else {
		/* pieces of what is not committed cannot be moved */
		assert_int_equal(journal_begin(bed.j, NULL, &txn), 0);
		assert_int_equal(journal_append(txn, payload, HELD), 0);
		assert_int_equal(sized(&bed, 32 * MIB), -EBUSY);
		assert_int_equal(journal_abort(txn), 0);
	}
	assert_int_equal(bed.j->shared->resize_phase, RESIZE_NONE);
	assert_int_equal(gone(&bed), went);
	fill(&bed, &model);
	free(payload);
	model_free(&model);
	bed_remove(&bed);
}

static void what_went_does_not_come_back(enum bed_medium medium)
{
	in_vain(medium, false);
}

static void nor_when_one_is_killed(enum bed_medium medium)
{
	in_vain(medium, true);
}

/* ---- more, and then less than that --------------------------------------------------------- */

/* With the first resize of a log: before it nothing says how long it is to be. */
static void what_a_killed_one_made_is_not_kept(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	uint64_t wanted;

	bed_make(&bed, medium, 24 * MIB, 4 * MIB);
	assert_int_equal(sized(&bed, 30 * MIB), 0);
	wanted = log_size(&bed);
	bed_remove(&bed);
	bed_make(&bed, medium, 24 * MIB, 4 * MIB);
	model_make(&model);
	put_some(&bed, &model, 20);
	resize_killed(&bed, 70 * MIB, RESIZE_NONE);
	assert_true(log_size(&bed) > wanted);
	assert_int_equal(sized(&bed, 30 * MIB), 0);
	assert_int_equal(log_size(&bed), wanted);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- while another one takes over ---------------------------------------------------------- */

struct taker {
	struct journal *j;
	uint32_t dead;
	uint64_t before; /* swept_ns */
	_Atomic bool refused;
};

/* Ends the takeover only once who comes has found it under way and looks again. */
static void *takes_over(void *context)
{
	struct taker *t = context;
	uint64_t first;
	struct member *m = &t->j->members[t->dead - 1];

	while ((first = atomic_load(&t->j->shared->swept_ns)) == t->before && !t->refused)
		sched_yield();
	while (atomic_load(&t->j->shared->swept_ns) == first && !t->refused)
		sched_yield();
	resize_takeover(t->j, t->dead);
	atomic_store(&m->identity, 0);
	atomic_store(&m->state, member_word(m->state, MEMBER_FREE, 0));
	return NULL;
}

static void one_who_is_taken_over_blocks_nobody(enum bed_medium medium)
{
	struct taker t = { 0 };
	pthread_t thread;
	struct bed bed;
	int error;

	bed_make(&bed, medium, 24 * MIB, 4 * MIB);
	resize_killed(&bed, 60 * MIB, RESIZE_NONE);
	t.j = bed.j;
	t.dead = atomic_load(&bed.j->shared->resizer);
	assert_int_not_equal(t.dead, 0);
	/* before the thread: else who resizes may be first, and take over by himself */
	atomic_store(&bed.j->members[t.dead - 1].state,
		     member_word(bed.j->members[t.dead - 1].state, MEMBER_TAKEN, bed.j->member));
	t.before = atomic_load(&bed.j->shared->swept_ns);
	assert_int_equal(pthread_create(&thread, NULL, takes_over, &t), 0);
	error = sized(&bed, 30 * MIB);
	t.refused = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(error, 0);
	bed_remove(&bed);
}

/* What it has begun it ends only once it was waited for in vain: that is wrong. */
static void *is_waited_for(void *context)
{
	struct taker *t = context;
	uint64_t last = t->before, now;
	unsigned int looks = 0;

	while (looks < 1000 && !t->refused) {
		now = atomic_load(&t->j->shared->swept_ns);
		looks += now != last;
		last = now;
		sched_yield();
	}
	resize_takeover(t->j, t->dead);
	atomic_store(&t->j->members[t->dead - 1].identity, 0);
	atomic_store(&t->j->members[t->dead - 1].state,
		     member_word(t->j->members[t->dead - 1].state, MEMBER_FREE, 0));
	return NULL;
}

/* Return: the number that it has as a member */
static uint32_t stopped_member(struct bed *bed, pid_t *pid)
{
	struct journal *j;
	uint32_t number;

	*pid = child_fork();
	if (!*pid) {
		if (!journal_open(bed->dir, NULL, &j))
			(void)raise(SIGSTOP);
		child_exit(journal_close(j) ? 1 : 0);
	}
	assert_int_equal(waitpid(*pid, NULL, WUNTRACED), *pid);
	for (number = 0; number < MEMBERS; number++)
		if (atomic_load(&bed->j->members[number].pid) == *pid &&
		    member_state_of(bed->j, number) == MEMBER_ALIVE)
			return number + 1;
	assert_true(!"it is a member");
	return 0;
}

static void who_takes_over_and_is_stopped_is_not_waited_for(enum bed_medium medium)
{
	struct taker t = { 0 };
	pthread_t thread;
	struct bed bed;
	uint32_t stopped;
	pid_t pid;
	int error;

	bed_make(&bed, medium, 24 * MIB, 4 * MIB);
	stopped = stopped_member(&bed, &pid);
	resize_killed(&bed, 60 * MIB, RESIZE_NONE);
	t.j = bed.j;
	t.dead = atomic_load(&bed.j->shared->resizer);
	assert_int_not_equal(t.dead, 0);
	atomic_store(&bed.j->members[t.dead - 1].state,
		     member_word(bed.j->members[t.dead - 1].state, MEMBER_TAKEN, stopped));
	t.before = atomic_load(&bed.j->shared->swept_ns);
	assert_int_equal(pthread_create(&thread, NULL, is_waited_for, &t), 0);
	error = sized(&bed, 30 * MIB);
	t.refused = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(kill(pid, SIGCONT), 0);
	child_ends(pid, 0);
	assert_int_equal(error, -EBUSY);
	assert_int_equal(sized(&bed, 30 * MIB), 0);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "what went does not come back", what_went_does_not_come_back,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "nor when one is killed", nor_when_one_is_killed,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "what a killed one made is not kept", what_a_killed_one_made_is_not_kept,
		  1u << BED_FILE },
		{ "one who is taken over blocks nobody", one_who_is_taken_over_blocks_nobody,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "who takes over and is stopped is not waited for",
		  who_takes_over_and_is_stopped_is_not_waited_for, 1u << BED_FILE },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
