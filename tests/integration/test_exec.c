/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process that has a journal open and executes another program: what it had is a dead
 * one's, also for the program that it has become.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"

/* Opens it, begins one, and becomes this program again. */
static void child_execs(const char *dir)
{
	struct journal_txn *txn;
	struct journal *j;

	if (journal_open(dir, NULL, &j) || journal_begin(j, NULL, &txn) ||
	    journal_append(txn, "never committed", 15))
		_exit(10);
	execl("/proc/self/exe", "test_exec", "again", dir, (char *)NULL);
	_exit(11);
}

/* As that program: takes over what it had before. */
static int again(const char *dir)
{
	struct journal_maintained done;
	struct journal_info info;
	struct journal *j;

	if (journal_open(dir, NULL, &j) || journal_maintain(j, NULL, &done) ||
	    journal_info(j, &info))
		return 20;
	/* the test, and this one; opening may have taken it over already */
	if (info.members != 2 || info.takeovers != 1) {
		printf("members %u, takeovers %u\n", info.members, (unsigned int)info.takeovers);
		return 21;
	}
	return journal_close(j) ? 22 : 0;
}

static void what_it_had_before_is_a_dead_ones(enum bed_medium medium)
{
	struct bed bed;
	pid_t pid;

	bed_make(&bed, medium, 0, 0);
	pid = child_fork();
	if (!pid)
		child_execs(bed.dir);
	child_ends(pid, 0);
	bed_check(&bed, 0);
	bed_remove(&bed);
}

int main(int argc, char **argv)
{
	static const struct bed_test tests[] = {
		{ "what it had before is a dead one's", what_it_had_before_is_a_dead_ones,
		  1u << BED_FILE | 1u << BED_PMEM },
	};

	if (argc == 3 && !strcmp(argv[1], "again"))
		return again(argv[2]);
	if (under_valgrind()) {
		puts("skip: valgrind does not let a program execute itself");
		return 77;
	}
	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
