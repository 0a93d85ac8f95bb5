/* SPDX-License-Identifier: BSD-3-Clause */
/* What a reader of jnl makes of some bytes. */
#ifndef TESTS_MESSAGES_H
#define TESTS_MESSAGES_H

#include "tools/reader.h"

#define MESSAGES_MAX 64

struct messages {
	size_t count;
	struct {
		char *data; /* NUL-terminated, for printing */
		size_t bytes;
	} message[MESSAGES_MAX];
	int result;      /* of the reader's last call: 0, or negative errno */
	char error[256]; /* its text */
};

/**
 * messages_read() - all messages that @next finds in @bytes at @data
 * @room:  of the input's buffer; 0: what the tools have
 * @limit: largest message
 */
void messages_read(struct messages *messages, reader_next *next, const void *data,
		   size_t bytes, size_t room, size_t limit);
void messages_free(struct messages *messages);

/* message @n is @text, all of it */
void messages_equal(const struct messages *messages, size_t n, const void *text,
		    size_t bytes);

#endif
