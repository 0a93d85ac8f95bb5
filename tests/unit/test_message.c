/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "util/message.h"

static void returns_the_error_it_was_given(void **state)
{
	struct message m;

	(void)state;
	assert_int_equal(message_set(&m, -EINVAL, "size %d is odd", 3), -EINVAL);
	assert_string_equal(m.text, "size 3 is odd");
	assert_int_equal(message_set(NULL, -EIO, "nowhere to go"), -EIO);
	assert_int_equal(message_errno(NULL, -EIO, "nowhere to go"), -EIO);
}

static void names_the_reason(void **state)
{
	struct message m;

	(void)state;
	assert_int_equal(message_errno(&m, -ENOENT, "open %s", "x"), -ENOENT);
	assert_string_equal(m.text, "open x: No such file or directory");
}

static const char *repeated(char *text, size_t bytes, const char *what)
{
	size_t length = strlen(what);

	for (size_t i = 0; i + 1 < bytes; i++)
		text[i] = what[i % length];
	text[bytes - 1] = '\0';
	return text;
}

static bool ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) && !strcmp(text + strlen(text) - strlen(end), end);
}

static void shortens_a_long_path_in_its_middle(void **state)
{
	static const size_t lengths[] = { 400, 480, 500, 511, 512, 600, PATH_MAX };
	char text[PATH_MAX];
	struct message m;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		repeated(text, lengths[i], "d");
		message_errno(&m, -ENOENT, "/first/%s/last", text);
		assert_memory_equal(m.text, "/first/d", 8);
		assert_true(ends_with(m.text, "d/last: No such file or directory"));
		assert_int_equal(!strstr(m.text, "..."), lengths[i] <= 471);
		assert_true(lengths[i] <= 471 || strlen(m.text) == sizeof(m.text) - 1);
		message_set(&m, -EINVAL, "/first/%s/last: is no file", text);
		assert_true(ends_with(m.text, "d/last: is no file"));
	}
}

/* Several paths, and the text of one error within that of another. */
static void shortens_all_that_are_long(void **state)
{
	char one[PATH_MAX], other[PATH_MAX];
	struct message m, why;

	(void)state;
	message_errno(&why, -EACCES, "/one/%s/log", repeated(one, sizeof(one), "o"));
	message_set(&m, -EIO, "%s; of what was in /other/%s/j nothing is left", why.text,
		    repeated(other, sizeof(other), "p"));
	assert_memory_equal(m.text, "/one/o", 6);
	assert_non_null(strstr(m.text, "o/log: Permission denied; of what was in /other/pp"));
	assert_true(ends_with(m.text, "p/j nothing is left"));
	assert_int_equal(strlen(m.text), sizeof(m.text) - 1);
}

/* Many words of which none is long; and letters of several bytes stay whole. */
static void shortens_whatever_it_is(void **state)
{
	char text[4000], *dots, *at;
	struct message m;

	(void)state;
	message_set(&m, -EIO, "begin %s end", repeated(text, sizeof(text), "word "));
	assert_memory_equal(m.text, "begin word", 10);
	assert_true(ends_with(m.text, " end"));
	for (size_t i = 0; i < 3; i++) {
		message_errno(&m, -ENOENT, "%.*s%s", (int)i, "ab",
			      repeated(text, 3001, "\u00e4\u20ac\u00f6\u00fc\u00df"));
		dots = strstr(m.text, "...");
		assert_non_null(dots);
		assert_true(ends_with(m.text, "No such file or directory"));
		assert_int_not_equal((unsigned char)dots[3] & 0xc0, 0x80);
		/* its last letter has all of its bytes */
		for (at = dots - 1; ((unsigned char)*at & 0xc0) == 0x80; at--)
			;
		assert_int_equal(dots - at, (unsigned char)*at >= 0xe0 ? 3 : 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(returns_the_error_it_was_given),
		cmocka_unit_test(names_the_reason),
		cmocka_unit_test(shortens_a_long_path_in_its_middle),
		cmocka_unit_test(shortens_all_that_are_long),
		cmocka_unit_test(shortens_whatever_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
