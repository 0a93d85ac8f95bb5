/* SPDX-License-Identifier: BSD-3-Clause */
/* One who is killed while he resizes. */
#ifndef TESTS_LIB_RESIZE_KILLED_H
#define TESTS_LIB_RESIZE_KILLED_H

#include <stdint.h>

#include "lib/bed.h"

/* by a process of its own, which dies when it is first told of progress in @phase of it */
void resize_killed(const struct bed *bed, uint64_t bytes, uint32_t phase);

#endif
