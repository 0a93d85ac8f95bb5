/* SPDX-License-Identifier: BSD-3-Clause */
#include "reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READER_FIRST_BYTES (64u << 10)

void reader_init(struct reader *reader, struct input *input, size_t limit)
{
	*reader = (struct reader){ .input = input, .limit = limit };
}

void reader_free(struct reader *reader)
{
	if (reader->end)
		reader->end(reader);
	free(reader->data);
	reader->data = NULL;
}

void reader_begin(struct reader *reader)
{
	reader->number++;
	reader->start = reader->input->offset;
	reader->bytes = 0;
}

int reader_fail(struct reader *reader, int error, uint64_t offset, const char *why)
{
	char from[40] = "";

	if (offset != reader->start)
		(void)snprintf(from, sizeof(from), " (from byte %" PRIu64 ")", reader->start);
	(void)snprintf(reader->error, sizeof(reader->error),
		       "message %" PRIu64 "%s, byte %" PRIu64 ": %s", reader->number, from, offset,
		       why);
	return error;
}

static int reader_too_large(struct reader *reader)
{
	char why[80];

	(void)snprintf(why, sizeof(why), "the message is over the limit of %zu bytes",
		       reader->limit);
	return reader_fail(reader, -EMSGSIZE, reader->start, why);
}

static int reader_grow(struct reader *reader, size_t wanted)
{
	size_t most = reader->limit + READER_SLACK_BYTES;
	size_t room = reader->room ? reader->room : READER_FIRST_BYTES;
	uint8_t *data;

	while (room < wanted)
		room *= 2;
	if (room > most)
		room = most;
	data = realloc(reader->data, room);
	if (!data)
		return -ENOMEM;
	reader->data = data;
	reader->room = room;
	return 0;
}

int reader_add(struct reader *reader, const uint8_t *data, size_t bytes)
{
	size_t wanted = reader->bytes + bytes;

	if (wanted > reader->limit + READER_SLACK_BYTES)
		return reader_too_large(reader);
	if (wanted > reader->room && reader_grow(reader, wanted))
		return reader_fail(reader, -ENOMEM, reader->start, strerror(ENOMEM));
	if (bytes)
		memcpy(reader->data + reader->bytes, data, bytes);
	reader->bytes = wanted;
	return 0;
}

int reader_done(struct reader *reader)
{
	if (reader->bytes > reader->limit)
		return reader_too_large(reader);
	return 1;
}

static int reader_got(struct reader *reader, int got)
{
	if (got >= 0)
		return got;
	return reader_fail(reader, got, reader->input->offset, strerror(-got));
}

int reader_line(struct reader *reader, struct input_piece *piece)
{
	return reader_got(reader, input_line(reader->input, piece));
}

int reader_some(struct reader *reader, struct input_piece *piece)
{
	return reader_got(reader, input_some(reader->input, piece));
}
