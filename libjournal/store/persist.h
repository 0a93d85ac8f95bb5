/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Persist routines for mapped memory, chosen once when a store is opened.
 *
 * What the processor has is asked at run time, never at compile time: the
 * library runs on other machines than it was built on, and under emulators
 * that hide instructions.
 */
#ifndef STORE_PERSIST_H
#define STORE_PERSIST_H

#include "store/marker_store.h"

/**
 * enum persist_domain - where a store to this memory is safe
 * @PERSIST_MEMORY: once it has left the caches (pmem with ADR, and plain
 *                  memory, which is treated the same)
 * @PERSIST_CACHE:  once it is visible: the caches are saved too (eADR)
 */
enum persist_domain {
	PERSIST_MEMORY,
	PERSIST_CACHE,
};

/**
 * persist_choose() - the fastest routine of this processor for @domain
 *
 * Where there is a choice it is measured, on private memory and for about a
 * millisecond: a medium with content cannot be written for a measurement.
 * The name is that of the copy, "+" and that of the flush, or one for both; a
 * copy that goes by size is named by both its ways, the one for small ones first.
 * Return: 0, or -ENOTSUP when the processor has none that is known here (the
 * caller then goes through msync).
 */
int persist_choose(enum persist_domain domain, struct marker_persist *persist);

/* the one of that name, for memory where another process has chosen it;
 * Return: 0, or -ENOTSUP no such routine */
int persist_named(const char *name, struct marker_persist *persist);

/**
 * persist_serves() - whether memory for which @chosen was chosen may be used with @routine
 *
 * Two measurements need not agree: what flushes, flushes any memory.  What does not, or goes
 * through a file, is for its own kind alone.
 */
bool persist_serves(const char *routine, const char *chosen);

/* ---- the tables of an architecture: persist_x86.c or persist_generic.c ---- */

/**
 * struct persist_flush - one way to write lines back
 * @flush:     as in struct marker_persist; it makes no use of its store argument
 * @supported: this processor and system can run it
 */
struct persist_flush {
	const char *name;
	void (*flush)(struct marker_store *store, const void *address, size_t bytes);
	bool (*supported)(void);
};

/**
 * struct persist_copy - one way to copy
 * @copy:      as in struct marker_persist; it makes no use of its store argument
 * @supported: this processor and system can run it
 * @small, @large: it goes by size, as @small does and as @large does; NULL: it does not
 */
struct persist_copy {
	const char *name;
	void (*copy)(struct marker_store *store, void *destination, const void *source,
		     size_t bytes);
	bool (*supported)(void);
	const struct persist_copy *small, *large;
};

/* the first of each is "eadr", for memory whose caches are saved; then those for all
 * memory, the one to prefer first */
extern const struct persist_flush persist_flushes[];
extern const struct persist_copy persist_copies[];
extern const unsigned int persist_flush_count, persist_copy_count;

/* orders all that this thread flushed or copied before its later stores, and waits for it */
void persist_fence(struct marker_store *store);

/* put a range out of the caches, where that can be done: for measurements */
void persist_evict(const void *address, size_t bytes);

#endif
