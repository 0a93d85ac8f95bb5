/* SPDX-License-Identifier: BSD-3-Clause */
/* What may be done to a journal. */
#ifndef TESTS_CRASH_OPS_H
#define TESTS_CRASH_OPS_H

#include "run.h"

/* whether it may be done while another thread does something; some only in the long run */
enum op_beside { ALONE, BESIDE_LONG, BESIDE };

/* @does: Return: 0, or -1 with the reason in run->oracle.why */
struct op {
	const char *name;
	int (*does)(struct run *run);
	enum op_beside beside;
};

extern const struct op ops[];
extern const uint32_t op_count;
extern const struct config configs[];
extern const uint32_t config_count; /* the last one is broken */

#endif
