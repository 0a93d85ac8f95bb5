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
 * Who came while a flush was under way waits for the next one, apart from those who
 * wait for this one: when it ends these all wake, but of those only who is to flush.
 *
 * No pointers and no mutexes inside: it can lie in memory shared by processes.
 */
#ifndef LOG_LOG_FLUSH_H
#define LOG_LOG_FLUSH_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * How long another's flush is waited for: some times what one takes here, since two at
 * once only cost time, but no longer than a transaction may wait behind one who is
 * stopped, and no shorter than a busy processor keeps one who is not.
 */
#define LOG_FLUSH_PATIENCE_MAX_NS 50000000ull
#define LOG_FLUSH_PATIENCE_MIN_NS 10000000ull
#define LOG_FLUSH_PATIENCE_TIMES  4

/**
 * struct log_flush - zeroed, it is ready
 * @started:  number of the youngest flush that has begun
 * @finished: number of the youngest flush that has succeeded
 * @turn:     odd: somebody flushes; changes with every change of hands
 * @turn_ns:  when it was taken, about: CLOCK_MONOTONIC
 * @signal:   two futexes, for flushes of even and odd numbers: changes when who waits
 *            for such a one is to look
 * @sleepers: at most this many sleep on each
 * @failed:   the first failure, for ever
 * @typical_ns: what a flush took, on the average of the last few; 0: not known yet
 */
struct log_flush {
	_Atomic uint64_t started;
	_Atomic uint64_t finished;
	_Atomic uint64_t turn;
	_Atomic uint64_t turn_ns;
	_Atomic uint32_t signal[2];
	_Atomic uint32_t sleepers[2];
	_Atomic int failed;
	_Atomic uint64_t typical_ns;
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

/* for @patience_ns: by what flushes take here */
uint64_t log_flush_patience(const struct log_flush *flush);

/* All writes that completed before the call are durable on return 0. */
int log_flush_wait(struct log_flush *flush, const struct log_flusher *flusher);

#endif
