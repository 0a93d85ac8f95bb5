/* SPDX-License-Identifier: BSD-3-Clause */
/* The one clock of every figure: floors, peers and the journal alike. */
#ifndef BENCH_LIB_CLOCK_H
#define BENCH_LIB_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/**
 * struct clock_cost - what measuring costs
 * @pair_ns: mean of two readings with nothing between: part of every sample
 * @step_ns: how finely it tells two durations apart
 */
struct clock_cost {
	double pair_ns;
	uint64_t step_ns;
};

void clock_measure(struct clock_cost *cost);

#endif
