/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulator keeps what was fenced and nothing else, and fails when told. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault.h"
#include "marker/sim.h"

#define BYTES (64u << 10)

static char path[256];
static struct marker_store *store;
static uint64_t *words;

static void must_open(unsigned int flags)
{
	struct message message;

	if (marker_sim_open(path, flags, flags ? BYTES : 0, &store, &message))
		fail_msg("%s", message.text);
	words = (uint64_t *)(void *)store->map;
}

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/jnl-sim-XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	(void)close(fd);
	must_open(MARKER_CREATE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	marker_store_close(store);
	return unlink(path);
}

static void reopen(void)
{
	marker_store_close(store);
	must_open(0);
}

static void only_fenced_lines_stay(void **state)
{
	(void)state;
	nv_store8(store, &words[0], 1);
	words[1] = 2;                    /* the same line: goes with it */
	words[8] = 3;                    /* never flushed */
	assert_int_equal(nv_fence(store), 0);
	nv_store8(store, &words[16], 4); /* never fenced */
	words[0] = 5;                    /* after the fence */
	reopen();
	assert_int_equal(words[0], 1);
	assert_int_equal(words[1], 2);
	assert_int_equal(words[8], UINT64_MAX);
	assert_int_equal(words[16], UINT64_MAX);
}

static void *fence_alone(void *unused)
{
	(void)unused;
	nv_store8(store, &words[64], 7);
	return (void *)(intptr_t)nv_fence(store);
}

/* A fence is of its own thread's lines. */
static void fences_of_others_do_not_count(void **state)
{
	pthread_t thread;
	void *error;

	(void)state;
	nv_store8(store, &words[0], 1);
	assert_int_equal(pthread_create(&thread, NULL, fence_alone, NULL), 0);
	assert_int_equal(pthread_join(thread, &error), 0);
	assert_null(error);
	reopen();
	assert_int_equal(words[0], UINT64_MAX);
	assert_int_equal(words[64], 7);
}

static void killed_before_the_fence(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		static const uint8_t zero[64];

		nv_store8(store, &words[0], 1);
		if (nv_fence(store))
			_exit(1);
		nv_and8(store, &words[0], 0);
		nv_copy(store, store->map + 4096, zero, sizeof(zero));
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	reopen();
	assert_int_equal(words[0], 1);
	assert_int_equal(words[512], UINT64_MAX);
}

static void a_fence_fails(void **state)
{
	(void)state;
	marker_sim_fail_fence(store, 3, false, -ENODEV);
	for (uint64_t i = 0; i < 4; i++) {
		nv_store8(store, &words[i * 8], i);
		assert_int_equal(nv_fence(store), i < 2 ? 0 : -ENODEV);
	}
	reopen();
	assert_int_equal(words[0], 0);
	assert_int_equal(words[8], 1);
	assert_int_equal(words[16], UINT64_MAX);
	/* only one failed: the medium took the last, the caller was told not to trust it */
	assert_int_equal(words[24], 3);
}

static void all_fences_fail(void **state)
{
	(void)state;
	marker_sim_fail_fence(store, 2, true, -EIO);
	for (uint64_t i = 0; i < 4; i++) {
		nv_store8(store, &words[i * 8], i);
		assert_int_equal(nv_fence(store), i < 1 ? 0 : -EIO);
	}
	reopen();
	assert_int_equal(words[0], 0);
	for (uint64_t i = 1; i < 4; i++)
		assert_int_equal(words[i * 8], UINT64_MAX);
}

static void power_fails(void **state)
{
	uint64_t seed = fault_seed("power_fails");
	uint64_t news = 0;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		nv_store8(store, &words[i], i);
	assert_int_equal(nv_fence(store), 0);
	for (uint64_t i = 500; i < 1500; i++)
		words[i] = 10000 + i;
	assert_int_equal(marker_sim_crash(store, seed), 1000);
	nv_store8(store, &words[2000], 1);
	assert_int_equal(nv_fence(store), -EIO);
	reopen();
	for (uint64_t i = 0; i < 1500; i++) {
		uint64_t old = i < 1000 ? i : UINT64_MAX;

		if (i >= 500 && words[i] == 10000 + i)
			news++;
		else
			assert_int_equal(words[i], old);
	}
	/* of 1000 fair coins: not none, not all */
	assert_true(news > 0 && news < 1000);
	assert_int_equal(words[2000], UINT64_MAX);
}

static void same_seed_same_crash(void **state)
{
	uint64_t first[256];

	(void)state;
	for (unsigned int round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < 256; i++)
			nv_store8(store, &words[i], 0);
		assert_int_equal(nv_fence(store), 0);
		for (uint64_t i = 0; i < 256; i++)
			words[i] = 1 + i;
		(void)marker_sim_crash(store, 42);
		reopen();
		if (!round)
			memcpy(first, words, sizeof(first));
	}
	assert_memory_equal(first, words, sizeof(first));
}

static void counted(void **state)
{
	static const uint8_t zero[256];
	struct sim_counters c;

	(void)state;
	nv_store8(store, &words[0], 1);
	nv_and8(store, &words[1], 1);
	nv_copy(store, store->map + 4096, zero, sizeof(zero));
	assert_int_equal(nv_fence(store), 0);
	assert_int_equal(nv_fence(store), 0);
	marker_sim_counters(store, &c);
	assert_int_equal(c.flushes, 2);
	assert_int_equal(c.copies, 1);
	assert_int_equal(c.fences, 2);
	assert_int_equal(c.lines, 6);
}

static void look_at_fence(void *context)
{
	unsigned int *calls = context;

	++*calls;
}

static void hooked(void **state)
{
	unsigned int calls = 0;

	(void)state;
	marker_sim_on_fence(store, look_at_fence, &calls);
	assert_int_equal(nv_fence(store), 0);
	assert_int_equal(nv_fence(store), 0);
	marker_sim_on_fence(store, NULL, NULL);
	assert_int_equal(nv_fence(store), 0);
	assert_int_equal(calls, 2);
}

static void *store_many(void *argument)
{
	uint64_t number = (uint64_t)(uintptr_t)argument;

	for (uint64_t i = 1; i <= 500; i++) {
		nv_store8(store, &words[number], i);
		if (nv_fence(store))
			return (void *)1;
	}
	return NULL;
}

/* Fences of one line by many threads: none brings an older word over a newer. */
static void no_fence_goes_back(void **state)
{
	pthread_t thread[8];

	(void)state;
	for (uintptr_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, store_many, (void *)i), 0);
	for (unsigned int i = 0; i < 8; i++) {
		void *error;

		assert_int_equal(pthread_join(thread[i], &error), 0);
		assert_null(error);
	}
	reopen();
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(words[i], 500);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(only_fenced_lines_stay), T(fences_of_others_do_not_count),
		T(killed_before_the_fence), T(a_fence_fails), T(all_fences_fail), T(power_fails),
		T(same_seed_same_crash), T(counted), T(hooked), T(no_fence_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
