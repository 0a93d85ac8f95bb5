/* SPDX-License-Identifier: BSD-3-Clause */
#include "fault_log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "store/log_queue.h"
#include "util/assert.h"
#include "util/math.h"

#define SECTOR_BYTES 512u /* what a disk at least writes whole */

/* one write held back; @gone: blocks that a later, durable write replaced */
struct held {
	struct held *next;
	uint64_t offset;
	uint32_t bytes;
	uint8_t *data;
	bool gone[];
};

/* @lock covers all but @store and @inner; with holding on it is held over
 * every operation, which makes them one after the other */
struct fault_log {
	struct log_store store; /* first */
	struct log_store *inner;
	pthread_mutex_t lock;
	struct fault fault[FAULT_LOG_KINDS];
	struct fault cut_at;
	enum fault_log_cut how;
	uint64_t seed;
	bool holding, cut;
	struct held *oldest, **youngest;
	unsigned int held;
};

static struct fault_log *filter_of(struct log_store *store)
{
	return (struct fault_log *)store;
}

static int fail_all(struct log_io *io, unsigned int count, int error)
{
	for (unsigned int i = 0; i < count; i++)
		io[i].result = error;
	return error;
}

/* what only the inner store knows */
static void take_counters(struct fault_log *filter)
{
	struct log_counters *own = &filter->store.counters;
	struct log_counters *inner = &filter->inner->counters;

	atomic_store(&own->flushes, atomic_load(&inner->flushes));
	atomic_store(&own->merged, atomic_load(&inner->merged));
	atomic_store(&own->dsyncs, atomic_load(&inner->dsyncs));
	atomic_store(&own->unsynced, atomic_load(&inner->unsynced));
	atomic_store(&own->async, atomic_load(&inner->async));
}

/* ---- what is held back -------------------------------------------------- */

static void hold_one(struct fault_log *filter, const struct log_io *io)
{
	unsigned int blocks = io->bytes / filter->store.block_bytes;
	struct held *held = calloc(1, sizeof(*held) + blocks * sizeof(held->gone[0]));

	JASSERT(held);
	held->offset = io->offset;
	held->bytes = io->bytes;
	held->data = aligned_alloc(4096, round_up(io->bytes, 4096));
	JASSERT(held->data);
	memcpy(held->data, io->buffer, io->bytes);
	*filter->youngest = held;
	filter->youngest = &held->next;
	filter->held++;
}

static void forget_all(struct fault_log *filter)
{
	while (filter->oldest) {
		struct held *held = filter->oldest;

		filter->oldest = held->next;
		free(held->data);
		free(held);
	}
	filter->youngest = &filter->oldest;
	filter->held = 0;
}

/* A durable write replaces what is held of the same blocks. */
static void replace(struct fault_log *filter, const struct log_io *io)
{
	uint32_t unit = filter->store.block_bytes;

	for (struct held *held = filter->oldest; held; held = held->next)
		for (uint32_t at = 0; at < held->bytes; at += unit)
			if (held->offset + at - io->offset < io->bytes)
				held->gone[at / unit] = true;
}

/* Lay what is held over what was read. */
static void overlay(struct fault_log *filter, struct log_io *io)
{
	uint32_t unit = filter->store.block_bytes;

	for (struct held *held = filter->oldest; held; held = held->next)
		for (uint32_t at = 0; at < held->bytes; at += unit) {
			uint64_t into = held->offset + at - io->offset;

			if (into < io->bytes && !held->gone[at / unit])
				memcpy((uint8_t *)io->buffer + into, held->data + at, unit);
		}
}

static int let_go(struct fault_log *filter)
{
	uint32_t unit = filter->store.block_bytes;
	int error = 0;

	for (struct held *held = filter->oldest; held && !error; held = held->next)
		for (uint32_t at = 0; at < held->bytes && !error; at += unit) {
			struct log_io io = { held->offset + at, held->data + at, unit, 0 };

			if (!held->gone[at / unit])
				error = log_store_write(filter->inner, &io, 1, false);
		}
	if (!error)
		forget_all(filter);
	return error;
}

/* Bring some sectors of a block to the medium, by the toss of a coin. */
static void tear(struct fault_log *filter, const struct held *held, uint32_t at)
{
	uint32_t unit = filter->store.block_bytes;
	uint8_t *block = aligned_alloc(4096, 4096);
	struct log_io io = { held->offset + at, block, unit, 0 };

	JASSERT(block && !log_store_read(filter->inner, &io, 1));
	for (uint32_t sector = 0; sector < unit; sector += SECTOR_BYTES)
		if (fault_random(&filter->seed) & 1)
			memcpy(block + sector, held->data + at + sector, SECTOR_BYTES);
	JASSERT(!log_store_write(filter->inner, &io, 1, false));
	free(block);
}

static void cut_one(struct fault_log *filter, const struct held *held)
{
	uint32_t unit = filter->store.block_bytes;
	uint64_t fate = fault_random(&filter->seed) % 3;

	if (filter->how != FAULT_LOG_MIXED)
		fate = filter->how;
	for (uint32_t at = 0; at < held->bytes && fate != FAULT_LOG_DROP; at += unit) {
		struct log_io io = { held->offset + at, held->data + at, unit, 0 };

		if (held->gone[at / unit])
			continue;
		if (fate == FAULT_LOG_MIXED)
			tear(filter, held, at);
		else
			JASSERT(!log_store_write(filter->inner, &io, 1, false));
	}
}

static void cut(struct fault_log *filter)
{
	filter->cut = true;
	for (struct held *held = filter->oldest; held; held = held->next)
		cut_one(filter, held);
	forget_all(filter);
	/* the medium is as the power left it: from now on nothing may change it */
	JASSERT(!log_store_flush(filter->inner));
}

/* ---- operations --------------------------------------------------------- */

/* Is this one to fail?  Caller holds the lock. */
static int strike(struct fault_log *filter, enum fault_log_kind kind)
{
	int error = fault_strike(&filter->fault[kind]);

	return filter->cut ? -EIO : error;
}

static bool cut_now(struct fault_log *filter)
{
	return !filter->cut && fault_strike(&filter->cut_at);
}

static int held_write(struct fault_log *filter, struct log_io *io, unsigned int count,
		      bool durable)
{
	int error;

	if (durable) {
		/* only what was asked for: other writes stay volatile */
		error = log_store_write(filter->inner, io, count, true);
		for (unsigned int i = 0; i < count; i++)
			if (!io[i].result)
				replace(filter, &io[i]);
		return error;
	}
	for (unsigned int i = 0; i < count; i++)
		hold_one(filter, &io[i]);
	return fail_all(io, count, 0);
}

/* Return: 0 when the write is to be done. */
static int write_fault(struct fault_log *filter, struct log_io *io, unsigned int count)
{
	bool cuts = cut_now(filter);
	int error = strike(filter, FAULT_LOG_WRITE);

	error = cuts ? -EIO : error;
	/* one that fails, or that the power interrupts, may yet be in part there */
	if (error && filter->holding && !filter->cut)
		for (unsigned int i = 0; i < count; i++)
			hold_one(filter, &io[i]);
	if (cuts)
		cut(filter);
	return error;
}

static int fault_write(struct log_store *store, struct log_io *io, unsigned int count,
		       bool durable)
{
	struct fault_log *filter = filter_of(store);
	bool holding;
	int error;

	atomic_fetch_add(&store->counters.writes, count);
	for (unsigned int i = 0; i < count; i++)
		atomic_fetch_add(&store->counters.bytes_written, io[i].bytes);
	pthread_mutex_lock(&filter->lock);
	error = write_fault(filter, io, count);
	holding = filter->holding;
	if (error)
		fail_all(io, count, error);
	else if (holding)
		error = held_write(filter, io, count, durable);
	pthread_mutex_unlock(&filter->lock);
	/* without holding, writes go on side by side */
	if (!error && !holding)
		error = log_store_write(filter->inner, io, count, durable);
	take_counters(filter);
	return error;
}

static int fault_read(struct log_store *store, struct log_io *io, unsigned int count)
{
	struct fault_log *filter = filter_of(store);
	bool holding;
	int error;

	atomic_fetch_add(&store->counters.reads, count);
	for (unsigned int i = 0; i < count; i++)
		atomic_fetch_add(&store->counters.bytes_read, io[i].bytes);
	pthread_mutex_lock(&filter->lock);
	error = strike(filter, FAULT_LOG_READ);
	holding = filter->holding;
	if (error)
		fail_all(io, count, error);
	else if (holding)
		error = log_store_read(filter->inner, io, count);
	for (unsigned int i = 0; i < count && !error && holding; i++)
		overlay(filter, &io[i]);
	pthread_mutex_unlock(&filter->lock);
	if (!error && !holding)
		error = log_store_read(filter->inner, io, count);
	take_counters(filter);
	return error;
}

/* ---- a queue -------------------------------------------------------------- */

/* @ready: those that failed, or were read over what is held */
struct fault_queue {
	struct log_queue queue; /* first */
	struct log_queue *inner;
	unsigned int first, count;
	struct log_io *ready[];
};

static void fault_submit(struct log_queue *queue, struct log_io *io)
{
	struct fault_queue *faulty = (struct fault_queue *)queue;
	struct fault_log *filter = filter_of(queue->store);
	bool holding;

	pthread_mutex_lock(&filter->lock);
	holding = filter->holding;
	if (!holding)
		io->result = strike(filter, FAULT_LOG_READ);
	pthread_mutex_unlock(&filter->lock);
	if (!holding) {
		atomic_fetch_add(&queue->store->counters.reads, 1);
		atomic_fetch_add(&queue->store->counters.bytes_read, io->bytes);
	}
	if (!holding && !io->result) {
		log_queue_submit(faulty->inner, io);
		return;
	}
	if (holding)
		(void)fault_read(queue->store, io, 1);
	faulty->ready[(faulty->first + faulty->count++) % queue->depth] = io;
}

static struct log_io *fault_complete(struct log_queue *queue, bool wait)
{
	struct fault_queue *faulty = (struct fault_queue *)queue;
	struct log_io *io = faulty->ready[faulty->first];

	if (!faulty->count)
		return log_queue_complete(faulty->inner, wait);
	faulty->first = (faulty->first + 1) % queue->depth;
	faulty->count--;
	return io;
}

static int fault_fd(const struct log_queue *queue)
{
	const struct fault_queue *faulty = (const struct fault_queue *)queue;

	return faulty->count ? -1 : log_queue_fd(faulty->inner);
}

static void fault_queue_close(struct log_queue *queue)
{
	log_queue_close(((struct fault_queue *)queue)->inner);
	free(queue);
}

static const struct log_queue_ops fault_queue_ops = {
	.submit = fault_submit,
	.complete = fault_complete,
	.fd = fault_fd,
	.close = fault_queue_close,
};

static int fault_queue(struct log_store *store, unsigned int depth, const struct iovec *arena,
		       struct log_queue **queue)
{
	struct fault_queue *faulty = calloc(1, sizeof(*faulty) +
						       depth * sizeof(faulty->ready[0]));
	int error = faulty ? log_queue_open(filter_of(store)->inner, depth, arena,
					    &faulty->inner) : -ENOMEM;

	if (error) {
		free(faulty);
		return error;
	}
	faulty->queue.ops = &fault_queue_ops;
	*queue = &faulty->queue;
	return 0;
}

static int fault_flush(struct log_store *store)
{
	struct fault_log *filter = filter_of(store);
	bool holding, cuts;
	int error;

	pthread_mutex_lock(&filter->lock);
	cuts = cut_now(filter);
	error = strike(filter, FAULT_LOG_FLUSH);
	holding = filter->holding;
	if (cuts) {
		cut(filter);
		error = -EIO;
	}
	if (!error && holding)
		error = let_go(filter);
	if (!error && holding)
		error = log_store_flush(filter->inner);
	pthread_mutex_unlock(&filter->lock);
	if (!error && !holding)
		error = log_store_flush(filter->inner);
	take_counters(filter);
	return error;
}

static void *fault_buffer(struct log_store *store)
{
	return log_store_buffer(filter_of(store)->inner);
}

static void fault_buffer_done(struct log_store *store, void *buffer)
{
	log_store_buffer_done(filter_of(store)->inner, buffer);
}

static void fault_close(struct log_store *store)
{
	struct fault_log *filter = filter_of(store);

	/* a process that ends takes nothing along that the kernel has */
	if (filter->oldest && !atomic_load(&filter->inner->failed))
		JASSERT(!let_go(filter));
	forget_all(filter);
	log_store_close(filter->inner);
	pthread_mutex_destroy(&filter->lock);
	free(filter);
}

static const struct log_store_ops fault_ops = {
	.backend = "fault",
	.write = fault_write,
	.read = fault_read,
	.queue = fault_queue,
	.flush = fault_flush,
	.buffer = fault_buffer,
	.buffer_done = fault_buffer_done,
	.close = fault_close,
};

/* ---- what the tests say ------------------------------------------------- */

struct log_store *fault_log_wrap(struct log_store *inner)
{
	struct fault_log *filter = log_store_alloc(sizeof(*filter));

	if (!filter)
		return NULL;
	filter->store.ops = &fault_ops;
	filter->store.bytes = inner->bytes;
	filter->store.block_bytes = inner->block_bytes;
	filter->store.read_only = inner->read_only;
	filter->store.class = inner->class;
	memcpy(filter->store.evidence, inner->evidence, sizeof(inner->evidence));
	(void)snprintf(filter->store.routine, sizeof(filter->store.routine), "%s",
		       inner->routine);
	filter->inner = inner;
	filter->youngest = &filter->oldest;
	JASSERT(!pthread_mutex_init(&filter->lock, NULL));
	log_store_check(&filter->store);
	return &filter->store;
}

void fault_log_arm(struct log_store *store, enum fault_log_kind kind, uint64_t nth, int error,
		   bool forever)
{
	struct fault_log *filter = filter_of(store);

	JASSERT(kind < FAULT_LOG_KINDS && error < 0);
	pthread_mutex_lock(&filter->lock);
	filter->fault[kind] = (struct fault){ .at = nth, .forever = forever, .error = error };
	pthread_mutex_unlock(&filter->lock);
}

void fault_log_hold(struct log_store *store)
{
	filter_of(store)->holding = true;
}

void fault_log_cut(struct log_store *store, enum fault_log_cut how, uint64_t seed)
{
	struct fault_log *filter = filter_of(store);

	pthread_mutex_lock(&filter->lock);
	filter->how = how;
	filter->seed = seed;
	cut(filter);
	pthread_mutex_unlock(&filter->lock);
}

void fault_log_cut_at(struct log_store *store, uint64_t nth, enum fault_log_cut how,
		      uint64_t seed)
{
	struct fault_log *filter = filter_of(store);

	pthread_mutex_lock(&filter->lock);
	filter->how = how;
	filter->seed = seed;
	filter->cut_at = (struct fault){ .at = nth, .error = -EIO };
	pthread_mutex_unlock(&filter->lock);
}

uint64_t fault_log_seen(struct log_store *store, enum fault_log_kind kind)
{
	struct fault_log *filter = filter_of(store);
	uint64_t seen;

	pthread_mutex_lock(&filter->lock);
	seen = filter->fault[kind].seen;
	pthread_mutex_unlock(&filter->lock);
	return seen;
}

bool fault_log_is_cut(struct log_store *store)
{
	struct fault_log *filter = filter_of(store);
	bool is;

	pthread_mutex_lock(&filter->lock);
	is = filter->cut;
	pthread_mutex_unlock(&filter->lock);
	return is;
}

unsigned int fault_log_held(struct log_store *store)
{
	struct fault_log *filter = filter_of(store);
	unsigned int held;

	pthread_mutex_lock(&filter->lock);
	held = filter->held;
	pthread_mutex_unlock(&filter->lock);
	return held;
}
