/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `sim:PATH`: the simulator of the tests.  The file at PATH is what is
 * durable; the map is memory of this process.  A fence brings the lines that
 * its thread flushed or copied to the file, nothing else does: whoever forgets
 * a flush or a fence loses the store when the process dies.
 * It is not to be trusted (marker_store_health()) while there is a file PATH.sick.
 */
#ifndef MARKER_SIM_H
#define MARKER_SIM_H

#include "store/marker_store.h"

marker_store_opener marker_sim_open;

/* ---- for tests; each takes a store opened by marker_sim_open() ------------ */

struct sim_counters {
	uint64_t flushes, copies, fences;
	uint64_t lines; /* brought to the image */
};

void marker_sim_counters(struct marker_store *store, struct sim_counters *counters);

/**
 * marker_sim_fail_fence() - let a fence fail with @error
 * @nth: 1 is the next one of any thread; 0 none any more
 * @for_ever: all after it too; otherwise the medium works again (the store's
 *       sticky failure stays all the same)
 *
 * A fence that fails brings nothing to the image.
 */
void marker_sim_fail_fence(struct marker_store *store, uint64_t nth, bool for_ever, int error);

/**
 * marker_sim_on_fence() - call @hook at the start of every fence, in its thread
 * @hook: NULL for none; may end the process
 */
void marker_sim_on_fence(struct marker_store *store, void (*hook)(void *context),
			 void *context);

/**
 * marker_sim_crash() - the power fails now
 * @seed: decides which of the words that differ from the image reached it
 *
 * Any of the words not fenced may have left the cache.  The image stays as it
 * is from here on: fences fail with -EIO.
 * Return: words that differed.
 */
uint64_t marker_sim_crash(struct marker_store *store, uint64_t seed);

#endif
