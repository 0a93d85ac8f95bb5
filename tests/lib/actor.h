/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several threads on one journal, of which one at a time goes on, to where it is told to
 * stand: so a schedule that a model found is written down, one line for each turn.  What
 * goes on is run by single steps, or to a breakpoint (step.h).
 *
 * Nobody may be told to go on who needs what another one who stands has locked: that is
 * for whoever writes the schedule to see to.
 */
#ifndef TESTS_LIB_ACTOR_H
#define TESTS_LIB_ACTOR_H

#include <stdbool.h>
#include <stdint.h>

struct actor;

/* Return: false after a line "skip: ..." */
bool actors_possible(void);

/* One who stands before the begin of @run.  No assertion of cmocka may fail in it. */
struct actor *actor_make(void (*run)(void *context), void *context);

/* Each goes on until it stands there, or has come to its end; Return: whether it stands. */

/* before the @times'th call of @function, which is one of another file than its caller */
bool actor_at(struct actor *actor, void (*function)(void), uint32_t times);
/* before the first instruction with @there */
bool actor_when(struct actor *actor, bool (*there)(void *context), void *context);
/* before the @place'th place of the last actor_places(), on the same way */
bool actor_on(struct actor *actor, uint32_t place);

/* Where it can stand on its way to @limit, to where it goes: before each instruction, the
 * first STEP_TIMES times (step.h).  Return: how many places that are. */
uint32_t actor_places(struct actor *actor, void (*limit)(void));

/* For the actor itself: in what is not made for it nobody is to stand. */
void actor_passes(bool passes);

/* to its end; then there is none any more */
void actor_end(struct actor *actor);
/* It never goes on, as if it were killed where it stands. */
void actor_killed(struct actor *actor);

#define ACTOR_AT(actor, function, times) actor_at(actor, (void (*)(void))(function), times)

#endif
