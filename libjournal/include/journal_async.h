/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libjournal: commits that nobody waits for.  Part of journal.h, which includes it:
 * what is said there of errors, threads and handles holds here too.
 *
 * For servers with an event loop: a transaction is submitted instead of committed, and
 * a descriptor for poll() or epoll says when some are complete.  One thread may have
 * thousands under way.  They share writes and flushes: what is submitted while one
 * write is under way goes to the disk with the next one, by the one thread that each
 * struct journal_async has for it; with several logs, by one for each.
 *
 * A TRANSACTION IS DURABLE WHEN journal_async_next() HAS GIVEN IT BACK WITH error 0, AND
 * NOT A MOMENT EARLIER.  That it was submitted means nothing: in a crash it may be
 * there later, or not.
 *
 *   journal_async_open(journal, 0, &async);
 *   epoll_ctl(epoll, EPOLL_CTL_ADD, journal_async_fd(async), &event);
 *   ...
 *   journal_begin(journal, NULL, &txn);
 *   journal_append(txn, data, bytes);
 *   if (journal_submit(async, txn, connection))             not 0: say 451
 *   ...
 *   while (!journal_async_next(async, 0, &completion))      when the descriptor is readable
 *           answer(completion.cookie, completion.error);    250, or 451
 */
#ifndef JOURNAL_ASYNC_H
#define JOURNAL_ASYNC_H

#include "journal.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define JOURNAL_ASYNC_DEFAULT 1024u /* outstanding, where nothing is said */
#define JOURNAL_ASYNC_MAX     65536u

struct journal_async; /* commits under way, and those that are complete */

/**
 * struct journal_completion - what came of one transaction that was submitted
 * @cookie:  as it was given to journal_submit()
 * @error:   0: it is durable, and @receipt says to what; or its own error:
 *           -ENOSPC, -EMSGSIZE, -ENOMEM   nothing happened: it is aborted
 *           -EIO   a medium failed, sticky: recovery decides about this one.  Those that
 *                  were durable before are given back with 0 all the same.  Of one of
 *                  several logs it is the same for what was on its way there; but the
 *                  failure is not sticky, and what is submitted from then on goes to
 *                  the others
 *           journal_error() has the text
 * @receipt: as from journal_commit(); undefined on an error
 */
struct journal_completion {
	uint64_t cookie;
	int error;
	struct journal_receipt receipt;
};

/**
 * journal_async_open() - to have many commits under way
 * @journal: open for writing
 * @depth:   so many may be outstanding: submitted, and not yet given back by
 *           journal_async_next().  Up to JOURNAL_ASYNC_MAX; 0: JOURNAL_ASYNC_DEFAULT
 * @async:   receives it; ends with journal_async_close()
 *
 * Memory: 100 bytes for each of @depth; and each that is not staged and finds no room
 * in the batch of the log (1 MiB) keeps its payload until it does.
 * Context: does not block; starts a thread, or one for each log, which take no signals.
 * A journal may have any number of these, beside all other calls.  Each may be used by
 * several threads.
 *
 * Return: 0, or
 * -EINVAL   @depth is over JOURNAL_ASYNC_MAX
 * -EROFS    opened read-only
 * -ECHILD   the handle is of a process that forked this one
 * -EIO      a medium has failed (sticky)
 * -ENOMEM, -EMFILE, -ENFILE, -EAGAIN (no more threads)
 */
int journal_async_open(struct journal *journal, unsigned int depth,
		       struct journal_async **async);

/**
 * journal_async_fd() - what to poll
 * @async: from journal_async_open()
 *
 * Readable (POLLIN, EPOLLIN, level-triggered) while there may be completions; it stays
 * so until journal_async_next() has found none.  Only to be polled: it is the library's,
 * and closed by journal_async_close().
 *
 * Return: the descriptor.
 */
int journal_async_fd(const struct journal_async *async);

/**
 * journal_submit() - commit @txn, without waiting for it
 * @async:  from journal_async_open(), of the journal that @txn is of
 * @txn:    open, with all its payload; a group, or a prepared one, as well
 * @cookie: comes back with its completion
 *
 * Ends the transaction as journal_commit() does, but on -EAGAIN: @txn is gone
 * afterwards, and its payload copied, or kept by the library.
 * Durable: nothing yet, but what goes by the staged path: that is durable at once, and
 * the completion is ready on return.
 * Context: does not wait for the log, unless it is nearly full, and room must be made
 * before the transaction is accepted (as in journal_begin()).
 *
 * Return: 0 (there will be a completion), or (there will be none)
 * -EAGAIN   as many as depth are outstanding: take a completion first.  @txn is as it
 *           was, and may be submitted again, committed or aborted
 * -ENOSPC   the journal is full; @txn is aborted
 * -EMSGSIZE, -ENOMEM   @txn is aborted
 * -EIO      a medium has failed (sticky): as from journal_commit()
 * -ECHILD   as above; @txn is the parent's, and may yet be committed by it
 */
int journal_submit(struct journal_async *async, struct journal_txn *txn, uint64_t cookie);

/**
 * journal_async_next() - one completion, in the order in which they became durable
 * @async:      from journal_async_open()
 * @timeout_ms: how long to wait for one; 0: not at all; -1: as long as it takes
 * @completion: receives it: journal_completion.error says what came of it
 *
 * With one log, those that go to it by the synced path become durable in the order in
 * which they were submitted here, and so do those of the direct path that are not
 * prepared; staged and prepared ones overtake them.  Several logs are written at the same
 * time: what is on one disk may be durable before what was submitted earlier and is on
 * another.
 * Context: blocks until there is one, or for @timeout_ms; no system call where there is
 * one.
 *
 * Return: 0, or
 * -ENODATA   nothing is outstanding
 * -ETIMEDOUT nothing has completed
 * -ECHILD    as above
 */
int journal_async_next(struct journal_async *async, int timeout_ms,
		       struct journal_completion *completion);

/**
 * journal_async_close() - end it
 * @async: may be NULL
 *
 * What is under way is committed first; completions that nobody has taken are dropped,
 * and what they would have said is in the journal.  Who wants to know takes them with
 * journal_async_next() until that says -ENODATA.  In a child of fork() it does nothing.
 * Context: blocks until all that was submitted is decided.
 *
 * Return: 0, or -EIO: a medium has failed (sticky).
 */
int journal_async_close(struct journal_async *async);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
