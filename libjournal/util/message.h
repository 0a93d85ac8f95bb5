/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The text of an error: names the thing and the reason.  What is too long is shortened in the
 * middle of its longest path ("/a/b...c/log"), so that both ends of the text are whole.
 */
#ifndef UTIL_MESSAGE_H
#define UTIL_MESSAGE_H

#include <stdarg.h>
#include <stddef.h>

struct message {
	char text[512];
};

/**
 * message_set() - write the text; @error is returned so that a caller can say
 * `return message_set(m, -EINVAL, "...")`.  @m may be NULL.
 */
__attribute__((format(printf, 3, 4)))
int message_set(struct message *m, int error, const char *format, ...);

/* the same of a list; @m is not NULL */
__attribute__((format(printf, 2, 0)))
void message_set_args(struct message *m, const char *format, va_list args);

/**
 * message_errno() - "<text>: <strerror(-error)>"; returns @error (negative)
 */
__attribute__((format(printf, 3, 4)))
int message_errno(struct message *m, int error, const char *format, ...);

#endif
