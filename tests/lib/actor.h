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
/* @places further: instructions, and each of them twice at the most, however often it is
 * gone through.  Return: false also when it stands before @limit (NULL: none) instead */
bool actor_on(struct actor *actor, uint32_t places, void (*limit)(void));

/* the places that it went on by then */
uint32_t actor_went(const struct actor *actor);

/* For the actor itself: in what is not made for it nobody is to stand. */
void actor_passes(bool passes);

/* to its end; then there is none any more */
void actor_end(struct actor *actor);
/* It never goes on, as if it were killed where it stands. */
void actor_killed(struct actor *actor);

#define ACTOR_AT(actor, function, times) actor_at(actor, (void (*)(void))(function), times)
#define ACTOR_ON(actor, places, limit)   actor_on(actor, places, (void (*)(void))(limit))

#endif
