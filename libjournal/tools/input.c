/* SPDX-License-Identifier: BSD-3-Clause */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int input_open_file(struct input *input, const char *path)
{
	input->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (input->fd < 0)
		return -errno;
	input->name = path;
	return 0;
}

/* Standard input may have been read in part by others before. */
static uint64_t input_size(int fd)
{
	struct stat about;
	off_t at = lseek(fd, 0, SEEK_CUR);

	if (at < 0 || fstat(fd, &about) || !S_ISREG(about.st_mode) || at >= about.st_size)
		return 0;
	return (uint64_t)(about.st_size - at);
}

int input_open(struct input *input, const char *path)
{
	int err = 0;

	*input = (struct input){ .fd = STDIN_FILENO, .name = "standard input",
				 .room = INPUT_BUFFER_BYTES };
	if (path && strcmp(path, "-"))
		err = input_open_file(input, path);
	if (err)
		return err;
	input->total = input_size(input->fd);
	input->buffer = malloc(input->room);
	if (input->buffer)
		return 0;
	input_close(input);
	return -ENOMEM;
}

int input_open_memory(struct input *input, const void *data, uint64_t bytes)
{
	*input = (struct input){ .fd = -1, .memory = data, .memory_bytes = bytes,
				 .total = bytes, .name = "memory", .room = INPUT_BUFFER_BYTES };
	input->buffer = malloc(input->room);
	return input->buffer ? 0 : -ENOMEM;
}

void input_close(struct input *input)
{
	if (input->fd > STDIN_FILENO)
		(void)close(input->fd);
	free(input->buffer);
	input->buffer = NULL;
}

static int input_fill_from_memory(struct input *input)
{
	size_t room = input->room - input->end;
	size_t bytes = input->memory_bytes < room ? (size_t)input->memory_bytes : room;

	if (bytes)
		memcpy(input->buffer + input->end, input->memory, bytes);
	input->memory += bytes;
	input->memory_bytes -= bytes;
	input->end += bytes;
	input->at_end = !bytes;
	return bytes > 0;
}

/* Read more behind what is there; the buffer is not full.  1, 0 at the end. */
static int input_fill(struct input *input)
{
	ssize_t got;

	if (input->fd < 0)
		return input_fill_from_memory(input);
	for (;;) {
		got = read(input->fd, input->buffer + input->end, input->room - input->end);
		if (got >= 0)
			break;
		if (errno == EAGAIN) {
			struct pollfd wait = { .fd = input->fd, .events = POLLIN };

			if (poll(&wait, 1, -1) >= 0)
				continue;
		}
		if (errno != EINTR)
			return -errno;
	}
	input->end += (size_t)got;
	input->at_end = !got;
	return got > 0;
}

static void input_compact(struct input *input)
{
	if (!input->start)
		return;
	memmove(input->buffer, input->buffer + input->start, input->end - input->start);
	input->end -= input->start;
	input->start = 0;
}

static int input_take(struct input *input, size_t bytes, struct input_piece *piece)
{
	if (!bytes)
		return 0;
	*piece = (struct input_piece){
		.data = input->buffer + input->start,
		.bytes = bytes,
		.offset = input->offset,
		.first = !input->within,
		.last = input->buffer[input->start + bytes - 1] == '\n',
	};
	input->within = !piece->last;
	input->start += bytes;
	input->offset += bytes;
	return 1;
}

int input_line(struct input *input, struct input_piece *piece)
{
	size_t searched = 0;

	for (;;) {
		size_t there = input->end - input->start;
		const uint8_t *from = input->buffer + input->start;
		const uint8_t *newline = memchr(from + searched, '\n', there - searched);
		int got;

		if (newline)
			return input_take(input, (size_t)(newline - from) + 1, piece);
		if (there == input->room || input->at_end)
			return input_take(input, there, piece);
		searched = there;
		input_compact(input);
		got = input_fill(input);
		if (got < 0)
			return got;
	}
}

int input_some(struct input *input, struct input_piece *piece)
{
	if (input->start == input->end && !input->at_end) {
		int got;

		input->start = input->end = 0;
		got = input_fill(input);
		if (got < 0)
			return got;
	}
	return input_take(input, input->end - input->start, piece);
}
