/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P11, P18: a process is stopped (SIGSTOP) in the middle of a checkpoint, at each of
 * its system calls, while another fills and empties the log again and again; then it
 * goes on, or is killed.  pwrite() and fdatasync() are wrapped at link time (Makefile).
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"

#define LOG_BYTES (16u << 20)
#define LAPS      3u
#define PAYLOAD   (256u << 10)
#define KEPT      8u
/* payload, sync, heads, sync: before the first, and after each */
static const uint32_t places[] = { 0, 1, 3, 5, 7 };
#define PLACES (sizeof(places) / sizeof(*places))

/* ---- the one that is stopped ---------------------------------------------------------- */

static struct {
	ino_t marker; /* 0: nobody stops */
	uint32_t calls, at;
	bool gone_on;
} stop;

/* what it tells */
struct told {
	_Atomic uint32_t kept;
	uint64_t ids[KEPT];
	int error;
};

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
ssize_t __real_pwrite(int fd, const void *buffer, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t bytes, off_t offset);

static bool is_marker(int fd)
{
	struct stat st;

	return stop.marker && !fstat(fd, &st) && st.st_ino == stop.marker;
}

static void perhaps_stop(void)
{
	if (stop.calls++ != stop.at)
		return;
	(void)raise(SIGSTOP);
	stop.gone_on = true;
}

int __wrap_fdatasync(int fd)
{
	bool marker = is_marker(fd);
	int error;

	if (marker)
		perhaps_stop();
	error = __real_fdatasync(fd);
	if (marker)
		perhaps_stop();
	return error;
}

ssize_t __wrap_pwrite(int fd, const void *buffer, size_t bytes, off_t offset)
{
	bool marker = is_marker(fd);
	ssize_t put;

	if (marker)
		perhaps_stop();
	put = __real_pwrite(fd, buffer, bytes, offset);
	if (marker)
		perhaps_stop();
	return put;
}

static int put_and_retire(struct journal *j, const uint8_t *payload)
{
	struct journal_receipt receipt;
	int error = journal_put(j, payload, PAYLOAD, &receipt);

	return error ? error : journal_retire(j, receipt.id);
}

static int stopped_keeps(struct journal *j, struct told *told, uint64_t seed)
{
	struct journal_receipt receipt;
	uint8_t *payload;
	int error = 0;

	while (told->kept < KEPT && !error) {
		payload = bed_payload(1000, seed + told->kept);
		error = journal_put(j, payload, 1000, &receipt);
		free(payload);
		if (error)
			break;
		told->ids[told->kept] = receipt.id;
		told->kept++;
	}
	return error;
}


static void stopped_run(struct bed *bed, uint32_t at, struct told *told)
{
	uint8_t *payload = bed_payload(PAYLOAD, 1);
	struct journal *j;
	struct stat st;

	told->error = journal_open(bed->dir, NULL, &j);
	if (!told->error)
		told->error = stat(bed->marker, &st);
	stop.at = at;
	stop.marker = st.st_ino;
	while (!told->error && !stop.gone_on)
		told->error = put_and_retire(j, payload);
	if (!told->error)
		told->error = stopped_keeps(j, told, 1000 * at);
	if (!told->error)
		told->error = journal_close(j);
	child_exit(told->error ? 1 : 0);
}

/* Return: its number, when it has stopped. */
static pid_t stopped_start(struct bed *bed, uint32_t at, struct told *told)
{
	pid_t pid = child_fork();
	int status;

	if (!pid)
		stopped_run(bed, at, told);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	if (!WIFSTOPPED(status))
		fail_msg("it has ended: %s", strerror(-told->error));
	return pid;
}

static void stopped_goes_on(pid_t pid, struct told *told)
{
	assert_int_equal(kill(pid, SIGCONT), 0);
	child_ends(pid, 0);
	assert_int_equal(told->error, 0);
	assert_int_equal(told->kept, KEPT);
}

/* ---- the others ------------------------------------------------------------------------- */

static void laps(struct bed *bed)
{
	uint8_t *payload = bed_payload(PAYLOAD, 2);
	uint64_t checkpoints = bed_info(bed).checkpoints;
	uint32_t i;
	int error;

	for (i = 0; i < LAPS * (LOG_BYTES / PAYLOAD); i++) {
		error = put_and_retire(bed->j, payload);
		if (error)
			fail_msg("after %u: %s", i, journal_error(bed->j));
	}
	assert_true(bed_info(bed).checkpoints > checkpoints);
	free(payload);
}

static void model_add_told(struct model *model, const struct told *told, uint32_t at)
{
	uint32_t i;

	for (i = 0; i < told->kept; i++)
		model_add(model, told->ids[i], 1000, 1000 * at + i);
}

static struct told *told_make(void)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(told != MAP_FAILED);
	return told;
}

/* another fills the log meanwhile; @dies: it does not go on */
static void stopped_at(uint32_t at, bool dies)
{
	struct told *told = told_make();
	struct model model;
	struct bed bed;
	uint32_t i;
	pid_t pid;

	model_make(&model);
	bed_make(&bed, BED_FILE, LOG_BYTES, 1 << 20);
	bed_close(&bed);
	pid = stopped_start(&bed, at, told);
	bed_open(&bed, NULL);
	for (i = 0; i < KEPT; i++)
		assert_int_equal(bed_put(&bed, &model, 3000, i, JOURNAL_PATH_AUTO, NULL), 0);
	laps(&bed);
	if (dies) {
		assert_int_equal(kill(pid, SIGKILL), 0);
		child_ends(pid, SIGKILL);
		laps(&bed);
	} else {
		stopped_goes_on(pid, told);
	}
	model_add_told(&model, told, at);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	bed_check(&bed, 0);
	bed_remove(&bed);
	model_free(&model);
	(void)munmap(told, sizeof(*told));
}

static void p18_a_stopped_checkpoint_stops_nobody(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < PLACES; i++)
		stopped_at(places[i], false);
}

static void p18_nor_when_it_is_killed_there(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 1; i < PLACES; i += 2)
		stopped_at(places[i], true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p18_a_stopped_checkpoint_stops_nobody),
		cmocka_unit_test(p18_nor_when_it_is_killed_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
