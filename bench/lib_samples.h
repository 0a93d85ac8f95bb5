/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Samples of one row.  Every sample is kept, so percentiles are exact.  p50,
 * p90 and the rate are medians over the slices, which one slice full of noise
 * cannot move; p99 and above, and the maximum, are over all samples, since the
 * noise is what they are about.  A sample above a slice median of p90 is in at
 * least a twentieth of everything, so p90 <= p99 holds all the same.
 */
#ifndef BENCH_LIB_SAMPLES_H
#define BENCH_LIB_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples {
	uint64_t *ns;        /* all samples */
	size_t count, room;
	double *p50, *p90, *per_s; /* one per slice */
	uint64_t *pace; /* one per slice: how long fixed work took beside it; 0: not asked */
	size_t slices, slice_room;
};

struct samples_summary {
	size_t n;
	double p50_ns, p90_ns, p99_ns, p999_ns, p9999_ns, max_ns, per_s;
};

/* Room for @room samples in @slices slices, touched so that no page fault is
 * measured later.  Return: 0 or -ENOMEM. */
int samples_init(struct samples *samples, size_t room, size_t slices);
void samples_free(struct samples *samples);
/* Add a slice; sorts @ns in place.  What exceeds the room is -ENOSPC. */
int samples_slice(struct samples *samples, uint64_t *ns, size_t count, double per_s);
/* The last slice was measured at @pace. */
void samples_pace(struct samples *samples, uint64_t pace);
/* Slices at a pace above @limit are in no median any more, unless hardly any would be left;
 * all samples stay.  Return: how many went. */
size_t samples_leave_slow(struct samples *samples, uint64_t limit);
/* @batch: transactions per sample, the latencies are divided by it */
void samples_summarize(struct samples *samples, uint32_t batch,
		       struct samples_summary *summary);

double median(double *values, size_t count);

#endif
