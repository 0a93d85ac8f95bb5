/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unistd.h as tests are compiled with for `make coverage`: who leaves by _exit(), as children
 * of a test do, has what it reached written first.  (exit() does that by itself.)  But not who
 * is led from one system call to the next: it would be stopped with a lock on a file that its
 * parent writes, too, and each of those calls would be one more place to stand at.
 */
#ifndef TESTS_LIB_COVERAGE_UNISTD_H
#define TESTS_LIB_COVERAGE_UNISTD_H

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include_next <unistd.h>

void __gcov_dump(void);

static inline bool coverage_is_traced(void)
{
	char text[4096] = "";
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	bool is_known = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0;

	if (fd >= 0)
		close(fd);
	return is_known && !strstr(text, "\nTracerPid:\t0\n");
}

static inline void __attribute__((noreturn)) coverage_exit(int status)
{
	if (!coverage_is_traced())
		__gcov_dump();
	_exit(status);
}

#define _exit(status) coverage_exit(status)

#endif
