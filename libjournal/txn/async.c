/* SPDX-License-Identifier: BSD-3-Clause */
/* The public calls of asynchronous commit; async.h says how it goes. */
#include "txn/async.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "txn/clock.h"
#include "txn/segment.h"
#include "txn/streams.h"
#include "txn/txn_impl.h"

/* ---- opening, closing --------------------------------------------------------- */

static void async_free(struct journal_async *a)
{
	if (a->fd >= 0)
		close(a->fd);
	free(a->all);
	free(a);
}

static int async_allowed(struct journal *j, unsigned int depth)
{
	if (journal_is_childs(j))
		return journal_childs(j);
	if (depth > JOURNAL_ASYNC_MAX)
		return journal_say(j, -EINVAL, "%u commits at a time are over the limit of %u",
				   depth, JOURNAL_ASYNC_MAX);
	if (j->read_only)
		return journal_say(j, -EROFS, "the journal is open read-only");
	return journal_failed(j) ? journal_fail(j, -EIO) : 0;
}

static int worker_start(struct journal_async *a, struct async_worker *w)
{
	w->a = a;
	w->stream = &a->j->streams[w - a->workers];
	async_list_clear(&w->batched);
	if (pthread_cond_init(&w->work, NULL) || stream_make_ready(w->stream))
		return -ENOMEM;
	return -pthread_create(&w->thread, NULL, async_worker, w);
}

static void workers_end(struct journal_async *a)
{
	unsigned int i;

	pthread_mutex_lock(&a->lock);
	a->closing = true;
	async_wake(a);
	pthread_mutex_unlock(&a->lock);
	for (i = 0; i < a->worker_count; i++)
		pthread_join(a->workers[i].thread, NULL);
}

/* One for each stream.  The program's signals are for its own threads. */
static int async_start(struct journal_async *a)
{
	unsigned int i, count = streams_count(a->j);
	sigset_t all, before;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_mutex_lock(&a->lock); /* they see the others when all are there */
	for (i = 0; i < count && !error; i++) {
		error = worker_start(a, &a->workers[i]);
		a->worker_count += !error;
	}
	pthread_mutex_unlock(&a->lock);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		workers_end(a);
	return error;
}

static int async_make(struct journal_async *a)
{
	unsigned int i;

	async_list_clear(&a->queued);
	async_list_clear(&a->complete);
	a->all = calloc(a->depth, sizeof(*a->all));
	if (!a->all || pthread_mutex_init(&a->lock, NULL) ||
	    pthread_cond_init(&a->brought, NULL))
		return -ENOMEM;
	for (i = a->depth; i-- > 0; a->free = &a->all[i])
		a->all[i].next = a->free;
	a->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return a->fd < 0 ? -errno : async_start(a);
}

int journal_async_open(struct journal *j, unsigned int depth, struct journal_async **out)
{
	struct journal_async *a;
	int error = async_allowed(j, depth);

	if (error)
		return error;
	a = calloc(1, sizeof(*a));
	if (!a)
		return journal_say(j, -ENOMEM, "no memory");
	a->j = j;
	a->fd = -1;
	a->depth = depth ? depth : JOURNAL_ASYNC_DEFAULT;
	error = async_make(a);
	if (error) {
		async_free(a);
		return message_errno(journal_message(j), error, "asynchronous commits");
	}
	atomic_fetch_add_explicit(&j->asyncs_open, 1, memory_order_relaxed);
	*out = a;
	return 0;
}

int journal_async_fd(const struct journal_async *a)
{
	return a->fd;
}

int journal_async_close(struct journal_async *a)
{
	struct journal *j;

	/* in a child the worker is not there, and the lock may be anybody's */
	if (!a || journal_is_childs(a->j))
		return 0;
	j = a->j;
	workers_end(a);
	async_free(a);
	atomic_fetch_sub_explicit(&j->asyncs_open, 1, memory_order_relaxed);
	return journal_failed(j) ? journal_fail(j, -EIO) : 0;
}

/* ---- submitting ------------------------------------------------------------------ */

static struct async_entry *entry_take(struct journal_async *a, uint64_t cookie)
{
	struct async_entry *entry;

	pthread_mutex_lock(&a->lock);
	entry = a->free;
	if (entry) {
		a->free = entry->next;
		a->outstanding++;
		entry->completion.cookie = cookie;
		entry->began_ns = 0;
	}
	pthread_mutex_unlock(&a->lock);
	return entry;
}

/* with the lock */
static void entry_give(struct journal_async *a, struct async_entry *entry)
{
	entry->next = a->free;
	a->free = entry;
	/* with nothing left to come all who wait must see that */
	if (!--a->outstanding && a->waiting)
		async_signal(a);
}

/* It goes to the log, which is to have room, and the markers a slot for it. */
static int submit_accept(struct journal_txn *txn)
{
	int error = segments_admit(txn->j);

	if (!error && !txn->base)
		error = txn_buffered_room(txn, 0);
	return error ? error : txn_take_slots(txn);
}

/* Return: 0; UNDER_WAY: it is the worker's; or what journal_commit() would say */
#define UNDER_WAY 1
static int submit_begin(struct journal_txn *txn, struct journal_receipt *receipt)
{
	int error;

	/* no more than a fence; it is gone afterwards */
	if (txn->lane || txn->prepared || txn->error)
		return journal_commit(txn, receipt);
	error = txn_end(txn);
	if (!error)
		error = submit_accept(txn);
	if (error) {
		journal_abort(txn);
		return error;
	}
	if (txn->count)
		count(txn->j->counters, COUNT_GROUPS, 1);
	return UNDER_WAY;
}

/* Whether what is queued might take all of the log's room.  With the lock. */
static bool submit_is_tight(const struct journal_async *a)
{
	const struct journal *j = a->j;
	uint64_t wanted = 2 * a->queued_bytes / segment_room(j) + 2;

	return atomic_load_explicit(&j->shared->segments_free, memory_order_relaxed) <
	       segments_reserve(j) + wanted;
}

/* with the lock */
static int submit_queue(struct journal_async *a, struct journal_txn *txn,
			struct async_entry *entry)
{
	entry->txn = txn;
	entry->began_ns = clock_monotonic_ns();
	if (submit_is_tight(a))
		return async_bring_alone(a, entry);
	entry->bytes = txn->fill;
	a->queued_bytes += entry->bytes;
	async_push(&a->queued, entry);
	async_bring_now(a);
	return 0;
}

int journal_submit(struct journal_async *a, struct journal_txn *txn, uint64_t cookie)
{
	struct async_entry *entry;
	int error;

	if (journal_is_childs(a->j))
		return journal_childs(a->j);
	JASSERT(txn->j == a->j);
	entry = entry_take(a, cookie);
	if (!entry)
		return journal_say(a->j, -EAGAIN, "%u commits are outstanding: take a completion "
				   "first", a->depth);
	error = submit_begin(txn, &entry->completion.receipt);
	pthread_mutex_lock(&a->lock);
	if (error == UNDER_WAY)
		error = submit_queue(a, txn, entry);
	else if (!error)
		async_complete(a, entry, 0);
	if (error)
		entry_give(a, entry);
	pthread_mutex_unlock(&a->lock);
	return error;
}

/* ---- completions ------------------------------------------------------------------- */

static int completion_say(struct journal_async *a, int error)
{
	if (error && error == a->why_error)
		*journal_message(a->j) = a->why;
	else if (error)
		(void)message_errno(journal_message(a->j), error, "commit");
	return error;
}

/* Nothing is complete: the descriptor says so from here on.  With the lock. */
static int async_quiet(struct journal_async *a)
{
	uint64_t value;

	if (!a->outstanding && a->waiting)
		return -ENODATA; /* the last who waits quiets it */
	if (a->signaled)
		(void)!read(a->fd, &value, sizeof(value));
	a->signaled = false;
	return a->outstanding ? -ETIMEDOUT : -ENODATA;
}

/* @waits: whether the caller has waited, and whether he is to wait now */
static int async_take(struct journal_async *a, struct journal_completion *completion,
		      int left_ms, bool *waits)
{
	struct async_entry *entry;
	int error = 0;

	pthread_mutex_lock(&a->lock);
	a->waiting -= *waits;
	/* a batch has become free since, perhaps: it fills while the other is written */
	async_bring_now(a);
	entry = async_pop(&a->complete);
	if (entry) {
		*completion = entry->completion;
		(void)completion_say(a, completion->error);
		entry_give(a, entry);
	} else {
		error = async_quiet(a);
	}
	*waits = error == -ETIMEDOUT && left_ms;
	a->waiting += *waits;
	pthread_mutex_unlock(&a->lock);
	return error;
}

static int async_left_ms(int timeout_ms, uint64_t begin_ns)
{
	uint64_t gone_ms;

	if (timeout_ms <= 0)
		return timeout_ms;
	gone_ms = (clock_monotonic_ns() - begin_ns) / 1000000;
	return gone_ms < (uint64_t)timeout_ms ? timeout_ms - (int)gone_ms : 0;
}

int journal_async_next(struct journal_async *a, int timeout_ms,
		       struct journal_completion *completion)
{
	uint64_t begin_ns = timeout_ms > 0 ? clock_monotonic_ns() : 0;
	struct pollfd wait = { .fd = a->fd, .events = POLLIN };
	int error, left = timeout_ms;
	bool waits = false;

	if (journal_is_childs(a->j))
		return journal_childs(a->j);
	for (;;) {
		error = async_take(a, completion, left, &waits);
		if (!waits)
			return error;
		(void)poll(&wait, 1, left);
		left = async_left_ms(timeout_ms, begin_ns);
	}
}
