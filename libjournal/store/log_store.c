/* SPDX-License-Identifier: BSD-3-Clause */
/* The checked call-through of the log store: what the contract says is
 * asserted before a backend is called and after it has returned, for all
 * backends and filters alike. */
#include "store/log_store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "util/assert.h"
#include "util/math.h"

/* no errno: shows that a backend forgot an io */
#define RESULT_UNSET 1

void *log_store_alloc(size_t bytes)
{
	void *store;

	if (posix_memalign(&store, _Alignof(struct log_store), bytes))
		return NULL;
	return memset(store, 0, bytes);
}

void log_store_check_io(const struct log_store *store, const struct log_io *io)
{
	uint64_t unit = store->block_bytes, bytes = log_store_bytes(store);

	JASSERT(io->bytes > 0);
	JASSERT(!((io->offset | io->bytes | (uintptr_t)io->buffer) & (unit - 1)));
	JASSERT(io->offset <= bytes && io->bytes <= bytes - io->offset);
	JASSERT(io->buffer);
}

static void begin(const struct log_store *store, struct log_io *io, unsigned int count)
{
	JASSERT(count > 0);
	for (unsigned int i = 0; i < count; i++) {
		log_store_check_io(store, &io[i]);
		io[i].result = RESULT_UNSET;
	}
}

/* every io has a result, and the call failed just when one of them did, or
 * when the sync after them did */
static void end(const struct log_io *io, unsigned int count, int error)
{
	JASSERT(error <= 0);
	for (unsigned int i = 0; i < count; i++) {
		JASSERT(io[i].result <= 0);
		JASSERT(!io[i].result || error);
	}
}

static int refuse(struct log_io *io, unsigned int count, int error)
{
	for (unsigned int i = 0; i < count; i++)
		io[i].result = error;
	return error;
}

int log_store_write(struct log_store *store, struct log_io *io, unsigned int count,
		    bool durable)
{
	int error = atomic_load_explicit(&store->failed, memory_order_acquire);

	begin(store, io, count);
	if (store->read_only)
		error = -EROFS;
	if (error)
		return refuse(io, count, error);
	error = store->ops->write(store, io, count, durable);
	end(io, count, error);
	if (error)
		log_store_fail(store, error);
	return error;
}

int log_store_read(struct log_store *store, struct log_io *io, unsigned int count)
{
	int error;

	begin(store, io, count);
	error = store->ops->read(store, io, count);
	end(io, count, error);
	return error;
}

int log_store_flush(struct log_store *store)
{
	int error = atomic_load_explicit(&store->failed, memory_order_acquire);

	if (store->read_only)
		error = -EROFS;
	if (error)
		return error;
	error = store->ops->flush(store);
	JASSERT(error <= 0);
	if (error)
		log_store_fail(store, error);
	return error;
}

bool log_store_can_share(const struct log_store *store)
{
	return store->ops->share;
}

void log_store_share(struct log_store *store, struct log_share *share)
{
	JASSERT(store->ops->share && !store->read_only);
	share->class = store->class;
	share->block_bytes = store->block_bytes;
	share->bytes = store->bytes;
	memcpy(share->evidence, store->evidence, sizeof(share->evidence));
	memcpy(share->routine, store->routine, sizeof(share->routine));
	store->ops->share(store, share);
}

void *log_store_buffer(struct log_store *store)
{
	void *buffer = store->ops->buffer(store);

	JASSERT(!((uintptr_t)buffer & (store->block_bytes - 1)));
	return buffer;
}

void log_store_buffer_done(struct log_store *store, void *buffer)
{
	JASSERT(buffer && !((uintptr_t)buffer & (store->block_bytes - 1)));
	store->ops->buffer_done(store, buffer);
}

void log_store_close(struct log_store *store)
{
	if (store)
		store->ops->close(store);
}

void log_store_check(const struct log_store *store)
{
	JASSERT(!((uintptr_t)store & (_Alignof(struct log_store) - 1)));
	const struct log_store_ops *ops = store->ops;

	JASSERT(ops && ops->backend && ops->write && ops->read && ops->flush);
	JASSERT(ops->buffer && ops->buffer_done && ops->close);
	JASSERT(is_power_of_two(store->block_bytes));
	JASSERT(store->block_bytes >= 512 && store->block_bytes <= 4096);
	JASSERT(store->bytes > 0 && !(store->bytes & (store->block_bytes - 1)));
	JASSERT(store->class >= JOURNAL_CLASS_PROCESS && store->class <= JOURNAL_CLASS_POWER);
	JASSERT(store->evidence[0] && store->routine[0]);
}

void log_store_longer(struct log_store *store, uint64_t bytes)
{
	if (bytes > log_store_bytes(store))
		__atomic_store_n(&store->bytes, bytes, __ATOMIC_RELAXED);
}

static uint64_t counted_in(const struct log_counters *counters, size_t counter)
{
	const char *at = (const char *)counters + counter;

	return atomic_load_explicit((const _Atomic uint64_t *)(const void *)at,
				    memory_order_relaxed);
}

uint64_t log_store_counted(const struct log_store *store, size_t counter)
{
	const struct log_store *by = store->ops->counter ? store->ops->counter(store, counter) :
							   NULL;
	uint64_t sum = 0;

	if (by)
		return log_store_counted(by, counter);
	if (!store->shared_counters)
		return counted_in(&store->counters, counter);
	for (unsigned int i = 0; i < LOG_COUNTER_SHARDS; i++)
		sum += counted_in(&store->shared_counters[i], counter);
	return sum;
}

void log_store_fail(struct log_store *store, int error)
{
	int none = 0;

	JASSERT(error < 0);
	/* the first failure stays: it is the one that explains the rest */
	atomic_compare_exchange_strong(&store->failed, &none, error);
}
