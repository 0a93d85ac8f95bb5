/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two threads, and every place where one of them may be interrupted: the first
 * stands still before a given instruction of our code, the second does all of
 * its work meanwhile, then the first goes on.  What a race needs luck for
 * happens here each time.
 *
 * When the second has to wait for the first (it yields, or wants a lock that is
 * held), the first goes on to its end at once.  So only one of them ever runs.
 *
 * For tests linked with STEP_LDFLAGS (Makefile).
 */
#ifndef TESTS_LIB_STEP_H
#define TESTS_LIB_STEP_H

#include <stdbool.h>
#include <stdint.h>

struct step_pair {
	void (*first)(void *context);  /* calls step_begin() and step_end() */
	void (*second)(void *context);
	void *context;
};

/* what came of it */
struct step_met {
	bool stood;     /* else the first came to its end, and the second did not run */
	bool waited;    /* the second for the first */
	uint32_t locks; /* that the second took */
};

/* Return: false after a line "skip: ...": no single steps here. */
bool step_possible(void);

/* Let the first run alone, by single steps.  Return: the places where it can stand:
 * each instruction it went through between step_begin() and step_end(), the first
 * STEP_TIMES times.  No assertion of cmocka may fail in it: it has a thread of its
 * own. */
#define STEP_TIMES 2u
uint32_t step_places(const struct step_pair *pair);

/* Both, one after the other. */
void step_not(const struct step_pair *pair);
/* The first stands still at one of the places of the last step_places(). */
struct step_met step_run(const struct step_pair *pair, uint32_t place);

/* In a child of fork(): let the first run in this very thread, and the process be killed
 * at one of those places.  Returns if it does not come there. */
void step_killed(const struct step_pair *pair, uint32_t place);
/* The same, but it is stopped there (SIGSTOP), and may go on. */
void step_stopped(const struct step_pair *pair, uint32_t place);

/* In the thread of the first; in any other they do nothing.  Several times: what lies
 * between an end and the next begin is left out. */
void step_begin(void);
void step_end(void);

/* ---- step_x86.c, step_generic.c ------------------------------------------------- */

struct step_traps {
	/* tracing: before each instruction of ours, @place bytes into the program */
	void (*stepped)(uint64_t place);
	/* at the place of step_trap_set() */
	void (*arrived)(void);
};

/* Return: false: not on this machine.  @traps must stay. */
bool step_trap_install(const struct step_traps *traps);
/* for the calling thread, while no other runs */
void step_trap_trace(void);
void step_trap_set(uint64_t place, uint32_t times);
void step_trap_off(void);

#endif
