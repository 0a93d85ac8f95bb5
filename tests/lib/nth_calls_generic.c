/* SPDX-License-Identifier: BSD-3-Clause */
/* No way is written down here to carry out a system call that was trapped; or what would do it
 * is instrumented. */
#include <errno.h>
#include <stdio.h>

#include "nth.h"

bool nth_calls_can(void)
{
	puts("skip: system calls: only on x86-64 are they caught, and not beside "
	     "ThreadSanitizer");
	return false;
}

int nth_calls_begin(void)
{
	return -ENOTSUP;
}
