/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib_samples.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* nearest rank: the smallest sample that @fraction of all do not exceed */
static double percentile(const uint64_t *sorted, size_t count, double fraction)
{
	size_t rank = (size_t)(fraction * (double)count);

	if (!count)
		return 0;
	if ((double)rank < fraction * (double)count)
		rank++;
	return (double)sorted[rank ? rank - 1 : 0];
}

double median(double *values, size_t count)
{
	if (!count)
		return 0;
	qsort(values, count, sizeof(*values), compare_double);
	if (count % 2)
		return values[count / 2];
	return (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void *touched(size_t count, size_t size)
{
	void *memory = malloc(count * size);

	if (memory)
		memset(memory, 1, count * size);
	return memory;
}

int samples_init(struct samples *samples, size_t room, size_t slices)
{
	*samples = (struct samples){ .room = room, .slice_room = slices };
	samples->ns = touched(room, sizeof(*samples->ns));
	samples->p50 = touched(slices, sizeof(double));
	samples->p90 = touched(slices, sizeof(double));
	samples->per_s = touched(slices, sizeof(double));
	samples->pace = touched(slices, sizeof(*samples->pace));
	if (samples->ns && samples->p50 && samples->p90 && samples->per_s && samples->pace)
		return 0;
	samples_free(samples);
	return -ENOMEM;
}

void samples_free(struct samples *samples)
{
	free(samples->ns);
	free(samples->p50);
	free(samples->p90);
	free(samples->per_s);
	free(samples->pace);
	*samples = (struct samples){ 0 };
}

int samples_slice(struct samples *samples, uint64_t *ns, size_t count, double per_s)
{
	size_t slice = samples->slices;

	if (!count)
		return 0;
	if (count > samples->room - samples->count || slice == samples->slice_room)
		return -ENOSPC;
	qsort(ns, count, sizeof(*ns), compare_u64);
	samples->p50[slice] = percentile(ns, count, 0.50);
	samples->p90[slice] = percentile(ns, count, 0.90);
	samples->per_s[slice] = per_s;
	samples->pace[slice] = 0;
	memcpy(samples->ns + samples->count, ns, count * sizeof(*ns));
	samples->count += count;
	samples->slices++;
	return 0;
}

void samples_pace(struct samples *samples, uint64_t pace)
{
	if (samples->slices)
		samples->pace[samples->slices - 1] = pace;
}

#define KEPT_AT_LEAST 10u

size_t samples_leave_slow(struct samples *samples, uint64_t limit)
{
	size_t i, kept = 0, slices = samples->slices;

	for (i = 0; i < slices; i++)
		kept += samples->pace[i] <= limit;
	if (kept < KEPT_AT_LEAST)
		return 0;
	for (i = 0, kept = 0; i < slices; i++) {
		if (samples->pace[i] > limit)
			continue;
		samples->p50[kept] = samples->p50[i];
		samples->p90[kept] = samples->p90[i];
		samples->per_s[kept] = samples->per_s[i];
		samples->pace[kept] = samples->pace[i];
		kept++;
	}
	samples->slices = kept;
	return slices - kept;
}

void samples_summarize(struct samples *samples, uint32_t batch,
		       struct samples_summary *summary)
{
	const uint64_t *ns = samples->ns;
	size_t n = samples->count;

	qsort(samples->ns, n, sizeof(*ns), compare_u64);
	*summary = (struct samples_summary){
		.n = n,
		.p50_ns = median(samples->p50, samples->slices) / batch,
		.p90_ns = median(samples->p90, samples->slices) / batch,
		.p99_ns = percentile(ns, n, 0.99) / batch,
		.p999_ns = percentile(ns, n, 0.999) / batch,
		.p9999_ns = percentile(ns, n, 0.9999) / batch,
		.max_ns = n ? (double)ns[n - 1] / batch : 0,
		.per_s = median(samples->per_s, samples->slices),
	};
}
