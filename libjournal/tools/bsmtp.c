/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Batch SMTP: the client's side of an SMTP session in a file.  A message is
 * what stands from MAIL through the line of the final dot, dot-stuffing, line
 * ends and all; what stands between messages (EHLO, RSET, QUIT ...) is checked
 * and dropped.
 *
 * The final dot must have the line end that DATA had, and so must the line
 * before it: a dot that one program takes for the end and another does not
 * lets a message smuggle in a second one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "reader.h"

enum bsmtp_state {
	BSMTP_OUTSIDE,
	BSMTP_MAIL, /* MAIL was read, RCPT must follow */
	BSMTP_RCPT, /* at least one RCPT was read: more, or DATA */
	BSMTP_BODY, /* up to the final dot */
};

enum bsmtp_word {
	BSMTP_UNKNOWN,
	BSMTP_HELLO, /* starts a session */
	BSMTP_NOOP,  /* without effect anywhere */
	BSMTP_RSET,
	BSMTP_QUIT,
	BSMTP_MAIL_FROM,
	BSMTP_RCPT_TO,
	BSMTP_DATA,
	BSMTP_REFUSED, /* SMTP, but what follows it would have to be understood */
};

static const struct {
	const char *text;
	bool alone; /* a blank or the line's end must follow */
	enum bsmtp_word word;
} bsmtp_words[] = {
	{ "HELO", true, BSMTP_HELLO },
	{ "EHLO", true, BSMTP_HELLO },
	{ "LHLO", true, BSMTP_HELLO },
	{ "NOOP", true, BSMTP_NOOP },
	{ "VRFY", true, BSMTP_NOOP },
	{ "EXPN", true, BSMTP_NOOP },
	{ "HELP", true, BSMTP_NOOP },
	{ "RSET", true, BSMTP_RSET },
	{ "QUIT", true, BSMTP_QUIT },
	{ "DATA", true, BSMTP_DATA },
	{ "BDAT", true, BSMTP_REFUSED },
	{ "STARTTLS", true, BSMTP_REFUSED },
	{ "AUTH", true, BSMTP_REFUSED },
	{ "MAIL FROM:", false, BSMTP_MAIL_FROM },
	{ "RCPT TO:", false, BSMTP_RCPT_TO },
};

struct bsmtp {
	enum bsmtp_state state;
	bool crlf;      /* how the line of DATA ended */
	bool same_ends; /* the line before ended like it */
};

static bool bsmtp_ends_crlf(const struct input_piece *piece)
{
	return piece->bytes >= 2 && !memcmp(piece->data + piece->bytes - 2, "\r\n", 2);
}

/* The word ends at @end of the line: a blank, or the line end, follows. */
static bool bsmtp_word_ends(const struct input_piece *piece, size_t end)
{
	uint8_t next = piece->data[end];

	if (next == '\r')
		return piece->bytes == end + 2;
	return next == ' ' || next == '\t' || next == '\n';
}

static enum bsmtp_word bsmtp_word_of(const struct input_piece *piece)
{
	for (size_t i = 0; i < sizeof(bsmtp_words) / sizeof(bsmtp_words[0]); i++) {
		size_t bytes = strlen(bsmtp_words[i].text);

		/* a whole line: there is a newline behind the word, if nothing else */
		if (piece->bytes <= bytes ||
		    strncasecmp((const char *)piece->data, bsmtp_words[i].text, bytes))
			continue;
		if (!bsmtp_words[i].alone || bsmtp_word_ends(piece, bytes))
			return bsmtp_words[i].word;
	}
	return BSMTP_UNKNOWN;
}

static int bsmtp_malformed(struct reader *reader, const struct input_piece *piece,
			   const char *why)
{
	return reader_fail(reader, -EINVAL, piece->offset, why);
}

static int bsmtp_malformed_line(struct reader *reader, const struct input_piece *piece,
				const char *what)
{
	char why[80];
	size_t used = (size_t)snprintf(why, sizeof(why) - 40, "%s: \"", what);

	for (size_t i = 0; i < piece->bytes && i < 32 && piece->data[i] >= ' '; i++)
		why[used++] = piece->data[i] < 0x7f ? (char)piece->data[i] : '?';
	(void)snprintf(why + used, sizeof(why) - used, "\"");
	return bsmtp_malformed(reader, piece, why);
}

static int bsmtp_outside(struct reader *reader, struct bsmtp *bsmtp,
			 const struct input_piece *piece, enum bsmtp_word word)
{
	switch (word) {
	case BSMTP_MAIL_FROM:
		bsmtp->state = BSMTP_MAIL;
		return 0;
	case BSMTP_RCPT_TO:
		return bsmtp_malformed(reader, piece, "RCPT without MAIL");
	case BSMTP_DATA:
		return bsmtp_malformed(reader, piece, "DATA without MAIL");
	case BSMTP_REFUSED:
		return bsmtp_malformed_line(reader, piece, "not supported here");
	case BSMTP_UNKNOWN:
		return bsmtp_malformed_line(reader, piece, "no SMTP command");
	default:
		return 0;
	}
}

static int bsmtp_start_body(struct reader *reader, struct bsmtp *bsmtp,
			    const struct input_piece *piece)
{
	if (bsmtp->state != BSMTP_RCPT)
		return bsmtp_malformed(reader, piece, "DATA without RCPT");
	bsmtp->state = BSMTP_BODY;
	bsmtp->crlf = bsmtp_ends_crlf(piece);
	bsmtp->same_ends = true;
	return 0;
}

/* between MAIL and DATA */
static int bsmtp_envelope(struct reader *reader, struct bsmtp *bsmtp,
			  const struct input_piece *piece, enum bsmtp_word word)
{
	switch (word) {
	case BSMTP_RCPT_TO:
		bsmtp->state = BSMTP_RCPT;
		return 0;
	case BSMTP_DATA:
		return bsmtp_start_body(reader, bsmtp, piece);
	case BSMTP_RSET:
		/* the sender gave this message up */
		bsmtp->state = BSMTP_OUTSIDE;
		reader->bytes = 0;
		return 0;
	case BSMTP_NOOP:
		return 0;
	case BSMTP_MAIL_FROM:
		return bsmtp_malformed(reader, piece, "MAIL before the message before was sent");
	case BSMTP_REFUSED:
		return bsmtp_malformed_line(reader, piece, "not supported here");
	case BSMTP_UNKNOWN:
		return bsmtp_malformed_line(reader, piece, "no SMTP command");
	default:
		return bsmtp_malformed(reader, piece, "the session ends within a message");
	}
}

static int bsmtp_command(struct reader *reader, struct bsmtp *bsmtp,
			 const struct input_piece *piece)
{
	enum bsmtp_word word;

	/* between messages: the next one starts here, or further on */
	if (bsmtp->state == BSMTP_OUTSIDE)
		reader->start = piece->offset;
	if (!piece->last)
		return bsmtp_malformed(reader, piece, reader->input->at_end ?
				       "the command has no line end" :
				       "the command line is too long");
	word = bsmtp_word_of(piece);
	if (bsmtp->state == BSMTP_OUTSIDE)
		return bsmtp_outside(reader, bsmtp, piece, word);
	return bsmtp_envelope(reader, bsmtp, piece, word);
}

/* Return: 1 it was the final dot, 0 a line of the message, or -EINVAL. */
static int bsmtp_body(struct reader *reader, struct bsmtp *bsmtp,
		      const struct input_piece *piece)
{
	bool crlf = bsmtp_ends_crlf(piece);
	bool dot = piece->first && piece->last && piece->data[0] == '.' &&
		   piece->bytes == (crlf ? 3 : 2);

	if (dot && bsmtp->same_ends && crlf == bsmtp->crlf)
		return 1;
	if (dot)
		return bsmtp_malformed(reader, piece,
				       "a lone dot among line ends unlike that of DATA");
	/* among LF lines a carriage return is a byte like any other */
	if (piece->last)
		bsmtp->same_ends = !bsmtp->crlf || crlf;
	return 0;
}

/* Return: 1 the message is complete, 0 it is not, or negative errno. */
static int bsmtp_piece(struct reader *reader, struct bsmtp *bsmtp,
		       const struct input_piece *piece)
{
	bool body = bsmtp->state == BSMTP_BODY;
	int done = body ? bsmtp_body(reader, bsmtp, piece) :
			  bsmtp_command(reader, bsmtp, piece);
	int err;

	if (done < 0 || bsmtp->state == BSMTP_OUTSIDE)
		return done;
	err = reader_add(reader, piece->data, piece->bytes);
	return err ? err : done;
}

int bsmtp_next(struct reader *reader)
{
	struct bsmtp bsmtp = { .state = BSMTP_OUTSIDE };
	struct input_piece piece;
	int got;

	reader_begin(reader);
	while ((got = reader_line(reader, &piece)) > 0) {
		int done = bsmtp_piece(reader, &bsmtp, &piece);

		if (done)
			return done < 0 ? done : reader_done(reader);
	}
	if (got < 0 || bsmtp.state == BSMTP_OUTSIDE)
		return got;
	return reader_fail(reader, -EINVAL, reader->input->offset,
			   "the input ends within the message");
}
