/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * A log that is kept nine tenths full while many times its size goes through it, and
 * one transaction in 500 lives for ever.  It must never refuse one, lose one, or
 * write much more than it is given.
 *
 *   AGING_TIMES=100 AGING_MIB=1024 SEED=7 build/tests/integration/test_aging
 *
 * AGING_BYTES_MIN and _MAX say how large payloads are.
 *
 * Full is what the empty log takes until it says so.  TMPDIR says where it lies.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/bed.h"

#define IMMORTAL   500u /* one in so many */
#define GROUP      64u
#define BYTES_MAX  32768u

struct aged {
	uint64_t id, seed;
	uint32_t bytes, space;
};

struct aging {
	struct bed bed;
	uint64_t random;
	uint64_t written; /* bytes of payload */
	uint64_t live;    /* bytes of the log, about: space_of() */
	struct aged *young;     /* a queue: the oldest is retired first */
	size_t first, last, young_room;
	struct aged *old;       /* the immortal */
	size_t old_count, old_room;
	uint64_t full_bytes;
	uint32_t bytes_min, bytes_max, group;
	enum journal_path path;
	bool retire_records;
};

static uint64_t from_environment(const char *name, uint64_t usual)
{
	const char *given = getenv(name);

	return given && *given ? strtoull(given, NULL, 0) : usual;
}

static uint64_t draw(struct aging *a)
{
	a->random = a->random * 6364136223846793005ull + 1442695040888963407ull;
	return a->random >> 33;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void keep(struct aged **all, size_t *count, size_t *room, const struct aged *one)
{
	if (*count == *room) {
		*room = *room ? *room * 2 : 1024;
		*all = realloc(*all, *room * sizeof(**all));
		assert_non_null(*all);
	}
	(*all)[(*count)++] = *one;
}

/*
 * What one takes in the log: its share of a record, of the table, and where retires are
 * records, of one of those.  One that lives for ever is moved, and then is alone.
 */
static uint32_t space_of(uint32_t bytes, uint32_t group, bool retire_records)
{
	const uint32_t header = 96, place = 8, retire = retire_records ? 24 + 96 / 64 : 0;

	if (group == 1)
		return (header + bytes + 31) / 32 * 32 + 2 * place;
	return header / group + 4 + bytes + place + retire;
}

/* Put some, as one group; Return: as journal_commit(). */
static int put_some(struct aging *a, uint32_t count)
{
	struct journal_txn_options options = { .path = a->path };
	static uint8_t payload[BYTES_MAX];
	struct journal_receipt receipt;
	struct aged some[GROUP];
	struct journal_txn *txn;
	uint32_t i;
	int error = journal_begin(a->bed.j, &options, &txn);

	if (error)
		return error;
	for (i = 0; i < count && !error; i++) {
		some[i].seed = draw(a) << 20 | i;
		some[i].bytes = a->bytes_min +
				(uint32_t)(draw(a) % (a->bytes_max - a->bytes_min));
		bed_fill(payload, some[i].bytes, some[i].seed);
		error = i ? journal_group_next(txn) : 0;
		if (!error)
			error = journal_append(txn, payload, some[i].bytes);
	}
	if (error)
		journal_abort(txn);
	else
		error = journal_commit(txn, &receipt);
	for (i = 0; i < count && !error; i++) {
		some[i].id = receipt.id + i;
		a->written += some[i].bytes;
		if (a->full_bytes && draw(a) % IMMORTAL == 0) {
			some[i].space = space_of(some[i].bytes, 1, false);
			a->live += some[i].space;
			keep(&a->old, &a->old_count, &a->old_room, &some[i]);
			continue;
		}
		some[i].space = space_of(some[i].bytes, count, a->retire_records);
		a->live += some[i].space;
		keep(&a->young, &a->last, &a->young_room, &some[i]);
	}
	return error;
}

static void retire_down_to(struct aging *a, uint64_t bytes)
{
	uint64_t ids[512];
	size_t count;

	while (a->live > bytes && a->first < a->last) {
		for (count = 0; count < 512 && a->live > bytes && a->first < a->last; count++) {
			ids[count] = a->young[a->first].id;
			a->live -= a->young[a->first++].space;
		}
		assert_int_equal(journal_retire_many(a->bed.j, ids, count, NULL), 0);
	}
	if (a->first < a->young_room / 2)
		return;
	memmove(a->young, a->young + a->first, (a->last - a->first) * sizeof(*a->young));
	a->last -= a->first;
	a->first = 0;
}

/* What the empty log takes, without a stage beside it. */
static void measure_full(struct aging *a)
{
	int error;

	a->path = JOURNAL_PATH_SYNCED;
	while (!(error = put_some(a, a->bytes_max > 4096 ? 4 : GROUP)))
		;
	assert_int_equal(error, -ENOSPC);
	a->path = JOURNAL_PATH_AUTO;
	a->full_bytes = a->live;
	retire_down_to(a, a->full_bytes / 10 * 9);
}

static void age(struct aging *a, uint64_t times)
{
	uint64_t tenth = bed_info(&a->bed).segments * bed_info(&a->bed).segment_bytes / 10 * times,
		 end, i;
	struct journal_info before = bed_info(&a->bed), after;
	double rate[10], start;
	int error;

	for (i = 0; i < 10; i++) {
		start = now();
		for (end = a->written + tenth; a->written < end;) {
			/* some at a time, as many who retire together do */
			if (a->live > a->full_bytes / 100 * 90)
				retire_down_to(a, a->full_bytes / 100 * 89);
			error = put_some(a, a->group);
			if (error)
				print_error("after %" PRIu64 " bytes: %s\n", a->written,
					    journal_error(a->bed.j));
			assert_int_equal(error, 0);
		}
		rate[i] = (double)tenth / (now() - start) / 1e6;
	}
	after = bed_info(&a->bed);
	after.log_payload_bytes -= before.log_payload_bytes;
	after.moved_bytes -= before.moved_bytes;
	after.lines_cleaned -= before.lines_cleaned;
	printf("# %" PRIu64 " MB payload through a log of %" PRIu64 " MB: %" PRIu64 " segments "
	       "cleaned (%" PRIu64 " left), %" PRIu64 " transactions moved, %" PRIu64 " lines "
	       "cleaned (%" PRIu64 " left), write amplification %.3f; first tenth %.0f MB/s, "
	       "last %.0f\n", 10 * tenth / 1000000,
	       before.segments * before.segment_bytes / 1000000, after.cleaned - before.cleaned,
	       after.cleaned_not - before.cleaned_not, after.moved - before.moved,
	       after.lines_cleaned, after.lines_cleaned_not - before.lines_cleaned_not,
	       (double)(after.log_payload_bytes + after.moved_bytes) /
		       (double)after.log_payload_bytes, rate[0], rate[9]);
	assert_true(after.cleaned > before.cleaned);
	/* write amplification under 1.3 */
	assert_true(after.moved_bytes * 10 < after.log_payload_bytes * 3);
}

/* All that lives, and nothing else. */
static void verify(struct aging *a)
{
	struct model model;
	size_t i;

	model_make(&model);
	for (i = a->first; i < a->last; i++)
		model_add(&model, a->young[i].id, a->young[i].bytes, a->young[i].seed);
	for (i = 0; i < a->old_count; i++)
		model_add(&model, a->old[i].id, a->old[i].bytes, a->old[i].seed);
	model_verify(&model, a->bed.j);
	model_verify_reopened(&model, &a->bed);
	model_free(&model);
}

static void stays_healthy_with(enum bed_medium medium, uint32_t log_mib, uint32_t bytes_min,
			       uint32_t bytes_max)
{
	struct aging a = { .random = from_environment("SEED", 1) };
	uint64_t share = from_environment("TEST_SHARE", 1);
	/* of large ones, since those take less time */
	uint64_t often = bytes_max > 4096 ? 10 : 4;
	uint64_t times = from_environment("AGING_TIMES", share > 4 ? 2 : often / share);

	printf("# SEED=%" PRIu64 " AGING_TIMES=%" PRIu64 "\n", a.random, times);
	a.bytes_min = (uint32_t)from_environment("AGING_BYTES_MIN", bytes_min);
	a.bytes_max = (uint32_t)from_environment("AGING_BYTES_MAX", bytes_max);
	assert_true(a.bytes_min < a.bytes_max && a.bytes_max <= BYTES_MAX);
	a.group = medium != BED_FILE ? 1 : a.bytes_max > 4096 ? 4 : GROUP;
	a.retire_records = medium == BED_FILE;
	bed_make(&a.bed, medium, from_environment("AGING_MIB", log_mib) << 20, 16u << 20);
	measure_full(&a);
	age(&a, times);
	verify(&a);
	bed_remove(&a.bed);
	free(a.young);
	free(a.old);
}

static void stays_healthy(enum bed_medium medium)
{
	stays_healthy_with(medium, 48, 500, BYTES_MAX);
}

/* Of small ones a segment's survivors are of so many lines that its summary has no room
 * for all of them, unless they get new slots together. */
static void stays_healthy_with_small_ones(enum bed_medium medium)
{
	stays_healthy_with(medium, 64, 100, 900);
}

/*
 * The log is nearly empty, and there is an immortal for each line that there is, and
 * more: without moving them lines run out (P2).
 */
static void p2_survivors_pin_no_lines(enum bed_medium medium)
{
	struct aging a = { .random = from_environment("SEED", 1), .full_bytes = 1 };
	struct journal_info info;
	uint64_t i, times = from_environment("TEST_SHARE", 1) > 4 ? 2 : 4;

	bed_make(&a.bed, medium, 16u << 20, 0);
	a.bytes_min = 10;
	a.bytes_max = 100;
	a.group = GROUP;
	info = bed_info(&a.bed);
	for (i = 0; i < times * info.lines * 512 / GROUP; i++) {
		assert_int_equal(put_some(&a, a.group), 0);
		retire_down_to(&a, 10000);
	}
	info = bed_info(&a.bed);
	printf("# %zu live for ever, of %" PRIu64 " in %" PRIu32 " lines: %" PRIu64 " lines "
	       "cleaned (%" PRIu64 " left), %" PRIu32 " are free\n", a.old_count, i * GROUP,
	       info.lines, info.lines_cleaned, info.lines_cleaned_not, info.lines_free);
	assert_true(a.old_count > info.lines);
	/* on a file what is retired fills the log, and segments are cleaned, with the same
	 * effect */
	if (medium != BED_FILE)
		assert_true(info.lines_cleaned > (times > 2 ? info.lines / 2 : 0));
	assert_int_equal(info.retires + info.live, i * GROUP);
	verify(&a);
	bed_remove(&a.bed);
	free(a.young);
	free(a.old);
}

int main(void)
{
	const struct bed_test tests[] = {
		{ "90 % full, for long", stays_healthy, 1u << BED_FILE | 1u << BED_PMEM },
		{ "90 % full of small ones", stays_healthy_with_small_ones,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "P2: survivors pin no lines", p2_survivors_pin_no_lines,
		  1u << BED_FILE | 1u << BED_PMEM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
