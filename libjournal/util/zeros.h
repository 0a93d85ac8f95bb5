/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is known to be zeros in a buffer that is used again.
 *
 * The end of a block behind its last record mostly is what it was made the last time.  To make
 * 4 KiB of zeros takes 0.7 us while the caches are cold.
 */
#ifndef UTIL_ZEROS_H
#define UTIL_ZEROS_H

#include <stdint.h>
#include <string.h>

/* bytes @from to @to are; none, if @from is not below @to */
struct zeros {
	uint32_t from, to;
};

/* the buffer was written, up to @used */
static inline void zeros_used(struct zeros *zeros, uint32_t used)
{
	if (zeros->from < used)
		zeros->from = used;
}

/* The buffer was written up to @used at most: from there to @end it is zeros now. */
static inline void zeros_make(struct zeros *zeros, uint8_t *buffer, uint32_t used, uint32_t end)
{
	uint32_t to = end;

	if (zeros->to >= end && zeros->from <= end)
		to = zeros->from;
	if (to > used)
		memset(buffer + used, 0, to - used);
	if (to == end)
		zeros->to = end;
	zeros->from = used;
}

#endif
