/* SPDX-License-Identifier: BSD-3-Clause */
#include "util/message.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WHOLE_BYTES (4 * PATH_MAX) /* two paths, and more than enough beside them */
#define DOTS        "..."
#define WORD_BYTES  64u /* less is no path that is worth it */

static bool inside_a_letter(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80; /* of UTF-8: one that is not its first */
}

/* the longest stretch without a space: a path, if something is too long */
static char *longest_word(char *text, size_t *bytes)
{
	char *longest = text;
	size_t length;

	*bytes = 0;
	for (; *text; text += length + (text[length] == ' ')) {
		length = strcspn(text, " ");
		if (length > *bytes) {
			longest = text;
			*bytes = length;
		}
	}
	return longest;
}

/* Of @bytes from @at at least @over less, out of their middle. */
static void shorten(char *at, size_t bytes, size_t over)
{
	size_t keep = bytes > over + strlen(DOTS) ? bytes - over - strlen(DOTS) : 0;
	size_t head = keep / 2, tail = bytes - (keep - head);

	while (head && inside_a_letter(at[head]))
		head--;
	while (tail < bytes && inside_a_letter(at[tail]))
		tail++;
	memcpy(at + head, DOTS, strlen(DOTS));
	memmove(at + head + strlen(DOTS), at + tail, strlen(at + tail) + 1);
}

/*
 * What is at fault comes first and the reason last: neither may go because a path is long.
 * So that is shortened in its middle, and then the next longest.
 */
static void fit(char *text, size_t room)
{
	size_t bytes, over;
	char *word;

	while (strlen(text) >= room) {
		over = strlen(text) + 1 - room;
		word = longest_word(text, &bytes);
		if (bytes <= WORD_BYTES) {
			shorten(text, strlen(text), over);
			return;
		}
		if (over > bytes - WORD_BYTES)
			over = bytes - WORD_BYTES;
		shorten(word, bytes, over);
	}
}

static void message_write(struct message *m, const char *reason, const char *format, va_list args)
{
	char whole[WHOLE_BYTES];
	size_t used, room = sizeof(whole) - 256; /* the reason's */

	(void)vsnprintf(whole, room, format, args);
	used = strlen(whole);
	if (reason)
		(void)snprintf(whole + used, sizeof(whole) - used, ": %s", reason);
	fit(whole, sizeof(m->text));
	memcpy(m->text, whole, strlen(whole) + 1);
}

int message_set(struct message *m, int error, const char *format, ...)
{
	va_list args;

	if (!m)
		return error;
	va_start(args, format);
	message_set_args(m, format, args);
	va_end(args);
	return error;
}

void message_set_args(struct message *m, const char *format, va_list args)
{
	message_write(m, NULL, format, args);
}

int message_errno(struct message *m, int error, const char *format, ...)
{
	char reason[128];
	va_list args;

	if (!m)
		return error;
	va_start(args, format);
	message_write(m, strerror_r(-error, reason, sizeof(reason)), format, args);
	va_end(args);
	return error;
}
