/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/persist.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "util/math.h"

#define AREA_BYTES   (16u << 10)
#define RECORD_BYTES 128u /* the smallest: header and payload of a line each */
#define LARGE_BYTES  4096u
#define BIT_TURNS    8u
#define PASSES       4u
#define PARTS        4u   /* of the area: small records go over one at a time */
#define KINDS_MAX    16u  /* of flush, or of copy */

struct trial {
	uint8_t *area;
	const uint8_t *source;
	uint64_t busy; /* somewhere to work */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* bit after bit of one line, like retires */
static uint64_t trial_bits(struct trial *trial, const struct persist_flush *flush)
{
	uint64_t *word = (uint64_t *)(void *)trial->area, start = now_ns();

	for (unsigned int i = 0; i < BIT_TURNS; i++) {
		__atomic_fetch_and(word, ~(1ull << i), __ATOMIC_RELAXED);
		flush->flush(NULL, word, sizeof(*word));
		/* orders this turn before the next, as between two commits */
		persist_fence(NULL);
	}
	return now_ns() - start;
}

/* What a commit does between its stores takes part of the time in which they drain, and some
 * ways to write leave more of it than others: about 30 ns. */
static void trial_work(struct trial *trial)
{
	uint64_t x = trial->busy | 1;

	for (unsigned int i = 0; i < 20; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	trial->busy = x;
}

/*
 * Small records, one behind the other, payload and then header, after a locked operation: a
 * lane that is emptied soon goes over the same few lines again and again, and the caches
 * have what the way of writing leaves them.
 */
static uint64_t trial_small(struct trial *trial, const struct persist_copy *copy,
			    unsigned int pass)
{
	uint8_t *part = trial->area + pass % PARTS * (AREA_BYTES / PARTS);
	uint64_t start = 0;

	for (unsigned int turn = 0; turn < 2; turn++) { /* the first is for the caches */
		start = now_ns();
		for (uint32_t at = 0; at < AREA_BYTES / PARTS; at += RECORD_BYTES) {
			(void)__atomic_fetch_add(&trial->busy, 1, __ATOMIC_SEQ_CST);
			trial_work(trial);
			copy->copy(NULL, part + at + RECORD_BYTES / 2, trial->source,
				   RECORD_BYTES / 2);
			trial_work(trial);
			copy->copy(NULL, part + at, trial->source, RECORD_BYTES / 2);
			/* orders this record before the next, as between two commits */
			persist_fence(NULL);
		}
	}
	return now_ns() - start;
}

/* Large ones go where nothing was for long. */
static uint64_t trial_large(struct trial *trial, const struct persist_copy *copy,
			    unsigned int pass)
{
	uint64_t start;

	(void)pass;
	persist_evict(trial->area, AREA_BYTES);
	start = now_ns();
	for (uint32_t at = 0; at < AREA_BYTES; at += LARGE_BYTES) {
		copy->copy(NULL, trial->area + at, trial->source, LARGE_BYTES);
		/* orders this record before the next, as between two commits */
		persist_fence(NULL);
	}
	return now_ns() - start;
}

/* The first whose best time nobody beats by a tenth: what disturbs a measurement makes it
 * longer, and the table's order says which to prefer. */
static unsigned int first_of_fast(const uint64_t *best, unsigned int count)
{
	uint64_t least = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < count; i++)
		least = min_u64(least, best[i]);
	for (i = 0; best[i] - best[i] / 10 > least; i++)
		;
	return i;
}

/* Which instruction writes lines back. */
static const struct persist_flush *choose_flush(struct trial *trial)
{
	uint64_t best[KINDS_MAX];
	unsigned int i, pass, chosen;

	for (i = 0; i < persist_flush_count; i++)
		best[i] = UINT64_MAX;
	for (pass = 0; pass < PASSES; pass++)
		for (i = 1; i < persist_flush_count; i++)
			if (persist_flushes[i].supported())
				best[i] = min_u64(best[i], trial_bits(trial, &persist_flushes[i]));
	chosen = first_of_fast(best, persist_flush_count);
	return best[chosen] == UINT64_MAX ? NULL : &persist_flushes[chosen];
}

typedef uint64_t trial_copy(struct trial *trial, const struct persist_copy *copy,
			    unsigned int pass);

/* Which way to copy is the fastest by @measure, of those that are the same for all sizes. */
static const struct persist_copy *choose_by(struct trial *trial, trial_copy *measure)
{
	uint64_t best[KINDS_MAX];
	unsigned int i, pass;

	for (i = 0; i < persist_copy_count; i++)
		best[i] = UINT64_MAX;
	for (pass = 0; pass < PASSES; pass++) {
		for (i = 1; i < persist_copy_count; i++) {
			const struct persist_copy *copy = &persist_copies[i];

			if (!copy->small && copy->supported())
				best[i] = min_u64(best[i], measure(trial, copy, pass));
		}
	}
	return &persist_copies[first_of_fast(best, persist_copy_count)];
}

/* The one that does both as well as can be; small ones are the most. */
static const struct persist_copy *choose_copy(struct trial *trial)
{
	const struct persist_copy *small = choose_by(trial, trial_small);
	const struct persist_copy *large = choose_by(trial, trial_large);

	for (unsigned int i = 0; i < persist_copy_count; i++)
		if (persist_copies[i].small == small && persist_copies[i].large == large)
			return &persist_copies[i];
	return small;
}

static void compose(const struct persist_flush *flush, const struct persist_copy *copy,
		    struct marker_persist *persist)
{
	*persist = (struct marker_persist){
		.flush = flush->flush, .copy = copy->copy, .fence = persist_fence,
	};
	(void)snprintf(persist->name, sizeof(persist->name),
		       strcmp(copy->name, flush->name) ? "%s+%s" : "%s", copy->name, flush->name);
}

static int calibrate(struct marker_persist *persist)
{
	uint8_t *scratch = mmap(NULL, 2 * AREA_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct trial trial = { .area = scratch, .source = scratch + AREA_BYTES };
	const struct persist_flush *flush;

	if (scratch == MAP_FAILED)
		return -errno;
	flush = choose_flush(&trial);
	if (flush)
		compose(flush, choose_copy(&trial), persist);
	(void)munmap(scratch, 2 * AREA_BYTES);
	return flush ? 0 : -ENOTSUP;
}

int persist_choose(enum persist_domain domain, struct marker_persist *persist)
{
	if (domain != PERSIST_CACHE)
		return calibrate(persist);
	compose(&persist_flushes[0], &persist_copies[0], persist);
	return 0;
}

static bool copy_is_supported(const struct persist_copy *copy)
{
	return copy->supported() && (!copy->small || (copy->small->supported() &&
						      copy->large->supported()));
}

int persist_named(const char *name, struct marker_persist *persist)
{
	unsigned int f, c;

	for (f = 0; f < persist_flush_count; f++) {
		for (c = 0; c < persist_copy_count; c++) {
			if (!persist_flushes[f].supported() ||
			    !copy_is_supported(&persist_copies[c]))
				continue;
			compose(&persist_flushes[f], &persist_copies[c], persist);
			if (!strcmp(persist->name, name))
				return 0;
		}
	}
	return -ENOTSUP;
}

bool persist_serves(const char *routine, const char *chosen)
{
	struct marker_persist of, by;

	if (!strcmp(routine, chosen))
		return true;
	return !persist_named(routine, &by) && !persist_named(chosen, &of) &&
	       by.flush != persist_flushes[0].flush && by.copy != persist_copies[0].copy;
}
