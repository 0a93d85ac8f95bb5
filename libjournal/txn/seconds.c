/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/seconds.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "txn/segment_seal.h"

int seconds_make(struct seconds *seconds, struct journal *j)
{
	seconds->j = j;
	return pthread_mutex_init(&seconds->lock, NULL) ||
			       pthread_cond_init(&seconds->put, NULL) ||
			       pthread_cond_init(&seconds->done, NULL) ?
		       -ENOMEM :
		       0;
}

static int second_write(struct journal *j, const struct second *second)
{
	int error = segment_write_second(j, second->segment, second->buffer, second->bytes);

	free(second->buffer);
	return error;
}

/* with the lock, which is dropped meanwhile */
static void seconds_write_next(struct seconds *seconds)
{
	struct second second = seconds->of[seconds->taken++];
	int error;

	pthread_mutex_unlock(&seconds->lock);
	error = second_write(seconds->j, &second);
	pthread_mutex_lock(&seconds->lock);
	seconds->error = seconds->error ? seconds->error : error;
	if (seconds->taken < seconds->count)
		return;
	seconds->taken = seconds->count = 0;
	pthread_cond_broadcast(&seconds->done);
}

static void *seconds_run(void *context)
{
	struct seconds *seconds = context;

	pthread_mutex_lock(&seconds->lock);
	while (!seconds->stopping || seconds->taken < seconds->count) {
		if (seconds->taken < seconds->count)
			seconds_write_next(seconds);
		else
			pthread_cond_wait(&seconds->put, &seconds->lock);
	}
	pthread_mutex_unlock(&seconds->lock);
	return NULL;
}

/* The program's signals are for its own threads. */
static bool seconds_start(struct seconds *seconds)
{
	sigset_t all, before;

	if (seconds->runs)
		return true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	seconds->runs = !pthread_create(&seconds->thread, NULL, seconds_run, seconds);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return seconds->runs;
}

void seconds_put(struct seconds *seconds, const struct second *second)
{
	pthread_mutex_lock(&seconds->lock);
	JASSERT(seconds->count < SECONDS_MOST);
	seconds->of[seconds->count++] = *second;
	if (seconds_start(seconds))
		pthread_cond_signal(&seconds->put);
	else
		seconds_write_next(seconds);
	pthread_mutex_unlock(&seconds->lock);
}

int seconds_wait(struct seconds *seconds)
{
	int error;

	pthread_mutex_lock(&seconds->lock);
	while (seconds->count)
		pthread_cond_wait(&seconds->done, &seconds->lock);
	error = seconds->error;
	pthread_mutex_unlock(&seconds->lock);
	return error;
}

void seconds_stop(struct seconds *seconds)
{
	if (!seconds->runs)
		return;
	pthread_mutex_lock(&seconds->lock);
	seconds->stopping = true;
	pthread_cond_signal(&seconds->put);
	pthread_mutex_unlock(&seconds->lock);
	pthread_join(seconds->thread, NULL);
	seconds->runs = false;
}
