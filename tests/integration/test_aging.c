/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * A log that is kept nine tenths full while many times its size goes through it, and
 * one transaction in 500 lives for ever.  It must never refuse one, lose one, or
 * write much more than it is given.
 *
 *   AGING_TIMES=100 AGING_MIB=1024 SEED=7 build/tests/integration/test_aging
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
#define GROUP      4u
#define BYTES_MAX  32768u

struct aged {
	uint64_t id, seed;
	uint32_t bytes;
};

struct aging {
	struct bed bed;
	uint64_t random;
	uint64_t written, live; /* bytes of payload */
	struct aged *young;     /* a queue: the oldest is retired first */
	size_t first, last, young_room;
	struct aged *old;       /* the immortal */
	size_t old_count, old_room;
	uint64_t full_bytes;
	bool staged;
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

/* Put some, as one group; Return: as journal_commit(). */
static int put_some(struct aging *a, uint32_t count)
{
	static uint8_t payload[BYTES_MAX];
	struct journal_receipt receipt;
	struct aged some[GROUP];
	struct journal_txn *txn;
	uint32_t i;
	int error = journal_begin(a->bed.j, NULL, &txn);

	if (error)
		return error;
	for (i = 0; i < count && !error; i++) {
		some[i].seed = draw(a) << 20 | i;
		some[i].bytes = 500 + (uint32_t)(draw(a) % (BYTES_MAX - 500));
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
		a->live += some[i].bytes;
		if (a->full_bytes && draw(a) % IMMORTAL == 0)
			keep(&a->old, &a->old_count, &a->old_room, &some[i]);
		else
			keep(&a->young, &a->last, &a->young_room, &some[i]);
	}
	return error;
}

static void retire_down_to(struct aging *a, uint64_t bytes)
{
	uint64_t ids[64];
	size_t count;

	while (a->live > bytes && a->first < a->last) {
		for (count = 0; count < 64 && a->live > bytes && a->first < a->last; count++) {
			ids[count] = a->young[a->first].id;
			a->live -= a->young[a->first++].bytes;
		}
		assert_int_equal(journal_retire_many(a->bed.j, ids, count, NULL), 0);
	}
	if (a->first < a->young_room / 2)
		return;
	memmove(a->young, a->young + a->first, (a->last - a->first) * sizeof(*a->young));
	a->last -= a->first;
	a->first = 0;
}

/* What the empty log takes. */
static void measure_full(struct aging *a)
{
	int error;

	while (!(error = put_some(a, GROUP)))
		;
	assert_int_equal(error, -ENOSPC);
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
			retire_down_to(a, a->full_bytes / 10 * 9);
			error = put_some(a, a->staged ? 1 : GROUP);
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
	printf("# %" PRIu64 " MB payload through a log of %" PRIu64 " MB: %" PRIu64 " segments "
	       "cleaned (%" PRIu64 " left), %" PRIu64 " transactions moved, write amplification "
	       "%.3f; first tenth %.0f MB/s, last %.0f\n", 10 * tenth / 1000000,
	       before.segments * before.segment_bytes / 1000000, after.cleaned - before.cleaned,
	       after.cleaned_not - before.cleaned_not, after.moved - before.moved,
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

static void stays_healthy(enum bed_medium medium)
{
	struct aging a = { .random = from_environment("SEED", 1) };
	uint64_t share = from_environment("TEST_SHARE", 1);
	uint64_t times = from_environment("AGING_TIMES", share > 4 ? 2 : 10 / share);

	printf("# SEED=%" PRIu64 " AGING_TIMES=%" PRIu64 "\n", a.random, times);
	a.staged = medium != BED_FILE;
	bed_make(&a.bed, medium, from_environment("AGING_MIB", 48) << 20, 16u << 20);
	measure_full(&a);
	age(&a, times);
	verify(&a);
	bed_remove(&a.bed);
	free(a.young);
	free(a.old);
}

int main(void)
{
	const struct bed_test tests[] = {
		{ "90 % full, for long", stays_healthy, 1u << BED_FILE | 1u << BED_PMEM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
