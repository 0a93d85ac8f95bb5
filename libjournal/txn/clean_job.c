/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/clean_job.h"

#include <time.h>

#include "txn/clock.h"
#include "txn/member.h"
#include "txn/reserve.h"

#define MOMENT_NS   500000
#define PATIENCE_NS 50000000ull
#define SLOW_NS     2000000000ull /* on a busy disk, before the log is called full */

/* Whoever finds it tells all: then nobody else has to look for so long. */
static bool job_is_stopped(struct journal *j, uint32_t number)
{
	struct clean_job *job = &j->shared->clean[number];
	uint32_t beat = atomic_load_explicit(&job->beat, memory_order_relaxed);
	uint64_t now;

	if (atomic_load_explicit(&job->stopped, memory_order_relaxed) == beat)
		return true;
	now = clock_monotonic_ns();
	if (atomic_load_explicit(&j->clean_seen[number].beat, memory_order_relaxed) != beat) {
		atomic_store_explicit(&j->clean_seen[number].since_ns, now, memory_order_relaxed);
		atomic_store_explicit(&j->clean_seen[number].beat, beat, memory_order_relaxed);
		return false;
	}
	if (now - atomic_load_explicit(&j->clean_seen[number].since_ns, memory_order_relaxed) <
	    PATIENCE_NS)
		return false;
	atomic_store_explicit(&job->stopped, beat, memory_order_relaxed);
	return true;
}

/* One beside others that are stopped takes a segment of its own to move to, and what is
 * set aside for destaging is not for that. */
static bool job_has_room(const struct journal *j)
{
	return atomic_load(&j->shared->segments_free) + reserve_clean(j) > segments_reserve(j);
}

/* Return: a job that nobody has, while nobody goes on with another; else NULL. */
static struct clean_job *job_free(struct journal *j, bool *busy)
{
	struct clean_job *job, *found = NULL;
	uint32_t i, stopped = 0;

	*busy = false;
	for (i = 0; i < CLEAN_JOBS; i++) {
		job = &j->shared->clean[i];
		if (!atomic_load_explicit(&job->who, memory_order_relaxed)) {
			found = found ? found : job;
		} else if (job_is_stopped(j, i)) {
			stopped++;
		} else {
			*busy = true;
			return NULL;
		}
	}
	return stopped && !job_has_room(j) ? NULL : found;
}

struct clean_job *clean_job_take(struct journal *j)
{
	bool busy;
	struct clean_job *job = job_free(j, &busy);
	uint32_t nobody = 0;

	if (!job || !atomic_compare_exchange_strong(&job->who, &nobody, j->member))
		return NULL;
	clean_job_beat(job);
	return job;
}

void clean_job_give(struct journal *j, struct clean_job *job)
{
	/* what was announced is undecided: for who takes over */
	if (journal_failed_here(j) && atomic_load(&job->who) == j->member)
		return;
	clean_job_beat(job);
	atomic_store(&job->who, 0);
}

/* One that has not gone on for long is slow, not stopped.  The kernel is asked: else a busy
 * disk would make the log full. */
static bool jobs_are_slow(const struct journal *j)
{
	uint32_t i, who;

	for (i = 0; i < CLEAN_JOBS; i++) {
		who = atomic_load(&j->shared->clean[i].who);
		if (who && !member_is_stopped(j, who))
			return true;
	}
	return false;
}

bool clean_job_wait(struct journal *j)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	uint64_t end = clock_monotonic_ns() + SLOW_NS;
	struct clean_job *job;
	bool busy;

	for (;;) {
		job = job_free(j, &busy);
		if (job)
			return true;
		if (!busy && (clock_monotonic_ns() > end || !jobs_are_slow(j)))
			return false;
		nanosleep(&moment, NULL);
	}
}

bool clean_job_has(const struct journal *j, const struct segment *segment)
{
	uint32_t i;

	for (i = 0; i < CLEAN_JOBS; i++)
		if ((uint32_t)atomic_load(&j->shared->clean[i].cleaning) == segment->number + 1)
			return true;
	return false;
}
