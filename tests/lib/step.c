/* SPDX-License-Identifier: BSD-3-Clause */
#include "step.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "syscall_arguments.h"
#include "util/assert.h"

#define PLACES_MAX 131072u /* sanitizers make many of one */
#define TEXT_MAX   (16u << 20)

struct step_place {
	uint64_t place;
	uint32_t times;
};

static struct {
	const struct step_pair *pair;
	struct step_met met;
	const struct step_place *place; /* NULL: none */
	bool trace;
	pthread_t thread;
	sem_t arrived; /* the first stands still, or has ended */
	sem_t go;
	bool gone; /* it was let go, and has ended */
	int signal; /* that its process gets there; 0: it stands still */
	volatile bool ends; /* it is in step_end(): no place to stand */
} step;

static struct step_place places[PLACES_MAX];
static uint32_t place_count;
static uint8_t place_times[TEXT_MAX];

/* 1: the first, 2: the second while the first stands still */
static _Thread_local int who;

extern __typeof__(sched_yield) __real_sched_yield, __wrap_sched_yield;
extern __typeof__(pthread_mutex_lock) __real_pthread_mutex_lock, __wrap_pthread_mutex_lock;
extern __typeof__(pthread_cond_wait) __real_pthread_cond_wait, __wrap_pthread_cond_wait;
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* in the handler of a trap, as the next one */
static void step_stepped(uint64_t place)
{
	if (step.ends || place >= TEXT_MAX || place_times[place] == STEP_TIMES ||
	    place_count == PLACES_MAX)
		return;
	places[place_count++] = (struct step_place){ place, ++place_times[place] };
}

static void step_arrived(void)
{
	step.met.stood = true;
	if (step.signal) {
		(void)kill(getpid(), step.signal);
		return;
	}
	(void)sem_post(&step.arrived);
	while (sem_wait(&step.go))
		;
}

void step_begin(void)
{
	/* once; it may be called again after step_end() */
	if (who != 1 || step.met.stood)
		return;
	step.ends = false;
	if (step.place)
		step_trap_set(step.place->place, step.place->times);
	else if (step.trace)
		step_trap_trace();
}

void step_end(void)
{
	if (who == 1)
		step.ends = true;
	if (who == 1 && (step.place || step.trace))
		step_trap_off();
}

static void *step_first(void *context)
{
	(void)context;
	who = 1;
	step.pair->first(step.pair->context);
	if (!step.met.stood)
		(void)sem_post(&step.arrived);
	return NULL;
}

static void step_let_go(void)
{
	if (step.gone)
		return;
	step.gone = true;
	(void)sem_post(&step.go);
	JASSERT(!pthread_join(step.thread, NULL));
}

static struct step_met step_both(const struct step_pair *pair, const struct step_place *place)
{
	step.met = (struct step_met){ 0 };
	step.pair = pair;
	step.place = place;
	step.gone = false;
	JASSERT(!sem_init(&step.arrived, 0, 0) && !sem_init(&step.go, 0, 0));
	JASSERT(!pthread_create(&step.thread, NULL, step_first, NULL));
	while (sem_wait(&step.arrived))
		;
	if (step.met.stood) {
		who = 2;
		pair->second(pair->context);
		who = 0;
	}
	step_let_go();
	return step.met;
}

struct step_met step_run(const struct step_pair *pair, uint32_t place)
{
	JASSERT(place < place_count);
	return step_both(pair, &places[place]);
}

static void step_signalled(const struct step_pair *pair, uint32_t place, int signal)
{
	JASSERT(place < place_count);
	step.place = &places[place];
	step.signal = signal;
	step.met.stood = false;
	who = 1;
	pair->first(pair->context);
}

void step_killed(const struct step_pair *pair, uint32_t place)
{
	step_signalled(pair, place, SIGKILL);
}

void step_stopped(const struct step_pair *pair, uint32_t place)
{
	step_signalled(pair, place, SIGSTOP);
}

void step_not(const struct step_pair *pair)
{
	(void)step_both(pair, NULL);
	pair->second(pair->context);
}

uint32_t step_places(const struct step_pair *pair)
{
	place_count = 0;
	memset(place_times, 0, sizeof(place_times));
	step.trace = true;
	(void)step_both(pair, NULL);
	step.trace = false;
	JASSERT(place_count < PLACES_MAX);
	return place_count;
}

static void nothing(void *context)
{
	(void)context;
	step_begin();
	step_end();
}

bool step_possible(void)
{
	static const struct step_traps traps = { step_stepped, step_arrived };
	struct step_pair pair = { nothing, nothing, NULL };

	if (step_trap_install(&traps) && step_places(&pair))
		return true;
	printf("skip: single steps: not with this processor, or under this tool\n");
	return false;
}

/* ---- in place of what waits (Makefile: STEP_LDFLAGS) ----------------------------- */

static void step_wait(void)
{
	step.met.waited = true;
	step_let_go();
}

int __wrap_sched_yield(void)
{
	if (who == 2)
		step_wait();
	return __real_sched_yield();
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	if (who != 2)
		return __real_pthread_mutex_lock(mutex);
	step.met.locks++;
	if (!pthread_mutex_trylock(mutex))
		return 0;
	step_wait();
	return __real_pthread_mutex_lock(mutex);
}

/* the first will not signal while it stands still: wake up for nothing */
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
	if (who != 2 || step.gone)
		return __real_pthread_cond_wait(condition, mutex);
	(void)pthread_mutex_unlock(mutex);
	step_wait();
	return __real_pthread_mutex_lock(mutex);
}

/* the same */
long __wrap_syscall(long number, ...)
{
	long a[6];
	va_list list;

	va_start(list, number);
	syscall_arguments(a, list);
	va_end(list);
	if (who == 2 && !step.gone && number == SYS_futex && a[1] == FUTEX_WAIT_PRIVATE) {
		step_wait();
		errno = EAGAIN;
		return -1;
	}
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
