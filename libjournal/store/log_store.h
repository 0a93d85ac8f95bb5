/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The contract of a log store: one preallocated, zero-filled file or block
 * device of fixed size, written in whole blocks, in any order.
 *
 * A completed write is durable, to the store's class, when it was asked for
 * as durable and returned 0, or when a log_store_flush() that began after its
 * completion has returned 0.  Before that a crash may leave any of its
 * sectors old or new.  Blocks outside the write are not touched.
 *
 * Threads: everything but close from any number of threads at once.
 * Buffers: the caller's, aligned to log_store.block_bytes, whole blocks; the
 * store is done with them on return.  Buffers from log_store_buffer() are
 * registered with the kernel where that helps.
 *
 * Sticky failure: once a write or flush has failed, every later write and
 * flush returns the same negative errno.  Reads go on.
 */
#ifndef STORE_LOG_STORE_H
#define STORE_LOG_STORE_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal.h"
#include "util/message.h"

#define LOG_BUFFER_BYTES (1u << 20) /* size of every buffer of the pool */

struct iovec;
struct log_queue;
struct log_store;

/**
 * struct log_io - one read or write
 * @offset, @bytes: multiples of block_bytes, inside the store
 * @buffer:         aligned to block_bytes
 * @result:         0 or negative errno; a short transfer is -EIO
 */
struct log_io {
	uint64_t offset;
	void *buffer;
	uint32_t bytes;
	int result;
};

/*
 * All since open; atomics, read relaxed.
 * @merged: flushes that were asked for, and that another's flush has served (P13)
 */
struct log_counters {
	_Atomic uint64_t writes, bytes_written, flushes, merged, dsyncs, unsynced, reads,
		bytes_read, async;
} __attribute__((aligned(128)));

/* of those that all count in, by processor, so that they share no cache line */
#define LOG_COUNTER_SHARDS 16u

struct log_copies_ops;

/**
 * struct log_legs - of a log that lies on two: which of them are in use (log_copies.h)
 * @word:   which are read and written: log/mirror_word.h
 * @left_at: when one was left: gen of the word by then << 32 | seconds since 1970; the
 *          first who says it for that gen says it for all
 * @events: what the heads had at open; at a later gen they have that much more
 * @fills:  how often each was opened anew by all, to be brought up to date
 * @failed: negative errno of whoever could not write the one that is being copied to
 * @damaged, @repaired: copies that did not verify, the other one did; of these, those
 *        that were written anew.  @offset, @repaired_ns: the last one
 * @why:  for people, of whoever left it
 */
struct log_legs {
	_Atomic uint64_t word;
	_Atomic uint64_t left_at;
	_Atomic uint64_t events;
	_Atomic uint32_t fills[2];
	_Atomic int failed;
	_Atomic uint64_t damaged[2], repaired[2], offset[2], repaired_ns[2];
	char why[2][160];
};

/**
 * struct log_share - what one process found, and the flush that all combine
 * @flush: the log's own; zeroed, it is ready
 * @legs:  the log's own, too
 * @path:  of a leg that was opened anew; empty: as journal.conf has it
 * Lies in memory that others map.  Who joins does not look at the medium again.
 */
/* One for a log; and for the legs that it may lie on, two, by turns with two and two more
 * when one of them is opened anew: by whoever has yet to see that the flush of the one
 * before is still counted where it was. */
#define LOG_SHARES 7u

struct log_share {
	uint32_t class;
	uint32_t block_bytes;
	uint64_t bytes;
	uint32_t direct, device, sync_free;
	uint32_t gone; /* errno: it is not there (log_gone.h) */
	uint64_t pair, pair_bytes; /* of two legs (format/leg.h) */
	char path[4096];
	char evidence[256];
	char routine[64];
	_Atomic uint64_t flush[8];
	_Atomic uint32_t writing; /* durable writes under way */
	struct log_legs legs;
	struct log_counters counters[LOG_COUNTER_SHARDS];
};

struct log_store_ops {
	const char *backend; /* "io_uring", "pwrite", "mirror" */
	/* its calls wait for a device: of two stores both are asked at a time, each by a
	 * thread of its own */
	bool waits;
	/* write all of @io, in any order; @durable: all are on return.
	 * Return: 0, or the first failure (each io has its own result too). */
	int (*write)(struct log_store *store, struct log_io *io, unsigned int count,
		     bool durable);
	/* read all of @io with a deep queue; Return: as write */
	int (*read)(struct log_store *store, struct log_io *io, unsigned int count);
	/* a queue of reads (log_queue.h), all but its store and depth filled in; NULL,
	 * or -ENOTSUP: not to be had here, and the one in log_queue.c serves */
	int (*queue)(struct log_store *store, unsigned int depth, const struct iovec *arena,
		     struct log_queue **queue);
	/* every write completed before the call is durable on return; calls of
	 * several threads share one flush (P13) */
	int (*flush)(struct log_store *store);
	/* what others may join, LOG_SHARES of them; it stays until close.  NULL: not to be
	 * shared */
	void (*share)(struct log_store *store, struct log_share *share);
	/* NULL, or what it has not counted itself: log_store_counted() of who did, of its
	 * own stores.  Return: that one; NULL: itself */
	const struct log_store *(*counter)(const struct log_store *store, size_t counter);
	/* a buffer of LOG_BUFFER_BYTES from the pool, or NULL for want of memory */
	void *(*buffer)(struct log_store *store);
	void (*buffer_done)(struct log_store *store, void *buffer);
	void (*close)(struct log_store *store);
};

struct log_store {
	const struct log_store_ops *ops;
	const struct log_copies_ops *copies; /* of one that keeps several, else NULL */
	uint64_t bytes;        /* log_store_bytes(): it may become more */
	uint32_t block_bytes;  /* unit of I/O; power of two, 512 to 4096: no smaller
				* than the physical sector, so that rewriting one
				* block never endangers its neighbours */
	bool read_only;
	bool gone;             /* it is not there: log_gone.h */
	enum journal_class class;
	char evidence[256];
	char routine[64];      /* how a write is made durable: "dsync", "none: ..." */
	_Atomic int failed;
	struct log_counters counters;         /* this process's */
	struct log_counters *shared_counters; /* of all that share it; NULL: nobody does */
};

/* log_store_open() flags */
#define LOG_RDONLY   0x1u
#define LOG_CREATE   0x2u /* make it, @bytes large, zero-filled and durable */
#define LOG_FORCE    0x4u /* with LOG_CREATE: over existing content */
#define LOG_NO_URING 0x8u /* the pwrite path */
#define LOG_OURS     0x10u /* with LOG_CREATE: others may have it open, it is the caller's */

/**
 * log_store_opener - what backends.c knows of a backend
 * @path:  a file (made with LOG_CREATE, mode 0600, its directory synced; and
 *         removed again if making it fails), or a block device
 * @bytes: with LOG_CREATE: the size, a multiple of 4096
 * @progress: told about zero-filling; may be NULL
 *
 * LOG_CREATE without LOG_FORCE: -EEXIST if the file is there, or if the
 * device's first 64 KiB hold anything but zeros.
 * io_uring that is forbidden (-EPERM, -ENOSYS, -EACCES, -ENOMEM at set-up)
 * falls back to the pwrite path, and says so in @routine.
 * Return: 0 or negative errno with the text in @message.
 */
typedef int log_store_opener(const char *path, unsigned int flags, uint64_t bytes,
			     const struct journal_progress *progress,
			     struct log_store **store, struct message *message);

/**
 * log_store_joiner - open a log that another process has shared
 * @flags: LOG_RDONLY, LOG_NO_URING, or 0
 */
typedef int log_store_joiner(const char *path, unsigned int flags, struct log_share *share,
			     struct log_store **store, struct message *message);

/* ---- the checked call-through: asserts before and after every call ------ */

/* For a struct that begins with a store: zeroed, and aligned as its counters are, which
 * calloc() does not do.  Return: what free() takes, or NULL. */
void *log_store_alloc(size_t bytes);

int log_store_write(struct log_store *store, struct log_io *io, unsigned int count,
		    bool durable);
int log_store_read(struct log_store *store, struct log_io *io, unsigned int count);
int log_store_flush(struct log_store *store);
bool log_store_can_share(const struct log_store *store);
void log_store_share(struct log_store *store, struct log_share *share);
void *log_store_buffer(struct log_store *store);
void log_store_buffer_done(struct log_store *store, void *buffer);
void log_store_close(struct log_store *store);
/* called by a backend once its store is filled in: asserts the contract */
void log_store_check(const struct log_store *store);
/* whole blocks inside the store, to or from an aligned buffer */
void log_store_check_io(const struct log_store *store, const struct log_io *io);
/* A medium that others have made longer: it is in use up to @bytes now. */
void log_store_longer(struct log_store *store, uint64_t bytes);
static inline uint64_t log_store_bytes(const struct log_store *store)
{
	return __atomic_load_n(&store->bytes, __ATOMIC_RELAXED);
}
uint64_t log_store_counted(const struct log_store *store, size_t counter);

/* the shard of this processor */
static inline unsigned int log_counter_shard(void)
{
	return (unsigned int)sched_getcpu() % LOG_COUNTER_SHARDS;
}

#define log_count_in(counters, name, by)                                                     \
	(void)atomic_fetch_add_explicit(&(counters)->name, by, memory_order_relaxed)

/* count in @store's counter @name; for backends */
#define log_count(store, name, by)                                                           \
	do {                                                                                 \
		uint64_t by_ = (by);                                                         \
		log_count_in(&(store)->counters, name, by_);                                 \
		if ((store)->shared_counters && !(store)->read_only)                         \
			log_count_in(&(store)->shared_counters[log_counter_shard()], name,   \
				     by_);                                                   \
	} while (0)

/* the sum of @name over all who share @store */
#define log_counted(store, name) log_store_counted(store, offsetof(struct log_counters, name))

/* record a failure; the first one stays */
void log_store_fail(struct log_store *store, int error);

#endif
