/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who wakes when a batch of the log is written: one of those who wait for the next, to write
 * it, and of those whose batch it was one, who wakes the others.  logs_write() holds a write
 * until it is let go; what sleeps, and is woken, is seen at link time.
 */
#include <linux/futex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/syscall_arguments.h"
#include "txn/journal_impl.h"
#include "txn/logs.h"

#define SLEEPERS 8u

int __real_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);
int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* counts, and one condition for all who wait for one of them */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool holds;
	unsigned int writes, let_go;
	unsigned int to_sleep; /* are about to */
	unsigned int awake;    /* were, and are not any more */
	long sleeper[SLEEPERS];
	unsigned int wakes, wakes_locked; /* of one; those with the stream's lock */
	unsigned int others;              /* wakes of all who are left, by one of them */
	struct journal *j;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* Return: what it is then. */
static unsigned int gate_add(unsigned int *count)
{
	unsigned int now;

	pthread_mutex_lock(&gate.lock);
	now = ++*count;
	(void)pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
	return now;
}

static void gate_await(const unsigned int *count, unsigned int until)
{
	pthread_mutex_lock(&gate.lock);
	while (*count < until)
		(void)pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable)
{
	if (gate.holds)
		gate_await(&gate.let_go, gate_add(&gate.writes));
	return __real_logs_write(j, log, io, count, durable);
}

static bool stream_is_locked(void)
{
	pthread_mutex_t *lock = &gate.j->streams[0].lock;
	bool locked = pthread_mutex_trylock(lock);

	if (!locked)
		pthread_mutex_unlock(lock);
	return locked;
}

static long sleeps(const long a[6])
{
	unsigned int count;
	long result;

	pthread_mutex_lock(&gate.lock);
	count = gate.to_sleep++;
	if (count < SLEEPERS)
		gate.sleeper[count] = gettid();
	(void)pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
	result = __real_syscall(SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (count < SLEEPERS)
		(void)gate_add(&gate.awake);
	return result;
}

long __wrap_syscall(long number, ...)
{
	long a[6];
	va_list list;

	va_start(list, number);
	syscall_arguments(a, list);
	va_end(list);
	if (gate.holds && number == SYS_futex && a[1] == FUTEX_WAIT_PRIVATE)
		return sleeps(a);
	if (gate.holds && number == SYS_futex && a[1] == FUTEX_WAKE_PRIVATE && a[2] == 1) {
		if (stream_is_locked())
			(void)gate_add(&gate.wakes_locked);
		(void)gate_add(&gate.wakes);
	} else if (gate.holds && number == SYS_futex && a[1] == FUTEX_WAKE_PRIVATE) {
		(void)gate_add(&gate.others);
	}
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* the letter of its state; it had nothing left to wait for but the futex */
static char state_of(long thread)
{
	char path[64], state = '?';
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%ld/stat", thread);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
	(void)fclose(file);
	return state;
}

static void await_sleep(void)
{
	gate_await(&gate.to_sleep, SLEEPERS);
	for (unsigned int i = 0; i < SLEEPERS; i++)
		while (state_of(gate.sleeper[i]) != 'S')
			(void)usleep(1000);
}

static void *put_one(void *argument)
{
	struct bed *bed = argument;

	return (void *)(intptr_t)journal_put(bed->j, "x", 1, NULL);
}

static void start(pthread_t *thread, struct bed *bed)
{
	assert_int_equal(pthread_create(thread, NULL, put_one, bed), 0);
}

static void one_of_those_who_wait_wakes_to_write(void **state)
{
	pthread_t first, others[SLEEPERS];
	struct bed bed;
	unsigned int i;
	void *result;

	(void)state;
	bed_make(&bed, BED_FILE, 0, 0);
	assert_int_equal(journal_put(bed.j, "x", 1, NULL), 0); /* the stream has its segment */
	gate.j = bed.j;
	gate.holds = true;
	start(&first, &bed);
	gate_await(&gate.writes, 1);
	for (i = 0; i < SLEEPERS; i++)
		start(&others[i], &bed);
	await_sleep();

	(void)gate_add(&gate.let_go);
	gate_await(&gate.writes, 2); /* one of them is up, and writes for all */
	assert_int_equal(gate.awake, 1);
	assert_int_equal(gate.wakes, 1);
	(void)gate_add(&gate.let_go);
	(void)pthread_join(first, &result);
	assert_null(result);
	for (i = 0; i < SLEEPERS; i++) {
		(void)pthread_join(others[i], &result);
		assert_null(result);
	}
	/* each slept once; one of them was woken without the lock, and woke the others */
	assert_int_equal(gate.to_sleep, SLEEPERS);
	assert_int_equal(gate.wakes, 2);
	assert_int_equal(gate.wakes_locked, 1);
	assert_int_equal(gate.others, 1);
	assert_int_equal(gate.writes, 2);
	gate.holds = false;
	bed_check(&bed, 0);
	bed_remove(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_those_who_wait_wakes_to_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
