/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes that share the work, and what they have found together. */
#ifndef TESTS_CRASH_WORKER_H
#define TESTS_CRASH_WORKER_H

#include "explore.h"
#include "tasks.h"

/**
 * struct totals - of all workers
 * @images, @states: distinct
 */
struct totals {
	uint64_t images, states, sequences, schedules, points;
	uint64_t recovered[RUN_DEPTH + 1], repeated, unread, checked, violations;
	uint64_t rules[RULES];
	uint64_t truncated; /* pairs with more schedules than were run */
	double seconds;
};

/**
 * struct work - what is to be done
 * @x:         how
 * @all:       x->all for sequences of one, two, three
 * @schedules: at most so many for two at a time
 * @resume:    NULL, or a directory with what was done by earlier runs, and will be by this
 */
struct work {
	const struct explorer *x;
	struct tasks tasks;
	uint32_t all[TASK_OPS], jobs, schedules;
	const char *resume;
	bool progress;
};

/* Return: 0, or -1 after a message: a worker did not come to its end */
int work_do(const struct work *work, struct totals *totals);

#endif
