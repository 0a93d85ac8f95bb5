/* SPDX-License-Identifier: BSD-3-Clause */
#include "log/log_pair.h"

#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/assert.h"

static void sleep_while(_Atomic uint32_t *state, uint32_t value)
{
	while (atomic_load(state) == value)
		/* its result does not matter: the state is looked at again */
		(void)syscall(SYS_futex, state, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void tell(_Atomic uint32_t *state, uint32_t value)
{
	/* seq_cst: what the other one is to see is stored before */
	atomic_store(state, value);
	(void)syscall(SYS_futex, state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *pair_thread(void *context)
{
	struct pair_thread *t = context;
	uint32_t state;

	for (;;) {
		state = atomic_load(&t->state);
		if (state == PAIR_END)
			return NULL;
		if (state != PAIR_RUN) {
			sleep_while(&t->state, state);
			continue;
		}
		t->work(t->context);
		tell(&t->state, PAIR_DONE);
	}
}

static bool pair_start(struct pair_thread *t)
{
	sigset_t all, before;
	bool started;

	/* the program's signals are for its own threads */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = !pthread_create(&t->thread, NULL, pair_thread, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!started)
		atomic_store(&t->state, PAIR_NONE);
	return started;
}

/* lowest first: no more threads than there were pairs at a time */
static struct pair_thread *pair_take(struct log_pair *pair)
{
	unsigned int i;

	for (i = 0; i < PAIR_THREADS; i++) {
		struct pair_thread *t = &pair->of[i];
		uint32_t idle = PAIR_IDLE, none = PAIR_NONE;

		if (atomic_compare_exchange_strong(&t->state, &idle, PAIR_TAKEN))
			return t;
		if (idle == PAIR_NONE &&
		    atomic_compare_exchange_strong(&t->state, &none, PAIR_TAKEN))
			return pair_start(t) ? t : NULL;
	}
	return NULL;
}

void log_pair_run(struct log_pair *pair, void (*work)(void *context), void *here, void *there)
{
	struct pair_thread *t = pair_take(pair);

	if (!t) {
		work(here);
		work(there);
		return;
	}
	t->work = work;
	t->context = there;
	tell(&t->state, PAIR_RUN);
	work(here);
	sleep_while(&t->state, PAIR_RUN);
	JASSERT(atomic_load(&t->state) == PAIR_DONE);
	atomic_store(&t->state, PAIR_IDLE);
}

void log_pair_end(struct log_pair *pair)
{
	unsigned int i;

	for (i = 0; i < PAIR_THREADS; i++) {
		struct pair_thread *t = &pair->of[i];

		if (atomic_load(&t->state) == PAIR_NONE)
			continue;
		JASSERT(atomic_load(&t->state) == PAIR_IDLE);
		tell(&t->state, PAIR_END);
		pthread_join(t->thread, NULL);
		atomic_store(&t->state, PAIR_NONE);
	}
}
