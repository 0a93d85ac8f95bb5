/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib_clock.h"

#define CLOCK_ROUNDS 200000

/* A clock that counts in steps of 10 ns shows 20, 30 and, by rounding, 31. */
static uint64_t step_between(uint64_t a, uint64_t b)
{
	uint64_t step = a < b ? b - a : a - b;

	return step > 1 ? step : UINT64_MAX;
}

void clock_measure(struct clock_cost *cost)
{
	uint64_t sum = 0, step = UINT64_MAX, last = 0;
	int i;

	for (i = 0; i < CLOCK_ROUNDS; i++) {
		uint64_t begin = clock_ns();
		uint64_t took = clock_ns() - begin;

		if (took >= 1000) /* interrupted: no cost of the clock */
			continue;
		sum += took;
		if (last && step_between(took, last) < step)
			step = step_between(took, last);
		last = took;
	}
	cost->pair_ns = (double)sum / CLOCK_ROUNDS;
	cost->step_ns = step == UINT64_MAX ? 1 : step;
}
