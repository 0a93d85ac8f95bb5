/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A staged commit and its retire make no system call.  A child that has opened
 * the journal puts itself under a seccomp filter that traps every system call,
 * and counts what is trapped while it works.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cmocka.h>

#include "journal.h"
#include "lib/child.h"
#include "lib/tool_code.h"

#define COMMITS 20000u /* dozens of marker lines, and the ring goes round */

static char base[128], dir[160];
static volatile unsigned int *trapped; /* shared with the child */
static struct journal *journal;
static bool one_is_enough;

/* exit_group() is let through; a sanitizer makes system calls of its own before _exit() */
static void leave(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

static void on_trap(int signal)
{
	(void)signal;
	++*trapped;
	if (one_is_enough)
		leave(0);
}

#define WHERE offsetof(struct seccomp_data, instruction_pointer)

/* All but what ends the child and its signal handler, and what a sanitizer itself
 * calls (ours go through libc, whoever intercepts them).  What is trapped fails. */
static int trap_system_calls(void)
{
	struct code_range code = { 1, 0 };
	bool tool = tool_code(&code) && code.from >> 32 == code.to >> 32;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 7, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 6, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, WHERE + 4), /* little endian */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, tool ? code.from >> 32 : UINT32_MAX, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, WHERE),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)code.from, 0, 1),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)code.to, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(*filter), .filter = filter,
	};

	if (signal(SIGSYS, on_trap) == SIG_ERR || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

static int put_and_retire(enum journal_path path)
{
	struct journal_txn_options options = { .path = path, .bytes = 200 };
	static const uint8_t payload[200];
	struct journal_receipt receipt;
	struct journal_txn *txn;

	if (journal_begin(journal, &options, &txn) ||
	    journal_append(txn, payload, sizeof(payload)) || journal_commit(txn, &receipt) ||
	    receipt.path != path)
		return -EIO;
	return journal_retire(journal, receipt.id);
}

static int staged(void)
{
	unsigned int i;

	for (i = 0; i < COMMITS; i++)
		if (put_and_retire(JOURNAL_PATH_STAGED))
			return -EIO;
	return 0;
}

static int staged_groups(void)
{
	struct journal_receipt receipt;
	struct journal_txn *txn;
	unsigned int i, k;

	for (i = 0; i < COMMITS / 64; i++) {
		if (journal_begin(journal, NULL, &txn))
			return -EIO;
		for (k = 0; k < 64; k++)
			if ((k && journal_group_next(txn)) || journal_append(txn, "12345678", 8))
				return -EIO;
		if (journal_prepare(txn) || journal_commit(txn, &receipt))
			return -EIO;
		for (k = 0; k < 64; k++)
			if (journal_retire(journal, receipt.id + k))
				return -EIO;
	}
	return 0;
}

/* Its first system call, and no more: what comes after one that was not made means nothing. */
static int synced(void)
{
	one_is_enough = true;
	return put_and_retire(JOURNAL_PATH_SYNCED);
}

/* Return: how the child ended, as waitpid() says. */
static int count_in_child(int (*work)(void))
{
	pid_t pid;
	int status = 0;

	*trapped = 0;
	pid = fork();
	if (!pid) {
		/* the first commit of a lane may allocate */
		if (journal_open(dir, NULL, &journal) || put_and_retire(JOURNAL_PATH_STAGED) ||
		    staged_groups() || trap_system_calls())
			_exit(2);
		leave(work() ? 1 : 0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	print_message("%u system calls\n", *trapped);
	return status;
}

static void a_staged_commit_makes_no_system_call(void **state)
{
	(void)state;
	assert_int_equal(count_in_child(staged), 0);
	assert_int_equal(*trapped, 0);
}

static void nor_does_a_group(void **state)
{
	(void)state;
	assert_int_equal(count_in_child(staged_groups), 0);
	assert_int_equal(*trapped, 0);
}

static void a_synced_one_is_noticed(void **state)
{
	(void)state;
	assert_int_equal(count_in_child(synced), 0);
	assert_int_equal(*trapped, 1);
}

static int make(void **state)
{
	struct journal_format_options options = {
		.log_bytes = 32 << 20, .marker_bytes = 4 << 20, .require = JOURNAL_CLASS_PROCESS,
	};
	char uri[200], message[512] = "";

	(void)state;
	snprintf(base, sizeof(base), "/dev/shm/syscalls.XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/j", base);
	snprintf(uri, sizeof(uri), "pmem:%s/nvram", base);
	options.marker = uri;
	if (journal_format(dir, &options, message, sizeof(message)))
		fail_msg("%s", message);
	return 0;
}

static int drop(void **state)
{
	char command[200];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_staged_commit_makes_no_system_call),
		cmocka_unit_test(nor_does_a_group),
		cmocka_unit_test(a_synced_one_is_noticed),
	};

	if (under_valgrind()) {
		puts("skip: valgrind makes system calls of its own");
		return 77;
	}
	if (access("/dev/shm", W_OK)) {
		puts("skip: no memory to stand in for NVRAM: /dev/shm is not writable");
		return 77;
	}
	trapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (trapped == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, make, drop);
}
