/* SPDX-License-Identifier: BSD-3-Clause */
/* A file of a backup is there as a whole or not at all. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "tools/sink.h"

#define NEW_BYTES (3u * SINK_BYTES + 1)

static struct sink sink;
static struct scratch scratch;

static int make(void **state)
{
	(void)state;
	return scratch_make(&scratch, NULL);
}

static int unmake(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

static const char *place(const char *name)
{
	static char path[PATH_MAX];

	return scratch_path(&scratch, name, path);
}

static void old_file(void)
{
	FILE *file = fopen(place("file"), "w");

	assert_non_null(file);
	fputs("old", file);
	assert_int_equal(fclose(file), 0);
}

static size_t file_bytes(void)
{
	struct stat st;

	return stat(place("file"), &st) ? 0 : (size_t)st.st_size;
}

static int names(void)
{
	DIR *dir = opendir(scratch.directory);
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static void fill(void)
{
	static const uint8_t some[1000];
	size_t left = NEW_BYTES;

	while (left) {
		size_t part = left < sizeof(some) ? left : sizeof(some);

		assert_int_equal(sink_write(&sink, some, part), 0);
		left -= part;
	}
}

static void kept_it_replaces(void **state)
{
	struct stat st;

	(void)state;
	old_file();
	assert_int_equal(sink_open(&sink, place("file")), 0);
	fill();
	assert_int_equal(file_bytes(), 3);
	assert_int_equal(sink_end(&sink, true), 0);
	assert_int_equal(file_bytes(), NEW_BYTES);
	assert_int_equal(names(), 1);
	assert_int_equal(stat(place("file"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void not_kept_it_leaves_nothing(void **state)
{
	(void)state;
	old_file();
	assert_int_equal(sink_open(&sink, place("file")), 0);
	fill();
	assert_int_equal(sink_end(&sink, false), 0);
	assert_int_equal(file_bytes(), 3);
	assert_int_equal(names(), 1);
}

/* who is killed leaves no part of people's mail, where files without a name are known */
static void killed_it_leaves_nothing(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	old_file();
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (sink_open(&sink, place("file")))
			_exit(1);
		fill();
		_exit(sink.nameless ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2) {
		printf("skip: no files without a name in %s\n", scratch.directory);
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(file_bytes(), 3);
	assert_int_equal(names(), 1);
}

static void a_failed_one_replaces_nothing(void **state)
{
	(void)state;
	old_file();
	assert_int_equal(sink_open(&sink, place("file")), 0);
	fill();
	sink.failed = -ENOSPC;
	assert_int_equal(sink_write(&sink, "x", 1), -ENOSPC);
	assert_int_equal(sink_end(&sink, true), -ENOSPC);
	assert_int_equal(file_bytes(), 3);
	assert_int_equal(names(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kept_it_replaces, make, unmake),
		cmocka_unit_test_setup_teardown(not_kept_it_leaves_nothing, make, unmake),
		cmocka_unit_test_setup_teardown(killed_it_leaves_nothing, make, unmake),
		cmocka_unit_test_setup_teardown(a_failed_one_replaces_nothing, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
