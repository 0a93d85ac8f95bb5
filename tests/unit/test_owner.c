/* SPDX-License-Identifier: BSD-3-Clause */
/* What root changes of somebody's journal stays his. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/turns.h"
#include "txn/conf.h"
#include "txn/journal_impl.h"

#define MIB   (1ull << 20)
#define OWNER 12345

static void give(const char *path)
{
	assert_int_equal(chown(path, OWNER, OWNER), 0);
}

static void is_his(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, OWNER);
	assert_int_equal(st.st_gid, OWNER);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* 0: after a line "skip: ..." */
static bool his(struct bed *bed, char conf[PATH_MAX])
{
	if (geteuid()) {
		printf("skip: only root gives files away\n");
		return false;
	}
	bed_make(bed, BED_PMEM, 24 * MIB, 4 * MIB);
	assert_int_equal(conf_path(bed->dir, CONF_NAME, conf, NULL), 0);
	give(conf);
	give(bed->marker);
	return true;
}

static void resized_by_root(void **state)
{
	char conf[PATH_MAX], other[PATH_MAX];
	const char *add = other;
	struct bed bed;

	(void)state;
	if (!his(&bed, conf))
		skip();
	assert_int_equal(mkdir(scratch_path(&bed.disk, "other", other), 0700), 0);
	assert_int_equal(journal_resize(bed.j, &(struct journal_resize_options){
		.add = &add, .add_count = 1 }, NULL), 0);
	is_his(conf);
	is_his(bed.j->conf.logs[1]);
	bed_remove(&bed);
}

static void nvram_comes_back_to_root(void **state)
{
	char conf[PATH_MAX];
	struct bed bed;

	(void)state;
	if (!his(&bed, conf))
		skip();
	turns_goes_down(&bed);
	is_his(conf);
	turns_comes_back(&bed);
	is_his(conf);
	is_his(bed.marker);
	bed_remove(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resized_by_root),
		cmocka_unit_test(nvram_comes_back_to_root),
	};

	return cmocka_run_group_tests_name("test_owner", tests, NULL, NULL);
}
