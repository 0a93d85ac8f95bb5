/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How fast this processor is just now.  A virtual processor is half of a core, and who has
 * the other half takes part of what both share, by turns of a second or so: a commit of 210 ns
 * took 420 meanwhile, and a floor, which only waits for memory, the same as before.  That no
 * system says; but a loop of additions knows it.
 */
#ifndef BENCH_LIB_PACE_H
#define BENCH_LIB_PACE_H

#include <stdint.h>

/* ns that a fixed amount of work takes, about 5 us, at best of a few times */
uint64_t pace_ns(void);

/* what takes longer than this is slow, where @best is the least that was seen */
static inline uint64_t pace_limit(uint64_t best)
{
	return best + best / 5;
}

#endif
