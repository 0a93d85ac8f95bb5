/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which bucket a time belongs to: exact below 16, then 16 buckets to each power of
 * two, so that a bucket is at most 1/16 of its value wide.  What is too large for
 * the last one, 2^40 ns, is counted there.
 */
#ifndef UTIL_HISTOGRAM_H
#define UTIL_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS   16u
#define HISTOGRAM_POWERS  40u
#define HISTOGRAM_BUCKETS ((HISTOGRAM_POWERS - 3) * HISTOGRAM_STEPS)

static inline unsigned int histogram_bucket(uint64_t value)
{
	unsigned int power;

	if (value < HISTOGRAM_STEPS)
		return (unsigned int)value;
	if (value >> HISTOGRAM_POWERS)
		return HISTOGRAM_BUCKETS - 1;
	power = 63u - (unsigned int)__builtin_clzll(value);
	return (power - 3) * HISTOGRAM_STEPS +
	       (unsigned int)(value >> (power - 4)) % HISTOGRAM_STEPS;
}

/* the lowest value of a bucket; of HISTOGRAM_BUCKETS: where the last one ends */
static inline uint64_t histogram_from(unsigned int bucket)
{
	unsigned int power = bucket / HISTOGRAM_STEPS + 3;

	if (bucket < HISTOGRAM_STEPS)
		return bucket;
	return (uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << (power - 4);
}

#endif
