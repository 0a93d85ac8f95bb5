/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Destaging in the background: a few threads of a process, started when half of a large
 * stage is full for the first time, and asleep below that.  Each takes some lanes that
 * nobody holds, copies what is in them to a stream of its own, and writes it in pieces
 * as large as a segment: while one waits for the disk, the other copies.
 *
 * One process does it at a time, by a job that nobody waits for: who finds that its
 * holder has not gone on for a while takes it.  A stopped one keeps the lanes that it
 * had, no more (P18).  Where nobody does it in time, room is made in line, as ever
 * (lane.c).  It takes nothing from the reserve, and leaves off before that is reached.
 *
 * What is old goes, too, however little it is: background_age.c.
 */
#ifndef TXN_BACKGROUND_H
#define TXN_BACKGROUND_H

#include "txn/journal_impl.h"

int background_make(struct journal *j);
/* a process's first commit in a lane: what it stages is looked at once in a while */
void background_staged(struct journal *j);
/* before the journal is left: nothing is under way any more */
void background_stop(struct journal *j);
void background_free(struct journal *j);

/**
 * background_look() - called by who stages, now and then, holding no lane
 * Wakes the threads when much is staged; and the nearer the stage is to being full, the
 * longer it sleeps, so that writers are slowed to what the disk takes, and not stopped.
 * It sleeps for nobody: how long, the fill alone says.
 */
void background_look(struct journal *j);

/* The stage is full: sleep a moment, if there may be room after it.  False: there is
 * nobody at it here, or nowhere to put it. */
bool background_moment(struct journal *j);

/* ---- between the background*.c files ---- */

/* A stage so large that a part of it is not destaged in line. */
bool background_worth(const struct journal *j);
/* Return: 0 or negative errno */
int background_thread(pthread_t *thread, void *(*run)(void *context), void *context);
void background_age_stop(struct journal *j);

#endif
