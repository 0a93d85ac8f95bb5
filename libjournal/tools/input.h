/* SPDX-License-Identifier: BSD-3-Clause */
/* An input read in lines, whatever their length, with its byte position. */
#ifndef TOOLS_INPUT_H
#define TOOLS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INPUT_BUFFER_BYTES (64u << 10)

struct input {
	int fd;             /* -1: it is in memory */
	const uint8_t *memory; /* what of it has not been read yet */
	uint64_t memory_bytes;
	const char *name;
	uint64_t total;     /* of a regular file; 0 unknown */
	uint8_t *buffer;
	size_t room;        /* of the buffer */
	size_t start, end;  /* what is read and not yet taken */
	uint64_t offset;    /* of buffer[start] in the input */
	bool at_end;        /* nothing more will come */
	bool within;        /* the piece before did not end its line */
};

/**
 * struct input_piece - a line, or a part of one longer than the buffer
 * @data:   valid until the next call on the input
 * @bytes:  with the newline; at least 1
 * @offset: of @data in the input
 * @first:  starts a line.  Such a piece is the whole line, or the buffer's
 *          size of it: what a line starts with need not be put together.
 * @last:   ends with a newline
 */
struct input_piece {
	const uint8_t *data;
	size_t bytes;
	uint64_t offset;
	bool first;
	bool last;
};

/* @path: NULL or "-" is standard input.  Return: 0 or negative errno. */
int input_open(struct input *input, const char *path);
/* The same of what is in memory; @data stays until input_close().
 * Return: 0 or -ENOMEM */
int input_open_memory(struct input *input, const void *data, uint64_t bytes);
void input_close(struct input *input);

/**
 * input_line() - take the next piece
 *
 * A whole line is handed out as soon as it is there: what comes through a
 * pipe does not wait for more to come.
 * Return: 1, 0 at the end, or negative errno.
 */
int input_line(struct input *input, struct input_piece *piece);

/* Take whatever is there, regardless of lines; Return: as input_line(). */
int input_some(struct input *input, struct input_piece *piece);

#endif
