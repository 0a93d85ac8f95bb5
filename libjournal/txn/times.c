/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/times.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "txn/logs.h"

_Static_assert(HISTOGRAM_BUCKETS == JOURNAL_TIME_BUCKETS, "as the header says");

uint32_t times_shards(void)
{
	long processors = sysconf(_SC_NPROCESSORS_CONF);
	uint32_t shards = 1;

	while (shards < TIMES_SHARDS_MAX && (long)shards < processors)
		shards *= 2;
	return shards;
}

/* ---- recording ------------------------------------------------------------- */

uint64_t times_draw(struct times_shard *shard)
{
	uint32_t dice = atomic_load_explicit(&shard->dice, memory_order_relaxed);

	/* any full-period generator does: the high bits are random enough */
	dice = dice * 1664525u + 1013904223u;
	atomic_store_explicit(&shard->dice, dice, memory_order_relaxed);
	/* so many are left out: 0 to 62, 31 on average, and one is timed */
	atomic_store_explicit(&shard->left,
			      (uint32_t)((uint64_t)dice * (2 * TIMES_EVERY - 1) >> 32),
			      memory_order_relaxed);
	return clock_monotonic_ns();
}

void times_record(struct journal *j, enum journal_timed which, uint64_t ns, uint32_t weight)
{
	struct times_kind *kind = &times_shard(j)->kind[which];
	uint64_t max = atomic_load_explicit(&kind->max_ns, memory_order_relaxed);

	atomic_fetch_add_explicit(&kind->bucket[histogram_bucket(ns)], weight,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&kind->sum_ns, ns * weight, memory_order_relaxed);
	while (ns > max && !atomic_compare_exchange_weak(&kind->max_ns, &max, ns))
		;
}

int times_write(struct journal *j, uint32_t log, struct log_io *io, unsigned int count,
		bool durable)
{
	uint64_t began = durable ? clock_monotonic_ns() : 0;
	int error = log_store_write(logs_at(j, log), io, count, durable);

	if (durable && !error)
		times_end(j, JOURNAL_TIMED_FLUSH, began);
	return error;
}

int times_flush(struct journal *j, uint32_t log)
{
	uint64_t began = clock_monotonic_ns();
	int error = log_store_flush(logs_at(j, log));

	if (!error)
		times_end(j, JOURNAL_TIMED_FLUSH, began);
	return error;
}

/* ---- looking --------------------------------------------------------------- */

static void times_add(struct journal_times *times, const struct times_kind *kind)
{
	uint64_t calls, max = atomic_load_explicit(&kind->max_ns, memory_order_relaxed);
	uint32_t i;

	times->sum_ns += atomic_load_explicit(&kind->sum_ns, memory_order_relaxed);
	times->max_ns = max_u64(times->max_ns, max);
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		calls = atomic_load_explicit(&kind->bucket[i], memory_order_relaxed);
		times->bucket[i] += calls;
		times->count += calls;
	}
}

int journal_times(struct journal *j, enum journal_timed which, struct journal_times *times)
{
	uint32_t i;

	memset(times, 0, sizeof(*times));
	if (journal_is_childs(j))
		return journal_childs(j);
	if ((unsigned int)which >= JOURNAL_TIMED)
		return journal_say(j, -EINVAL, "%d: nothing that is timed", (int)which);
	for (i = 0; i <= j->times_mask; i++)
		times_add(times, &j->times[i].kind[which]);
	return 0;
}

void journal_times_since(struct journal_times *now, const struct journal_times *before)
{
	uint32_t i;

	now->count -= before->count;
	now->sum_ns -= before->sum_ns;
	now->max_ns = 0;
	for (i = 0; i < JOURNAL_TIME_BUCKETS; i++)
		now->bucket[i] -= before->bucket[i];
}

uint64_t journal_times_percentile(const struct journal_times *times, double percent)
{
	double wanted = (double)times->count * percent / 100;
	uint64_t calls = 0, middle;
	uint32_t i, last = 0;

	if (!times->count)
		return 0;
	for (i = 0; i < JOURNAL_TIME_BUCKETS; i++) {
		if (!times->bucket[i])
			continue;
		last = i;
		calls += times->bucket[i];
		if ((double)calls >= wanted)
			break;
	}
	middle = (histogram_from(last) + histogram_from(last + 1) - (last < HISTOGRAM_STEPS)) / 2;
	/* the longest may be in the lower half of its bucket */
	return times->max_ns ? min_u64(middle, times->max_ns) : middle;
}

uint64_t journal_times_from(unsigned int bucket)
{
	return histogram_from(bucket < JOURNAL_TIME_BUCKETS ? bucket : JOURNAL_TIME_BUCKETS);
}

const char *journal_times_name(enum journal_timed which)
{
	static const char *const names[JOURNAL_TIMED] = {
		"staged", "direct", "synced", "group", "retire", "read", "destage", "flush", "room",
	};

	return (unsigned int)which < JOURNAL_TIMED ? names[which] : NULL;
}
