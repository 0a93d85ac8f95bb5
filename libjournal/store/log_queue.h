/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads of a log store that come back in the order in which they complete.
 *
 * An io that was submitted belongs to the queue, with its buffer, until it has
 * come back.  Which one it was, the caller finds by the address of the io.
 *
 * Threads: a queue has one user at a time; a store has any number of queues,
 * beside all else that it does.  Queues are closed before their store.
 */
#ifndef STORE_LOG_QUEUE_H
#define STORE_LOG_QUEUE_H

#include <stdbool.h>
#include <sys/uio.h>

#include "store/log_store.h"

#define LOG_QUEUE_DEPTH_MAX 1024u

struct log_queue_ops {
	/* take @io; what goes wrong is its result.  Does not wait for any read. */
	void (*submit)(struct log_queue *queue, struct log_io *io);
	/* one that has completed; NULL: none has, and all that were submitted are
	 * being read.  @wait: sleep until there is one */
	struct log_io *(*complete)(struct log_queue *queue, bool wait);
	/* readable when complete() may have one; -1: complete() needs no other wait
	 * than for a read that it does itself */
	int (*fd)(const struct log_queue *queue);
	/* waits for what is under way */
	void (*close)(struct log_queue *queue);
};

/**
 * struct log_queue - a queue of reads
 * @depth:     so many under way at most
 * @under_way: submitted, and not yet come back
 */
struct log_queue {
	const struct log_queue_ops *ops;
	struct log_store *store;
	unsigned int depth, under_way;
};

/**
 * log_queue_open() - a queue for @store
 * @depth: 1 to LOG_QUEUE_DEPTH_MAX
 * @arena: memory that most buffers will lie in, to be registered with the
 *         kernel where that helps; it stays until the queue is closed.  NULL: none
 * A store without a queue of its own has one that reads one after the other.
 * Return: 0, or -ENOMEM.
 */
int log_queue_open(struct log_store *store, unsigned int depth, const struct iovec *arena,
		   struct log_queue **queue);
/* The checked calls: under_way is below depth, and not 0. */
void log_queue_submit(struct log_queue *queue, struct log_io *io);
struct log_io *log_queue_complete(struct log_queue *queue, bool wait);
int log_queue_fd(const struct log_queue *queue);
/* What was under way is done or dropped on return; NULL is let pass. */
void log_queue_close(struct log_queue *queue);

#endif
