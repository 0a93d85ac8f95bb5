/* SPDX-License-Identifier: BSD-3-Clause */
/* All runs of a life under nth.h: each kind, once and for ever, each N. */
#ifndef TESTS_LIB_NTH_RUN_H
#define TESTS_LIB_NTH_RUN_H

#include "nth_story.h"

struct nth_scenario {
	const char *name;
	/* once, and what it leaves is what each run begins with; NULL: nothing is there.
	 * killed: it is not closed */
	void (*prepare)(struct nth_life *life);
	/* what is hindered; opens and closes for itself */
	void (*live)(struct nth_life *life);
	/* NULL, or what is to be done before all is compared */
	void (*after)(struct nth_life *life);
	const char *places; /* names of struct nth_place, each with blanks around it */
	bool unfinished; /* has points known to be wrong: only with ALL, ONLY or FAULT */
	unsigned int kinds; /* mask of those that make no sense; 0: all do */
};

/* Return: 0: nothing was wrong; 77: skipped */
int nth_run(const struct nth_scenario *scenarios, size_t count);

#endif
