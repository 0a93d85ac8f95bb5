/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a sanitizer's own code lies, when it is in a library: its system calls are none of
 * ours.  One that is linked in cannot be told from us. */
#ifndef TESTS_LIB_TOOL_CODE_H
#define TESTS_LIB_TOOL_CODE_H

#include <stdbool.h>
#include <stdint.h>

struct code_range {
	uint64_t from, to;
};

/* Return: whether there is one; @range is not touched otherwise */
bool tool_code(struct code_range *range);

#endif
