/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several logs.  One whose disk fails is out of use for all processes, from its first
 * write or flush that fails on (P16): nothing is written there any more, and nothing
 * is retried over it.  What was to be written goes to the others, under the same id:
 * two copies of one transaction are one.  What stands there already is read as long as
 * that goes.  With no log left, the journal has failed.
 */
#ifndef TXN_LOGS_H
#define TXN_LOGS_H

#include <errno.h>

#include "txn/journal_impl.h"

/* internal: this log is out of use, and there are others */
#define LOG_OUT (-ENOMEDIUM)

static inline bool logs_out(const struct journal *j, uint32_t log)
{
	return atomic_load_explicit(&j->shared->log_failed[log], memory_order_relaxed);
}

/* a place whose log has gone: resize.c */
static inline bool logs_removed(const struct journal *j, uint32_t log)
{
	return atomic_load_explicit(&j->shared->logs_removed, memory_order_relaxed) >> log & 1;
}

/* @log, which this process has yet to open, or knew when it was shorter */
struct log_store *logs_meet(struct journal *j, uint32_t log);

/* Others may have added it, or made it longer, since we opened the journal. */
static inline struct log_store *logs_at(struct journal *j, uint32_t log)
{
	struct log_store *store = __atomic_load_n(&j->logs[log], __ATOMIC_ACQUIRE);

	if (__builtin_expect(!store || log_store_bytes(store) <
				     atomic_load_explicit(&j->shared->log_bytes[log],
							  memory_order_relaxed), 0))
		return logs_meet(j, log);
	return store;
}

/* Buffers of its pool serve all of them.  It stays open until the journal is closed. */
static inline struct log_store *logs_buffers(const struct journal *j)
{
	return j->logs[j->buffers_log];
}

/* logs that are there, or should be */
uint32_t logs_count(const struct journal *j);
bool logs_left(const struct journal *j);

/**
 * logs_fail() - a write or flush of @log has failed
 * Context: no lock of a stream or of the extents.
 * Return: LOG_OUT, or the sticky failure when no other is left.
 */
int logs_fail(struct journal *j, uint32_t log, int error);

/* at open, before recovery: those that are not there are out of use */
void logs_begin(struct journal *j);
/* it was not even there at open */
static inline bool logs_gone(const struct journal *j, uint32_t log)
{
	const struct log_store *store = __atomic_load_n(&j->logs[log], __ATOMIC_ACQUIRE);

	return store && store->gone;
}

/* Return: 0, LOG_OUT, or the sticky failure */
int logs_write(struct journal *j, uint32_t log, struct log_io *io, uint32_t count, bool durable);
int logs_flush(struct journal *j, uint32_t log);

/* a leg of a mirrored log may have been left: DIR says so.  Return: 0 */
int logs_note_left(struct journal *j, uint32_t log);

#define LOG_OUT_UNDECIDED "its log has failed while it was written: recovery decides"

/* @error, told as what a user's call returns when it could not go elsewhere */
int logs_out_say(struct journal *j, int error);

#endif
