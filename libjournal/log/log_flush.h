/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The combined flush (P13): one flush covers every write that completed before
 * it began, whoever wrote it.
 *
 * A flush draws its number as it begins.  Who has written looks at the last
 * number drawn: any flush with a higher one began after the write had
 * completed, so its success makes the write durable.
 *
 * One thread flushes, the others sleep.  It may be stopped or dead by then:
 * after a bounded time a sleeper takes its place, so that one that is stopped
 * delays the others once; and after a few such disappointments it flushes
 * without asking anybody.
 *
 * No pointers and no mutexes inside: it can lie in memory shared by processes.
 */
#ifndef LOG_LOG_FLUSH_H
#define LOG_LOG_FLUSH_H

#include <stdatomic.h>
#include <stdint.h>

#define LOG_FLUSH_PATIENCE_NS 100000000ull /* a slow disk's flush, not two */

/**
 * struct log_flush - zeroed, it is ready
 * @started:  number of the youngest flush that has begun
 * @finished: number of the youngest flush that has succeeded
 * @turn:     odd: somebody flushes; changes with every change of hands
 * @signal:   futex: changes when a flush has ended
 * @sleepers: at most this many sleep on it
 * @failed:   the first failure, for ever
 */
struct log_flush {
	_Atomic uint64_t started;
	_Atomic uint64_t finished;
	_Atomic uint64_t turn;
	_Atomic uint32_t signal;
	_Atomic uint32_t sleepers;
	_Atomic int failed;
};

/**
 * struct log_flusher - how this caller flushes
 * @sync: 0 or negative errno
 * @patience_ns: wait that long for another's flush
 */
struct log_flusher {
	int (*sync)(void *context);
	void *context;
	uint64_t patience_ns;
};

/* All writes that completed before the call are durable on return 0. */
int log_flush_wait(struct log_flush *flush, const struct log_flusher *flusher);

#endif
