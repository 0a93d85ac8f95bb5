/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two threads on one journal, one of which goes on at a time: at each fence, log write, flush
 * and checkpoint it is decided who does.  All ways to decide are gone through, one run for each.
 */
#ifndef TESTS_CRASH_WRITERS_H
#define TESTS_CRASH_WRITERS_H

#include <stdbool.h>
#include <stdint.h>

#define WRITERS       2u
#define DECISIONS_MAX 64u

/* 0: who goes on goes on, 1: the other one does */
struct schedule {
	uint8_t decided[DECISIONS_MAX];
	uint32_t count;   /* made beforehand; of those after it each is 0 */
	uint32_t made;    /* in the last run */
	bool stuck;       /* both waited for each other */
};

/* which of them calls; 0 for who is alone */
uint32_t writers_self(void);

/**
 * writers_run() - both, to their ends
 * @die_at: at this operation of the second it is as if it were killed; 0: never
 */
void writers_run(struct schedule *schedule, void (*run)(void *context), void *context,
		 uint32_t die_at);
/* An operation begins. */
void writers_operation(void);
/* Who looks at something is not to be disturbed. */
void writers_hold(bool hold);
/* whether the other one stands in the middle of what it does */
bool writers_other_stands(void);
/* the decisions of @schedule but the last that can be made otherwise.  Return: false: there is
 * none */
bool schedule_next(struct schedule *schedule);
/* whether what comes now is the same in the run before */
bool schedule_is_old(const struct schedule *schedule);

#endif
