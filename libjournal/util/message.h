/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of an error: names the thing and the reason. */
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

/**
 * message_errno() - "<text>: <strerror(-error)>"; returns @error (negative)
 */
__attribute__((format(printf, 3, 4)))
int message_errno(struct message *m, int error, const char *format, ...);

#endif
