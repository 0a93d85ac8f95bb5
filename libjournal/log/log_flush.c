/* SPDX-License-Identifier: BSD-3-Clause */
#include "log/log_flush.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "util/math.h"

/* so many flushers in a row may leave a sleeper waiting in vain */
#define DISAPPOINTMENTS_MAX 4

/* to flush next: one of them may be stopped */
#define NEXT_WOKEN 2

struct wait {
	uint64_t turn; /* whom it waits for */
	uint64_t until_ns;
	unsigned int disappointments;
};

/* a flush */
struct ended {
	uint64_t number;
	bool in_turn; /* the one before it had ended well: nobody waits for that any more */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_until(_Atomic uint32_t *futex, uint32_t signal, uint64_t until_ns)
{
	struct timespec until = {
		.tv_sec = (time_t)(until_ns / 1000000000u),
		.tv_nsec = (long)(until_ns % 1000000000u),
	};

	/* not FUTEX_PRIVATE: other processes may sleep here.  Its result does
	 * not matter, the caller looks for itself. */
	(void)syscall(SYS_futex, futex, FUTEX_WAIT_BITSET, signal, &until, NULL,
		      FUTEX_BITSET_MATCH_ANY);
}

/* @most of those who wait for flush @number, or one like it */
static void wake(struct log_flush *flush, uint64_t number, int most)
{
	uint64_t i = number & 1;

	/* The new signal is stored before sleepers are counted; a sleeper counts
	 * itself before it reads the signal.  So either it is counted here, or it
	 * sees the new state and does not sleep. */
	atomic_fetch_add(&flush->signal[i], 1);
	if (atomic_load(&flush->sleepers[i]))
		(void)syscall(SYS_futex, &flush->signal[i], FUTEX_WAKE, most, NULL, NULL, 0);
}

/* Return: what it was. */
static uint64_t raise_to(_Atomic uint64_t *word, uint64_t value)
{
	uint64_t seen = atomic_load(word);

	while (seen < value && !atomic_compare_exchange_weak(word, &seen, value))
		;
	return seen;
}

/* Two at once may each miss the other's: it is an average. */
static void took(struct log_flush *flush, uint64_t ns)
{
	uint64_t typical = atomic_load_explicit(&flush->typical_ns, memory_order_relaxed);

	typical = typical ? typical - typical / 8 + ns / 8 : ns;
	atomic_store_explicit(&flush->typical_ns, typical, memory_order_relaxed);
}

uint64_t log_flush_patience(const struct log_flush *flush)
{
	uint64_t typical = atomic_load_explicit(&flush->typical_ns, memory_order_relaxed);

	if (!typical || typical > LOG_FLUSH_PATIENCE_MAX_NS / LOG_FLUSH_PATIENCE_TIMES)
		return LOG_FLUSH_PATIENCE_MAX_NS;
	return max_u64(typical * LOG_FLUSH_PATIENCE_TIMES, LOG_FLUSH_PATIENCE_MIN_NS);
}

/* Flush, whoever else may do so now. */
static int flush_now(struct log_flush *flush, const struct log_flusher *flusher,
		     struct ended *ended)
{
	uint64_t number = atomic_fetch_add(&flush->started, 1) + 1, began = now_ns();
	int error = flusher->sync(flusher->context), none = 0;

	took(flush, now_ns() - began);
	if (error)
		atomic_compare_exchange_strong(&flush->failed, &none, error);
	/* A flush that succeeds after another has failed proves nothing: the
	 * kernel reports a lost write only once. */
	error = atomic_load(&flush->failed);
	ended->number = number;
	ended->in_turn = !error && raise_to(&flush->finished, number) == number - 1;
	return error;
}

static void tell(struct log_flush *flush, const struct ended *ended)
{
	/* the disk waits for who is next: he is first */
	wake(flush, ended->number + 1, ended->in_turn ? NEXT_WOKEN : INT_MAX);
	wake(flush, ended->number, INT_MAX);
}

/* Flush for everybody, in place of the one whose turn @turn was. */
static bool flush_for_all(struct log_flush *flush, const struct log_flusher *flusher,
			  uint64_t turn, int *error)
{
	uint64_t mine = turn + (turn & 1 ? 2 : 1);
	struct ended ended;

	/* before the turn: who finds that one new finds no time of long ago with it */
	atomic_store(&flush->turn_ns, now_ns());
	if (!atomic_compare_exchange_strong(&flush->turn, &turn, mine))
		return false;
	*error = flush_now(flush, flusher, &ended);
	/* fails if somebody lost patience and took over: then it is theirs */
	atomic_compare_exchange_strong(&flush->turn, &mine, mine + 1);
	tell(flush, &ended);
	return true;
}

/* For himself, since those whose turn it was came to no end: what it covers it covers for
 * all, and nobody else tells them. */
static int flush_alone(struct log_flush *flush, const struct log_flusher *flusher)
{
	struct ended ended;
	int error = flush_now(flush, flusher, &ended);

	tell(flush, &ended);
	return error;
}

/*
 * Has the one whose turn it is had its time?  That began with the turn, not with this look:
 * who slept on while hands changed may see it late.
 */
static bool patience_lost(const struct log_flush *flush, struct wait *wait, uint64_t turn,
			  uint64_t patience_ns)
{
	if (wait->turn != turn) {
		wait->turn = turn;
		wait->until_ns = atomic_load(&flush->turn_ns) + patience_ns;
		wait->disappointments++;
	}
	return now_ns() >= wait->until_ns;
}

static int wait_for(struct log_flush *flush, const struct log_flusher *flusher, uint64_t seen)
{
	_Atomic uint32_t *futex = &flush->signal[(seen + 1) & 1];
	struct wait wait = { 0 };

	for (;;) {
		uint32_t signal = atomic_load(futex);
		uint64_t turn = atomic_load(&flush->turn);
		int error;

		if (atomic_load(&flush->finished) > seen)
			return 0;
		error = atomic_load(&flush->failed);
		if (error)
			return error;
		if (!(turn & 1) || patience_lost(flush, &wait, turn, flusher->patience_ns)) {
			if (flush_for_all(flush, flusher, turn, &error))
				return error;
			continue;
		}
		if (wait.disappointments > DISAPPOINTMENTS_MAX)
			return flush_alone(flush, flusher);
		sleep_until(futex, signal, wait.until_ns);
	}
}

int log_flush_wait(struct log_flush *flush, const struct log_flusher *flusher)
{
	/* The write completed before this load; a flush whose number is not yet
	 * to be seen here draws it later, and begins later still. */
	uint64_t seen = atomic_load(&flush->started);
	_Atomic uint32_t *sleepers = &flush->sleepers[(seen + 1) & 1];
	int error;

	atomic_fetch_add(sleepers, 1);
	error = wait_for(flush, flusher, seen);
	atomic_fetch_sub(sleepers, 1);
	return error;
}
