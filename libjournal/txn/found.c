/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/found.h"

#include <stdarg.h>

static void found_tell(struct journal *j, int damage, uint64_t id, const char *format,
		       va_list args)
{
	struct message message;
	struct journal_finding finding = { .damage = damage, .id = id, .text = message.text };

	if (!j->found)
		return;
	message_set_args(&message, format, args);
	/* recovery's threads find things too */
	pthread_mutex_lock(&j->found_lock);
	j->found(j->found_context, &finding);
	pthread_mutex_unlock(&j->found_lock);
}

void found_damage(struct journal *j, uint64_t id, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	found_tell(j, 1, id, format, args);
	va_end(args);
}

void found_remark(struct journal *j, uint64_t id, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	found_tell(j, 0, id, format, args);
	va_end(args);
}
