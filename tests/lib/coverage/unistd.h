/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unistd.h as tests are compiled with for `make coverage`: who leaves by _exit(), as children
 * of a test do, has what it reached written first.  (exit() does that by itself.)
 */
#ifndef TESTS_LIB_COVERAGE_UNISTD_H
#define TESTS_LIB_COVERAGE_UNISTD_H

#include_next <unistd.h>

void __gcov_dump(void);

static inline void __attribute__((noreturn)) coverage_exit(int status)
{
	__gcov_dump();
	_exit(status);
}

#define _exit(status) coverage_exit(status)

#endif
