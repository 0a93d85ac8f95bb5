/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A medium is in use as long as its store is open, and no longer: a child that was forked
 * meanwhile has the same open file, and must not keep it from the next journal.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/child.h"
#include "lib/marker_fixture.h"
#include "lib/scratch.h"
#include "log/log_file.h"
#include "util/in_use.h"
#include "util/math.h"

#define DEVICE_BYTES (16ull << 20)

/* who would make something else of it */
static void assert_claim(const char *path, int want)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(in_use_claim(fd), want);
	assert_int_equal(close(fd), 0);
}

/* It does nothing but have what it was given. */
static pid_t child(void)
{
	pid_t pid = child_fork();

	assert_true(pid >= 0);
	while (!pid)
		pause();
	return pid;
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_ends(pid, SIGKILL);
}

static void a_child_does_not_keep_markers(void **state)
{
	struct fixture *f = &fixture;
	pid_t pid;

	(void)state;
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	assert_claim(f->path, -EBUSY);
	pid = child();
	fixture_close(f);
	assert_claim(f->path, 0);
	end(pid);
}

/* nor does its end free them */
static void a_child_does_not_free_them(void **state)
{
	struct fixture *f = &fixture;
	pid_t pid;

	(void)state;
	fixture_open(f, MARKER_CREATE, FIXTURE_BYTES);
	pid = child();
	end(pid);
	assert_claim(f->path, -EBUSY);
	fixture_close(f);
	assert_claim(f->path, 0);
}

static void a_child_does_not_keep_a_device(struct scratch *scratch)
{
	const char *path = scratch->device;
	struct message message = { "" };
	struct log_store *store;
	pid_t pid;

	assert_int_equal(log_file_open(path, LOG_CREATE | LOG_FORCE, DEVICE_BYTES, NULL, &store,
				       &message), 0);
	assert_claim(path, -EBUSY);
	pid = child();
	log_store_close(store);
	assert_claim(path, 0);
	end(pid);
}

static void a_log_on_a_device(void **state)
{
	struct scratch scratch;

	(void)state;
	assert_int_equal(scratch_make(&scratch, NULL), 0);
	if (scratch_loop(&scratch, DEVICE_BYTES)) {
		scratch_remove(&scratch);
		skip();
	}
	a_child_does_not_keep_a_device(&scratch);
	scratch_remove(&scratch);
}

int main(void)
{
	static const struct fixture_test markers[] = {
		{ "a_child_does_not_keep_markers", a_child_does_not_keep_markers },
		{ "a_child_does_not_free_them", a_child_does_not_free_them },
	};
	static const struct CMUnitTest logs[] = {
		cmocka_unit_test(a_log_on_a_device),
	};
	int failed = fixture_run(markers, ARRAY_COUNT(markers));

	return cmocka_run_group_tests(logs, NULL, NULL) + failed;
}
