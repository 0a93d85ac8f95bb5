/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening read-only beside a writer that commits, destages, retires and
 * recycles: everything acknowledged before the open and not retired is there,
 * nothing is called lost, and nothing is called damage.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"

#define FIXED 60

/* told by the writer, in shared memory */
struct told {
	uint64_t ids[FIXED];
	_Atomic uint32_t ready, failed;
	_Atomic uint64_t rounds;
};

static uint64_t fixed_bytes(int i)
{
	return i % 10 == 9 ? 40000 : (uint64_t)i * 50;
}

/* Never returns: puts and retires until it is killed. */
static void write_on(struct bed *bed, struct told *told)
{
	uint64_t ids[64] = { 0 }, i;
	struct journal_receipt receipt;
	int error = journal_open(bed->dir, NULL, &bed->j);

	for (i = 0; i < FIXED && !error; i++) {
		error = bed_put(bed, NULL, fixed_bytes((int)i), i, 0, &receipt);
		told->ids[i] = receipt.id;
	}
	told->ready = 1;
	for (i = 0; !error; i++) {
		if (ids[i % 64])
			error = journal_retire(bed->j, ids[i % 64]);
		if (!error)
			error = bed_put(bed, NULL, i % 9 ? i % 3000 : 60000, i,
					i % 5 ? JOURNAL_PATH_AUTO : JOURNAL_PATH_SYNCED, &receipt);
		ids[i % 64] = receipt.id;
		told->rounds = i;
	}
	told->failed = 1;
	told->ready = 1;
	_exit(1);
}

/* A copy of a staged one may go to the log after the reader's open: it then says
 * -ENOENT and why.  Whether it was seen is what counts. */
static void read_once(struct bed *bed, struct told *told, pid_t writer)
{
	struct journal_open_options options = { .flags = JOURNAL_RDONLY };
	struct journal_entry entry;
	struct journal_info info;
	int i, error;

	bed_open(bed, &options);
	info = bed_info(bed);
	assert_int_equal(info.in_use_pid, writer);
	assert_int_equal(info.lost, 0);
	assert_int_equal(info.lost_unnamed, 0);
	for (i = 0; i < FIXED; i++) {
		assert_int_equal(journal_lookup(bed->j, told->ids[i], &entry), 0);
		assert_int_equal(entry.state, JOURNAL_LIVE);
		assert_int_equal(entry.bytes, fixed_bytes(i));
		error = bed_verify(bed->j, told->ids[i], entry.bytes, (uint64_t)i);
		if (error == -ENOENT)
			assert_non_null(strstr(journal_error(bed->j), "open again"));
		else
			assert_int_equal(error, 0);
	}
	bed_close(bed);
}

static void readers_beside_a_writer(enum bed_medium medium)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct bed bed;
	int round, status;
	pid_t pid;

	assert_ptr_not_equal(told, MAP_FAILED);
	bed_make(&bed, medium, 24u << 20, 2u << 20);
	bed_close(&bed);
	pid = fork();
	assert_true(pid >= 0);
	/* the writer ends with us, also when an assertion fails */
	if (!pid && prctl(PR_SET_PDEATHSIG, SIGKILL))
		_exit(1);
	if (!pid)
		write_on(&bed, told);
	while (!told->ready)
		usleep(1000);
	for (round = 0; round < 40; round++) {
		read_once(&bed, told, pid);
		bed_check(&bed, 0);
		usleep(2000);
	}
	assert_int_equal(told->failed, 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	bed_check(&bed, 0);
	bed_open(&bed, NULL);
	for (round = 0; round < FIXED; round++)
		assert_int_equal(bed_verify(bed.j, told->ids[round], fixed_bytes(round),
					    (uint64_t)round), 0);
	bed_remove(&bed);
	munmap(told, sizeof(*told));
}

int main(void)
{
	static const struct bed_test tests[] = {
		/* sim: is in one process only */
		{ "readers_beside_a_writer", readers_beside_a_writer,
		  BED_ALL & ~(1u << BED_SIM) },
	};

	return bed_run(tests, sizeof(tests) / sizeof(*tests));
}
