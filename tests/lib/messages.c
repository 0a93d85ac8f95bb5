/* SPDX-License-Identifier: BSD-3-Clause */
#include "messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static int messages_file(const void *data, size_t bytes)
{
	int fd = memfd_create("messages", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, bytes), bytes);
	return fd;
}

static void messages_add(struct messages *messages, const struct reader *reader)
{
	char *copy = malloc(reader->bytes + 1);

	assert_non_null(copy);
	assert_true(messages->count < MESSAGES_MAX);
	if (reader->bytes)
		memcpy(copy, reader->data, reader->bytes);
	copy[reader->bytes] = '\0';
	messages->message[messages->count].data = copy;
	messages->message[messages->count++].bytes = reader->bytes;
}

void messages_read(struct messages *messages, reader_next *next, const void *data,
		   size_t bytes, size_t room, size_t limit)
{
	int fd = messages_file(data, bytes);
	struct input input;
	struct reader reader;
	char path[64];

	memset(messages, 0, sizeof(*messages));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(input_open(&input, path), 0);
	if (room)
		input.room = room;
	reader_init(&reader, &input, limit);
	while ((messages->result = next(&reader)) > 0) {
		messages_add(messages, &reader);
		assert_int_equal(messages->count, reader.number);
	}
	memcpy(messages->error, reader.error, sizeof(messages->error));
	reader_free(&reader);
	input_close(&input);
	(void)close(fd);
}

void messages_free(struct messages *messages)
{
	while (messages->count)
		free(messages->message[--messages->count].data);
}

void messages_equal(const struct messages *messages, size_t n, const void *text,
		    size_t bytes)
{
	assert_true(n < messages->count);
	assert_int_equal(messages->message[n].bytes, bytes);
	assert_memory_equal(messages->message[n].data, text, bytes);
}
