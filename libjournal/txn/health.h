/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NVRAM that is not trusted any more (P14; tests/model/p14.pml).
 *
 *   committer, retirer                   switcher
 *   durable on NVRAM                     health = switching
 *   published, or claimed, in the index  a barrier on all processors
 *   health still trusted?                scan of the index: the stage to the log,
 *     yes: acknowledge                   a list of what lives in the stand-in
 *     no: to the log, too; and nothing   journal.conf names the stand-in
 *     is told before health = abandoned  health = abandoned
 *
 * Publishing comes before the look: one that is fenced, has looked, and is not yet
 * published, would be in no list.  Nobody waits for a switcher: who finds health
 * switching does all of its work himself.  Each list is whole, and a late one is of a
 * lower generation (P11), so it does not come into force.
 *
 * Health only goes up: NVRAM is used again after the next first open (return_to.c).
 */
#ifndef TXN_HEALTH_H
#define TXN_HEALTH_H

#include "txn/journal_impl.h"

enum health_state {
	HEALTH_TRUSTED,
	HEALTH_SWITCHING, /* not trusted; what is in force is still NVRAM */
	HEALTH_ABANDONED, /* the stand-in is in force */
};

static inline enum health_state health_now(const struct journal *j)
{
	return (enum health_state)atomic_load_explicit(&j->shared->health, memory_order_acquire);
}

/* Bits of the marker medium are what makes durable: else the log does. */
static inline bool health_bits_durable(const struct journal *j)
{
	return j->bits_durable && health_now(j) == HEALTH_TRUSTED;
}

/*
 * Whether what was durable on NVRAM may be told.  Context: after it was published, or
 * claimed.  The barrier between that store and this load is the switcher's, on all
 * processors, so that a commit has none.
 */
static inline bool health_is_lost(const struct journal *j)
{
	if (j->health_fence)
		atomic_thread_fence(memory_order_seq_cst);
	else
		atomic_signal_fence(memory_order_seq_cst);
	return atomic_load_explicit(&j->shared->health, memory_order_relaxed) != HEALTH_TRUSTED;
}

/* A fence of the marker medium; of one that is not trusted nobody asks how it went. */
static inline int health_fence(struct journal *j)
{
	int error = nv_fence(j->marker);

	return error && j->bits_durable && health_now(j) != HEALTH_TRUSTED ? 0 : error;
}

/* at open, for writing */
void health_begin(struct journal *j);

/* NVRAM is not to be trusted any more, because of @why.
 * Return: 0: the stand-in is in force; or the sticky failure */
int health_distrust(struct journal *j, const char *why);

/* ask the medium, and go on accordingly; Return: 0 or the sticky failure */
int health_watch(struct journal *j);

/* All that must happen before anything is told that the log alone certifies.
 * Return: 0: it has; or the sticky failure.  Context: no lock but a lane's lease. */
int health_switch(struct journal *j);

/* one that was published with its payload in the log, and whose bit says that it is
 * committed: a list with it is in force */
int health_list(struct journal *j);

/* transactions @id to @id + @count - 1, published in the stage: their copies are durable
 * in the log.  Return: 0; -EBADMSG the stage does not give them back; or sticky */
int health_unstage(struct journal *j, uint64_t id, uint32_t count);

#endif
