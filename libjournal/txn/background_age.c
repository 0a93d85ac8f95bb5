/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stays staged for long is destaged, however little it is: what is at risk when NVRAM
 * dies is then what is young.  One thread of each process that has staged something; of
 * all of them one looks, once in a while.  It also asks the medium whether it is still
 * what we think it is.
 */
#include "txn/background.h"

#include <errno.h>
#include <time.h>

#include "txn/clock.h"
#include "txn/health.h"
#include "txn/unstage.h"

#define LOOK_NS 1000000000ull
#define AGE_NS  5000000000ull /* most mail has left by then, and is never written */

/* Of all processes; nobody waits for who has it. */
static bool age_is_mine(struct journal *j)
{
	uint64_t now = clock_monotonic_ns(), before = atomic_load(&j->shared->aged_ns);

	return now - before >= LOOK_NS &&
	       atomic_compare_exchange_strong(&j->shared->aged_ns, &before, now);
}

static void age_look(struct journal *j)
{
	struct unstaging u = { .j = j, .fill_percent = 100, .age_ns = AGE_NS };

	do {
		u.more = false;
		unstage_all(&u);
	} while (u.more && !atomic_load(&j->background.stopping));
}

/* With the lock. */
static void age_sleep(struct background *b)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOOK_NS / 1000000000;
	while (!atomic_load(&b->stopping) &&
	       pthread_cond_timedwait(&b->age.wake, &b->lock, &until) != ETIMEDOUT)
		;
}

static void *age_run(void *context)
{
	struct journal *j = context;
	struct background *b = &j->background;

	pthread_mutex_lock(&b->lock);
	while (!atomic_load(&b->stopping)) {
		age_sleep(b);
		pthread_mutex_unlock(&b->lock);
		if (!atomic_load(&b->stopping) && age_is_mine(j)) {
			(void)health_ask(j); /* if it fails, that is sticky */
			age_look(j);
		}
		pthread_mutex_lock(&b->lock);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

void background_staged(struct journal *j)
{
	struct background *b = &j->background;

	if (atomic_load_explicit(&b->age.begun, memory_order_relaxed) || !background_worth(j) ||
	    atomic_exchange(&b->age.begun, true))
		return;
	/* without a thread: when it is full, or by journal_maintain() */
	pthread_mutex_lock(&b->lock);
	b->age.runs = !background_thread(&b->age.thread, age_run, j);
	pthread_mutex_unlock(&b->lock);
}

void background_age_stop(struct journal *j)
{
	struct background *b = &j->background;

	if (!b->age.runs)
		return;
	pthread_cond_signal(&b->age.wake);
	pthread_join(b->age.thread, NULL);
}
