/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/dirty.h"

#include <errno.h>
#include <stdlib.h>

struct dirty_thread {
	struct dirty *dirty;
	struct dirty_thread *next, **previous; /* under dirty->lock */
	struct dirty_range *ranges;
	size_t count;
	size_t room;
};

/* The thread ends: what it did not fence is nobody's promise. */
static void thread_end(void *value)
{
	struct dirty_thread *t = value;
	struct dirty *dirty = t->dirty;

	pthread_mutex_lock(&dirty->lock);
	*t->previous = t->next;
	if (t->next)
		t->next->previous = t->previous;
	pthread_mutex_unlock(&dirty->lock);
	free(t->ranges);
	free(t);
}

int dirty_init(struct dirty *dirty)
{
	int error;

	dirty->threads = NULL;
	error = pthread_key_create(&dirty->key, thread_end);
	if (error)
		return -error;
	error = pthread_mutex_init(&dirty->lock, NULL);
	if (error)
		(void)pthread_key_delete(dirty->key);
	return -error;
}

void dirty_destroy(struct dirty *dirty)
{
	/* after this no destructor runs, so the list is ours */
	(void)pthread_key_delete(dirty->key);
	while (dirty->threads)
		thread_end(dirty->threads);
	(void)pthread_mutex_destroy(&dirty->lock);
}

static struct dirty_thread *thread_start(struct dirty *dirty)
{
	struct dirty_thread *t = calloc(1, sizeof(*t));

	if (!t || pthread_setspecific(dirty->key, t)) {
		free(t);
		return NULL;
	}
	t->dirty = dirty;
	pthread_mutex_lock(&dirty->lock);
	t->next = dirty->threads;
	t->previous = &dirty->threads;
	if (t->next)
		t->next->previous = &t->next;
	dirty->threads = t;
	pthread_mutex_unlock(&dirty->lock);
	return t;
}

static int grow(struct dirty_thread *t)
{
	size_t room = t->room ? 2 * t->room : 64;
	struct dirty_range *ranges = reallocarray(t->ranges, room, sizeof(*ranges));

	if (!ranges)
		return -ENOMEM;
	t->ranges = ranges;
	t->room = room;
	return 0;
}

int dirty_add(struct dirty *dirty, uint64_t offset, uint64_t bytes)
{
	struct dirty_thread *t = pthread_getspecific(dirty->key);

	if (!t)
		t = thread_start(dirty);
	if (!t || (t->count == t->room && grow(t)))
		return -ENOMEM;
	t->ranges[t->count++] = (struct dirty_range){ offset, bytes };
	return 0;
}

size_t dirty_ranges(struct dirty *dirty, const struct dirty_range **ranges)
{
	struct dirty_thread *t = pthread_getspecific(dirty->key);

	*ranges = t ? t->ranges : NULL;
	return t ? t->count : 0;
}

void dirty_clear(struct dirty *dirty)
{
	struct dirty_thread *t = pthread_getspecific(dirty->key);

	if (t)
		t->count = 0;
}
