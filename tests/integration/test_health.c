/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P14 among processes: NVRAM is given up by one of them while the others commit, retire
 * and read; by one that is stopped, or killed, at each of its system calls.  Then NVRAM
 * is garbage, and all that was acknowledged is there.
 *
 * STRIDE: at every so many'th system call, 5 by default; 1 is all.  SEED: workloads.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/traced.h"
#include "lib/crowd.h"
#include "lib/fault.h"

#define BOUND_NS 20000000000ull
#define ROUNDS   4u

/* Under all who have it mapped. */
static void nvram_is_garbage(const struct bed *bed)
{
	uint8_t *garbage;
	struct stat st;
	int fd = open(bed->marker, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0 && !fstat(fd, &st));
	garbage = bed_payload((size_t)st.st_size, 77);
	assert_int_equal(pwrite(fd, garbage, (size_t)st.st_size, 0), st.st_size);
	free(garbage);
	(void)close(fd);
}

static int give_up(const char *dir)
{
	struct journal *j;
	int error = journal_open(dir, NULL, &j);

	if (!error)
		error = journal_distrust(j, "a test");
	return journal_close(j) || error;
}

static void given_up_by_another(const struct bed *bed)
{
	pid_t pid = child_fork();

	if (!pid)
		child_exit(give_up(bed->dir));
	child_ends(pid, 0);
}

static void crowd_goes_on_without(bool kills)
{
	uint64_t seed = fault_seed("given up");
	struct crowd crowd;
	struct bed bed;
	uint32_t i;

	for (i = 0; i < ROUNDS; i++) {
		bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
		crowd_make(&crowd, &bed, 4, CROWD_ALL | CROWD_LOSES, seed + i);
		crowd_start_all(&crowd);
		crowd_sleep_us(20000 + fault_random(&crowd.random) % 100000);
		if (kills)
			crowd_kill(&crowd, i % 4);
		given_up_by_another(&bed);
		nvram_is_garbage(&bed);
		crowd_goes_on(&crowd, CROWD_MAX);
		crowd_sleep_us(fault_random(&crowd.random) % 100000);
		crowd_fine(&crowd);
		if (kills)
			crowd_kill_all(&crowd);
		else
			crowd_end_all(&crowd);
		assert_int_equal(unlink(bed.marker), 0);
		crowd_compare(&crowd);
		printf("# %" PRIu64 " commits, %" PRIu64 " retires\n", crowd_commits(&crowd),
		       crowd_retires(&crowd));
		crowd_free(&crowd);
		bed_remove(&bed);
	}
}

static void p14_processes_go_on_when_nvram_is_given_up(void **state)
{
	(void)state;
	crowd_goes_on_without(false);
}

static void p14_processes_that_are_killed_when_nvram_is_given_up(void **state)
{
	(void)state;
	crowd_goes_on_without(true);
}

/* ---- one who stands in the middle of it ---------------------------------------------- */

/* A process that has the journal open and stands before it gives NVRAM up.  0: after a
 * line "skip: ..." */
static pid_t traced(const char *dir)
{
	struct journal *j;
	pid_t pid = traced_fork();

	if (!pid) {
		if (journal_open(dir, NULL, &j))
			child_exit(1);
		(void)raise(SIGSTOP);
		child_exit(journal_distrust(j, "a test") || journal_close(j));
	}
	return traced_stands(pid) ? pid : 0;
}

static const struct {
	uint64_t bytes;
	enum journal_path path;
} puts_[] = {
	{ 100, JOURNAL_PATH_STAGED }, { 5000, JOURNAL_PATH_DIRECT }, { 200, JOURNAL_PATH_SYNCED },
	{ 1500000, JOURNAL_PATH_AUTO },
};
#define PUTS (sizeof(puts_) / sizeof(*puts_))

static void put_some(struct bed *bed, struct model *model, uint64_t seed)
{
	struct journal_receipt receipt;
	uint64_t began = crowd_now_ns();
	size_t i;

	for (i = 0; i < PUTS; i++)
		assert_int_equal(bed_put(bed, model, puts_[i].bytes, seed + i, puts_[i].path,
					 &receipt), 0);
	assert_true(crowd_now_ns() - began < BOUND_NS);
}

static void retire_one(struct bed *bed, struct model *model, size_t i)
{
	assert_int_equal(journal_retire(bed->j, model->all[i].id), 0);
	model_retire(model, model->all[i].id);
}

/* Return: whether it had ended before */
static bool stands_at(uint32_t call, bool goes_on, uint32_t *calls)
{
	struct model model;
	struct bed bed;
	bool ended = false;
	pid_t pid;

	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	model_make(&model);
	put_some(&bed, &model, 1);
	pid = traced(bed.dir);
	if (!pid) {
		bed_remove(&bed);
		skip();
	}
	for (*calls = 0; *calls < call && !ended; ++*calls)
		ended = !traced_next(pid);
	/* nobody waits for it, before NVRAM is given up or after */
	put_some(&bed, &model, 10);
	retire_one(&bed, &model, 0);
	retire_one(&bed, &model, 1);
	retire_one(&bed, &model, PUTS);
	model_verify(&model, bed.j);
	if (!ended && goes_on) {
		assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
		child_ends(pid, 0);
	} else if (!ended) {
		assert_int_equal(kill(pid, SIGKILL), 0);
		child_ends(pid, SIGKILL);
	}
	/* what it has left is ended by others */
	assert_int_equal(journal_distrust(bed.j, "again"), 0);
	nvram_is_garbage(&bed);
	put_some(&bed, &model, 20);
	retire_one(&bed, &model, PUTS + 1);
	model_verify(&model, bed.j);
	bed_close(&bed);
	assert_int_equal(unlink(bed.marker), 0);
	bed_open(&bed, NULL);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
	return ended;
}

static uint32_t stride(void)
{
	const char *given = getenv("STRIDE");

	return given && atoi(given) > 0 ? (uint32_t)atoi(given) : 5;
}

static void p14_nobody_waits_for_a_switcher(void **state)
{
	uint32_t call, calls = 0;

	(void)state;
	for (call = 1; !stands_at(call, call / stride() & 1, &calls); call += stride())
		;
	printf("# %u system calls\n", calls);
	assert_true(calls > 10);
}

/* ---- what is told -------------------------------------------------------------------- */

static void it_is_told_to_who_polls(void **state)
{
	struct pollfd poll_for = { .events = POLLIN };
	struct journal_health health;
	struct journal_receipt receipt;
	struct journal_info info;
	struct model model;
	struct bed bed;

	(void)state;
	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	model_make(&model);
	poll_for.fd = journal_health_fd(bed.j);
	assert_true(poll_for.fd >= 0);
	assert_int_equal(journal_health_fd(bed.j), poll_for.fd);
	assert_int_equal(journal_health(bed.j, &health), 0);
	assert_int_equal(health.trust, JOURNAL_TRUSTED);
	assert_true(health.stand_in);
	put_some(&bed, &model, 1);
	assert_int_equal(poll(&poll_for, 1, 0), 0);
	info = bed_info(&bed);
	assert_true(info.staged_live && info.staged_live_bytes && info.staged_oldest_time_ns);
	given_up_by_another(&bed);
	assert_int_equal(poll(&poll_for, 1, 20000), 1);
	assert_int_equal(journal_health(bed.j, &health), 0);
	assert_int_equal(health.trust, JOURNAL_ABANDONED);
	assert_string_equal(health.why, "a test");
	assert_true(health.since_ns && health.evacuated >= info.staged_live);
	assert_int_equal(health.evacuated_lost, 0);
	assert_int_equal(poll(&poll_for, 1, 0), 0);
	info = bed_info(&bed);
	assert_int_equal(info.staged_live, 0);
	assert_int_equal(info.abandoned, 1);
	assert_int_equal(bed_put(&bed, &model, 100, 50, JOURNAL_PATH_AUTO, &receipt), 0);
	assert_int_equal(receipt.path, JOURNAL_PATH_SYNCED);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* the medium says so itself, to a round of maintenance */
static void a_medium_is_asked(void **state)
{
	char sick[PATH_MAX + 8];
	struct journal_receipt receipt;
	struct journal_health health;
	struct model model;
	struct bed bed;
	int fd;

	(void)state;
	bed_make(&bed, BED_SIM, 0, 0);
	model_make(&model);
	put_some(&bed, &model, 1);
	assert_int_equal(journal_maintain(bed.j, NULL, NULL), 0);
	assert_int_equal(journal_health(bed.j, &health), 0);
	assert_int_equal(health.trust, JOURNAL_TRUSTED);
	(void)snprintf(sick, sizeof(sick), "%s.sick", bed.marker);
	fd = open(sick, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(journal_maintain(bed.j, NULL, NULL), 0);
	assert_int_equal(journal_health(bed.j, &health), 0);
	assert_int_equal(health.trust, JOURNAL_ABANDONED);
	assert_non_null(strstr(health.why, ".sick"));
	put_some(&bed, &model, 10);
	retire_one(&bed, &model, 2);
	model_verify_reopened(&model, &bed);
	/* still sick: it is not gone back to */
	assert_int_equal(bed_put(&bed, &model, 100, 60, JOURNAL_PATH_AUTO, &receipt), 0);
	assert_int_equal(receipt.path, JOURNAL_PATH_SYNCED);
	assert_int_equal(unlink(sick), 0);
	bed_reopen(&bed);
	put_some(&bed, &model, 70);
	assert_int_equal(bed_put(&bed, &model, 100, 80, JOURNAL_PATH_AUTO, &receipt), 0);
	assert_int_equal(receipt.path, JOURNAL_PATH_STAGED);
	retire_one(&bed, &model, 3);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* NVRAM that comes back with what it held then resurrects nothing */
static void p14_nvram_that_comes_back_is_written_anew(void **state)
{
	struct journal_receipt receipt;
	struct model model;
	struct bed bed;
	char old[PATH_MAX + 8];

	(void)state;
	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	model_make(&model);
	put_some(&bed, &model, 1);
	(void)snprintf(old, sizeof(old), "%s.old", bed.marker);
	assert_int_equal(journal_distrust(bed.j, NULL), 0);
	bed_close(&bed);
	/* while it is away */
	assert_int_equal(rename(bed.marker, old), 0);
	bed_open(&bed, NULL);
	assert_int_equal(bed_put(&bed, &model, 100, 30, JOURNAL_PATH_AUTO, &receipt), 0);
	assert_int_equal(receipt.path, JOURNAL_PATH_SYNCED);
	retire_one(&bed, &model, 0);
	retire_one(&bed, &model, 1);
	retire_one(&bed, &model, 2);
	bed_close(&bed);
	assert_int_equal(rename(old, bed.marker), 0);
	bed_open(&bed, NULL);
	model_verify(&model, bed.j);
	assert_int_equal(bed_put(&bed, &model, 100, 40, JOURNAL_PATH_AUTO, &receipt), 0);
	assert_int_equal(receipt.path, JOURNAL_PATH_STAGED);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

static void a_file_has_no_health(void **state)
{
	struct journal_health health;
	struct bed bed;

	(void)state;
	bed_make(&bed, BED_FILE, 0, 0);
	assert_int_equal(journal_distrust(bed.j, NULL), -ENOTSUP);
	assert_int_equal(journal_health(bed.j, &health), 0);
	assert_int_equal(health.trust, JOURNAL_TRUSTED);
	bed_remove(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p14_processes_go_on_when_nvram_is_given_up),
		cmocka_unit_test(p14_processes_that_are_killed_when_nvram_is_given_up),
		cmocka_unit_test(p14_nobody_waits_for_a_switcher),
		cmocka_unit_test(it_is_told_to_who_polls),
		cmocka_unit_test(a_medium_is_asked),
		cmocka_unit_test(p14_nvram_that_comes_back_is_written_anew),
		cmocka_unit_test(a_file_has_no_health),
	};

	return cmocka_run_group_tests_name("test_health", tests, NULL, NULL);
}
