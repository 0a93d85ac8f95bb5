/* SPDX-License-Identifier: BSD-3-Clause */
/* The order that P10 rests on: both digests of the stream segment that is left
 * are durable before a record goes to the next one. */
#ifndef TESTS_LIB_CRASH_SEALED_H
#define TESTS_LIB_CRASH_SEALED_H

#include "crash_world.h"

struct crash_sealed {
	uint32_t segment; /* that the last records went to */
	uint32_t left;    /* segments */
	uint32_t wrong;   /* of them, not sealed when they were */
	bool any;
};

/* a crash_world.hook; @context: struct crash_sealed */
void crash_sealed_hook(struct crash_world *world, void *context);

#endif
