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
 * Where there is a choice it is measured, on private memory and for less than
 * a millisecond: a medium with content cannot be written for a measurement.
 * Return: 0, or -ENOTSUP when the processor has none that is known here (the
 * caller then goes through msync).
 */
int persist_choose(enum persist_domain domain, struct marker_persist *persist);

/* the one of that name, for memory where another process has chosen it;
 * Return: 0, or -ENOTSUP no such routine */
int persist_named(const char *name, struct marker_persist *persist);

/* ---- the table of an architecture: persist_x86.c or persist_generic.c ---- */

/**
 * enum persist_kind - how nv_copy() works in a routine
 * @PERSIST_KIND_EADR:  plain copy, nothing is flushed
 * @PERSIST_KIND_FLUSH: plain copy, then the lines are flushed
 * @PERSIST_KIND_NT:    non-temporal stores, past the caches
 * @PERSIST_KIND_MIXED: flushed when small, non-temporal when large
 */
enum persist_kind {
	PERSIST_KIND_EADR,
	PERSIST_KIND_FLUSH,
	PERSIST_KIND_NT,
	PERSIST_KIND_MIXED,
};

/**
 * struct persist_routine - one row of the table
 * @persist:   the routine; it makes no use of its store argument
 * @kind:      how it copies
 * @supported: this processor and system can run it
 */
struct persist_routine {
	struct marker_persist persist;
	enum persist_kind kind;
	bool (*supported)(void);
};

/* the routines that are known, the one to prefer first within each kind */
extern const struct persist_routine persist_routines[];
extern const unsigned int persist_routine_count;

/* put a range out of the caches, where that can be done: for measurements */
void persist_evict(const void *address, size_t bytes);

#endif
