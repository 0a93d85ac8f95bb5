/* SPDX-License-Identifier: BSD-3-Clause */
#include "crowd.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "crowd_worker.h"
#include "fault.h"

/* how long one may take for anything: a guard against waiting for ever only */
#define PATIENCE_NS 60000000000ull

uint64_t crowd_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void crowd_sleep_us(uint64_t us)
{
	struct timespec time = { .tv_sec = (time_t)(us / 1000000),
				 .tv_nsec = (long)(us % 1000000) * 1000 };

	(void)nanosleep(&time, NULL);
}

void crowd_make(struct crowd *crowd, struct bed *bed, uint32_t count, unsigned int does,
		uint64_t seed)
{
	assert_true(count <= CROWD_MAX);
	*crowd = (struct crowd){ .bed = bed, .count = count, .does = does, .random = seed };
	crowd->shared = mmap(NULL, sizeof(*crowd->shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(crowd->shared != MAP_FAILED);
	bed_close(bed);
}

void crowd_free(struct crowd *crowd)
{
	crowd_kill_all(crowd);
	(void)munmap(crowd->shared, sizeof(*crowd->shared));
}

void crowd_fine(struct crowd *crowd)
{
	if (!atomic_load(&crowd->shared->wrongs))
		return;
	crowd_sleep_us(10000); /* it is still writing what */
	fail_msg("%s", crowd->shared->wrong);
}

/* ---- starting and ending ------------------------------------------------------- */

void crowd_start(struct crowd *crowd, uint32_t who)
{
	uint64_t seed = fault_random(&crowd->random);

	assert_true(!crowd->pid[who]);
	atomic_store(&crowd->shared->worker[who].stop, false);
	atomic_store(&crowd->shared->worker[who].open, false);
	(void)fflush(NULL);
	crowd->pid[who] = fork();
	assert_true(crowd->pid[who] >= 0);
	if (!crowd->pid[who])
		crowd_work(crowd, who, seed);
}

static void crowd_gone(struct crowd *crowd, uint32_t who, int wanted)
{
	int status, got;

	do
		got = waitpid(crowd->pid[who], &status, 0);
	while (got < 0 && errno == EINTR);
	assert_int_equal(got, crowd->pid[who]);
	crowd->pid[who] = 0;
	atomic_store(&crowd->shared->worker[who].began_ns, 0);
	crowd_fine(crowd);
	if (status != wanted)
		fail_msg("process %u ended with status %#x", who, (unsigned int)status);
}

/* by itself: nobody is killed here */
static void crowd_lives(struct crowd *crowd, uint32_t who)
{
	siginfo_t gone = { 0 };

	if (!waitid(P_PID, (id_t)crowd->pid[who], &gone, WEXITED | WNOHANG | WNOWAIT) &&
	    gone.si_pid)
		crowd_gone(crowd, who, -1);
	crowd_fine(crowd);
}

/* wait until each who runs, but @but, has it open */
static void crowd_await_open(struct crowd *crowd, uint32_t but)
{
	uint64_t end = crowd_now_ns() + PATIENCE_NS;
	uint32_t i;

	for (i = 0; i < crowd->count; i++)
		while (crowd->pid[i] && i != but &&
		       !atomic_load(&crowd->shared->worker[i].open)) {
			crowd_lives(crowd, i);
			if (crowd_now_ns() > end)
				fail_msg("process %u does not come to open the journal", i);
			crowd_sleep_us(200);
		}
}

void crowd_start_all(struct crowd *crowd)
{
	uint32_t i;

	for (i = 0; i < crowd->count; i++)
		if (!crowd->pid[i])
			crowd_start(crowd, i);
	crowd_await_open(crowd, CROWD_MAX);
}

void crowd_end(struct crowd *crowd, uint32_t who)
{
	atomic_store(&crowd->shared->worker[who].stop, true);
	crowd_gone(crowd, who, 0);
}

void crowd_end_all(struct crowd *crowd)
{
	uint32_t i;

	for (i = 0; i < crowd->count; i++)
		atomic_store(&crowd->shared->worker[i].stop, true);
	for (i = 0; i < crowd->count; i++)
		if (crowd->pid[i])
			crowd_gone(crowd, i, 0);
}

void crowd_kill(struct crowd *crowd, uint32_t who)
{
	assert_int_equal(kill(crowd->pid[who], SIGKILL), 0);
	crowd_gone(crowd, who, SIGKILL);
}

void crowd_kill_all(struct crowd *crowd)
{
	uint32_t i;

	for (i = 0; i < crowd->count; i++)
		if (crowd->pid[i])
			(void)kill(crowd->pid[i], SIGKILL);
	for (i = 0; i < crowd->count; i++)
		if (crowd->pid[i])
			(void)waitpid(crowd->pid[i], NULL, 0);
	memset(crowd->pid, 0, sizeof(crowd->pid));
}

void crowd_goes_on(struct crowd *crowd, uint32_t but)
{
	uint64_t before[CROWD_MAX], end = crowd_now_ns() + PATIENCE_NS;
	uint32_t i;

	crowd_await_open(crowd, but);
	for (i = 0; i < crowd->count; i++)
		before[i] = atomic_load(&crowd->shared->worker[i].done);
	for (i = 0; i < crowd->count; i++)
		while (crowd->pid[i] && i != but &&
		       atomic_load(&crowd->shared->worker[i].done) == before[i]) {
			crowd_lives(crowd, i);
			if (crowd_now_ns() > end)
				fail_msg("process %u waits for ever", i);
			crowd_sleep_us(100);
		}
}

/* ---- what it is all about ---------------------------------------------------------- */

static uint64_t crowd_sum(const struct crowd *crowd, size_t offset)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < crowd->count; i++)
		sum += atomic_load((_Atomic uint64_t *)((uint8_t *)&crowd->shared->worker[i] +
							offset));
	return sum;
}

uint64_t crowd_commits(const struct crowd *crowd)
{
	return crowd_sum(crowd, offsetof(struct crowd_worker, commits));
}

uint64_t crowd_retires(const struct crowd *crowd)
{
	return crowd_sum(crowd, offsetof(struct crowd_worker, retires));
}

uint64_t crowd_longest_ns(const struct crowd *crowd, uint32_t but)
{
	uint64_t longest = 0, began, now;
	uint32_t i;

	for (i = 0; i < crowd->count; i++) {
		struct crowd_worker *w = &crowd->shared->worker[i];

		if (i == but)
			continue;
		if (atomic_load(&w->longest_ns) > longest)
			longest = atomic_load(&w->longest_ns);
		began = atomic_load(&w->began_ns);
		now = crowd_now_ns();
		if (began && now > began && now - began > longest)
			longest = now - began;
	}
	return longest;
}

void crowd_forget_longest(struct crowd *crowd)
{
	uint32_t i;

	for (i = 0; i < crowd->count; i++)
		atomic_store(&crowd->shared->worker[i].longest_ns, 0);
}
