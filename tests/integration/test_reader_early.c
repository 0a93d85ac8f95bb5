/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Opening read-only when nobody writes, and then somebody does: opens, commits and closes
 * while the reader reads.  NVRAM that was looked at before that, and a log that is read
 * after it, are not those of an old image; nor is a commit bit of after that, and a log of
 * before, a loss.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/traced.h"

#define BYTES 40000u /* to the log at once, and then a commit bit */

static int read_it(const char *dir)
{
	/* one thread, whose calls are the reads */
	const struct journal_open_options o = {
		.flags = JOURNAL_RDONLY | JOURNAL_NO_URING, .recover_threads = 1,
	};
	struct journal_info info;
	struct journal *j;
	int error = journal_open(dir, &o, &j);

	if (error)
		printf("%s\n", journal_error(j));
	else if (!journal_info(j, &info) && (info.lost || info.lost_unnamed))
		error = -1;
	journal_close(j);
	fflush(stdout);
	return error ? 1 : 0;
}

/* Return: 0: not allowed here */
static pid_t reader(const char *dir)
{
	pid_t pid = traced_fork();

	if (!pid) {
		raise(SIGSTOP);
		child_exit(read_it(dir));
	}
	return traced_stands(pid) ? pid : 0;
}

/* Somebody comes when the reader is at the begin of its call @nth, and goes.  Return:
 * false: the reader has fewer */
static bool comes_at(struct bed *bed, struct model *model, pid_t pid, uint32_t nth)
{
	uint32_t i;

	for (i = 0; i <= 2 * nth; i++)
		if (!traced_next(pid))
			return false;
	bed_open(bed, NULL);
	assert_int_equal(bed_put(bed, model, 100, nth, JOURNAL_PATH_SYNCED, NULL), 0);
	assert_int_equal(bed_put(bed, model, BYTES, nth, JOURNAL_PATH_AUTO, NULL), 0);
	bed_close(bed);
	while (traced_next(pid))
		;
	return true;
}

static void writer_comes_while_it_is_read(enum bed_medium medium)
{
	struct model model;
	uint32_t nth = 0;
	struct bed bed;
	pid_t pid;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	assert_int_equal(bed_put(&bed, &model, 100, 1000, JOURNAL_PATH_SYNCED, NULL), 0);
	bed_close(&bed);
	do
		pid = reader(bed.dir);
	while (pid && comes_at(&bed, &model, pid, nth++));
	assert_true(!pid || nth > 20);
	bed_open(&bed, NULL);
	model_verify(&model, bed.j);
	model_free(&model);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "writer_comes_while_it_is_read", writer_comes_while_it_is_read,
		  1u << BED_PMEM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
