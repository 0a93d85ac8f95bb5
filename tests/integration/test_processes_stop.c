/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SIGSTOP of random ones among processes that put, retire and read one journal: the
 * others go on meanwhile, and when it goes on everything is right.
 *
 * STOP_SECONDS: how long for each kind of marker, 3 by default.  SEED: workloads and
 * victims.  How long others wait is printed; what fails is a bound that only one who
 * waits for the stopped one exceeds.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/crowd.h"
#include "lib/fault.h"

#define TOGETHER 6u
#define BOUND_NS 20000000000ull

static uint64_t seconds_ns(void)
{
	const char *given = getenv("STOP_SECONDS");

	return (given && *given ? strtoull(given, NULL, 0) : 3) * 1000000000;
}

static void stop(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGSTOP), 0);
	/* until it stands */
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
}

/* Return: the longest that another waited while it stood. */
static uint64_t stop_one(struct crowd *crowd)
{
	uint32_t who = (uint32_t)(fault_random(&crowd->random) % crowd->count);
	uint64_t longest;

	crowd_sleep_us(fault_random(&crowd->random) % 5000);
	stop(crowd->pid[who]);
	crowd_forget_longest(crowd);
	crowd_goes_on(crowd, who);
	crowd_sleep_us(60000);
	crowd_goes_on(crowd, who);
	longest = crowd_longest_ns(crowd, who);
	assert_int_equal(kill(crowd->pid[who], SIGCONT), 0);
	return longest;
}

static void stopped_anywhere(enum bed_medium medium)
{
	uint64_t end = crowd_now_ns() + seconds_ns(), longest = 0, one, stops = 0, over = 0;
	struct crowd crowd;
	struct bed bed;

	bed_make(&bed, medium, 64 << 20, 4 << 20);
	crowd_make(&crowd, &bed, TOGETHER, CROWD_ALL, fault_seed("stopped anywhere"));
	crowd_start_all(&crowd);
	for (; crowd_now_ns() < end || !stops; stops++) {
		one = stop_one(&crowd);
		over += one > 100000000;
		longest = one > longest ? one : longest;
	}
	crowd_end_all(&crowd);
	printf("# %" PRIu64 " stops, %" PRIu64 " commits; the longest call of another %.1f ms, "
	       "%" PRIu64 " over 100 ms\n", stops, crowd_commits(&crowd), (double)longest / 1e6,
	       over);
	assert_true(longest < BOUND_NS);
	crowd_compare(&crowd);
	crowd_free(&crowd);
	bed_remove(&bed);
}

/* Stopped while it opens or closes: others that have it open go on. */
static void stopped_while_it_comes_or_leaves(enum bed_medium medium)
{
	struct crowd crowd;
	struct bed bed;
	uint32_t round, who;

	bed_make(&bed, medium, 32 << 20, 4 << 20);
	crowd_make(&crowd, &bed, 3, CROWD_ALL & ~CROWD_HUGE, fault_seed("comes or leaves"));
	crowd_start_all(&crowd);
	for (round = 0; round < 30; round++) {
		who = round % 2;
		crowd_end(&crowd, who);
		crowd_start(&crowd, who);
		crowd_sleep_us(fault_random(&crowd.random) % 1500);
		stop(crowd.pid[who]);
		crowd_goes_on(&crowd, who);
		assert_int_equal(kill(crowd.pid[who], SIGCONT), 0);
		crowd_goes_on(&crowd, CROWD_MAX);
		atomic_store(&crowd.shared->worker[who].stop, true);
		crowd_sleep_us(fault_random(&crowd.random) % 1500);
		if (kill(crowd.pid[who], SIGSTOP) == 0) /* or it has ended, and is a zombie */
			crowd_goes_on(&crowd, who);
		(void)kill(crowd.pid[who], SIGCONT);
		crowd_end(&crowd, who);
		crowd_start(&crowd, who);
	}
	crowd_end_all(&crowd);
	crowd_compare(&crowd);
	crowd_free(&crowd);
	bed_remove(&bed);
}

#define SHARED_MEDIA (1u << BED_FILE | 1u << BED_PMEM)

int main(void)
{
	static const struct bed_test tests[] = {
		{ "stopped anywhere", stopped_anywhere, SHARED_MEDIA },
		{ "stopped while it comes or leaves", stopped_while_it_comes_or_leaves,
		  SHARED_MEDIA },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
