/* SPDX-License-Identifier: BSD-3-Clause */
/* link: tools -Wl,--wrap=sink_write */
/* bytes: 512 */
/*
 * What put takes apart: raw, lines, mbox, batch SMTP; and what export writes of it.
 *
 * Of raw, lines and mbox another reading of the same bytes, which has them all at hand, must
 * give the same messages.  A message of batch SMTP is a stretch of the input, as it is, and
 * ends with the first lone dot after DATA.  What export accepts comes back byte for byte.
 */
#include <errno.h>
#include <stdbool.h>
#include <strings.h>

#include "fuzz.h"
#include "fuzz_words.h"
#include "tools/forms.h"
#include "tools/reader.h"

#define TEXT_BYTES (8u << 10)
#define OUT_BYTES  (32u << 10) /* of an export */
#define MESSAGES   (TEXT_BYTES + 2)
#define EXPORTED   4u

struct list {
	uint32_t count;
	uint32_t end[MESSAGES];
	size_t bytes;
	uint8_t data[TEXT_BYTES];
};

struct piece {
	const uint8_t *data;
	size_t bytes;
};

static const char *const words[] = {
	"From ", "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n", ">", ">From ", "\n", "\r\n",
	"MAIL FROM:<a@b>\r\n", "RCPT TO:<c@d>\r\n", "DATA\r\n", ".\r\n", ".\n", "RSET\r\n",
	"mail from:<>\nrcpt to:<x>\ndata\n", "..", "EHLO x\r\n", "QUIT\n",
};

static struct list got, wanted, again;
static uint8_t out[OUT_BYTES];
static size_t out_bytes;

int __wrap_sink_write(struct sink *sink, const void *data, size_t bytes);

int __wrap_sink_write(struct sink *sink, const void *data, size_t bytes)
{
	(void)sink;
	if (bytes > sizeof(out) - out_bytes)
		return -ENOSPC;
	if (bytes)
		memcpy(out + out_bytes, data, bytes);
	out_bytes += bytes;
	return 0;
}

static void list_add(struct list *list, const uint8_t *data, size_t bytes)
{
	FUZZ_CHECK(list->count < MESSAGES && bytes <= sizeof(list->data) - list->bytes);
	if (bytes)
		memcpy(list->data + list->bytes, data, bytes);
	list->bytes += bytes;
	list->end[list->count++] = (uint32_t)list->bytes;
}

static struct piece list_at(const struct list *list, uint32_t i)
{
	uint32_t start = i ? list->end[i - 1] : 0;

	return (struct piece){ list->data + start, list->end[i] - start };
}

static void must_be_same(const struct list *a, const struct list *b)
{
	FUZZ_CHECK(a->count == b->count && a->bytes == b->bytes);
	FUZZ_CHECK(!memcmp(a->end, b->end, a->count * sizeof(a->end[0])));
	FUZZ_CHECK(!memcmp(a->data, b->data, a->bytes));
}

/* ---- the other reading ------------------------------------------------------- */

static struct piece line_of(struct piece text)
{
	const uint8_t *newline = text.bytes ? memchr(text.data, '\n', text.bytes) : NULL;

	return (struct piece){ text.data, newline ? (size_t)(newline - text.data) + 1 :
						    text.bytes };
}

static void skip(struct piece *text, size_t bytes)
{
	text->data += bytes;
	text->bytes -= bytes;
}

static bool is(struct piece p, const char *word)
{
	return p.bytes == strlen(word) && !memcmp(p.data, word, p.bytes);
}

static bool starts(struct piece p, const char *word)
{
	return p.bytes >= strlen(word) && !memcmp(p.data, word, strlen(word));
}

/* add one; Return: whether it is within the limit */
static bool want(const uint8_t *data, size_t bytes, size_t limit)
{
	if (bytes > limit)
		return false;
	list_add(&wanted, data, bytes);
	return true;
}

static int lines_wanted(struct piece text, size_t limit)
{
	while (text.bytes) {
		struct piece line = line_of(text);

		if (!want(line.data, line.bytes - (line.data[line.bytes - 1] == '\n'), limit))
			return -EMSGSIZE;
		skip(&text, line.bytes);
	}
	return 0;
}

static int mbox_wanted(struct piece text, size_t limit)
{
	static uint8_t message[TEXT_BYTES];

	while (is(line_of(text), "\n") || is(line_of(text), "\r\n"))
		skip(&text, line_of(text).bytes);
	if (text.bytes && !starts(text, "From "))
		return -EINVAL;
	while (text.bytes) {
		size_t bytes = 0, last = 0;

		skip(&text, line_of(text).bytes);
		while (text.bytes && !starts(text, "From ")) {
			struct piece line = line_of(text), rest = line;

			while (starts(rest, ">"))
				skip(&rest, 1);
			skip(&text, line.bytes);
			if (starts(line, ">") && starts(rest, "From "))
				skip(&line, 1);
			last = line.bytes;
			memcpy(message + bytes, line.data, line.bytes);
			bytes += line.bytes;
		}
		if (is((struct piece){ message + bytes - last, last }, "\n") ||
		    is((struct piece){ message + bytes - last, last }, "\r\n"))
			bytes -= last;
		if (!want(message, bytes, limit))
			return -EMSGSIZE;
	}
	return 0;
}

static int raw_wanted(struct piece text, size_t limit)
{
	return want(text.data, text.bytes, limit) ? 0 : -EMSGSIZE;
}

/* ---- batch SMTP ----------------------------------------------------------------- */

static void must_be_bsmtp(struct piece message)
{
	bool data = false;

	FUZZ_CHECK(message.bytes > 10 &&
		   !strncasecmp((const char *)message.data, "MAIL FROM:", 10));
	while (message.bytes) {
		struct piece line = line_of(message);
		bool dot = is(line, ".\n") || is(line, ".\r\n");

		FUZZ_CHECK(line.data[line.bytes - 1] == '\n');
		skip(&message, line.bytes);
		FUZZ_CHECK(!dot || data);
		FUZZ_CHECK(dot == !message.bytes);
		if (line.bytes >= 5 && !strncasecmp((const char *)line.data, "DATA", 4))
			data = true;
	}
}

/* ---- one input ------------------------------------------------------------------ */

static int read_all(reader_next *next, struct piece text, uint32_t room, size_t limit,
		    struct list *list)
{
	struct input input = { .fd = -1, .memory = text.data, .memory_bytes = text.bytes,
			       .total = text.bytes, .name = "memory", .room = room,
			       .buffer = malloc(room) };
	struct reader reader;
	uint64_t end = 0;
	int error;

	FUZZ_CHECK(input.buffer);
	list->count = 0;
	list->bytes = 0;
	reader_init(&reader, &input, limit);
	while ((error = next(&reader)) > 0) {
		FUZZ_CHECK(reader.bytes <= limit && reader.number == list->count + 1);
		FUZZ_CHECK(reader.start >= end && reader.start <= text.bytes);
		list_add(list, reader.data, reader.bytes);
		if (next != bsmtp_next)
			continue;
		end = reader.start + reader.bytes;
		FUZZ_CHECK(end <= text.bytes &&
			   !memcmp(reader.data, text.data + reader.start, reader.bytes));
		FUZZ_CHECK(!reader.start || text.data[reader.start - 1] == '\n');
		must_be_bsmtp((struct piece){ reader.data, reader.bytes });
	}
	FUZZ_CHECK(!error || error == -EINVAL || error == -EMSGSIZE);
	FUZZ_CHECK(!error == !reader.error[0]);
	FUZZ_CHECK(memchr(reader.error, 0, sizeof(reader.error)));
	reader_free(&reader);
	input_close(&input);
	return error;
}

/* What was read is written, and read again: the first messages of it, or all of many small
 * ones would take most of the time. */
static void export(const struct form *form, reader_next *next, const struct list *list)
{
	static struct sink sink;
	uint32_t i;

	out_bytes = 0;
	wanted.count = 0;
	wanted.bytes = 0;
	for (i = 0; i < list->count && i < EXPORTED; i++) {
		struct piece p = list_at(list, i);
		struct form_message message = { .id = "1", .data = p.data, .bytes = p.bytes,
						.time_ns = i };
		const char *why = NULL;
		size_t before = out_bytes;
		int error = form->message(&sink, NULL, &message, &why);

		if (error == -ENOSPC)
			return;
		FUZZ_CHECK(!error || (error == -EINVAL && why && out_bytes == before));
		if (!error)
			list_add(&wanted, p.data, p.bytes);
	}
	/* more than the list of what is read can hold: nothing can be said */
	if (out_bytes)
		FUZZ_CHECK(!read_all(next, (struct piece){ out, out_bytes }, 4096, TEXT_BYTES,
				     &again));
	else
		again.count = 0, again.bytes = 0;
	must_be_same(&again, &wanted);
}

static const struct {
	reader_next *next;
	int (*wanted)(struct piece text, size_t limit);
} readers[] = {
	{ mbox_next, mbox_wanted },
	{ bsmtp_next, NULL },
	{ lines_next, lines_wanted },
	{ raw_next, raw_wanted },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static uint8_t text[TEXT_BYTES];
	struct fuzz_input in = { data, bytes };
	unsigned int how = fuzz_byte(&in), which = how & 3;
	uint32_t room = fuzz_byte(&in) + 16u;
	size_t limit = how & 8 ? fuzz_byte(&in) : TEXT_BYTES;
	struct piece p = { text, 0 };
	int error;

	/* the last byte stays free: a message may become that much longer */
	p.bytes = fuzz_words(&in, how & 4 ? words : NULL, text, sizeof(text) - 1);
	error = read_all(readers[which].next, p, room, limit, &got);
	if (readers[which].wanted) {
		wanted.count = 0;
		wanted.bytes = 0;
		FUZZ_CHECK(readers[which].wanted(p, limit) == error);
		must_be_same(&got, &wanted);
	}
	export(&form_mbox, mbox_next, &got);
	export(&form_bsmtp, bsmtp_next, &got);
	/* what was read as batch SMTP is that */
	if (which == 1)
		FUZZ_CHECK(wanted.count == (got.count < EXPORTED ? got.count : EXPORTED));
	return 0;
}
