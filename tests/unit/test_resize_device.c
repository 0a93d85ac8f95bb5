/* SPDX-License-Identifier: BSD-3-Clause */
/* Resizing with a block device; skipped where there are no loop devices. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"

#define MIB (1ull << 20)

static int added(struct bed *bed, const char *path)
{
	return journal_resize(bed->j, &(struct journal_resize_options){
		.add = &path, .add_count = 1, .force = 1 }, NULL);
}

static void put_some(struct bed *bed, struct model *model)
{
	static uint64_t seed;
	struct journal_receipt receipt;
	uint32_t i;

	for (i = 0; i < 400; i++)
		assert_int_equal(bed_put(bed, model, 9000, ++seed, JOURNAL_PATH_SYNCED, &receipt),
				 0);
}

static void a_device_is_added_once(void **state)
{
	char again[PATH_MAX];
	struct scratch disk;
	struct model model;
	struct bed bed;

	(void)state;
	assert_int_equal(scratch_make(&disk, NULL), 0);
	if (scratch_loop(&disk, 64 * MIB)) {
		scratch_remove(&disk);
		skip();
	}
	bed_make(&bed, BED_FILE, 24 * MIB, 0);
	model_make(&model);
	assert_int_equal(added(&bed, disk.device), 0);
	put_some(&bed, &model);
	/* who has made it holds the device exclusively */
	bed_reopen(&bed);
	assert_int_equal(symlink(disk.device, scratch_path(&bed.disk, "again", again)), 0);
	assert_int_equal(added(&bed, disk.device), -EBUSY);
	assert_non_null(strstr(journal_error(bed.j), "is a log of this journal already"));
	assert_int_equal(added(&bed, again), -EBUSY);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
	scratch_remove(&disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_is_added_once),
	};

	return cmocka_run_group_tests_name("test_resize_device", tests, NULL, NULL);
}
