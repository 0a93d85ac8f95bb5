/* SPDX-License-Identifier: BSD-3-Clause */
/* One process of a crowd, and the states of what it did. */
#ifndef TESTS_LIB_CROWD_WORKER_H
#define TESTS_LIB_CROWD_WORKER_H

#include "lib/crowd.h"

enum crowd_state {
	CROWD_NONE,
	CROWD_COMMITTING, /* in flight; for ever, if its process was killed */
	CROWD_LIVE,
	CROWD_RETIRING,
};

static inline enum crowd_state crowd_state(const struct crowd_txn *txn)
{
	return (enum crowd_state)(atomic_load(&txn->word) & 7);
}

/* from the state that @word has to another; Return: it was still as @word says */
static inline bool crowd_change(struct crowd_txn *txn, uint64_t word, enum crowd_state to)
{
	return atomic_compare_exchange_strong(&txn->word, &word, ((word >> 3) + 1) << 3 | to);
}

static inline void crowd_set(struct crowd_txn *txn, enum crowd_state to)
{
	atomic_store(&txn->word, ((atomic_load(&txn->word) >> 3) + 1) << 3 | to);
}

/* the process: does not return */
void crowd_work(struct crowd *crowd, uint32_t who, uint64_t seed) __attribute__((noreturn));

#endif
