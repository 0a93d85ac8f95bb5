/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Persist routines where no instruction that writes lines back is known here.
 * Only memory whose caches are saved can do without one; all else goes
 * through msync.
 */
#include "store/persist.h"

static bool always(void)
{
	return true;
}

static void flush_none(struct marker_store *store, const void *address, size_t bytes)
{
	(void)store;
	(void)address;
	(void)bytes;
}

static void copy_plain(struct marker_store *store, void *destination, const void *source,
		       size_t bytes)
{
	(void)store;
	memcpy(destination, source, bytes);
}

/* orders the stores of a commit before everything that is done because of it */
void persist_fence(struct marker_store *store)
{
	(void)store;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void persist_evict(const void *address, size_t bytes)
{
	(void)address;
	(void)bytes;
}

const struct persist_flush persist_flushes[] = {
	{ "eadr", flush_none, always },
};

const struct persist_copy persist_copies[] = {
	{ "eadr", copy_plain, always, NULL, NULL },
};

const unsigned int persist_flush_count = sizeof(persist_flushes) / sizeof(persist_flushes[0]);
const unsigned int persist_copy_count = sizeof(persist_copies) / sizeof(persist_copies[0]);
