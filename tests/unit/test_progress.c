/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/progress.h"

/* stderr becomes @fd while the test's steps run */
static int stderr_before;

static void stderr_is(int fd)
{
	stderr_before = dup(STDERR_FILENO);
	assert_true(stderr_before >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
}

static void stderr_is_back(void)
{
	assert_int_equal(dup2(stderr_before, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(close(stderr_before), 0);
}

/* what came out at the other end, without waiting */
static size_t told(int fd, char text[256])
{
	ssize_t got;

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	got = read(fd, text, 255);
	text[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

static void a_terminal_is_told_and_cleared(void **state)
{
	struct progress progress;
	char text[256];
	int outer, inner;

	(void)state;
	assert_int_equal(openpty(&outer, &inner, NULL, NULL, NULL), 0);
	stderr_is(inner);
	progress_start(&progress, "zero-filling");
	progress.next_ns = 0; /* the second is over */
	progress_report(&progress, 3u << 20, 4u << 20);
	fflush(stderr);
	stderr_is_back();
	(void)told(outer, text);
	assert_string_equal(text, "\rjnl: zero-filling:  75 %, 3 of 4 MiB \033[K");
	stderr_is(inner);
	progress_end();
	progress_end();
	fflush(stderr);
	stderr_is_back();
	(void)told(outer, text);
	assert_string_equal(text, "\r\033[K");
	(void)close(inner);
	(void)close(outer);
}

static void what_takes_less_than_a_second_tells_nothing(void **state)
{
	struct progress progress;
	char text[256];
	int outer, inner;

	(void)state;
	assert_int_equal(openpty(&outer, &inner, NULL, NULL, NULL), 0);
	stderr_is(inner);
	progress_start(&progress, "recovering");
	progress.next_ns = UINT64_MAX; /* the second is never over */
	progress_report(&progress, 1, 2);
	progress_end();
	fflush(stderr);
	stderr_is_back();
	assert_int_equal(told(outer, text), 0);
	(void)close(inner);
	(void)close(outer);
}

static void what_is_no_terminal_is_told_nothing(void **state)
{
	struct progress progress;
	char text[256];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	stderr_is(ends[1]);
	progress_start(&progress, "recovering");
	progress.next_ns = 0;
	progress_report(&progress, 1, 2);
	progress_end();
	fflush(stderr);
	stderr_is_back();
	assert_int_equal(told(ends[0], text), 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_terminal_is_told_and_cleared),
		cmocka_unit_test(what_takes_less_than_a_second_tells_nothing),
		cmocka_unit_test(what_is_no_terminal_is_told_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
