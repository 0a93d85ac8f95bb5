/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A scene in which x is moved to another line by M and retired by R, each led by hand
 * (actor.h).  For tests linked with CRASH_LDFLAGS and STEP_LDFLAGS.
 */
#ifndef TESTS_LIB_MOVING_H
#define TESTS_LIB_MOVING_H

#include "actor.h"
#include "scene.h"

/* open, with nothing in it; skipped where nobody can be led */
void moving_make(struct scene *s);
/* the same of another kind of journal */
void moving_make_on(struct scene *s, const struct crash_plan *plan);
/* x is in the first slot of a line that nobody goes on in, the lowest. */
void moving_x(struct scene *s);

/* M and R, for actor_make(); what they said: first, retired */
void moving_moves(void *scene);
void moving_retires(void *scene);

/* before its next fence */
bool moving_at_fence(const struct scene *s, struct actor *actor);
/* The power fails: whoever still stands is gone with it. */
void moving_power_fails(struct scene *s);

#endif
