/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which ranges each thread has flushed and not fenced yet, for the stores
 * where the fence does the work (msync, the simulator).
 */
#ifndef STORE_DIRTY_H
#define STORE_DIRTY_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct dirty_range {
	uint64_t offset;
	uint64_t bytes;
};

struct dirty_thread;

struct dirty {
	pthread_key_t key;            /* the calling thread's struct dirty_thread */
	pthread_mutex_t lock;         /* protects @threads */
	struct dirty_thread *threads; /* all of them, to be freed */
};

/* Return: 0 or negative errno. */
int dirty_init(struct dirty *dirty);

/* No other thread may use it any more. */
void dirty_destroy(struct dirty *dirty);

/**
 * dirty_add() - the calling thread has flushed a range
 * Return: 0, or -ENOMEM: the range is forgotten, so the store must fail.
 */
int dirty_add(struct dirty *dirty, uint64_t offset, uint64_t bytes);

/* The calling thread's ranges, oldest first, until its next dirty_ call.
 * Return: how many. */
size_t dirty_ranges(struct dirty *dirty, const struct dirty_range **ranges);

/* The calling thread has fenced: it starts anew. */
void dirty_clear(struct dirty *dirty);

#endif
