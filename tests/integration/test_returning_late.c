/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P14, the way back, by one who stands in the middle of it, at each of his system calls:
 * nobody waits for him, and what he does late counts for nothing.
 *
 * STRIDE: at every so many'th system call; 1 is all.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/traced.h"
#include "lib/crowd.h"
#include "lib/turns.h"

#define BOUND_NS 20000000000ull

/* A process that has the journal open, and stands before it gives NVRAM up and goes back
 * to it.  0: after a line "skip: ..." */
static pid_t traced(const char *dir, bool goes_back)
{
	struct journal_health health = { .trust = JOURNAL_ABANDONED };
	struct journal *j;
	int status;
	pid_t pid = traced_fork();

	if (!pid) {
		if (journal_open(dir, NULL, &j))
			child_exit(1);
		(void)raise(SIGSTOP);
		status = journal_distrust(j, "a test");
		while (!status && goes_back && health.trust != JOURNAL_TRUSTED)
			status = turns_one_round(j) || journal_health(j, &health);
		child_exit(status || journal_close(j));
	}
	return traced_stands(pid) ? pid : 0;
}

static void put_group(struct bed *bed, struct model *model, uint64_t seed, uint32_t count)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_SYNCED, .bytes = 64 * count };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint8_t *payload;
	uint32_t i;

	assert_int_equal(journal_begin(bed->j, &options, &txn), 0);
	for (i = 0; i < count; i++) {
		if (i)
			assert_int_equal(journal_group_next(txn), 0);
		payload = bed_payload(16, seed + i);
		assert_int_equal(journal_append(txn, payload, 16), 0);
		free(payload);
	}
	assert_int_equal(journal_commit(txn, &receipt), 0);
	for (i = 0; i < count; i++)
		model_add(model, receipt.id + i, 16, seed + i);
}

/* One that was there before by each path is retired, others are put; lines are used up. */
static void works(struct bed *bed, struct model *model, const uint64_t before[3])
{
	uint64_t ids[3], began = crowd_now_ns();
	uint32_t i;

	/* first: in a line that was somebody's before, by who has not seen the new medium */
	for (i = 0; i < 9; i++)
		put_group(bed, model, 10000 + 100 * i, 64);
	for (i = 0; i < 3; i++)
		turns_retire_it(bed, model, before[i]);
	turns_put_each(bed, model, 1000, ids);
	turns_retire_it(bed, model, ids[0]);
	turns_put_each(bed, model, 2000, ids);
	assert_true(crowd_now_ns() - began < BOUND_NS);
}

/* a line that was used up, and is free */
static void use_up(struct bed *bed)
{
	struct model gone;
	uint64_t ids[9 * 64];
	size_t i;

	model_make(&gone);
	for (i = 0; i < 9; i++)
		put_group(bed, &gone, 50000, 64);
	for (i = 0; i < gone.count; i++)
		ids[i] = gone.all[i].id;
	assert_int_equal(journal_retire_many(bed->j, ids, gone.count, NULL), 0);
	model_free(&gone);
}

/* Nobody leaves anything in order. */
static void all_end(struct bed *bed, pid_t pid)
{
	bed_close(bed); /* not the last one */
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_ends(pid, SIGKILL);
	bed_open(bed, NULL);
}

/* It comes to its end, and one who is there still is killed. */
static void goes_on(struct bed *bed, pid_t pid)
{
	pid_t other = traced(bed->dir, false);

	assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
	child_ends(pid, 0);
	all_end(bed, other);
}

/* Return: whether it had ended before */
static bool stands_at(uint32_t call, bool is_killed, uint32_t *calls)
{
	uint64_t before[3], kept[3];
	struct model model;
	struct bed bed;
	bool ended = false;
	pid_t pid;

	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	model_make(&model);
	turns_put_each(&bed, &model, 1, before);
	turns_put_each(&bed, &model, 10, kept);
	use_up(&bed);
	pid = traced(bed.dir, true);
	if (!pid) {
		bed_remove(&bed);
		skip();
	}
	for (*calls = 0; *calls < call && !ended; ++*calls)
		ended = !traced_next(pid);
	works(&bed, &model, before);
	model_verify(&model, bed.j);
	if (!ended && is_killed)
		all_end(&bed, pid);
	else if (!ended)
		goes_on(&bed, pid);
	model_verify(&model, bed.j);
	turns_is_staged(&bed, &model, 5000, true);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
	return ended;
}

static uint32_t stride(uint32_t by_default)
{
	const char *given = getenv("STRIDE");

	return given && atoi(given) > 0 ? (uint32_t)atoi(given) : by_default;
}

static void p14_nobody_waits_for_who_goes_back(void **state)
{
	uint32_t call, calls = 0;

	(void)state;
	for (call = 1; !stands_at(call, call / stride(23) & 1, &calls); call += stride(23))
		;
	printf("# %u system calls\n", calls);
	assert_true(calls > 50);
}

/* He gives NVRAM up, stands in the middle of it, and goes on when others have done all of
 * that, and have gone back, or would have: what he writes then must not count. */
static bool is_late_at(uint32_t call, uint32_t *backs)
{
	uint64_t before[3];
	struct model model;
	struct bed bed;
	bool ended = false;
	uint32_t i;
	pid_t pid, other;

	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	model_make(&model);
	turns_put_each(&bed, &model, 1, before);
	pid = traced(bed.dir, false);
	if (!pid) {
		bed_remove(&bed);
		skip();
	}
	for (i = 0; i < call && !ended; i++)
		ended = !traced_next(pid);
	turns_goes_down(&bed);
	for (i = 0; i < 20; i++)
		assert_int_equal(turns_one_round(bed.j), 0);
	*backs += turns_trust_of(&bed) == JOURNAL_TRUSTED;
	works(&bed, &model, before);
	/* one who keeps the index when we go, and is killed */
	other = traced(bed.dir, false);
	if (!ended) {
		assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
		child_ends(pid, 0);
	}
	turns_is_staged(&bed, &model, 4000, turns_trust_of(&bed) == JOURNAL_TRUSTED);
	all_end(&bed, other);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
	return ended;
}

static void p14_who_is_late_in_giving_up_undoes_nothing(void **state)
{
	uint32_t call, backs = 0;

	(void)state;
	for (call = 1; !is_late_at(call, &backs); call += stride(11))
		;
	printf("# %u system calls; gone back beside him: %u\n", call, backs);
	assert_true(backs > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_nobody_waits_for_who_goes_back),
		cmocka_unit_test(p14_who_is_late_in_giving_up_undoes_nothing),
	};

	return cmocka_run_group_tests_name("test_returning_late", tests, NULL, NULL);
}
