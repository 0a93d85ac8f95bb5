/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib_child.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int transfer(int fd, void *data, size_t bytes, bool out)
{
	uint8_t *at = data;

	while (bytes) {
		ssize_t n = out ? write(fd, at, bytes) : read(fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -ECHILD;
		at += n;
		bytes -= (size_t)n;
	}
	return 0;
}

__attribute__((noreturn))
static void child(int (*body)(void *, void *), void *argument, void *result, size_t bytes,
		  bool wait_for_kill, int fd)
{
	int error;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	error = body(argument, result);
	(void)transfer(fd, &error, sizeof(error), true);
	(void)transfer(fd, result, bytes, true);
	while (wait_for_kill)
		(void)pause();
	_exit(0);
}

int child_run(int (*body)(void *argument, void *result), void *argument, void *result,
	      size_t bytes, bool kill_it)
{
	int fds[2], error = 0, reported;
	pid_t pid;

	if (pipe(fds))
		return -errno;
	(void)fflush(NULL);
	pid = fork();
	if (!pid) {
		(void)close(fds[0]);
		child(body, argument, result, bytes, kill_it, fds[1]);
	}
	(void)close(fds[1]);
	if (pid < 0)
		reported = -errno;
	else
		reported = transfer(fds[0], &error, sizeof(error), false);
	if (!reported)
		reported = transfer(fds[0], result, bytes, false);
	(void)close(fds[0]);
	if (pid > 0 && kill_it)
		(void)kill(pid, SIGKILL);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return reported ? reported : error;
}

/* A line with an address range begins a mapping, its Rss line follows. */
size_t memory_resident(const char *excluded)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	unsigned long from, to, kib;
	char line[4352];
	bool counts = true;
	size_t sum = 0;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			counts = !excluded || !strstr(line, excluded);
		else if (counts && sscanf(line, "Rss: %lu kB", &kib) == 1)
			sum += kib * 1024;
	}
	(void)fclose(file);
	return sum;
}
