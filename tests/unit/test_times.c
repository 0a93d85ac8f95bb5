/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The histograms of times against exact percentiles, what they count against exact
 * counts, and what a killed process leaves.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "txn/journal_impl.h"
#include "txn/times.h"

/* ---- buckets ------------------------------------------------------------------------ */

static uint64_t dice = 1;

static uint64_t draw(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice;
}

static void a_value_is_in_its_bucket(uint64_t value)
{
	unsigned int bucket = histogram_bucket(value);

	assert_in_range(bucket, 0, HISTOGRAM_BUCKETS - 1);
	assert_true(histogram_from(bucket) <= value);
	assert_true(value < histogram_from(bucket + 1));
	/* no wider than a sixteenth */
	assert_true(histogram_from(bucket + 1) - histogram_from(bucket) <=
		    (value < 16 ? 1 : value / 16));
}

static void every_value_has_its_bucket(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		a_value_is_in_its_bucket(i);
		a_value_is_in_its_bucket((draw() >> 24) >> draw() % 40);
	}
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		assert_int_equal(histogram_bucket(histogram_from(i)), i);
		assert_int_equal(histogram_bucket(histogram_from(i + 1) - 1), i);
		assert_int_equal(journal_times_from(i), histogram_from(i));
	}
	assert_int_equal(journal_times_from(HISTOGRAM_BUCKETS), 1ull << 40);
	assert_int_equal(journal_times_from(HISTOGRAM_BUCKETS + 7), 1ull << 40);
	/* what is too large is counted all the same */
	assert_int_equal(histogram_bucket(1ull << 40), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

/* ---- percentiles -------------------------------------------------------------------- */

#define VALUES 20000

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void add(struct journal_times *times, uint64_t value)
{
	times->bucket[histogram_bucket(value)]++;
	times->count++;
	times->sum_ns += value;
}

static void percentiles_of(uint64_t (*make)(void))
{
	static const double percents[] = { 0.01, 1, 10, 25, 50, 75, 90, 99, 99.9, 99.99, 100 };
	static uint64_t values[VALUES];
	struct journal_times *times = calloc(1, sizeof(*times));
	uint64_t exact, got;
	unsigned int i;

	assert_non_null(times);
	for (i = 0; i < VALUES; i++) {
		values[i] = make();
		add(times, values[i]);
	}
	qsort(values, VALUES, sizeof(values[0]), by_size);
	for (i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		exact = values[(size_t)ceil(VALUES * percents[i] / 100) - 1];
		got = journal_times_percentile(times, percents[i]);
		if (got > exact + exact / 32 + 1 || got + exact / 32 + 1 < exact)
			fail_msg("p%g: %" PRIu64 ", and exactly %" PRIu64, percents[i], got, exact);
	}
	free(times);
}

/* The longest is in the lower half of its bucket: none of the percentiles is longer. */
static void no_percentile_is_above_the_longest(void **state)
{
	static const double percents[] = { 50, 99, 99.9, 100 };
	struct journal_times *times = calloc(1, sizeof(*times));
	unsigned int i;

	(void)state;
	assert_non_null(times);
	for (i = 0; i < 100; i++)
		add(times, 1 << 20);
	for (i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
		assert_true(journal_times_percentile(times, percents[i]) > 1 << 20);
	times->max_ns = 1 << 20;
	for (i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
		assert_int_equal(journal_times_percentile(times, percents[i]), 1 << 20);
	free(times);
}

static uint64_t small(void) { return draw() % 40; }
static uint64_t even(void) { return draw() % 1000000; }
static uint64_t one(void) { return 150; }
static uint64_t log_even(void) { return (draw() >> 25) >> draw() % 36; }
static uint64_t two_peaks(void) { return draw() % 100 ? 140 + draw() % 10 : 5000000; }
static uint64_t none(void) { return 0; }

static void percentiles_are_near_the_exact_ones(void **state)
{
	struct journal_times *empty = calloc(1, sizeof(*empty));

	(void)state;
	percentiles_of(small);
	percentiles_of(even);
	percentiles_of(one);
	percentiles_of(log_even);
	percentiles_of(two_peaks);
	percentiles_of(none);
	assert_non_null(empty);
	assert_int_equal(journal_times_percentile(empty, 50), 0);
	free(empty);
}

static void a_difference_is_what_came_between(void **state)
{
	struct journal_times *times = calloc(2, sizeof(*times));
	unsigned int i;

	(void)state;
	assert_non_null(times);
	for (i = 0; i < 1000; i++)
		add(&times[0], 7);
	times[1] = times[0];
	for (i = 0; i < 10; i++)
		add(&times[1], 900);
	times[1].max_ns = 900;
	journal_times_since(&times[1], &times[0]);
	assert_int_equal(times[1].count, 10);
	assert_int_equal(times[1].sum_ns, 9000);
	assert_int_equal(times[1].max_ns, 0);
	assert_int_equal(times[1].bucket[7], 0);
	assert_in_range(journal_times_percentile(&times[1], 1), 872, 928);
	free(times);
}

/* ---- what is counted ---------------------------------------------------------------- */

#define CALLS 32000u

static struct journal_times *times_of(struct journal *j, enum journal_timed which)
{
	struct journal_times *times = malloc(sizeof(*times));
	uint64_t calls = 0;
	unsigned int i;

	assert_non_null(times);
	assert_int_equal(journal_times(j, which, times), 0);
	for (i = 0; i < JOURNAL_TIME_BUCKETS; i++)
		calls += times->bucket[i];
	assert_int_equal(times->count, calls);
	assert_true(times->sum_ns >= times->max_ns);
	/* no bucket is above that of the longest */
	for (i = histogram_bucket(times->max_ns) + 1; i < JOURNAL_TIME_BUCKETS; i++)
		assert_int_equal(times->bucket[i], 0);
	return times;
}

static uint64_t count_of(struct journal *j, enum journal_timed which)
{
	struct journal_times *times = times_of(j, which);
	uint64_t count = times->count;

	free(times);
	return count;
}

static void put_and_retire(struct bed *bed, uint32_t calls)
{
	struct journal_receipt receipt;
	size_t got;
	char text[5];
	uint32_t i;

	for (i = 0; i < calls; i++) {
		assert_int_equal(journal_put(bed->j, "a text", 5, &receipt), 0);
		assert_int_equal(journal_read(bed->j, receipt.id, text, 5, &got), 0);
		assert_int_equal(journal_retire(bed->j, receipt.id), 0);
	}
}

/* The estimates: 1,000 were timed, give or take 18; so a fifth is never missed. */
static void quick_calls_are_estimated(enum bed_medium medium)
{
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	put_and_retire(&bed, CALLS);
	assert_int_equal(bed_info(&bed).commits_staged, CALLS);
	assert_int_equal(bed_info(&bed).payload_bytes, 5 * CALLS);
	/* staged, retire, read; together: each is drawn from the same countdown */
	assert_in_range(count_of(bed.j, JOURNAL_TIMED_STAGED), CALLS * 8 / 10, CALLS * 12 / 10);
	assert_in_range(count_of(bed.j, JOURNAL_TIMED_RETIRE), CALLS * 8 / 10, CALLS * 12 / 10);
	assert_in_range(count_of(bed.j, JOURNAL_TIMED_READ), CALLS * 8 / 10, CALLS * 12 / 10);
	assert_int_equal(count_of(bed.j, JOURNAL_TIMED_SYNCED), 0);
	bed_remove(&bed);
}

static void group_of_two(struct journal *j)
{
	struct journal_txn *txn;

	assert_int_equal(journal_begin(j, NULL, &txn), 0);
	assert_int_equal(journal_append(txn, "one", 3), 0);
	assert_int_equal(journal_group_next(txn), 0);
	assert_int_equal(journal_append(txn, "two", 3), 0);
	assert_int_equal(journal_commit(txn, NULL), 0);
}

/* What waits for the disk is counted exactly. */
static void slow_calls_are_all_timed(enum bed_medium medium)
{
	enum journal_path path = medium == BED_FILE ? JOURNAL_PATH_SYNCED : JOURNAL_PATH_DIRECT;
	struct journal_receipt receipt[20];
	struct model model;
	struct bed bed;
	uint8_t text[100];
	size_t got;
	uint32_t i;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	for (i = 0; i < 20; i++) {
		assert_int_equal(bed_put(&bed, &model, 100, i, path, &receipt[i]), 0);
		assert_int_equal(journal_read(bed.j, receipt[i].id, text, 100, &got), 0);
	}
	assert_int_equal(count_of(bed.j, path == JOURNAL_PATH_SYNCED ? JOURNAL_TIMED_SYNCED :
								       JOURNAL_TIMED_DIRECT), 20);
	assert_int_equal(count_of(bed.j, JOURNAL_TIMED_READ), 20);
	assert_true(count_of(bed.j, JOURNAL_TIMED_FLUSH) >= 20);
	assert_int_equal(bed_info(&bed).payload_bytes, 2000);
	assert_int_equal(count_of(bed.j, JOURNAL_TIMED_GROUP), 0);
	if (medium == BED_FILE) {
		assert_int_equal(journal_retire(bed.j, receipt[0].id), 0);
		assert_int_equal(count_of(bed.j, JOURNAL_TIMED_RETIRE), 1);
		group_of_two(bed.j);
		assert_int_equal(count_of(bed.j, JOURNAL_TIMED_GROUP), 1);
	}
	model_free(&model);
	bed_remove(&bed);
}

/* What is destaged is no new payload; and who waits for that, and it itself, are timed. */
static void destaging_and_room_are_timed(enum bed_medium medium)
{
	struct journal_info info;
	struct bed bed;
	uint8_t *payload = bed_payload(4096, 1);
	uint64_t puts = 0;

	bed_make(&bed, medium, 0, 0);
	do {
		assert_int_equal(journal_put(bed.j, payload, 4096, NULL), 0);
		puts++;
		info = bed_info(&bed);
		assert_int_equal(info.payload_bytes, puts * 4096);
	} while (!info.destaged);
	assert_true(count_of(bed.j, JOURNAL_TIMED_DESTAGE) > 0);
	assert_true(count_of(bed.j, JOURNAL_TIMED_ROOM) > 0);
	free(payload);
	bed_remove(&bed);
}

static void what_there_is_not_is_refused(enum bed_medium medium)
{
	struct journal_times times;
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	assert_int_equal(journal_times(bed.j, JOURNAL_TIMED, &times), -EINVAL);
	assert_int_equal(journal_times(bed.j, (enum journal_timed)-1, &times), -EINVAL);
	assert_null(journal_times_name(JOURNAL_TIMED));
	assert_string_equal(journal_times_name(JOURNAL_TIMED_STAGED), "staged");
	assert_string_equal(journal_times_name(JOURNAL_TIMED_ROOM), "room");
	bed_remove(&bed);
}

/* ---- processes ---------------------------------------------------------------------- */

static void child_works(const char *dir)
{
	struct journal *j;
	struct journal_receipt receipt;
	uint32_t i;

	if (journal_open(dir, NULL, &j))
		_exit(1);
	for (i = 0; i < 50; i++)
		if (journal_put(j, "a text", 5, &receipt))
			_exit(2);
	(void)raise(SIGKILL);
	_exit(3);
}

/* Of a process that was killed: its commits, its times, and what it wrote to the log. */
static void the_deads_numbers_stay(enum bed_medium medium)
{
	struct journal_info before, after;
	struct bed bed;
	pid_t pid;

	bed_make(&bed, medium, 0, 0);
	before = bed_info(&bed);
	pid = child_fork();
	if (!pid)
		child_works(bed.dir);
	child_ends(pid, SIGKILL);
	after = bed_info(&bed);
	assert_int_equal(after.commits_synced, 50);
	assert_int_equal(after.payload_bytes, 250);
	assert_int_equal(count_of(bed.j, JOURNAL_TIMED_SYNCED), 50);
	/* each of its commits is a write, and durable in one way or another */
	assert_true(after.log_writes - before.log_writes >= 50);
	assert_true(after.log_bytes_written - before.log_bytes_written >= 50 * 512);
	assert_true(after.log_dsyncs + after.log_unsynced + after.log_flushes + after.log_merged -
		    before.log_dsyncs - before.log_unsynced - before.log_flushes -
		    before.log_merged >= 50);
	assert_int_equal(after.since_ns, before.since_ns);
	bed_remove(&bed);
}

/* A reader beside a writer sees its numbers, and adds none. */
static void a_reader_sees_them(enum bed_medium medium)
{
	const struct journal_open_options options = { .flags = JOURNAL_RDONLY };
	struct journal_receipt receipt;
	struct journal_info info;
	struct journal *reader;
	struct bed bed;
	char text[5];
	size_t got;

	bed_make(&bed, medium, 0, 0);
	assert_int_equal(journal_put(bed.j, "a text", 5, &receipt), 0);
	assert_int_equal(journal_open(bed.dir, &options, &reader), 0);
	assert_int_equal(journal_read(reader, receipt.id, text, 5, &got), 0);
	assert_int_equal(count_of(reader, JOURNAL_TIMED_SYNCED), 1);
	assert_int_equal(count_of(reader, JOURNAL_TIMED_READ), 0);
	assert_int_equal(journal_info(reader, &info), 0);
	assert_int_equal(info.log_writes, bed_info(&bed).log_writes);
	assert_int_equal(info.log_reads, bed_info(&bed).log_reads);
	assert_int_equal(journal_close(reader), 0);
	bed_remove(&bed);
}

int main(void)
{
	static const struct CMUnitTest histograms[] = {
		cmocka_unit_test(every_value_has_its_bucket),
		cmocka_unit_test(percentiles_are_near_the_exact_ones),
		cmocka_unit_test(no_percentile_is_above_the_longest),
		cmocka_unit_test(a_difference_is_what_came_between),
	};
	static const struct bed_test tests[] = {
		{ "quick calls are estimated", quick_calls_are_estimated, 1u << BED_PMEM },
		{ "slow calls are all timed", slow_calls_are_all_timed,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "destaging and room are timed", destaging_and_room_are_timed, 1u << BED_PMEM },
		{ "what there is not is refused", what_there_is_not_is_refused, 1u << BED_FILE },
		{ "the dead's numbers stay", the_deads_numbers_stay, 1u << BED_FILE },
		{ "a reader sees them", a_reader_sees_them, 1u << BED_FILE },
	};
	int failed = cmocka_run_group_tests(histograms, NULL, NULL);

	return bed_run(tests, sizeof(tests) / sizeof(tests[0])) || failed;
}
