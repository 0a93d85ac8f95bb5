/* SPDX-License-Identifier: BSD-3-Clause */
/* Moving to other lines long before lines are few.  For tests linked with
 * CRASH_LDFLAGS. */
#ifndef TESTS_LIB_MOVES_H
#define TESTS_LIB_MOVES_H

#include "crash_place.h"
#include "txn/moved.h"

/* markers like file: */
extern const struct crash_plan moves_plan_file;

/* The rest of the lines that direct and synced ones, and the mover, take slots from is
 * given up, so that what lives there may be moved. */
void moves_leave(struct journal *j);

/* Of @from's line nothing is left to take below @slot; it is opened, if there is none.  No
 * assertion of cmocka is in it. */
void moves_use_up(struct journal *j, struct slots_from *from, uint32_t slot);

/* one in a line that nobody goes on in; Return: as place_put() */
int moves_put_alone(struct place *p, enum journal_path path, uint64_t seed, uint64_t *id);
/* the same of @bytes zeros, which may be more than one piece; Return: its id */
uint64_t moves_put_large(struct place *p, enum journal_path path, uint32_t bytes);

/* All that lives in lines that nobody goes on in; Return: how many were moved, or
 * negative errno. */
int moves_all(struct journal *j);
/* the same without giving up anything before, for who may not stop anybody */
int moves_some(struct journal *j);

/* As if others had waited for the cleaners that are stopped: they go round them. */
void moves_past_the_stopped(struct journal *j);

/* Nothing of a cleaner is left, and no line is held but by what lives in it. */
void moves_nothing_is_half_done(struct journal *j);

/* where it lives; Return: false: nowhere */
bool moves_where(const struct journal *j, uint64_t id, struct slot_place *at);

/* What is live in the log is counted there, and no more. */
void moves_nothing_is_held(const struct journal *j);

#endif
