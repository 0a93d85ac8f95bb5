/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/marker_store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "util/math.h"

#define MARKER_PAGE_BYTES 4096u

void marker_store_check(const struct marker_store *store)
{
	JASSERT(store && store->ops && store->ops->backend && store->ops->close);
	JASSERT(store->persist.name[0] && store->persist.flush && store->persist.copy &&
		store->persist.fence);
	JASSERT(store->map && !((uintptr_t)store->map & (MARKER_PAGE_BYTES - 1)));
	JASSERT(store->bytes && !(store->bytes & (MARKER_PAGE_BYTES - 1)));
	/* a store is of one kind, never of both or neither */
	JASSERT(store->byte_persistent == !store->ops->checkpoint);
	JASSERT(store->byte_persistent == !store->ops->generations);
	JASSERT(store->class >= JOURNAL_CLASS_PROCESS && store->class <= JOURNAL_CLASS_POWER);
	JASSERT(store->evidence[0]);
	JASSERT(memchr(store->evidence, 0, sizeof(store->evidence)));
}

void marker_store_fail(struct marker_store *store, int error)
{
	int none = 0;

	JASSERT(error < 0);
	/* only the first failure is kept: what came later follows from it */
	(void)atomic_compare_exchange_strong(&store->failed, &none, error);
}

int marker_store_checkpoint(struct marker_store *store, uint64_t bytes, uint32_t who)
{
	int failed = store->failed;
	int error;

	JASSERT(!store->byte_persistent && !store->read_only && who);
	JASSERT(bytes && bytes <= store->bytes);
	if (failed)
		return failed;
	error = store->ops->checkpoint(store, bytes, who);
	JASSERT(error <= 0);
	if (error && error != -EAGAIN)
		marker_store_fail(store, error);
	return error;
}

struct marker_generations marker_store_generations(const struct marker_store *store)
{
	struct marker_generations g;

	JASSERT(!store->byte_persistent);
	g = store->ops->generations(store);
	JASSERT(g.in_force <= g.drawn);
	return g;
}

void marker_store_forget(struct marker_store *store, uint32_t who)
{
	JASSERT(who);
	if (store->ops->forget)
		store->ops->forget(store, who);
}

bool marker_store_can_share(const struct marker_store *store)
{
	return store->ops->share;
}

void marker_store_describe(const struct marker_store *store, struct marker_share *share)
{
	share->class = store->class;
	share->bytes = store->bytes;
	memcpy(share->evidence, store->evidence, sizeof(share->evidence));
	(void)snprintf(share->routine, sizeof(share->routine), "%s", store->persist.name);
}

void marker_store_share(struct marker_store *store, struct marker_share *share, void *map)
{
	JASSERT(store->ops->share && !store->read_only);
	marker_store_describe(store, share);
	store->ops->share(store, share, map);
	marker_store_check(store);
}

int marker_store_health(struct marker_store *store, struct message *why)
{
	int error = store->ops->health ? store->ops->health(store, why) : 0;

	JASSERT(error <= 0);
	return error;
}

void marker_store_plug(struct marker_store *store)
{
	if (store->ops->plug)
		store->ops->plug(store);
}

int marker_store_replace(struct marker_store *store, const char *path, uint64_t device,
			 uint64_t inode, struct message *message)
{
	int error;

	JASSERT(!store->ops->replace == !store->ops->show);
	if (!store->ops->replace)
		return message_set(message, -ENOTSUP, "%s: another medium cannot take its place "
				   "while it is in use", store->ops->backend);
	error = store->ops->replace(store, path, device, inode, message);
	JASSERT(error <= 0);
	if (!error)
		atomic_store(&store->failed, 0);
	return error;
}

int marker_store_show(struct marker_store *store, uint64_t at, uint64_t bytes, uint64_t offset)
{
	JASSERT(!((at | bytes | offset) & (MARKER_PAGE_BYTES - 1)));
	JASSERT(at <= store->bytes && bytes <= store->bytes - at);
	return store->ops->show(store, at, bytes, offset);
}

void marker_store_close(struct marker_store *store)
{
	if (!store)
		return;
	marker_store_check(store);
	store->ops->close(store);
}
