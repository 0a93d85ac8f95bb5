/* SPDX-License-Identifier: BSD-3-Clause */
/* Readers take an input apart into messages, one at a time. */
#ifndef TOOLS_READER_H
#define TOOLS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input.h"

/**
 * struct reader - a reader and the message at hand
 * @input:    the input
 * @limit:    largest message
 * @data:     the message read; valid until the next one is
 * @bytes:    of it
 * @room:     allocated
 * @number:   of the message at hand, from 1
 * @start:    where it starts in the input: who resumes there loses nothing of it
 * @begun:    mbox: the From_ line of the next message has been taken
 * @from:     where that line starts
 * @state:    tar: what reads the archive
 * @end:      frees @state
 * @error:    "message 3, byte 1234: why", when a call failed: the byte is @start.  What
 *            is wrong further on: "message 3 (from byte 1234), byte 1300: why"
 */
struct reader {
	struct input *input;
	size_t limit;
	uint8_t *data;
	size_t bytes;
	size_t room;
	uint64_t number;
	uint64_t start;
	bool begun;
	uint64_t from;
	void *state;
	void (*end)(struct reader *reader);
	char error[256];
};

/**
 * reader_next - the next message
 *
 * Memory is bounded by one message of @limit bytes.
 * Return: 1 a message; 0 the end of the input; or negative errno with the
 * text in reader->error: -EMSGSIZE over the limit, -EINVAL malformed, -ENOMEM,
 * or what reading gave.
 */
typedef int reader_next(struct reader *reader);

reader_next raw_next;   /* the whole input is one message */
reader_next lines_next; /* each line without its newline */
reader_next mbox_next;  /* mboxrd */
reader_next bsmtp_next; /* each stretch from MAIL to the final dot */
reader_next tar_next;   /* each file of an archive */

void reader_init(struct reader *reader, struct input *input, size_t limit);
void reader_free(struct reader *reader);

/* ---- for the readers ---------------------------------------------------- */

/* How much a message may exceed its limit while it is being read: a line end
 * or a quote that goes away again must not make it too large. */
#define READER_SLACK_BYTES 4u

/* a new message: number it, forget the one before; it starts where the input is */
void reader_begin(struct reader *reader);

/* Return: 0, -EMSGSIZE or -ENOMEM. */
int reader_add(struct reader *reader, const uint8_t *data, size_t bytes);

/* The message is complete: 1, or -EMSGSIZE. */
int reader_done(struct reader *reader);

/* Set the text for the message at hand, with what is wrong at @offset of the input;
 * returns @error. */
int reader_fail(struct reader *reader, int error, uint64_t offset, const char *why);

/* input_line() and input_some() with the text set on an error */
int reader_line(struct reader *reader, struct input_piece *piece);
int reader_some(struct reader *reader, struct input_piece *piece);

#endif
