/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two things done at a time: one by the caller, one by a thread that waits for such.
 *
 * Not by io_uring: its writes may outlive their process (log_run.c).  A thread's do not:
 * the kernel drops the process's locks when its last thread is gone.
 */
#ifndef LOG_LOG_PAIR_H
#define LOG_LOG_PAIR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PAIR_THREADS 8u /* so many pairs at a time; above that, one after the other */

enum pair_state {
	PAIR_NONE, /* no thread yet */
	PAIR_IDLE,
	PAIR_TAKEN,
	PAIR_RUN, /* the thread's */
	PAIR_DONE,
	PAIR_END,
};

struct pair_thread {
	_Atomic uint32_t state; /* futex */
	pthread_t thread;
	void (*work)(void *context);
	void *context;
};

/* zeroed, it is ready */
struct log_pair {
	struct pair_thread of[PAIR_THREADS];
};

/* Both are done on return; @here by the calling thread.  Without threads (a limit, no
 * memory) one after the other. */
void log_pair_run(struct log_pair *pair, void (*work)(void *context), void *here, void *there);
/* nobody is at it */
void log_pair_end(struct log_pair *pair);

#endif
