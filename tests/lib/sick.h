/* SPDX-License-Identifier: BSD-3-Clause */
/* A journal on NVRAM that is going to die, with a stand-in: on crash worlds, one for
 * each.  For tests linked with CRASH_LDFLAGS. */
#ifndef TESTS_LIB_SICK_H
#define TESTS_LIB_SICK_H

#include "crash_place.h"

struct sick {
	struct place *p;
	struct crash_world stand_in;
	struct crash_world next; /* NVRAM that is gone back to, once */
};

/* open, with nothing in it */
void sick_make(struct sick *s);
/* the same of another kind of journal */
void sick_make_on(struct sick *s, const struct crash_plan *plan);
void sick_free(struct sick *s);
/* The power goes: what was not durable is gone; with @dead all of NVRAM, too. */
void sick_cut(struct sick *s, enum crash_how how, uint64_t seed, bool dead);
/* Return: what journal_open() says */
int sick_open(struct sick *s);
/* whether journal.conf names the stand-in */
bool sick_is_abandoned(const struct sick *s);

#endif
