/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A filter over any log store: operations that fail on demand, and a power cut
 * that loses what was not flushed.  With nothing armed it is a log store like
 * any other.
 */
#ifndef TESTS_LIB_FAULT_LOG_H
#define TESTS_LIB_FAULT_LOG_H

#include "store/log_store.h"

enum fault_log_kind {
	FAULT_LOG_WRITE,
	FAULT_LOG_FLUSH,
	FAULT_LOG_READ,
	FAULT_LOG_KINDS,
};

/* what a power cut does to each write that was not yet durable */
enum fault_log_cut {
	FAULT_LOG_DROP,  /* none of it is there */
	FAULT_LOG_KEEP,  /* all of it is */
	FAULT_LOG_MIXED, /* by seed: dropped, kept, or torn between sectors */
};

/* The filter over @inner, which it closes when it is closed itself; NULL for
 * want of memory.  log_store_close() without a cut loses nothing. */
struct log_store *fault_log_wrap(struct log_store *inner);

/* The @nth call (from 1, counted from now) of that kind fails with @error, and
 * with @forever all after it.  A write that fails has written nothing, or with
 * holding on may have written anything. @nth 0: none any more. */
void fault_log_arm(struct log_store *store, enum fault_log_kind kind, uint64_t nth, int error,
		   bool forever);

/* From now on, hold back writes until a flush or, if durable, their return.
 * Call it while nobody else uses the store. */
void fault_log_hold(struct log_store *store);

/* The power goes now: what is held is lost, kept or torn; every later call
 * fails with -EIO.  Close the store, then reopen the medium. */
void fault_log_cut(struct log_store *store, enum fault_log_cut how, uint64_t seed);

/* The same, of itself, in place of the @nth write or flush from now: with
 * holding on, that write may have got anywhere. */
void fault_log_cut_at(struct log_store *store, uint64_t nth, enum fault_log_cut how,
		      uint64_t seed);

/* calls of that kind since the fault was armed, or since the beginning */
uint64_t fault_log_seen(struct log_store *store, enum fault_log_kind kind);
bool fault_log_is_cut(struct log_store *store);
/* writes held back now */
unsigned int fault_log_held(struct log_store *store);

#endif
