/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who wakes when a batch of the log is written: those whose batch it was, and one of those who
 * wait for the next, to write it.  logs_write() holds a write until it is let go; what the
 * sleepers sleep on, and is told, is seen at link time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "txn/journal_impl.h"
#include "txn/logs.h"

#define SLEEPERS 8u

int __real_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);
int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable);
int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock);
int __real_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __real_pthread_cond_broadcast(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);

/* counts, and one condition for all who wait for one of them */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool holds;
	unsigned int writes, let_go, asleep;
	pthread_cond_t *bed; /* what the last one sleeps on */
	unsigned int signals, broadcasts; /* of it */
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* Return: what it is then. */
static unsigned int gate_add(unsigned int *count)
{
	unsigned int now;

	pthread_mutex_lock(&gate.lock);
	now = ++*count;
	(void)__real_pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
	return now;
}

static void gate_await(const unsigned int *count, unsigned int until)
{
	pthread_mutex_lock(&gate.lock);
	while (*count < until)
		(void)__real_pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

int __wrap_logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count,
		      bool durable)
{
	if (gate.holds)
		gate_await(&gate.let_go, gate_add(&gate.writes));
	return __real_logs_write(j, log, io, count, durable);
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
	pthread_mutex_lock(&gate.lock);
	gate.bed = cond;
	gate.asleep++;
	(void)__real_pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
	return __real_pthread_cond_wait(cond, lock);
}

/* @told: how often the bed was */
static void gate_told(const pthread_cond_t *cond, unsigned int *told)
{
	pthread_mutex_lock(&gate.lock);
	*told += cond == gate.bed;
	pthread_mutex_unlock(&gate.lock);
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
	gate_told(cond, &gate.signals);
	return __real_pthread_cond_signal(cond);
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
	gate_told(cond, &gate.broadcasts);
	return __real_pthread_cond_broadcast(cond);
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
	gate.holds = true;
	start(&first, &bed);
	gate_await(&gate.writes, 1);
	for (i = 0; i < SLEEPERS; i++)
		start(&others[i], &bed);
	gate_await(&gate.asleep, SLEEPERS);

	(void)gate_add(&gate.let_go);
	gate_await(&gate.writes, 2); /* one of them is up, and writes for all */
	assert_int_equal(gate.signals, 1);
	assert_int_equal(gate.broadcasts, 0);
	(void)gate_add(&gate.let_go);
	(void)pthread_join(first, &result);
	assert_null(result);
	for (i = 0; i < SLEEPERS; i++) {
		(void)pthread_join(others[i], &result);
		assert_null(result);
	}
	assert_int_equal(gate.broadcasts, 1);
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
