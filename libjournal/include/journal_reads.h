/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libjournal: many reads at a time.  Part of journal.h, which includes it: what is
 * said there of errors, threads and handles holds here too.
 */
#ifndef JOURNAL_READS_H
#define JOURNAL_READS_H

#include "journal.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define JOURNAL_READS_DEFAULT 32u /* at a time, where none is said */
#define JOURNAL_READS_MAX     1024u

struct journal_reads; /* reads under way */

/**
 * struct journal_read_result - what came of one read
 * @id, @cookie: as they were given to journal_reads_submit()
 * @data:   the whole payload, verified; the library's, to be read only, valid until
 *          the next journal_reads_next() or journal_reads_close().  NULL on an error
 * @bytes:  of @data
 * @tags:   as from journal_tags(); 0 on an error
 * @error:  0, -ENOENT, -EBADMSG, -EIO or -ENOMEM, with the meaning that they have from
 *          journal_read(); journal_error() has the text
 */
struct journal_read_result {
	uint64_t id;
	uint64_t cookie;
	const void *data;
	size_t bytes;
	struct journal_tags tags;
	int error;
};

/**
 * journal_reads_open() - to read many transactions with deep queues
 * @journal: may be read-only
 * @depth:   so many outstanding at most, up to JOURNAL_READS_MAX; 0:
 *           JOURNAL_READS_DEFAULT.  Each takes 16 KiB of memory (from 16 on, all
 *           together in steps of 2 MiB), or as much as the transaction if that is more.
 * @reads:   receives it; ends with journal_reads_close()
 *
 * Where io_uring cannot be had (or JOURNAL_NO_URING is set), transactions in the
 * log are read one after the other, in journal_reads_next().
 * Context: does not block.  What is opened here serves one thread at a time; a
 * journal has any number of them, beside all other calls.
 *
 * Return: 0, or
 * -EINVAL   @depth is over JOURNAL_READS_MAX
 * -ENOMEM
 */
int journal_reads_open(struct journal *journal, unsigned int depth,
		       struct journal_reads **reads);

/**
 * journal_reads_submit() - ask for the payload of one transaction
 * @reads:  from journal_reads_open()
 * @id:     the transaction; whether there is one, its result says
 * @cookie: comes back with it
 *
 * Context: does not block.  What is in NVRAM is answered at once.  Reads of the log
 * are begun by the next call of journal_reads_next(), all by one system call, or
 * when 16 have come together.
 *
 * Return: 0, or
 * -EAGAIN   as many as @depth are outstanding: take a result first (nothing happened)
 */
int journal_reads_submit(struct journal_reads *reads, uint64_t id, uint64_t cookie);

/**
 * journal_reads_next() - one result, in the order in which the reads complete
 * @reads:      from journal_reads_open()
 * @timeout_ms: how long to wait for one; 0: not at all; -1: as long as it takes
 * @result:     receives it: journal_read_result.error says what came of that read
 *
 * A transaction that is moved meanwhile is read where it is then; one that is
 * retired meanwhile may be found or not.
 * Context: blocks until there is one, or for @timeout_ms; for a transaction that
 * was written in several pieces (above 1 MiB or so), and without io_uring, until
 * that is read.
 *
 * Return: 0, or
 * -ENODATA   nothing is outstanding
 * -ETIMEDOUT nothing has completed
 */
int journal_reads_next(struct journal_reads *reads, int timeout_ms,
		       struct journal_read_result *result);

/**
 * journal_reads_close() - end it; what is outstanding is dropped
 * @reads: may be NULL
 * Context: blocks for what the kernel is reading.
 */
void journal_reads_close(struct journal_reads *reads);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
