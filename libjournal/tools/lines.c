/* SPDX-License-Identifier: BSD-3-Clause */
/* The two readers that need no grammar: the whole input, and lines. */
#include "reader.h"

int raw_next(struct reader *reader)
{
	struct input_piece piece;
	int got;

	if (reader->number)
		return 0;
	reader_begin(reader);
	while ((got = reader_some(reader, &piece)) > 0) {
		int err = reader_add(reader, piece.data, piece.bytes);

		if (err)
			return err;
	}
	return got < 0 ? got : reader_done(reader);
}

/* The newline goes, nothing else: a carriage return before it is payload. */
int lines_next(struct reader *reader)
{
	struct input_piece piece;
	bool any = false;
	int got;

	reader_begin(reader);
	while ((got = reader_line(reader, &piece)) > 0) {
		int err = reader_add(reader, piece.data, piece.bytes - piece.last);

		if (err)
			return err;
		any = true;
		if (piece.last)
			break;
	}
	if (got < 0)
		return got;
	return any ? reader_done(reader) : 0;
}
