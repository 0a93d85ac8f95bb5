/* SPDX-License-Identifier: BSD-3-Clause */
/* Looking at what a crash would leave: recover a copy, compare, and again. */
#ifndef TESTS_LIB_CRASH_LOOK_H
#define TESTS_LIB_CRASH_LOOK_H

#include "crash_oracle.h"
#include "crash_run.h"
#include "crash_world.h"
#include "scratch.h"

extern const struct journal_open_options crash_open_options;

struct crash_look {
	const struct crash_plan *plan;
	const struct scratch *scratch;
	struct oracle_list first, second;
	uint64_t looked;
	struct oracle *oracle; /* of a check under way, with what it found that may be */
	uint32_t tolerated;
	char path[2][PATH_MAX];
};

/* make a journal in @world, small, and a second directory that shows it */
int crash_look_make(struct crash_look *look, const struct crash_plan *plan,
		    const struct scratch *scratch, struct crash_world *world,
		    struct oracle *oracle);
void crash_look_free(struct crash_look *look);
/* 0: the run's, 1: that of the copies */
const char *crash_look_dir(struct crash_look *look, int which);

/* Return: 0, or -1 with the reason in @oracle->why */
int crash_look(struct crash_look *look, const struct crash_world *world, struct oracle *oracle,
	       uint64_t seed);

/* close without what a close does: its process is dead */
void crash_throw_away(struct journal *j);

#endif
