/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether two media are on one disk, as far as that can be seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/scratch.h"
#include "txn/same_disk.h"

static void two_files(void **state)
{
	struct scratch disk, memory;
	char first[PATH_MAX], second[PATH_MAX], third[PATH_MAX];
	struct stat on_disk, in_memory;

	(void)state;
	assert_int_equal(scratch_make(&disk, NULL), 0);
	assert_int_equal(scratch_make(&memory, "/dev/shm"), 0);
	scratch_put(&disk, "first", "1");
	scratch_put(&disk, "second", "2");
	scratch_put(&memory, "third", "3");
	scratch_path(&disk, "first", first);
	scratch_path(&disk, "second", second);
	scratch_path(&memory, "third", third);
	assert_true(same_disk(first, second));
	assert_true(same_disk(third, third));
	assert_int_equal(stat(first, &on_disk), 0);
	assert_int_equal(stat(third, &in_memory), 0);
	assert_int_equal(same_disk(first, third), on_disk.st_dev == in_memory.st_dev);
	scratch_path(&disk, "none", second);
	assert_false(same_disk(first, second));
	assert_false(same_disk(second, second));
	scratch_remove(&disk);
	scratch_remove(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
