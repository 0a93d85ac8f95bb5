/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process that stands still at each of its system calls, or is killed there: in
 * opening, committing, retiring, checkpoints, closing.  Another one goes on beside
 * it, or opens after it.  test_processes_stop and _kill have the moments in between.
 *
 * STRIDE: killed at every so many'th call, 13 by default; 1 is all.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/traced.h"
#include "lib/crowd.h"

#define BOUND_NS 20000000000ull
#define ITS      6u

/* what the process did, in memory that outlives it */
struct log {
	_Atomic int step; /* of work(): 2 * i begun, 2 * i + 1 acknowledged */
	struct model_entry its[ITS];
};

static struct log *shared_log(void)
{
	struct log *log = mmap(NULL, sizeof(*log), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(log != MAP_FAILED);
	return log;
}

static const uint64_t sizes[ITS] = { 100, 900000, 5000, 1500000, 200, 30000 };

/* opens, commits some, retires every second one, closes */
static int work(const char *dir, struct log *log)
{
	struct journal_receipt receipt;
	struct journal *j;
	uint8_t *payload;
	uint32_t i;
	int error = journal_open(dir, NULL, &j);

	for (i = 0; i < ITS && !error; i++) {
		log->its[i] = (struct model_entry){ 0, 500 + i, sizes[i], false };
		payload = bed_payload(sizes[i], 500 + i);
		atomic_fetch_add(&log->step, 1);
		error = journal_put(j, payload, sizes[i], &receipt);
		free(payload);
		log->its[i].id = receipt.id;
		atomic_fetch_add(&log->step, 1);
	}
	for (i = 0; i < ITS && !error; i += 2) {
		atomic_fetch_add(&log->step, 1);
		error = journal_retire(j, log->its[i].id);
		log->its[i].retired = true;
		atomic_fetch_add(&log->step, 1);
	}
	return journal_close(j) || error;
}

/* ---- tracing ------------------------------------------------------------------------ */

/* A process that stands before its work.  0: after a line "skip: ..." */
static pid_t traced(const char *dir, struct log *log)
{
	pid_t pid;

	memset(log, 0, sizeof(*log));
	pid = traced_fork();
	if (!pid) {
		(void)raise(SIGSTOP);
		_exit(work(dir, log));
	}
	return traced_stands(pid) ? pid : 0;
}

/* ---- beside one that stands ---------------------------------------------------------- */

static uint64_t beside(struct bed *bed, uint64_t bytes, uint64_t seed)
{
	struct journal_receipt receipt;
	uint64_t began = crowd_now_ns();

	assert_int_equal(bed_put(bed, NULL, bytes, seed, JOURNAL_PATH_AUTO, &receipt), 0);
	assert_int_equal(bed_verify(bed->j, receipt.id, bytes, seed), 0);
	assert_int_equal(journal_retire(bed->j, receipt.id), 0);
	return crowd_now_ns() - began;
}

static void others_go_on_beside_one_that_stands(enum bed_medium medium)
{
	struct log *log = shared_log();
	uint64_t longest = 0, took, calls = 0;
	struct bed bed;
	pid_t pid;

	bed_make(&bed, medium, 16 << 20, 2 << 20);
	pid = traced(bed.dir, log);
	if (!pid)
		skip();
	for (; traced_next(pid); calls++) {
		/* with segments and checkpoints now and then, else small */
		took = beside(&bed, calls % 16 ? 100 + calls : 700000, calls);
		longest = took > longest ? took : longest;
	}
	printf("# %" PRIu64 " places, the longest took %.1f ms\n", calls, (double)longest / 1e6);
	assert_true(calls > 20 && longest < BOUND_NS);
	bed_reopen(&bed);
	assert_int_equal(bed_info(&bed).live, ITS / 2);
	bed_remove(&bed);
	(void)munmap(log, sizeof(*log));
}

/* ---- killed there ----------------------------------------------------------------------- */

/* what it acknowledged is there, what it retired is not; what was in flight may be */
static void as_it_left_it(struct bed *bed, const struct log *log)
{
	int step = atomic_load(&log->step), i;
	struct journal_entry entry;

	for (i = 0; i < (int)ITS; i++) {
		int retires = 2 * (int)ITS + i; /* of even ones: when it begins to */

		if (step <= 2 * i + 1)
			break; /* in flight, or not begun */
		if (i % 2 || step <= retires)
			assert_int_equal(bed_verify(bed->j, log->its[i].id, sizes[i],
						    log->its[i].seed), 0);
		else if (step > retires + 1)
			assert_int_equal(journal_lookup(bed->j, log->its[i].id, &entry), -ENOENT);
	}
	i = 0;
	entry.id = 0;
	while (!journal_next(bed->j, entry.id, &entry)) {
		assert_int_equal(entry.state, JOURNAL_LIVE);
		i++;
	}
	assert_true(i <= (int)ITS);
}

static void empty(struct bed *bed)
{
	struct journal_entry entry;

	while (!journal_next(bed->j, 0, &entry))
		assert_int_equal(journal_retire(bed->j, entry.id), 0);
}

/* Return: false: it ended before */
static bool killed_at(struct bed *bed, struct log *log, uint32_t call)
{
	pid_t pid = traced(bed->dir, log);
	uint32_t i;

	assert_true(pid > 0);
	for (i = 0; i < call; i++)
		if (!traced_next(pid))
			return false;
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_ends(pid, SIGKILL);
	return true;
}

/* an odd stride: both begins and ends of calls */
static uint32_t stride(void)
{
	const char *given = getenv("STRIDE");

	return given && *given ? (uint32_t)atoi(given) : 13;
}

static void one_is_killed_beside_another(enum bed_medium medium)
{
	struct log *log = shared_log();
	struct bed bed;
	uint32_t call = 1;

	bed_make(&bed, medium, 16 << 20, 2 << 20);
	while (killed_at(&bed, log, call)) {
		call += stride();
		(void)beside(&bed, 100, call);
		as_it_left_it(&bed, log);
		bed_check(&bed, 0);
		bed_reopen(&bed);
		as_it_left_it(&bed, log);
		empty(&bed);
	}
	printf("# killed at one of %u calls\n", call);
	bed_remove(&bed);
	(void)munmap(log, sizeof(*log));
}

static void the_only_one_is_killed(enum bed_medium medium)
{
	struct log *log = shared_log();
	struct bed bed;
	uint32_t call = 1;

	bed_make(&bed, medium, 16 << 20, 2 << 20);
	bed_close(&bed);
	while (killed_at(&bed, log, call)) {
		call += stride();
		bed_check(&bed, 0);
		bed_open(&bed, NULL);
		as_it_left_it(&bed, log);
		empty(&bed);
		bed_close(&bed);
	}
	printf("# killed at one of %u calls\n", call);
	bed_remove(&bed);
	(void)munmap(log, sizeof(*log));
}

#define SHARED_MEDIA (1u << BED_FILE | 1u << BED_PMEM)

int main(void)
{
	static const struct bed_test tests[] = {
		{ "others go on beside one that stands", others_go_on_beside_one_that_stands,
		  SHARED_MEDIA },
		{ "one is killed beside another", one_is_killed_beside_another, SHARED_MEDIA },
		{ "the only one is killed", the_only_one_is_killed, SHARED_MEDIA },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
