/* SPDX-License-Identifier: BSD-3-Clause */
/* What the fault injectors share: a seed that can be given again, and a fault
 * that strikes at the N-th chance. */
#ifndef TESTS_LIB_FAULT_H
#define TESTS_LIB_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* The seed of this run: SEED of the environment, or a new one.  Printed, so
 * that a failure can be had again. */
uint64_t fault_seed(const char *test);

/* the next number of the sequence that *@state is in */
uint64_t fault_random(uint64_t *state);

/**
 * struct fault - fail the @at-th operation (from 1; 0: none), and with
 * @forever all after it, with @error (negative errno)
 */
struct fault {
	uint64_t at;
	bool forever;
	int error;
	uint64_t seen; /* operations so far */
};

/* Count one operation.  Return: 0, or the error that it is to fail with. */
int fault_strike(struct fault *fault);

#endif
