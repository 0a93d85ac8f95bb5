/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/persist.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#include "util/math.h"

#define SCRATCH_BYTES (32u << 10)
#define BIT_BYTES     0u /* not a copy: a bit cleared in place, like a retire */
#define SMALL_BYTES   64u
#define LARGE_BYTES   4096u
#define ROUNDS        16u
#define TURNS         8u

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t measure_round(const struct marker_persist *persist, uint8_t *scratch,
			      size_t bytes)
{
	uint8_t *half = scratch + SCRATCH_BYTES / 2;
	uint64_t start;

	/* a record goes where nothing was for long, a bit beside the last one */
	if (bytes)
		persist_evict(half, SCRATCH_BYTES / 2);
	start = now_ns();
	for (unsigned int i = 0; i < TURNS; i++) {
		size_t at = i * max_u64(bytes, SMALL_BYTES) % (SCRATCH_BYTES / 2);

		if (bytes) {
			persist->copy(NULL, half + at, scratch + at, bytes);
		} else {
			__atomic_fetch_and((uint64_t *)(void *)(half + at), ~1ull,
					   __ATOMIC_RELAXED);
			persist->flush(NULL, half + at, 8);
		}
		/* orders this turn before the next, as between two commits */
		persist->fence(NULL);
	}
	return now_ns() - start;
}

/* Whether @a beats @b by more than a measurement may be wrong.  They take
 * turns, and each has its best round counted: what disturbs one only makes it
 * longer. */
static bool clearly_faster(const struct persist_routine *a, const struct persist_routine *b,
			   uint8_t *scratch, size_t bytes)
{
	uint64_t best_a = UINT64_MAX, best_b = UINT64_MAX;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		best_a = min_u64(best_a, measure_round(&a->persist, scratch, bytes));
		best_b = min_u64(best_b, measure_round(&b->persist, scratch, bytes));
	}
	return best_a + best_a / 4 < best_b;
}

/* The first supported routine of @kind, with the flush of @like if given. */
static const struct persist_routine *find(enum persist_kind kind,
					  const struct persist_routine *like)
{
	for (unsigned int i = 0; i < persist_routine_count; i++) {
		const struct persist_routine *r = &persist_routines[i];

		if (r->kind == kind && (!like || r->persist.flush == like->persist.flush) &&
		    r->supported())
			return r;
	}
	return NULL;
}

/* Which instruction writes lines back: the table's order says which to prefer,
 * a measurement may overrule it. */
static const struct persist_routine *choose_flush(uint8_t *scratch)
{
	const struct persist_routine *best = find(PERSIST_KIND_FLUSH, NULL);

	for (unsigned int i = 0; i < persist_routine_count; i++) {
		const struct persist_routine *r = &persist_routines[i];

		if (r != best && r->kind == PERSIST_KIND_FLUSH && r->supported() &&
		    clearly_faster(r, best, scratch, BIT_BYTES))
			best = r;
	}
	return best;
}

/* Whether copies go past the caches or are flushed out of them. */
static const struct persist_routine *choose_copy(const struct persist_routine *flush,
						 uint8_t *scratch)
{
	const struct persist_routine *nt = find(PERSIST_KIND_NT, flush);
	const struct persist_routine *mixed = find(PERSIST_KIND_MIXED, flush);
	bool small_flushed, large_flushed;

	if (!nt)
		return flush;
	small_flushed = clearly_faster(flush, nt, scratch, SMALL_BYTES);
	large_flushed = clearly_faster(flush, nt, scratch, LARGE_BYTES);
	if (small_flushed && large_flushed)
		return flush;
	if (small_flushed && mixed)
		return mixed;
	return nt;
}

static const struct persist_routine *calibrate(void)
{
	const struct persist_routine *routine;
	uint8_t *scratch = mmap(NULL, SCRATCH_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (scratch == MAP_FAILED)
		return find(PERSIST_KIND_FLUSH, NULL);
	routine = choose_flush(scratch);
	if (routine)
		routine = choose_copy(routine, scratch);
	munmap(scratch, SCRATCH_BYTES);
	return routine;
}

int persist_choose(enum persist_domain domain, struct marker_persist *persist)
{
	const struct persist_routine *routine;

	if (domain == PERSIST_CACHE)
		routine = find(PERSIST_KIND_EADR, NULL);
	else
		routine = calibrate();
	if (!routine)
		return -ENOTSUP;
	*persist = routine->persist;
	return 0;
}

int persist_named(const char *name, struct marker_persist *persist)
{
	unsigned int i;

	for (i = 0; i < persist_routine_count; i++)
		if (!strcmp(persist_routines[i].persist.name, name) &&
		    persist_routines[i].supported()) {
			*persist = persist_routines[i].persist;
			return 0;
		}
	return -ENOTSUP;
}
