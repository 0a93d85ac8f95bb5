/* SPDX-License-Identifier: BSD-3-Clause */
/* JOURNAL_BESIDE: looking at what others share, or nothing; and that they have left. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"

static const struct journal_open_options watch = { .flags = JOURNAL_RDONLY | JOURNAL_BESIDE };

static void watch_refused(struct bed *bed, const struct journal_open_options *options, int error,
			  const char *why)
{
	struct journal *j;

	assert_int_equal(journal_open(bed->dir, options, &j), error);
	if (!strstr(journal_error(j), why))
		fail_msg("'%s' does not say '%s'", journal_error(j), why);
	assert_int_equal(journal_close(j), 0);
}

static void it_sees_the_writers_come_and_go(enum bed_medium medium)
{
	struct journal_info info;
	struct journal *j;
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	assert_int_equal(journal_open(bed.dir, &watch, &j), 0);
	assert_int_equal(journal_put(bed.j, "one", 3, NULL), 0);
	assert_int_equal(journal_info(j, &info), 0);
	assert_int_equal(info.members, 1);
	assert_int_equal(info.in_use_pid, getpid());
	assert_int_equal(info.index_shared, 1);
	assert_string_equal(info.index_private, "");
	assert_int_equal(info.commits_staged + info.commits_synced, 1);
	assert_int_equal(info.since_ns, bed_info(&bed).since_ns);
	bed_close(&bed);
	/* what it shows is not so any more, and says so */
	assert_int_equal(journal_info(j, &info), 0);
	assert_int_equal(info.members, 0);
	assert_int_equal(info.in_use_pid, 0);
	assert_int_equal(info.index_shared, 0);
	assert_non_null(strstr(info.index_private, "have left"));
	watch_refused(&bed, &watch, -ESRCH, "nobody has the journal open to write");
	bed_open(&bed, NULL);
	/* these are others: its index is the one before */
	assert_int_equal(journal_info(j, &info), 0);
	assert_int_equal(info.members, 0);
	assert_int_equal(journal_close(j), 0);
	assert_int_equal(journal_open(bed.dir, &watch, &j), 0);
	assert_int_equal(journal_info(j, &info), 0);
	assert_int_equal(info.members, 1);
	assert_int_equal(info.live, 1);
	assert_int_equal(journal_close(j), 0);
	bed_remove(&bed);
}

static void who_shares_with_nobody_is_not_seen(enum bed_medium medium)
{
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	watch_refused(&bed, &watch, -ESRCH, "processes cannot share it");
	bed_remove(&bed);
}

static void it_is_to_read(enum bed_medium medium)
{
	const struct journal_open_options writes = { .flags = JOURNAL_BESIDE };
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	watch_refused(&bed, &writes, -EINVAL, "JOURNAL_RDONLY");
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "it sees the writers come and go", it_sees_the_writers_come_and_go,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "who shares with nobody is not seen", who_shares_with_nobody_is_not_seen,
		  1u << BED_SIM },
		{ "it is to read", it_is_to_read, 1u << BED_FILE },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
