/* SPDX-License-Identifier: BSD-3-Clause */
#include "util/message.h"

#include <stdio.h>
#include <string.h>

static void message_write(struct message *m, const char *format, va_list args)
{
	/* a text too long is cut, which is what the bound is for */
	(void)vsnprintf(m->text, sizeof(m->text), format, args);
}

int message_set(struct message *m, int error, const char *format, ...)
{
	va_list args;

	if (!m)
		return error;
	va_start(args, format);
	message_write(m, format, args);
	va_end(args);
	return error;
}

int message_errno(struct message *m, int error, const char *format, ...)
{
	char reason[128];
	size_t used;
	va_list args;

	if (!m)
		return error;
	va_start(args, format);
	message_write(m, format, args);
	va_end(args);
	used = strlen(m->text);
	(void)snprintf(m->text + used, sizeof(m->text) - used, ": %s",
		       strerror_r(-error, reason, sizeof(reason)));
	return error;
}
