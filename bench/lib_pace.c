/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib_pace.h"

#include "lib_clock.h"
#include "util/math.h"

#define ADDITIONS 16000u
#define TIMES     3u /* an interrupt hits one of them */

/* Four sums that do not wait for each other: it is as fast as the processor may issue. */
static uint64_t work_ns(void)
{
	uint64_t start = clock_ns(), a = 1, b = 2, c = 3, d = 4;

	for (unsigned int i = 0; i < ADDITIONS / 4; i++) {
		a += i;
		b += i;
		c += i;
		d += i;
		/* each is needed: the compiler may not make one of all */
		__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
	}
	return clock_ns() - start;
}

uint64_t pace_ns(void)
{
	uint64_t best = UINT64_MAX;

	for (unsigned int i = 0; i < TIMES; i++)
		best = min_u64(best, work_ns());
	return best;
}
