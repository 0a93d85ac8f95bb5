/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every crash at every point of a run: at each fence, log write, flush and checkpoint what may
 * be on the media then is recovered, each image once, and what is found is judged by what was
 * acknowledged.  Recoveries are cut in the same way, and their recoveries again.
 */
#ifndef TESTS_CRASH_EXPLORE_H
#define TESTS_CRASH_EXPLORE_H

#include <stdbool.h>

#include "flight.h"
#include "rules.h"
#include "run.h"
#include "seen.h"

/**
 * struct explorer - how, and how far it came
 * @all, @samples:      flight_each(), of a run
 * @inside_all, @inside_samples: the same of a recovery, and of what it leaves in flight
 * @inside_every:       of so many images the recovery of one is cut; 0: of none
 * @again_every:        of so many recoveries of those one is cut, too
 * @check_every:        of so many images one is checked by journal_check(), too
 */
struct explorer {
	uint32_t all, samples;
	uint32_t inside_all, inside_samples;
	uint32_t inside_every, again_every, check_every;

	bool trace; /* the points of runs are printed */
	struct run *run;
	const struct schedule *schedule; /* of two writers; NULL: there is one */
	struct seen seen;
	const char *sequence;  /* what is run, for people */
	uint64_t busy[RUN_DEPTH + 1]; /* images that are being recovered */
	uint64_t points, recovered[RUN_DEPTH + 1], repeated, unread, checked;
	uint64_t rules[RULES]; /* images that were judged in the middle of each */
	uint64_t violations;
};

/* @run: as run_begin() left it; every point is looked at from here on */
void explore_begin(struct explorer *x, struct run *run);
/* The operation is over: as at each other point; Return: false: something was wrong. */
bool explore_idle(struct explorer *x);
void explore_end(struct explorer *x);

#endif
