/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
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

static void cuts_what_is_too_long(void **state)
{
	struct message m;
	char text[2 * sizeof(m.text)];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	message_errno(&m, -ENOENT, "%s", text);
	assert_int_equal(strlen(m.text), sizeof(m.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(returns_the_error_it_was_given),
		cmocka_unit_test(names_the_reason),
		cmocka_unit_test(cuts_what_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
