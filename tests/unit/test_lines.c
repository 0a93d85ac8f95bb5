/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "messages.h"

#define LIMIT (1u << 20)

static void each_line_without_its_newline(void **state)
{
	static const char text[] = "one\n\ntwo\r\na\0b\nlong enough to come in pieces";
	static const size_t rooms[] = { 1, 2, 5, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		struct messages m;

		messages_read(&m, lines_next, text, sizeof(text) - 1, rooms[i], LIMIT);
		assert_int_equal(m.result, 0);
		assert_int_equal(m.count, 5);
		messages_equal(&m, 0, "one", 3);
		messages_equal(&m, 1, "", 0);
		messages_equal(&m, 2, "two\r", 4);
		messages_equal(&m, 3, "a\0b", 3);
		messages_equal(&m, 4, "long enough to come in pieces", 29);
		messages_free(&m);
	}
}

static void no_line_is_no_message(void **state)
{
	struct messages m;

	(void)state;
	messages_read(&m, lines_next, "", 0, 0, LIMIT);
	assert_int_equal(m.result, 0);
	assert_int_equal(m.count, 0);
	messages_read(&m, lines_next, "\n", 1, 0, LIMIT);
	assert_int_equal(m.count, 1);
	messages_equal(&m, 0, "", 0);
	messages_free(&m);
}

static void a_line_over_the_limit_is_refused(void **state)
{
	static const char text[] = "12345678\n123456789\nx\n";
	struct messages m;

	(void)state;
	messages_read(&m, lines_next, text, strlen(text), 0, 8);
	assert_int_equal(m.result, -EMSGSIZE);
	assert_int_equal(m.count, 1);
	assert_string_equal(m.error,
			    "message 2, byte 9: the message is over the limit of 8 bytes");
	messages_free(&m);
	/* far over it: known before all of it is read */
	messages_read(&m, lines_next, "12345678901234567890", 20, 0, 8);
	assert_int_equal(m.result, -EMSGSIZE);
	assert_string_equal(m.error,
			    "message 1, byte 0: the message is over the limit of 8 bytes");
}

static void raw_is_one_message_whatever_is_in_it(void **state)
{
	static const char text[] = "one\nFrom x\n\0\r\n";
	struct messages m;

	(void)state;
	messages_read(&m, raw_next, text, sizeof(text) - 1, 4, LIMIT);
	assert_int_equal(m.result, 0);
	assert_int_equal(m.count, 1);
	messages_equal(&m, 0, text, sizeof(text) - 1);
	messages_free(&m);
	messages_read(&m, raw_next, "", 0, 0, LIMIT);
	assert_int_equal(m.count, 1);
	messages_equal(&m, 0, "", 0);
	messages_free(&m);
	messages_read(&m, raw_next, "123456789", 9, 0, 8);
	assert_int_equal(m.result, -EMSGSIZE);
	assert_int_equal(m.count, 0);
}

/* Only the lines that are there are read: the third call would block. */
static void a_line_in_a_pipe_does_not_wait_for_the_next(void **state)
{
	struct input input;
	struct reader reader;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "one\ntwo\nthr", 11), 11);
	assert_int_equal(input_open(&input, NULL), 0);
	input.fd = ends[0];
	reader_init(&reader, &input, LIMIT);
	assert_int_equal(lines_next(&reader), 1);
	assert_memory_equal(reader.data, "one", 3);
	assert_int_equal(lines_next(&reader), 1);
	assert_memory_equal(reader.data, "two", 3);
	assert_int_equal(write(ends[1], "ee", 2), 2);
	assert_int_equal(close(ends[1]), 0);
	assert_int_equal(lines_next(&reader), 1);
	assert_int_equal(reader.bytes, 5);
	assert_memory_equal(reader.data, "three", 5);
	assert_int_equal(lines_next(&reader), 0);
	reader_free(&reader);
	input_close(&input);
}

static void an_input_that_cannot_be_read_is_an_error(void **state)
{
	struct input input;
	struct reader reader;

	(void)state;
	assert_int_equal(input_open(&input, "/nonexistent/file"), -ENOENT);
	assert_int_equal(input_open(&input, "/"), 0);
	reader_init(&reader, &input, LIMIT);
	assert_int_equal(lines_next(&reader), -EISDIR);
	assert_string_equal(reader.error, "message 1, byte 0: Is a directory");
	reader_free(&reader);
	input_close(&input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_without_its_newline),
		cmocka_unit_test(no_line_is_no_message),
		cmocka_unit_test(a_line_over_the_limit_is_refused),
		cmocka_unit_test(raw_is_one_message_whatever_is_in_it),
		cmocka_unit_test(a_line_in_a_pipe_does_not_wait_for_the_next),
		cmocka_unit_test(an_input_that_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
