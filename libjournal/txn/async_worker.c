/* SPDX-License-Identifier: BSD-3-Clause */
/* What waits for the log, in place of those who submit (async.h). */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "txn/async.h"
#include "txn/extent.h"
#include "txn/health.h"
#include "txn/holds.h"
#include "txn/line.h"
#include "txn/logs.h"
#include "txn/segment.h"
#include "txn/streams.h"
#include "txn/times.h"
#include "txn/txn_impl.h"

#define GATHER_MOST 64u /* extents of one write */

/* ---- completing ------------------------------------------------------------- */

void async_signal(struct journal_async *a)
{
	const uint64_t one = 1;

	if (a->signaled)
		return;
	a->signaled = true;
	/* cannot fail: the counter is at most 1 */
	(void)!write(a->fd, &one, sizeof(one));
}

/* Who takes what he has just submitted makes no system call. */
void async_complete(struct journal_async *a, struct async_entry *entry, int error)
{
	entry->completion.error = error;
	if (!error && entry->began_ns)
		times_end(a->j, txn_timed(&entry->completion.receipt), entry->began_ns);
	if (error) {
		a->why_error = error;
		a->why = *journal_message(a->j);
	}
	async_push(&a->complete, entry);
	async_signal(a);
}

void async_wake(struct journal_async *a)
{
	struct async_worker *w;
	unsigned int i;

	for (i = 0; i < a->worker_count; i++) {
		w = &a->workers[i];
		if (w->sleeping && (w->batched.first || a->queued.first || a->closing))
			pthread_cond_signal(&w->work);
	}
}

/* ---- the synced path ---------------------------------------------------------- */

static bool entry_is_simple(const struct async_entry *entry)
{
	return !entry->txn->extent_count;
}

/* Into the batch that fills, of @w's stream; without @w, of any that has a worker.  -EAGAIN:
 * not without waiting. */
static int bring_synced(struct journal_async *a, struct async_entry *entry,
			struct async_worker *w, bool wait)
{
	struct journal_txn *txn = entry->txn;
	struct stream_place place;
	int error;

	if (wait)
		error = txn_synced_append(txn, w->stream, &place);
	else
		error = txn_synced_append_now(txn, w ? w->stream : NULL, a->worker_count,
					      &place);
	if (error)
		return error;
	entry->stream = place.stream;
	entry->ticket = place.ticket;
	txn_buffered_receipt(txn, &entry->completion.receipt);
	entry->line = txn->line;
	entry->txn = NULL;
	txn_free(txn);
	return 0;
}

static void publish(struct journal *j, const struct async_entry *entry)
{
	const struct journal_receipt *receipt = &entry->completion.receipt;

	line_publish(&j->lines[entry->line], id_slot(receipt->id), receipt->count);
	count(j->counters, COUNT_SYNCED, receipt->count);
}

/* with the lock */
static void batched(struct journal_async *a, struct async_entry *entry)
{
	async_push(&a->workers[entry->stream - a->j->streams].batched, entry);
}

/* The oldest batch is made durable, and all in it are complete. */
static void settle(struct async_worker *w)
{
	struct journal_async *a = w->a;
	uint64_t ticket = w->batched.first->ticket;
	struct async_entry *entry;
	uint32_t settled = 0;
	int error;

	pthread_mutex_unlock(&a->lock);
	error = stream_wait(w->stream, ticket, ticket);
	if (error == LOG_OUT) /* their payload is not there any more to go elsewhere */
		error = journal_say(a->j, -EIO, LOG_OUT_UNDECIDED);
	else if (error)
		error = journal_fail(a->j, error); /* with the text */
	pthread_mutex_lock(&a->lock);
	for (entry = w->batched.first; entry && entry->ticket <= ticket; entry = entry->next) {
		if (!error)
			publish(a->j, entry);
		settled++;
	}
	/* once all are in the index: P14.  That may take as long as the log does, and nobody
	 * waits for the lock meanwhile; who joins the batched has to be published first. */
	if (!error && health_look(a->j) != health_word(1, HEALTH_TRUSTED, 0)) {
		pthread_mutex_unlock(&a->lock);
		error = journal_undecided(a->j, health_settle_log(a->j));
		pthread_mutex_lock(&a->lock);
	}
	for (; settled; settled--)
		async_complete(a, async_pop(&w->batched), error);
}

/* ---- the direct path ------------------------------------------------------------ */

/* extents that go to the disk with one write */
struct gather {
	struct journal *j;
	unsigned int count;
	struct async_entry *entry[GATHER_MOST];
	struct extent extent[GATHER_MOST];
	int error[GATHER_MOST]; /* what came of each */
	struct settled settled; /* where their bits are */
};

/* Only the first one may wait for a fresh segment: the old one waits for those that
 * have their place in it.  So all are of one segment, and of one log. */
static int gather_add(struct gather *g, struct async_entry *entry)
{
	const struct extent *first = g->count ? g->extent : NULL;
	int error = txn_direct_begin(entry->txn, first, &g->extent[g->count]);

	if (!error)
		g->entry[g->count++] = entry;
	return error;
}

static int gather_write(struct gather *g)
{
	struct log_io io[GATHER_MOST];
	unsigned int i;
	int error;

	for (i = 0; i < g->count; i++)
		io[i] = g->extent[i].io;
	error = logs_write(g->j, segment_log(g->j, g->extent[0].segment->number), io, g->count,
			   true);
	for (i = 0; i < g->count; i++) {
		extent_end(&g->extent[i]);
		/* nothing refers to it yet */
		if (error == LOG_OUT)
			holds_end(g->j, g->extent[i].segment,
				  txn_group_count(g->entry[i]->txn));
	}
	return error;
}

static int gather_bits(struct gather *g)
{
	unsigned int i;
	int error;

	g->settled.turn = health_marks_turn(g->j);
	for (i = 0; i < g->count; i++) {
		txn_direct_end(g->entry[i]->txn, &g->extent[i]);
		txn_direct_bits(g->entry[i]->txn);
	}
	/* The durable point of all: their bits before the acknowledgements; the extents
	 * were durable before any bit was stored. */
	error = health_fence(g->j);
	return error ? journal_fail(g->j, error) : 0;
}

static void gather_publish(struct gather *g, unsigned int i)
{
	struct async_entry *entry = g->entry[i];
	struct journal_txn *txn = entry->txn;

	line_publish(&g->j->lines[txn->line], txn->slot, txn_group_count(txn));
	count(g->j->counters, COUNT_DIRECT, txn_group_count(txn));
	txn_buffered_receipt(txn, &entry->completion.receipt);
	entry->line = txn->line;
	txn->slots_taken = false;
	txn_free(txn);
}

/* Once all are in the index (P14): a list that was made after that has all of them. */
static void gather_settle(struct gather *g)
{
	struct settled settled = g->settled;
	unsigned int i;

	for (i = 0; i < g->count; i++) {
		settled.turn = g->settled.turn;
		g->error[i] = journal_undecided(g->j, txn_direct_settle(g->j, g->entry[i]->line,
									&settled));
	}
}

/* All of them commit, or the medium has failed, and nobody knows.  When it was only
 * their log that failed, each goes to another one. */
static void gather_commit(struct gather *g)
{
	int error = gather_write(g);
	struct async_entry *entry;
	unsigned int i;

	if (!error)
		error = gather_bits(g);
	for (i = 0; i < g->count; i++) {
		entry = g->entry[i];
		g->error[i] = error;
		if (error == LOG_OUT)
			g->error[i] = txn_buffered_commit(entry->txn, &entry->completion.receipt);
		else if (error) /* gives nothing back: it is sticky */
			txn_buffered_abort(entry->txn);
		else
			gather_publish(g, i);
		entry->txn = NULL;
	}
	if (!error)
		gather_settle(g);
}

static bool entry_gathers(const struct async_entry *entry)
{
	return entry && entry_is_simple(entry) && txn_is_direct(entry->txn);
}

/* It leaves the queue, whatever comes of it. */
static struct async_entry *unqueue(struct journal_async *a)
{
	struct async_entry *entry = async_pop(&a->queued);

	a->queued_bytes -= entry->bytes;
	return entry;
}

static void refused(struct journal_async *a, struct async_entry *entry, int error)
{
	txn_buffered_abort(entry->txn);
	entry->txn = NULL;
	async_complete(a, entry, error);
}

static void bringing_ends(struct journal_async *a)
{
	a->bringing = false;
	pthread_cond_broadcast(&a->brought);
}

/* As many from the queue as lie side by side; others bring more while these are written.
 * The lock is dropped meanwhile. */
static void bring_direct(struct journal_async *a)
{
	struct gather g = { .j = a->j };
	unsigned int i;
	int error = 0;

	while (!error && g.count < GATHER_MOST && entry_gathers(a->queued.first)) {
		pthread_mutex_unlock(&a->lock);
		error = gather_add(&g, a->queued.first);
		pthread_mutex_lock(&a->lock);
		if (!error)
			(void)unqueue(a);
		else if (error != -EAGAIN)
			refused(a, unqueue(a), error);
	}
	bringing_ends(a);
	async_wake(a);
	if (!g.count)
		return;
	pthread_mutex_unlock(&a->lock);
	gather_commit(&g);
	pthread_mutex_lock(&a->lock);
	for (i = 0; i < g.count; i++)
		async_complete(a, g.entry[i], g.error[i]);
}

/* ---- bringing ---------------------------------------------------------------------- */

/* One that is in several pieces: rare, and large. */
static void bring_large(struct journal_async *a)
{
	struct async_entry *entry = unqueue(a);
	int error;

	pthread_mutex_unlock(&a->lock);
	error = txn_buffered_commit(entry->txn, &entry->completion.receipt);
	pthread_mutex_lock(&a->lock);
	entry->txn = NULL;
	async_complete(a, entry, error);
}

/* Return: false when it is not to be brought without waiting. */
static bool bring_one(struct journal_async *a, struct async_worker *w, bool wait)
{
	struct async_entry *entry = a->queued.first;
	int error;

	pthread_mutex_unlock(&a->lock);
	error = bring_synced(a, entry, w, wait);
	pthread_mutex_lock(&a->lock);
	if (error == -EAGAIN)
		return false;
	(void)unqueue(a);
	if (error)
		refused(a, entry, error);
	else
		batched(a, entry);
	return true;
}

static bool entry_is_batched(const struct async_entry *entry)
{
	return entry_is_simple(entry) && !txn_is_direct(entry->txn);
}

/* @w: the worker that does; NULL: somebody else, and then not @wait */
static void bring(struct journal_async *a, struct async_worker *w, bool wait)
{
	struct async_entry *entry;
	bool going = true;

	a->bringing = true;
	while (going && (entry = a->queued.first)) {
		if (entry_is_batched(entry)) {
			going = bring_one(a, w, wait);
		} else if (!wait) {
			break;
		} else if (entry_is_simple(entry)) {
			bring_direct(a);
			return;
		} else {
			bring_large(a);
		}
		/* those in the batch are not to wait for more */
		wait = wait && !w->batched.first;
	}
	bringing_ends(a);
}

int async_bring_alone(struct journal_async *a, struct async_entry *entry)
{
	struct journal_txn *txn = entry->txn;
	bool simple = entry_is_batched(entry);
	int error;

	while (a->bringing || a->queued.first) {
		async_wake(a);
		pthread_cond_wait(&a->brought, &a->lock);
	}
	a->bringing = true;
	pthread_mutex_unlock(&a->lock);
	error = simple ? bring_synced(a, entry, &a->workers[0], true) :
			 txn_buffered_commit(txn, &entry->completion.receipt);
	if (simple && error)
		txn_buffered_abort(txn);
	pthread_mutex_lock(&a->lock);
	if (!error && simple)
		batched(a, entry);
	else if (!error)
		async_complete(a, entry, 0);
	bringing_ends(a);
	async_wake(a);
	return error;
}

void async_bring_now(struct journal_async *a)
{
	if (!a->bringing && a->queued.first)
		bring(a, NULL, false);
	if (!a->bringing)
		async_wake(a);
}

/* ---- the worker ---------------------------------------------------------------------- */

void *async_worker(void *context)
{
	struct async_worker *w = context;
	struct journal_async *a = w->a;

	pthread_mutex_lock(&a->lock);
	for (;;) {
		/* into the batch that fills, before it is written */
		if (!a->bringing && a->queued.first) {
			bring(a, w, !w->batched.first);
			async_wake(a);
		}
		if (w->batched.first) {
			settle(w);
		} else if (a->bringing || !a->queued.first) {
			if (a->closing && !a->bringing)
				break;
			w->sleeping = true;
			pthread_cond_wait(&w->work, &a->lock);
			w->sleeping = false;
		}
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}
