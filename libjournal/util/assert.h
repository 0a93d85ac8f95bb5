/* SPDX-License-Identifier: BSD-3-Clause */
/* Assertions that stay on in release builds: programmer errors stop here. */
#ifndef UTIL_ASSERT_H
#define UTIL_ASSERT_H

__attribute__((noreturn, cold))
void assert_failed(const char *what, const char *file, int line);

#define JASSERT(condition)                                                \
	do {                                                              \
		if (__builtin_expect(!(condition), 0))                    \
			assert_failed(#condition, __FILE__, __LINE__);    \
	} while (0)

#endif
