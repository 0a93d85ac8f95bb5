/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls where there are some around what is counted, or in it: a child
 * commits, its parent traces it.  Between two calls of getppid() stands what is
 * counted.  (test_syscalls.c traps those of the staged path.)
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* behind <sys/ptrace.h>, which has a struct of another name for the same */
#include <linux/ptrace.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"

#define ROUNDS 200u

struct work {
	enum journal_path path;
	size_t bytes;
	bool prepare; /* what is counted begins after journal_prepare() */
	bool retire;  /* what is counted is the retire alone */
};

static void mark(void)
{
	(void)syscall(SYS_getppid);
}

static int work_once(struct journal *j, const struct work *work)
{
	static const uint8_t payload[4096];
	struct journal_txn_options options = { .path = work->path, .bytes = work->bytes };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	int error;

	if (!work->prepare && !work->retire)
		mark();
	error = journal_begin(j, &options, &txn);
	if (!error)
		error = journal_append(txn, payload, work->bytes);
	if (!error && work->prepare)
		error = journal_prepare(txn);
	if (work->prepare)
		mark();
	if (!error)
		error = journal_commit(txn, &receipt);
	if (!work->retire)
		mark();
	if (error || receipt.path != work->path)
		return -EIO;
	if (work->retire)
		mark();
	error = journal_retire(j, receipt.id);
	if (work->retire)
		mark();
	return error;
}

/* The first rounds come without the tracer: pools are filled, pages are there. */
static int work_traced(const char *dir, const struct work *work)
{
	struct journal *j;
	unsigned int i;
	int error = journal_open(dir, NULL, &j);

	for (i = 0; !error && i < 2 * ROUNDS; i++) {
		if (i == ROUNDS && (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP)))
			return 77;
		error = work_once(j, work);
	}
	return error ? 1 : 0;
}

static bool enters(pid_t pid, uint64_t *number)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		fail_msg("the system calls of %d cannot be seen: %s", (int)pid, strerror(errno));
	*number = info.entry.nr;
	return info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

/* Return: the exit status of the child */
static int count_calls(pid_t pid, unsigned int *marks, unsigned int *calls)
{
	uint64_t number;
	int status, deliver = 0;

	*marks = *calls = 0;
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		deliver = WSTOPSIG(status);
		if (deliver == SIGSTOP) {
			assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL,
						PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
			deliver = 0;
		} else if (deliver == (SIGTRAP | 0x80)) {
			deliver = 0;
			if (enters(pid, &number)) {
				*marks += number == SYS_getppid;
				*calls += number != SYS_getppid && *marks & 1;
			}
		}
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)deliver), 0);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* system calls in ROUNDS times the work; -1: it cannot be traced here */
static int calls_of(struct bed *bed, const struct work *work)
{
	unsigned int marks, calls;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(work_traced(bed->dir, work));
	assert_true(pid > 0);
	status = count_calls(pid, &marks, &calls);
	if (status == 77)
		return -1;
	assert_int_equal(status, 0);
	assert_int_equal(marks, 2 * ROUNDS);
	return (int)calls;
}

static int calls_on(enum bed_medium medium, const struct work *work)
{
	struct bed bed;
	int calls;

	if (under_valgrind()) {
		print_message("skip: valgrind makes system calls of its own\n");
		skip();
	}
	bed_make(&bed, medium, 64u << 20, 16u << 20);
	bed_close(&bed);
	calls = calls_of(&bed, work);
	bed_remove(&bed);
	if (calls < 0) {
		print_message("skip: a process may not be traced here\n");
		skip();
	}
	return calls;
}

static void none(enum bed_medium medium, const struct work *work)
{
	assert_int_equal(calls_on(medium, work), 0);
}

static void a_prepared_direct_commit_makes_none(void **state)
{
	(void)state;
	none(BED_PMEM, &(struct work){ JOURNAL_PATH_DIRECT, 4096, true, false });
}

static void a_retire_of_a_direct_one_makes_none(void **state)
{
	(void)state;
	none(BED_PMEM, &(struct work){ JOURNAL_PATH_DIRECT, 64, false, true });
}

/* and it is seen that there is something to count */
static void a_lone_synced_commit_makes_one(void **state)
{
	int calls;

	(void)state;
	calls = calls_on(BED_FILE, &(struct work){ JOURNAL_PATH_SYNCED, 64, false, false });
	/* and now and then a segment is full */
	assert_in_range(calls, ROUNDS, ROUNDS + ROUNDS / 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prepared_direct_commit_makes_none),
		cmocka_unit_test(a_retire_of_a_direct_one_makes_none),
		cmocka_unit_test(a_lone_synced_commit_makes_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
