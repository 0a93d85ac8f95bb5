/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mboxrd.  Every line that begins with "From " starts a message, wherever it
 * stands: the writer has put one ">" before all that do not (">From ",
 * ">>From ", ...).  The From_ line itself, the one empty line that the writer
 * put at the end, and one level of quoting are not part of the message.
 */
#include <errno.h>
#include <string.h>

#include "reader.h"

static bool mbox_is_from(const uint8_t *line, size_t bytes)
{
	return bytes >= 5 && !memcmp(line, "From ", 5);
}

static bool mbox_is_empty(const uint8_t *line, size_t bytes)
{
	return (bytes == 1 && line[0] == '\n') || (bytes == 2 && !memcmp(line, "\r\n", 2));
}

/* the rest of a line longer than the input's buffer */
static int mbox_skip_line(struct reader *reader, struct input_piece *piece)
{
	int got = 1;

	while (got > 0 && !piece->last)
		got = reader_line(reader, piece);
	return got < 0 ? got : 0;
}

/* Up to the first From_ line.  Empty lines may precede it; anything else is no
 * mbox, and would be lost if it were skipped.  Return: 1, 0 at the end. */
static int mbox_first(struct reader *reader)
{
	struct input_piece piece;
	int got;

	while ((got = reader_line(reader, &piece)) > 0) {
		if (mbox_is_from(piece.data, piece.bytes)) {
			reader->from = piece.offset;
			got = mbox_skip_line(reader, &piece);
			return got ? got : 1;
		}
		if (!mbox_is_empty(piece.data, piece.bytes)) {
			reader->number = 1;
			reader->start = piece.offset;
			return reader_fail(reader, -EINVAL, piece.offset,
					   "no mbox: the first line does not begin with \"From \"");
		}
	}
	return got;
}

/* The line that starts at @line is complete in the message: take one ">" off
 * if it is a quoted From_ line, however long its quoting. */
static void mbox_unquote(struct reader *reader, size_t line)
{
	uint8_t *start = reader->data + line;
	size_t bytes = reader->bytes - line;
	size_t quotes = 0;

	while (quotes < bytes && start[quotes] == '>')
		quotes++;
	if (!quotes || !mbox_is_from(start + quotes, bytes - quotes))
		return;
	memmove(start, start + 1, bytes - 1);
	reader->bytes--;
}

/* The message ends: drop its last line if that is empty. */
static int mbox_end(struct reader *reader, size_t line)
{
	/* of a message that is nothing but its From_ line there is no data at all */
	if (reader->bytes > line && mbox_is_empty(reader->data + line, reader->bytes - line))
		reader->bytes = line;
	return reader_done(reader);
}

int mbox_next(struct reader *reader)
{
	struct input_piece piece;
	size_t line = 0; /* where the line at hand starts in the message */
	bool open = false; /* and it has not ended yet */
	int got = reader->begun ? 1 : mbox_first(reader);

	if (got <= 0)
		return got;
	reader->begun = false;
	reader_begin(reader);
	reader->start = reader->from;
	while ((got = reader_line(reader, &piece)) > 0) {
		if (piece.first && mbox_is_from(piece.data, piece.bytes)) {
			reader->from = piece.offset;
			got = mbox_skip_line(reader, &piece);
			reader->begun = true;
			break;
		}
		if (piece.first)
			line = reader->bytes;
		got = reader_add(reader, piece.data, piece.bytes);
		if (got)
			return got;
		open = !piece.last;
		if (!open)
			mbox_unquote(reader, line);
	}
	if (got < 0)
		return got;
	/* a last line without its newline */
	if (open)
		mbox_unquote(reader, line);
	return mbox_end(reader, line);
}
