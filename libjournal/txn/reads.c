/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many reads at a time.  Each goes where its transaction is:
 *
 *   in the stage        copied and verified at once: ready
 *   in the log          a read in that log's queue; verified when it is back: ready
 *   in several pieces   ready; read when its turn comes, so that there is memory
 *                       for one at a time only
 *
 * One that does not verify was perhaps moved or retired meanwhile: it is looked
 * up again, and goes where it is now, as long as that is another place (P18).
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "store/log_queue.h"
#include "txn/clock.h"
#include "txn/copies.h"
#include "txn/read.h"
#include "txn/segment.h"
#include "txn/times.h"

_Static_assert(JOURNAL_READS_MAX <= LOG_QUEUE_DEPTH_MAX, "a queue is as deep");

#define CELL_BYTES 16384u       /* of the arena: what most records fit into */
#define PAGE_BYTES (2ul << 20)  /* of a large page */
#define PAGE_DEPTH 16u          /* from here on one is worth its memory */

/**
 * struct read - one of them
 * @cell:   its part of the arena
 * @own:    memory allocated for it, until its result is given back; or NULL
 * @data:   payload, in @cell or @own
 * @pieces: it is in several, and yet to be read
 * @began:  when it was asked for, of one that is timed; else 0
 */
struct read {
	struct log_io io; /* first: what comes back is one of these */
	struct read *next;
	struct found found;
	uint64_t id, cookie, began;
	uint8_t *cell, *own;
	const uint8_t *data;
	int error;
	bool pieces;
};

/**
 * struct journal_reads - reads under way, and what is ready
 * @outstanding: submitted, and not yet given to the user
 * @given:       what the user has last got: its memory is still his
 * @all:         one more than depth, for that one
 * @free, @ready: lists; the latter in the order of completion
 */
struct journal_reads {
	struct journal *journal;
	unsigned int depth, outstanding;
	struct read *all, *free, *given, *ready, **ready_end;
	struct iovec arena;
	struct log_queue *queue[JOURNAL_LOGS_MAX];
};

/* ---- opening -------------------------------------------------------------- */

static void reads_free(struct journal_reads *reads)
{
	unsigned int i;

	for (i = 0; i < JOURNAL_LOGS_MAX; i++)
		if (reads->queue[i])
			log_queue_close(reads->queue[i]);
	for (i = 0; reads->all && i <= reads->depth; i++)
		free(reads->all[i].own);
	free(reads->arena.iov_base);
	free(reads->all);
	free(reads);
}

/* Records lie across blocks.  In a large page the blocks of a read are one piece of
 * memory, and so one for the disk: a tenth more reads per second. */
static int reads_arena(struct iovec *arena, unsigned int depth)
{
	size_t unit = depth < PAGE_DEPTH ? 4096 : PAGE_BYTES;
	size_t bytes = round_up((depth + 1ul) * CELL_BYTES, unit);

	if (posix_memalign(&arena->iov_base, unit, bytes))
		return -ENOMEM;
	arena->iov_len = bytes;
	if (unit == PAGE_BYTES) /* where there are none, small ones serve */
		(void)madvise(arena->iov_base, bytes, MADV_HUGEPAGE);
	return 0;
}

static int reads_queue(struct journal_reads *reads, uint32_t log)
{
	return log_queue_open(logs_at(reads->journal, log), reads->depth, &reads->arena,
			      &reads->queue[log]);
}

static int reads_make(struct journal_reads *reads)
{
	unsigned int i;
	int error = 0;

	reads->ready_end = &reads->ready;
	reads->all = calloc(reads->depth + 1ul, sizeof(*reads->all));
	if (!reads->all || reads_arena(&reads->arena, reads->depth))
		return -ENOMEM;
	for (i = 0; i <= reads->depth; i++) {
		reads->all[i].cell = (uint8_t *)reads->arena.iov_base + (size_t)i * CELL_BYTES;
		reads->all[i].next = reads->free;
		reads->free = &reads->all[i];
	}
	for (i = 0; i < logs_end(reads->journal) && !error; i++)
		if (!logs_removed(reads->journal, i))
			error = reads_queue(reads, i);
	return error;
}

int journal_reads_open(struct journal *j, unsigned int depth, struct journal_reads **out)
{
	struct journal_reads *reads;
	int error;

	if (journal_is_childs(j))
		return journal_childs(j);
	if (depth > JOURNAL_READS_MAX)
		return journal_say(j, -EINVAL, "%u reads at a time are over the limit of %u",
				   depth, JOURNAL_READS_MAX);
	reads = calloc(1, sizeof(*reads));
	if (!reads)
		return journal_say(j, -ENOMEM, "no memory");
	reads->journal = j;
	reads->depth = depth ? depth : JOURNAL_READS_DEFAULT;
	error = reads_make(reads);
	if (error) {
		reads_free(reads);
		return journal_say(j, error, "no memory");
	}
	atomic_fetch_add_explicit(&j->reads_open, 1, memory_order_relaxed);
	*out = reads;
	return 0;
}

void journal_reads_close(struct journal_reads *reads)
{
	/* a fork's child has the parent's rings mapped: all of it stays as it is */
	if (!reads || journal_is_childs(reads->journal))
		return;
	atomic_fetch_sub_explicit(&reads->journal->reads_open, 1, memory_order_relaxed);
	reads_free(reads);
}

/* ---- one of them ------------------------------------------------------------ */

static void read_ready(struct journal_reads *reads, struct read *read, int error)
{
	read->error = error;
	read->next = NULL;
	*reads->ready_end = read;
	reads->ready_end = &read->next;
}

static void read_drop(struct read *read)
{
	free(read->own);
	read->own = NULL;
}

#define UNDER_WAY 1 /* no errno */

static int read_log(struct journal_reads *reads, struct read *read)
{
	uint32_t segment = where_segment(read->found.where);
	uint32_t log = segment_log(reads->journal, segment);
	int error = record_span(reads->journal, segment, where_offset(read->found.where),
				(uint64_t)read->found.units * 32, &read->io);
	void *memory = NULL;

	if (!error && !reads->queue[log]) /* added since */
		error = reads_queue(reads, log);
	if (error)
		return error;
	if (read->io.bytes > CELL_BYTES && posix_memalign(&memory, 4096, read->io.bytes))
		return -ENOMEM;
	read->own = memory;
	read->io.buffer = memory ? memory : read->cell;
	read->began = reads->journal->read_only ? 0 : times_some(reads->journal);
	log_queue_submit(reads->queue[log], &read->io);
	return UNDER_WAY;
}

/* Return: 0 it has its payload, or is in pieces; UNDER_WAY; or negative errno. */
static int read_try(struct journal_reads *reads, struct read *read)
{
	switch (where_kind(read->found.where)) {
	case WHERE_STAGE:
		return read_staged(reads->journal, &read->found, &read->own, &read->data);
	case WHERE_LOG:
		read->pieces = read->found.where & WHERE_MULTI;
		return read->pieces ? 0 : read_log(reads, read);
	default:
		return -EBADMSG;
	}
}

/* @error: what came of it where it was last; 0: it was nowhere yet */
static void read_go(struct journal_reads *reads, struct read *read, int error)
{
	uint64_t tried = error ? read->found.where : WHERE_NONE;

	do {
		read_drop(read);
		if (found_look(reads->journal, read->id, &read->found)) {
			error = -ENOENT;
			break;
		}
		if (read->found.where == tried)
			break; /* and that is why */
		tried = read->found.where;
		error = read_try(reads, read);
	} while (error < 0);
	if (error != UNDER_WAY)
		read_ready(reads, read, error);
}

static void read_back(struct journal_reads *reads, struct read *read)
{
	uint64_t where = read->found.where;
	struct record record;
	int error = read->io.result;

	if (!error)
		error = record_verify(reads->journal, where_segment(where), where_offset(where),
				      &read->io, &record);
	if (error == -EBADMSG)
		error = copies_record(reads->journal, where_segment(where), where_offset(where),
				      &read->io, &record);
	if (!error)
		error = record_find(&read->found, &record, &read->data);
	if (!error) {
		read->found.tags = (struct journal_tags){ record.meta.tag, record.meta.reference };
		times_some_end(reads->journal, JOURNAL_TIMED_READ, read->began);
	}
	if (error)
		read_go(reads, read, error);
	else
		read_ready(reads, read, 0);
}

/* Return: false when it was not there any more: then it has gone elsewhere. */
static bool read_pieces(struct journal_reads *reads, struct read *read)
{
	int error = -ENOMEM;

	read->pieces = false;
	read->own = malloc(read->found.bytes);
	if (read->own)
		error = read_multi(reads->journal, &read->found, read->own);
	read->data = read->own;
	if (error)
		read_go(reads, read, error);
	return !error;
}

/* ---- all of them ------------------------------------------------------------ */

int journal_reads_submit(struct journal_reads *reads, uint64_t id, uint64_t cookie)
{
	struct read *read = reads->free;

	if (journal_is_childs(reads->journal))
		return journal_childs(reads->journal);
	if (reads->outstanding == reads->depth)
		return journal_say(reads->journal, -EAGAIN, "%u reads are outstanding: take a "
				   "result first", reads->depth);
	JASSERT(read);
	reads->free = read->next;
	reads->outstanding++;
	read->id = id;
	read->cookie = cookie;
	read->pieces = false;
	read->data = NULL;
	read_go(reads, read, 0);
	return 0;
}

/* Take back what the user had until now. */
static void reads_recycle(struct journal_reads *reads)
{
	struct read *read = reads->given;

	if (!read)
		return;
	read_drop(read);
	read->next = reads->free;
	reads->free = read;
	reads->given = NULL;
}

/* One from each log, so that none waits for ever behind what is answered at once. */
static void reads_collect(struct journal_reads *reads)
{
	struct log_io *io;
	unsigned int i;

	for (i = 0; i < JOURNAL_LOGS_MAX; i++) {
		if (!reads->queue[i] || !reads->queue[i]->under_way)
			continue;
		io = log_queue_complete(reads->queue[i], false);
		if (io)
			read_back(reads, (struct read *)io);
	}
}

static struct read *reads_take(struct journal_reads *reads)
{
	struct read *read;

	while (reads->ready) {
		read = reads->ready;
		reads->ready = read->next;
		if (!reads->ready)
			reads->ready_end = &reads->ready;
		if (!read->pieces || read_pieces(reads, read))
			return read;
	}
	return NULL;
}

/* Wait until a log's queue may have one.  Return: 0, -ETIMEDOUT. */
static int reads_wait(struct journal_reads *reads, int timeout_ms)
{
	struct pollfd fds[JOURNAL_LOGS_MAX];
	struct log_queue *queue = NULL;
	unsigned int i, count = 0;

	for (i = 0; i < JOURNAL_LOGS_MAX; i++) {
		if (!reads->queue[i] || !reads->queue[i]->under_way)
			continue;
		queue = reads->queue[i];
		fds[count++] = (struct pollfd){ .fd = log_queue_fd(queue), .events = POLLIN };
		if (fds[count - 1].fd < 0)
			return 0;
	}
	JASSERT(count);
	if (count == 1 && timeout_ms < 0)
		read_back(reads, (struct read *)log_queue_complete(queue, true));
	else if (!poll(fds, count, timeout_ms))
		return -ETIMEDOUT;
	return 0;
}

static int reads_left_ms(int timeout_ms, uint64_t begin_ns)
{
	uint64_t gone_ms;

	if (timeout_ms <= 0)
		return timeout_ms;
	gone_ms = (clock_monotonic_ns() - begin_ns) / 1000000;
	return gone_ms < (uint64_t)timeout_ms ? timeout_ms - (int)gone_ms : 0;
}

int journal_reads_next(struct journal_reads *reads, int timeout_ms,
		       struct journal_read_result *result)
{
	uint64_t begin_ns = timeout_ms > 0 ? clock_monotonic_ns() : 0;
	struct journal *j = reads->journal;
	struct read *read;

	if (journal_is_childs(j))
		return journal_childs(j);
	reads_recycle(reads);
	if (!reads->outstanding)
		return -ENODATA;
	for (;;) {
		reads_collect(reads);
		read = reads_take(reads);
		if (read)
			break;
		if (reads_wait(reads, reads_left_ms(timeout_ms, begin_ns)))
			return -ETIMEDOUT;
	}
	reads->outstanding--;
	reads->given = read;
	*result = (struct journal_read_result){ .id = read->id, .cookie = read->cookie };
	if (read->error) {
		result->error = read_say(j, read->id, read->error);
		return 0;
	}
	result->data = read->data;
	result->bytes = read->found.bytes;
	result->tags = read->found.tags;
	return 0;
}
