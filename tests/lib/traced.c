/* SPDX-License-Identifier: BSD-3-Clause */
#include "traced.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "child.h"

#define NOT_ALLOWED 77

pid_t traced_fork(void)
{
	pid_t pid = child_fork();

	if (!pid && ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		child_exit(NOT_ALLOWED);
	return pid;
}

bool traced_stands(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_ALLOWED) {
		printf("skip: ptrace: not allowed here\n");
		return false;
	}
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL,
				PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	return true;
}

bool traced_next(pid_t pid)
{
	int status;

	do {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status))
			fail_msg("the process fails: %d", WEXITSTATUS(status));
		if (!WIFSTOPPED(status))
			return false;
	} while (WSTOPSIG(status) != (SIGTRAP | 0x80));
	return true;
}
