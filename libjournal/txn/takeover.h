/* SPDX-License-Identifier: BSD-3-Clause */
/* Members that died: what they had is taken over (P7; docs/decisions/0006). */
#ifndef TXN_TAKEOVER_H
#define TXN_TAKEOVER_H

#include "txn/journal_impl.h"

/**
 * takeover_sweep() - look for dead members, and take over what they had
 * @rest_ns: not if anybody did so less than that ago
 * Context: no lane, cell or head is held that a dead one's things could need; system
 * calls; waits for nobody, but up to 100 ms while two are stopped in their checkpoints.
 * Return: how many were taken over.
 */
uint32_t takeover_sweep(struct journal *j, uint64_t rest_ns);

/* while waiting for something that a dead one may have */
#define SWEEP_WAITING_NS 10000000ull
/* from time to time */
#define SWEEP_NS         1000000000ull

#endif
