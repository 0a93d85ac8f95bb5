/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mboxrd and batch SMTP.  mbox: a From_ line, the message with one ">" before each
 * line that begins with any number of ">" and "From ", an empty line.  bsmtp: what was
 * read of it, as it is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "forms.h"
#include "reader.h"

/* ---- mbox ------------------------------------------------------------------- */

static int mbox_write_from(struct sink *sink, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / 1000000000u);
	struct tm utc;
	char line[80];

	/* %e, %a and %b as asctime() has them: the command stays in the C locale */
	return sink_write(sink, line, gmtime_r(&seconds, &utc) ?
			  strftime(line, sizeof(line), "From MAILER-DAEMON %a %b %e %H:%M:%S %Y\n",
				   &utc) : 0);
}

static bool mbox_is_quoted(const uint8_t *line, size_t bytes)
{
	size_t quotes = 0;

	while (quotes < bytes && line[quotes] == '>')
		quotes++;
	return bytes - quotes >= 5 && !memcmp(line + quotes, "From ", 5);
}

static int mbox_write_lines(struct sink *sink, const uint8_t *data, size_t bytes)
{
	int err = 0;

	while (bytes && !err) {
		const uint8_t *newline = memchr(data, '\n', bytes);
		size_t line = newline ? (size_t)(newline - data) + 1 : bytes;

		if (mbox_is_quoted(data, line))
			err = sink_write(sink, ">", 1);
		if (!err)
			err = sink_write(sink, data, line);
		data += line;
		bytes -= line;
	}
	return err;
}

static int mbox_message(struct sink *sink, void *state, const struct form_message *message,
			const char **why)
{
	bool open = message->bytes && message->data[message->bytes - 1] != '\n';
	int err;

	(void)state;
	if (open && !message->inexact) {
		*why = "an mbox cannot keep it as it is: it does not end with a newline";
		return -EINVAL;
	}
	err = mbox_write_from(sink, message->time_ns);
	if (!err)
		err = mbox_write_lines(sink, message->data, message->bytes);
	if (!err && open)
		err = sink_write(sink, "\n", 1);
	return err ? err : sink_write(sink, "\n", 1);
}

const struct form form_mbox = { .name = "mbox", .message = mbox_message };

/* ---- bsmtp ------------------------------------------------------------------ */

/* One message, and nothing before, in or behind it that would be dropped. */
static bool bsmtp_is_one(struct reader *reader, const struct form_message *message)
{
	return bsmtp_next(reader) == 1 && reader->bytes == message->bytes &&
	       !memcmp(reader->data, message->data, message->bytes);
}

static int bsmtp_message(struct sink *sink, void *state, const struct form_message *message,
			 const char **why)
{
	struct reader reader;
	struct input input;
	bool one;

	(void)state;
	*why = "it is no batch SMTP message: one from MAIL through the final dot";
	if (input_open_memory(&input, message->data, message->bytes))
		return -ENOMEM;
	reader_init(&reader, &input, JOURNAL_TXN_BYTES_MAX);
	one = bsmtp_is_one(&reader, message);
	reader_free(&reader);
	input_close(&input);
	return one ? sink_write(sink, message->data, message->bytes) : -EINVAL;
}

const struct form form_bsmtp = { .name = "bsmtp", .message = bsmtp_message };
