/* SPDX-License-Identifier: BSD-3-Clause */
/* For who replaces syscall() at link time: what it was called with. */
#ifndef TESTS_LIB_SYSCALL_ARGUMENTS_H
#define TESTS_LIB_SYSCALL_ARGUMENTS_H

#include <stdarg.h>

/* more than was given is read, as syscall() does, whatever AddressSanitizer has there */
__attribute__((no_sanitize("address")))
static inline void syscall_arguments(long arguments[6], va_list list)
{
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
}

#endif
