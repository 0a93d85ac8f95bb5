/* SPDX-License-Identifier: BSD-3-Clause */
#include "child.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

pid_t child_fork(void)
{
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (!pid)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

bool under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

void child_exit(int status)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", status);
	/* it looks for leaks at every exit, but follows no exec */
	if (under_valgrind())
		(void)execl("/bin/sh", "sh", "-c", "exit \"$0\"", text, (char *)NULL);
	_exit(status);
}

void child_ends(pid_t pid, int wanted)
{
	int status, got;

	assert_true(pid > 0);
	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	assert_int_equal(got, pid);
	if (status != wanted)
		fail_msg("process %d ended with status %#x, not %#x", (int)pid,
			 (unsigned int)status, (unsigned int)wanted);
}
