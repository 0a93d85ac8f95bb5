/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations of the stores that fail: each store that is opened gets operations of its
 * own, which count and then do as before, or do nothing and say that it failed.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "nth.h"
#include "store/log_queue.h"
#include "store/log_store.h"
#include "store/marker_store.h"

#define STORES_MAX 32
#define READS_MAX  1024 /* of all queues, that are to fail */

struct faulty_marker {
	struct marker_store *store;
	struct marker_store_ops ops;
	const struct marker_store_ops *good;
	struct marker_persist persist;
};

struct faulty_log {
	struct log_store *store;
	struct log_store_ops ops;
	const struct log_store_ops *good;
};

static struct faulty_marker markers[STORES_MAX];
static struct faulty_log logs[STORES_MAX];
static struct log_queue_ops queue_ops;
static const struct log_queue_ops *good_queue;
static const struct log_io *failing[READS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- markers ------------------------------------------------------------------------ */

static struct faulty_marker *marker_of(const struct marker_store *store)
{
	for (int i = 0; i < STORES_MAX; i++)
		if (__atomic_load_n(&markers[i].store, __ATOMIC_ACQUIRE) == store)
			return &markers[i];
	abort();
}

static void faulty_fence(struct marker_store *store)
{
	struct faulty_marker *faulty = marker_of(store);

	if (nth_strikes(NTH_MARKER)) {
		nth_note("a fence", EIO);
		marker_store_fail(store, -EIO);
		return;
	}
	faulty->persist.fence(store);
}

static int faulty_checkpoint(struct marker_store *store, uint64_t bytes, uint32_t who)
{
	if (nth_strikes(NTH_MARKER)) {
		nth_note("a checkpoint", EIO);
		return -EIO;
	}
	return marker_of(store)->good->checkpoint(store, bytes, who);
}

static void marker_closes(struct marker_store *store)
{
	struct faulty_marker *faulty = marker_of(store);

	store->ops = faulty->good;
	__atomic_store_n(&faulty->store, NULL, __ATOMIC_RELEASE);
	store->ops->close(store);
}

void nth_marker_opened(struct marker_store *store)
{
	struct faulty_marker *faulty = NULL;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < STORES_MAX && !faulty; i++)
		if (!markers[i].store)
			faulty = &markers[i];
	if (!faulty)
		abort();
	faulty->good = store->ops;
	faulty->ops = *store->ops;
	faulty->persist = store->persist;
	faulty->ops.close = marker_closes;
	if (faulty->good->checkpoint)
		faulty->ops.checkpoint = faulty_checkpoint;
	else
		store->persist.fence = faulty_fence;
	store->ops = &faulty->ops;
	__atomic_store_n(&faulty->store, store, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
}

/* ---- logs ------------------------------------------------------------------------------ */

static struct faulty_log *log_of(const struct log_store *store)
{
	for (int i = 0; i < STORES_MAX; i++)
		if (__atomic_load_n(&logs[i].store, __ATOMIC_ACQUIRE) == store)
			return &logs[i];
	abort();
}

/* Return: whether they fail */
static bool log_fails(const char *what, struct log_io *io, unsigned int count)
{
	if (!nth_strikes(NTH_LOG))
		return false;
	nth_note(what, EIO);
	for (unsigned int i = 0; i < count; i++)
		io[i].result = -EIO;
	return true;
}

static int faulty_write(struct log_store *store, struct log_io *io, unsigned int count,
			bool durable)
{
	return log_fails("a write of the log", io, count) ? -EIO :
	       log_of(store)->good->write(store, io, count, durable);
}

static int faulty_read(struct log_store *store, struct log_io *io, unsigned int count)
{
	return log_fails("a read of the log", io, count) ? -EIO :
	       log_of(store)->good->read(store, io, count);
}

static int faulty_flush(struct log_store *store)
{
	return log_fails("a flush of the log", NULL, 0) ? -EIO :
	       log_of(store)->good->flush(store);
}

/* It is read all the same; what is given back says that it failed. */
static void faulty_submit(struct log_queue *queue, struct log_io *io)
{
	if (nth_strikes(NTH_LOG)) {
		nth_note("a read of the log's queue", EIO);
		pthread_mutex_lock(&lock);
		for (int i = 0; i < READS_MAX; i++)
			if (!failing[i]) {
				failing[i] = io;
				break;
			}
		pthread_mutex_unlock(&lock);
	}
	good_queue->submit(queue, io);
}

static struct log_io *faulty_complete(struct log_queue *queue, bool wait)
{
	struct log_io *io = good_queue->complete(queue, wait);

	pthread_mutex_lock(&lock);
	for (int i = 0; i < READS_MAX && io; i++)
		if (failing[i] == io) {
			failing[i] = NULL;
			io->result = -EIO;
			break;
		}
	pthread_mutex_unlock(&lock);
	return io;
}

static int faulty_queue(struct log_store *store, unsigned int depth, const struct iovec *arena,
			struct log_queue **queue)
{
	int error = log_of(store)->good->queue(store, depth, arena, queue);

	if (error)
		return error;
	/* a mirror's asks those of its legs, which count for themselves */
	pthread_mutex_lock(&lock);
	if (!good_queue) {
		good_queue = (*queue)->ops;
		queue_ops = *good_queue;
		queue_ops.submit = faulty_submit;
		queue_ops.complete = faulty_complete;
	}
	if ((*queue)->ops == good_queue)
		(*queue)->ops = &queue_ops;
	pthread_mutex_unlock(&lock);
	return 0;
}

static void log_closes(struct log_store *store)
{
	struct faulty_log *faulty = log_of(store);

	store->ops = faulty->good;
	__atomic_store_n(&faulty->store, NULL, __ATOMIC_RELEASE);
	store->ops->close(store);
}

void nth_log_opened(struct log_store *store)
{
	struct faulty_log *faulty = NULL;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < STORES_MAX && !faulty; i++)
		if (!logs[i].store)
			faulty = &logs[i];
	if (!faulty)
		abort();
	faulty->good = store->ops;
	faulty->ops = *store->ops;
	faulty->ops.close = log_closes;
	faulty->ops.write = faulty_write;
	faulty->ops.read = faulty_read;
	faulty->ops.flush = faulty_flush;
	if (faulty->good->queue)
		faulty->ops.queue = faulty_queue;
	store->ops = &faulty->ops;
	__atomic_store_n(&faulty->store, store, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
}
