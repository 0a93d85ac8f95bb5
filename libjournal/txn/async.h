/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commits under way that nobody waits for.
 *
 *   submitted --(staged, prepared)--------------------------------> complete
 *       |                                                              ^
 *       '--> queued --bring--> in a batch of the stream --settle-------|
 *                |                                                     |
 *                '--bring--> extents side by side, bits, one fence ----'
 *
 * The workers are threads: they do all that waits for the log.  Each leads the writes of
 * one stream, so that they are one after the other and whole batches; with several
 * logs there are several (streams.h).  What can be brought into a batch that fills
 * meanwhile, who submits or takes a completion brings there himself.  Plain system calls
 * do the writing: io_uring's writes may outlive the process, and its log space be another's
 * by then (P7).
 */
#ifndef TXN_ASYNC_H
#define TXN_ASYNC_H

#include "txn/journal_impl.h"

/**
 * struct async_entry - one transaction
 * @txn:    its payload, until that is in a batch or on the disk; then NULL
 * @began_ns: when it was submitted; 0: it was complete at once
 * @bytes:  of payload that it keeps meanwhile
 * @ticket: of its batch, of @stream
 */
struct async_entry {
	struct async_entry *next;
	struct journal_txn *txn;
	uint64_t began_ns, bytes, ticket;
	struct stream *stream;
	uint32_t line;
	struct journal_completion completion;
};

struct async_list {
	struct async_entry *first, **end;
};

/**
 * struct async_worker - a thread, and what it makes durable
 * @work:    it sleeps on it, and @sleeping says so
 * @batched: in batches of its stream, oldest first
 */
struct async_worker {
	struct journal_async *a;
	struct stream *stream;
	pthread_t thread;
	pthread_cond_t work;
	bool sleeping;
	struct async_list batched;
};

/**
 * struct journal_async - those of one user
 * @lock:     protects all that follows; not held while anything waits, but for other
 *            locks of memory
 * @workers:  of which @worker_count run
 * @brought:  told when nobody is bringing any more
 * @fd:       an eventfd; @signaled: it is readable
 * @outstanding: submitted, and not yet given back
 * @waiting: threads that wait for a completion
 * @queued, @complete: oldest first
 * @queued_bytes: of payload
 * @bringing: somebody has taken some of @queued, and no one else may overtake
 * @why, @why_error: the last failure's text, for who is given it
 */
struct journal_async {
	struct journal *j;
	struct async_worker workers[JOURNAL_LOGS_MAX];
	unsigned int worker_count;
	pthread_mutex_t lock;
	pthread_cond_t brought;
	int fd;
	bool signaled, bringing, closing;
	unsigned int depth, outstanding, waiting;
	struct async_entry *all, *free;
	struct async_list queued, complete;
	uint64_t queued_bytes;
	struct message why;
	int why_error;
};

static inline void async_list_clear(struct async_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static inline void async_push(struct async_list *list, struct async_entry *entry)
{
	entry->next = NULL;
	*list->end = entry;
	list->end = &entry->next;
}

static inline struct async_entry *async_pop(struct async_list *list)
{
	struct async_entry *entry = list->first;

	if (!entry)
		return NULL;
	list->first = entry->next;
	if (!list->first)
		list->end = &list->first;
	return entry;
}

/* All of these with the lock, which bringing drops meanwhile. */

/* it is decided: @error, and for 0 the receipt that is in it */
void async_complete(struct journal_async *a, struct async_entry *entry, int error);
/* bring what is queued as far as that takes no waiting, if nobody is at it */
void async_bring_now(struct journal_async *a);
/* Bring @entry, whatever that waits for, after all that are queued: for a log that is
 * nearly full, so that who has no room any more is told at once.
 * Return: 0, or why it is aborted. */
int async_bring_alone(struct journal_async *a, struct async_entry *entry);
/* those who have something to do */
void async_wake(struct journal_async *a);
/* the eventfd is readable until somebody finds nothing */
void async_signal(struct journal_async *a);

/* pthread_create()'s routine, of a struct async_worker */
void *async_worker(void *context);

#endif
