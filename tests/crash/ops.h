/* SPDX-License-Identifier: BSD-3-Clause */
/* What may be done to a journal. */
#ifndef TESTS_CRASH_OPS_H
#define TESTS_CRASH_OPS_H

#include "run.h"

/* @does: Return: 0, or -1 with the reason in run->oracle.why
 * @beside: it may be done while another thread does something */
struct op {
	const char *name;
	int (*does)(struct run *run);
	bool beside;
};

extern const struct op ops[];
extern const uint32_t op_count;
extern const struct config configs[];
extern const uint32_t config_count; /* the last one is broken */

#endif
