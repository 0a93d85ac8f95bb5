/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors that are a limit of this process and say nothing of a medium: another process may
 * not meet them. */
#ifndef UTIL_OWN_LIMIT_H
#define UTIL_OWN_LIMIT_H

#include <errno.h>
#include <stddef.h>

/* Return: the limit, for people; NULL: @error is none */
static inline const char *own_limit(int error)
{
	switch (error) {
	case -EMFILE:
		return "open files, ulimit -n";
	case -ENFILE:
		return "open files of the system, fs.file-max";
	case -EFBIG:
		return "size of a file, ulimit -f";
	case -ENOMEM:
		return "memory";
	case -EAGAIN:
		return "threads or requests under way";
	default:
		return NULL;
	}
}

#endif
