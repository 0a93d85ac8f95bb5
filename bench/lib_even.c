/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib_even.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib_clock.h"
#include "store/persist.h"
#include "util/math.h"

#define PAGE_BYTES  4096u
#define TURNS       12u
#define ROUNDS      3u
#define TRIES       64u         /* for each page */
#define ASIDE_PAGES (64u << 10) /* at most: 256 MiB */

struct even_work {
	struct marker_persist persist;
	uint8_t *map;
	int fd;
	uint64_t pages;
	uint64_t limit; /* what takes longer is slow */
	uint64_t *times;
};

static uint64_t page_ns(const struct even_work *w, uint64_t page)
{
	uint64_t *word = (uint64_t *)(void *)(w->map + page * PAGE_BYTES);
	uint64_t best = UINT64_MAX, start;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		start = clock_ns();
		for (unsigned int i = 0; i < TURNS; i++) {
			/* it stays zero, as a new file is */
			(void)__atomic_fetch_and(word, 0, __ATOMIC_RELAXED);
			w->persist.flush(NULL, word, sizeof(*word));
			/* orders one turn before the next: its time is asked for */
			w->persist.fence(NULL);
		}
		best = min_u64(best, clock_ns() - start);
	}
	return best;
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Longer by half than a tenth of them takes at most: also where most are slow. */
static uint64_t limit_of(const uint64_t *times, uint64_t count)
{
	uint64_t *sorted = malloc(count * sizeof(*sorted)), fast;

	if (!sorted)
		return UINT64_MAX; /* then none is slow */
	memcpy(sorted, times, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_time);
	fast = sorted[count / 10];
	free(sorted);
	return fast + fast / 2;
}

/* asked once more: an interrupt makes one slow, too */
static bool is_slow(const struct even_work *w, uint64_t page)
{
	return page_ns(w, page) > w->limit && page_ns(w, page) > w->limit;
}

/* The kernel hands out first what it got back last: so the page that leaves the file is the
 * one that is taken aside. */
static bool page_change(struct even_work *w, uint64_t page, struct even *even)
{
	if (even->taken == even->pages ||
	    fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)(page * PAGE_BYTES), PAGE_BYTES))
		return false;
	*(volatile uint8_t *)(even->aside + even->taken++ * PAGE_BYTES) = 1;
	*(volatile uint8_t *)(w->map + page * PAGE_BYTES) = 0;
	return true;
}

static void even_pages(struct even_work *w, const char *path, struct even *even)
{
	uint64_t i, slow = 0, left = 0;

	for (i = 0; i < w->pages; i++)
		w->times[i] = page_ns(w, i);
	if (!even->limit)
		even->limit = limit_of(w->times, w->pages);
	w->limit = even->limit;
	for (i = 0; i < w->pages; i++) {
		unsigned int tries = 0;
		bool is = w->times[i] > w->limit && is_slow(w, i);

		slow += is;
		while (is && tries++ < TRIES && page_change(w, i, even))
			is = is_slow(w, i);
		left += is;
	}
	if (slow)
		(void)fprintf(stderr, "bench: %s: %llu of %llu pages were slower by half than the "
			      "fast ones and were changed, %llu are left\n", path,
			      (unsigned long long)slow, (unsigned long long)w->pages,
			      (unsigned long long)left);
}

static int even_map(const char *path, uint64_t bytes, struct even_work *w)
{
	w->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (w->fd < 0)
		return -errno;
	if (!ftruncate(w->fd, (off_t)bytes))
		w->map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			      w->fd, 0);
	if (w->map != MAP_FAILED)
		return 0;
	(void)unlink(path);
	return -errno;
}

int even_file(const char *path, uint64_t bytes, struct even *even)
{
	struct even_work w = { .map = MAP_FAILED, .fd = -1, .pages = bytes / PAGE_BYTES };
	int error = persist_choose(PERSIST_MEMORY, &w.persist);

	if (!even->aside) {
		even->aside = mmap(NULL, ASIDE_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		even->pages = even->aside == MAP_FAILED ? 0 : ASIDE_PAGES;
		if (even->pages) /* page by page, each as it is given back */
			(void)madvise(even->aside, ASIDE_PAGES * PAGE_BYTES, MADV_NOHUGEPAGE);
	}
	w.times = malloc(w.pages * sizeof(*w.times));
	if (!error)
		error = w.times ? even_map(path, bytes, &w) : -ENOMEM;
	if (!error)
		even_pages(&w, path, even);
	if (w.map != MAP_FAILED)
		(void)munmap(w.map, bytes);
	if (w.fd >= 0)
		(void)close(w.fd);
	free(w.times);
	return error;
}

void even_release(struct even *even)
{
	if (even->pages)
		(void)munmap(even->aside, even->pages * PAGE_BYTES);
}
