/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journal.conf has two writers: who resizes, and who gives NVRAM up (P14).  Each stands
 * before the rename that counts while the other one does all of his work, is killed right
 * behind it, or goes on.  What the processes use and what journal.conf says is the same
 * in the end, and NVRAM that was given up is not named again.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
/* after sys/ptrace.h */
#include <linux/ptrace.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/traced.h"
#include "txn/conf.h"

#define MIB (1ull << 20)

/* ---- a process that stands before it replaces journal.conf ------------------------------ */

static int resizes(struct journal *j)
{
	return journal_resize(j, &(struct journal_resize_options){ .bytes = 128 * MIB }, NULL);
}

static int gives_up(struct journal *j)
{
	return journal_distrust(j, "a test");
}

/* Ends with 0 or what the call returned.  0: after a line "skip: ..." */
static pid_t traced(const char *dir, int (*call)(struct journal *j))
{
	struct journal *j;
	int status;
	pid_t pid = traced_fork();

	if (!pid) {
		if (journal_open(dir, NULL, &j))
			child_exit(1);
		(void)raise(SIGSTOP);
		status = -call(j);
		(void)journal_close(j);
		child_exit(status);
	}
	return traced_stands(pid) ? pid : 0;
}

/* @text: of the process, or empty */
static void text_at(pid_t pid, uint64_t address, char text[PATH_MAX])
{
	struct iovec here = { text, PATH_MAX - 1 };
	struct iovec there = { (void *)(uintptr_t)address, PATH_MAX - 1 };

	memset(text, 0, PATH_MAX);
	(void)process_vm_readv(pid, &here, 1, &there, 1, 0);
}

static bool is_renamed(pid_t pid, uint64_t from, uint64_t to)
{
	char text[PATH_MAX];

	text_at(pid, from, text);
	if (!text[0])
		return false;
	text_at(pid, to, text);
	return !strcmp(text, CONF_NAME);
}

/* It begins to give a file the name journal.conf, by renameat(), whatever its number. */
static bool is_at_the_point(pid_t pid)
{
	struct ptrace_syscall_info info;

	assert_true(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) > 0);
	return info.op == PTRACE_SYSCALL_INFO_ENTRY &&
	       is_renamed(pid, info.entry.args[1], info.entry.args[3]);
}

static void goes_to_the_point(pid_t pid)
{
	do
		assert_true(traced_next(pid));
	while (!is_at_the_point(pid));
}

/* Return: what its call returned */
static int goes_on(pid_t pid)
{
	int status;

	assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

/* ---- what counts in the end ---------------------------------------------------------------- */

static uint32_t segments_before;

static void make(struct bed *bed, struct model *model)
{
	struct journal_receipt receipt;
	uint64_t seed;

	bed_make(bed, BED_PMEM, 64 * MIB, 4 * MIB);
	segments_before = bed_info(bed).segments;
	model_make(model);
	for (seed = 1; seed < 9; seed++)
		assert_int_equal(bed_put(bed, model, 3000, seed, JOURNAL_PATH_AUTO, &receipt), 0);
}

/* NVRAM is given up, and the segments are those that all use. */
static void conf_is_right(struct bed *bed)
{
	struct message message = { "" };
	struct conf conf;

	assert_int_equal(conf_read(bed->dir, &conf, &message), 0);
	assert_non_null(strstr(conf.marker, "stand-in"));
	assert_int_equal(bed_info(bed).segments, conf.runs.count ? log_runs_total(&conf.runs) :
								   segments_before);
}

static void end(struct bed *bed, struct model *model)
{
	struct journal_receipt receipt;

	conf_is_right(bed);
	assert_int_equal(bed_put(bed, model, 3000, 100, JOURNAL_PATH_AUTO, &receipt), 0);
	model_verify_reopened(model, bed);
	assert_int_equal(resizes(bed->j), 0);
	model_verify_reopened(model, bed);
	model_free(model);
	bed_remove(bed);
}

static void p14_who_resizes_is_killed_at_his_point(void **state)
{
	struct model model;
	struct bed bed;
	pid_t pid;

	(void)state;
	make(&bed, &model);
	pid = traced(bed.dir, resizes);
	if (!pid) {
		bed_remove(&bed);
		skip();
	}
	goes_to_the_point(pid);
	assert_int_equal(gives_up(bed.j), 0);
	assert_true(traced_next(pid)); /* it has renamed it, or found that it cannot */
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_ends(pid, SIGKILL);
	end(&bed, &model);
}

static void p14_who_resizes_is_late_at_his_point(void **state)
{
	struct model model;
	struct bed bed;
	pid_t pid;

	(void)state;
	make(&bed, &model);
	pid = traced(bed.dir, resizes);
	if (!pid) {
		bed_remove(&bed);
		skip();
	}
	goes_to_the_point(pid);
	assert_int_equal(gives_up(bed.j), 0);
	/* once more, with what health is now */
	assert_int_equal(goes_on(pid), 0);
	end(&bed, &model);
}

static void p14_who_gives_nvram_up_is_late(void **state)
{
	pid_t resizer, late;
	struct model model;
	struct bed bed;
	int error;

	(void)state;
	make(&bed, &model);
	resizer = traced(bed.dir, resizes);
	late = resizer ? traced(bed.dir, gives_up) : 0;
	if (!resizer || !late) {
		bed_remove(&bed);
		skip();
	}
	goes_to_the_point(resizer);
	goes_to_the_point(late);
	/* before what the other one has read already */
	error = goes_on(resizer);
	assert_true(!error || error == -EBUSY);
	assert_int_equal(goes_on(late), 0);
	end(&bed, &model);
}

/* ---- who is killed behind his point ------------------------------------------------------- */

static char other[PATH_MAX];

static int adds(struct journal *j)
{
	const char *path = other;

	return journal_resize(j, &(struct journal_resize_options){
		.add = &path, .add_count = 1 }, NULL);
}

static int removes(struct journal *j)
{
	const char *path = other;

	return journal_resize(j, &(struct journal_resize_options){
		.remove = &path, .remove_count = 1 }, NULL);
}

/* What moved out of it is still to be read there. */
static void the_file_of_a_log_goes_the_next_time(void **state)
{
	struct model model;
	struct bed bed;
	pid_t pid;

	(void)state;
	make(&bed, &model);
	assert_int_equal(mkdir(scratch_path(&bed.disk, "other", other), 0700), 0);
	assert_int_equal(adds(bed.j), 0);
	pid = traced(bed.dir, removes);
	if (!pid) {
		bed_remove(&bed);
		skip();
	}
	goes_to_the_point(pid);
	assert_true(traced_next(pid));
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_ends(pid, SIGKILL);
	assert_int_equal(rmdir(other), -1);
	assert_int_equal(removes(bed.j), 0);
	assert_int_equal(rmdir(other), 0);
	assert_int_equal(mkdir(other, 0700), 0);
	/* there is none any more */
	assert_int_equal(removes(bed.j), -ENOENT);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_who_resizes_is_killed_at_his_point),
		cmocka_unit_test(p14_who_resizes_is_late_at_his_point),
		cmocka_unit_test(p14_who_gives_nvram_up_is_late),
		cmocka_unit_test(the_file_of_a_log_goes_the_next_time),
	};

	return cmocka_run_group_tests_name("test_resize_point", tests, NULL, NULL);
}
