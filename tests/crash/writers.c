/* SPDX-License-Identifier: BSD-3-Clause */
#include "writers.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crash_world.h"
#include "syscall_arguments.h"
#include "util/assert.h"

#define PATIENCE 100000u /* turns without an operation: they wait for each other */
#define STACK_BYTES (8u << 20) /* images are recovered on it; ThreadSanitizer makes frames large */

static struct {
	struct schedule *schedule; /* NULL: nobody but the caller */
	void (*run)(void *context);
	void *context;
	sem_t turn[WRITERS];
	bool alive[WRITERS];
	uint32_t operations[WRITERS], die_at;
	uint32_t idle;
	bool held;
} writers;

static _Thread_local uint32_t self;

uint32_t writers_self(void)
{
	return self;
}

static void wait_turn(void)
{
	while (sem_wait(&writers.turn[self]))
		JASSERT(errno == EINTR);
	crash_set_cpu((int)self);
}

static void pass(void)
{
	JASSERT(!sem_post(&writers.turn[!self]));
	wait_turn();
}

void writers_hold(bool hold)
{
	writers.held = hold;
}

bool writers_other_stands(void)
{
	return writers.schedule && writers.alive[!self] && writers.operations[!self];
}

/* Who waits lets the other one go on, if there is one.  Return: whether there is */
static bool let_go_on(void)
{
	if (!writers.schedule || !writers.alive[!self] || writers.held)
		return false;
	if (++writers.idle > PATIENCE) {
		writers.schedule->stuck = true;
		JASSERT(!"both writers wait");
	}
	pass();
	return true;
}

void writers_operation(void)
{
	struct schedule *s = writers.schedule;

	if (!s)
		return;
	writers.idle = 0;
	if (++writers.operations[self] == writers.die_at && self) {
		/* as if killed: nothing that it would do is done */
		writers.alive[self] = false;
		JASSERT(!sem_post(&writers.turn[!self]));
		pthread_exit(NULL);
	}
	if (!writers.alive[!self] || s->made == DECISIONS_MAX)
		return;
	if (s->made >= s->count)
		s->decided[s->made] = 0;
	if (s->decided[s->made++])
		pass();
}

static void *second(void *unused)
{
	(void)unused;
	self = 1;
	wait_turn();
	writers.run(writers.context);
	writers.alive[1] = false;
	if (writers.alive[0])
		JASSERT(!sem_post(&writers.turn[0]));
	return NULL;
}

void writers_run(struct schedule *schedule, void (*run)(void *context), void *context,
		 uint32_t die_at)
{
	pthread_attr_t attributes;
	pthread_t thread;
	uint32_t i;

	writers.schedule = schedule;
	schedule->made = 0;
	writers.run = run;
	writers.context = context;
	writers.die_at = die_at;
	writers.idle = 0;
	for (i = 0; i < WRITERS; i++) {
		JASSERT(!sem_init(&writers.turn[i], 0, 0));
		writers.alive[i] = true;
		writers.operations[i] = 0;
	}
	JASSERT(!pthread_attr_init(&attributes) &&
		!pthread_attr_setstacksize(&attributes, STACK_BYTES) &&
		!pthread_create(&thread, &attributes, second, NULL));
	(void)pthread_attr_destroy(&attributes);
	run(context);
	writers.alive[0] = false;
	if (writers.alive[1])
		JASSERT(!sem_post(&writers.turn[1]));
	JASSERT(!pthread_join(thread, NULL));
	for (i = 0; i < WRITERS; i++)
		(void)sem_destroy(&writers.turn[i]);
	writers.schedule = NULL;
	crash_set_cpu(0);
}

bool schedule_next(struct schedule *schedule)
{
	uint32_t i = schedule->made;

	while (i && schedule->decided[i - 1])
		i--;
	if (!i)
		return false;
	schedule->decided[i - 1] = 1;
	schedule->count = i;
	return true;
}

bool schedule_is_old(const struct schedule *schedule)
{
	return schedule->made < schedule->count;
}

/* ---- who waits ------------------------------------------------------------------ */

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __real_sched_yield(void);
int __wrap_sched_yield(void);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int error;

	while ((error = pthread_mutex_trylock(mutex)) == EBUSY)
		if (!let_go_on())
			return __real_pthread_mutex_lock(mutex);
	return error;
}

/* It is woken for nothing, as it may be. */
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	if (!writers.schedule || !writers.alive[!self] || writers.held)
		return __real_pthread_cond_wait(cond, mutex);
	(void)pthread_mutex_unlock(mutex);
	(void)let_go_on();
	return __wrap_pthread_mutex_lock(mutex);
}

int __wrap_sched_yield(void)
{
	return let_go_on() ? 0 : __real_sched_yield();
}

long __wrap_syscall(long number, ...)
{
	long a[6];
	va_list args;

	va_start(args, number);
	syscall_arguments(a, args);
	va_end(args);
	if (number == SYS_futex && (a[1] & FUTEX_CMD_MASK) != FUTEX_WAKE && let_go_on())
		return 0;
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
