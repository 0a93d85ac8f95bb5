/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "messages.h"

#define FROM "From sender@example.org Thu Jan  1 00:00:00 1970\n"
#define LIMIT (1u << 20)

/* buffers so small that lines come in pieces must not change anything */
static const size_t rooms[] = { 8, 9, 13, 64, 0 };

#define EACH_ROOM(room) \
	for (const size_t *room = rooms; room < rooms + sizeof(rooms) / sizeof(rooms[0]); room++)

/* one message, whose bytes are @wanted */
static void one(const char *text, const char *wanted)
{
	EACH_ROOM(room) {
		struct messages m;

		messages_read(&m, mbox_next, text, strlen(text), *room, LIMIT);
		assert_int_equal(m.result, 0);
		assert_int_equal(m.count, 1);
		messages_equal(&m, 0, wanted, strlen(wanted));
		messages_free(&m);
	}
}

static void drops_the_from_line_and_the_last_empty_line(void **state)
{
	(void)state;
	one(FROM "A: b\n\nbody\n\n", "A: b\n\nbody\n");
	one(FROM "A: b\n\nbody\n\n\n", "A: b\n\nbody\n\n");
	one(FROM "A: b\r\n\r\nbody\r\n\r\n", "A: b\r\n\r\nbody\r\n");
}

static void keeps_what_has_no_empty_line_at_its_end(void **state)
{
	(void)state;
	one(FROM "A: b\n\nbody\n", "A: b\n\nbody\n");
	one(FROM "A: b\n\nbody", "A: b\n\nbody");
	one(FROM "A: b\n\nbody\n\r", "A: b\n\nbody\n\r");
}

static void removes_one_level_of_quoting(void **state)
{
	(void)state;
	one(FROM ">From a\n>>From b\n>>>From c\n\n", "From a\n>From b\n>>From c\n");
	one(FROM "> From a\n>from b\n>Fromage\n From d\n x>From e\n\n",
	    "> From a\n>from b\n>Fromage\n From d\n x>From e\n");
	one(FROM "text\n>From the end", "text\nFrom the end");
	one(FROM "text\n>>From the end\n", "text\n>From the end\n");
	one(FROM ">\n>>\n>From\n>From \n\n", ">\n>>\n>From\nFrom \n");
}

static void removes_it_however_long_it_is(void **state)
{
	enum { QUOTES = 100000 };
	static const char from[] = FROM;
	static const char end[] = "From the depth\n";
	size_t bytes = strlen(from) + QUOTES + strlen(end);
	char *text = malloc(bytes);
	struct messages m;

	(void)state;
	assert_non_null(text);
	memcpy(text, from, strlen(from));
	memset(text + strlen(from), '>', QUOTES);
	memcpy(text + strlen(from) + QUOTES, end, strlen(end));
	messages_read(&m, mbox_next, text, bytes, 0, LIMIT);
	assert_int_equal(m.count, 1);
	messages_equal(&m, 0, text + strlen(from) + 1, QUOTES - 1 + strlen(end));
	messages_free(&m);
	free(text);
}

static void every_from_line_starts_a_message(void **state)
{
	static const char text[] = FROM "one\n\n" FROM "two\nFrom within\nthree\n" FROM FROM "five";
	static const char *const wanted[] = { "one\n", "two\n", "three\n", "", "five" };

	(void)state;
	EACH_ROOM(room) {
		struct messages m;

		messages_read(&m, mbox_next, text, strlen(text), *room, LIMIT);
		assert_int_equal(m.result, 0);
		assert_int_equal(m.count, 5);
		for (size_t i = 0; i < 5; i++)
			messages_equal(&m, i, wanted[i], strlen(wanted[i]));
		messages_free(&m);
	}
}

static void a_from_line_alone_is_an_empty_message(void **state)
{
	(void)state;
	one(FROM, "");
	one("From x", "");
	one(FROM "\n", "");
}

static void nothing_in_it_is_no_message(void **state)
{
	struct messages m;

	(void)state;
	messages_read(&m, mbox_next, "", 0, 0, LIMIT);
	assert_int_equal(m.result, 0);
	assert_int_equal(m.count, 0);
	messages_read(&m, mbox_next, "\n\r\n", 3, 0, LIMIT);
	assert_int_equal(m.result, 0);
	assert_int_equal(m.count, 0);
	one("\n\n" FROM "x\n", "x\n");
}

static void what_is_no_mbox_is_refused(void **state)
{
	struct messages m;

	(void)state;
	messages_read(&m, mbox_next, "\nSubject: x\n", 12, 0, LIMIT);
	assert_int_equal(m.result, -EINVAL);
	assert_int_equal(m.count, 0);
	assert_string_equal(m.error, "message 1, byte 1: no mbox: the first line does not begin "
				     "with \"From \"");
}

static void zero_bytes_are_bytes(void **state)
{
	static const char text[] = FROM "a\0b\n\0From c\n>From \0\n\n" FROM "\0";
	struct messages m;

	(void)state;
	messages_read(&m, mbox_next, text, sizeof(text) - 1, 0, LIMIT);
	assert_int_equal(m.count, 2);
	messages_equal(&m, 0, "a\0b\n\0From c\nFrom \0\n", 19);
	messages_equal(&m, 1, "\0", 1);
	messages_free(&m);
}

static void the_limit_is_of_the_message_not_of_its_quoting(void **state)
{
	static const char fits[] = FROM "12345\n>From\n>From 9\r\n\r\n";
	static const char over[] = FROM "ok\n\n" FROM "12345\n>From\n>From 90\r\n\r\n";
	struct messages m;
	char wanted[128];

	(void)state;
	messages_read(&m, mbox_next, fits, strlen(fits), 0, 20);
	assert_int_equal(m.result, 0);
	messages_equal(&m, 0, "12345\n>From\nFrom 9\r\n", 20);
	messages_free(&m);
	messages_read(&m, mbox_next, over, strlen(over), 0, 20);
	assert_int_equal(m.result, -EMSGSIZE);
	assert_int_equal(m.count, 1);
	messages_equal(&m, 0, "ok\n", 3);
	/* where its From_ line stands: who resumes there loses nothing */
	(void)snprintf(wanted, sizeof(wanted),
		       "message 2, byte %zu: the message is over the limit of 20 bytes",
		       strlen(FROM "ok\n\n"));
	assert_string_equal(m.error, wanted);
	messages_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drops_the_from_line_and_the_last_empty_line),
		cmocka_unit_test(keeps_what_has_no_empty_line_at_its_end),
		cmocka_unit_test(removes_one_level_of_quoting),
		cmocka_unit_test(removes_it_however_long_it_is),
		cmocka_unit_test(every_from_line_starts_a_message),
		cmocka_unit_test(a_from_line_alone_is_an_empty_message),
		cmocka_unit_test(nothing_in_it_is_no_message),
		cmocka_unit_test(what_is_no_mbox_is_refused),
		cmocka_unit_test(zero_bytes_are_bytes),
		cmocka_unit_test(the_limit_is_of_the_message_not_of_its_quoting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
