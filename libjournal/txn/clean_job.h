/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cleaner's job: one cleans at a time, among all processes.  One that is stopped in
 * the middle pins what it has in its hands, and nothing else (P18): when it has not gone
 * on for a while, another one begins a job of its own beside it.  Nothing is taken away
 * from the one that is stopped, and when it goes on, it ends what it began:
 *
 *  - a segment is cleaned by who holds it; what it exchanges, it does by compare-and-swap;
 *  - of what is moved to another line the line is claimed (struct line, mover), so that
 *    its entry (moved.h) is one job's; the line that it moves to is claimed, too;
 *  - each has a head and a line of its own to move to.
 */
#ifndef TXN_CLEAN_JOB_H
#define TXN_CLEAN_JOB_H

#include "txn/journal_impl.h"

/* Return: the job; NULL: another one is at it, or all are stopped. */
struct clean_job *clean_job_take(struct journal *j);
void clean_job_give(struct journal *j, struct clean_job *job);

/* it goes on */
static inline void clean_job_beat(struct clean_job *job)
{
	atomic_fetch_add_explicit(&job->beat, 1, memory_order_relaxed);
}

/* Another one is at it, and done in a moment; or stopped, and then not waited for for
 * longer than that takes to be known; or slow, and then waited for for two seconds.
 * Return: whether there may be one to be had. */
bool clean_job_wait(struct journal *j);

/* somebody else has it in his hands */
bool clean_job_has(const struct journal *j, const struct segment *segment);

#endif
