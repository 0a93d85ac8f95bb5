/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A queue of reads on a ring of its own.
 *
 * Reads are put into the ring, and given to the kernel when somebody looks for
 * results, before anything else: to save up some would let the disk run dry.
 */
#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>

#include "log/log.h"
#include "store/log_queue.h"
#include "util/assert.h"

/**
 * struct uring_queue - a queue on a ring
 * @file:    the log is registered as file 0
 * @arena:   is registered as buffer 0; else empty
 * @broken:  the kernel takes no more: the rest is read the plain way
 * @kernel:  reads that the kernel has
 * @first, @waiting: those after them, oldest at @first: in the ring, not yet
 *           the kernel's; or when broken, nobody's
 */
struct uring_queue {
	struct log_queue queue; /* first */
	struct io_uring uring;
	struct log_file *log;
	struct iovec arena;
	bool file, broken;
	unsigned int kernel, first, waiting;
	struct log_io *io[];
};

static struct uring_queue *uring_of(struct log_queue *queue)
{
	return (struct uring_queue *)queue;
}

/* what waits for more than this is begun, though nobody looks for results yet */
#define WAITING_MOST 16u

/* Give the kernel what waits, and sleep until @results are there. */
static void push(struct uring_queue *q, unsigned int results)
{
	int got = io_uring_submit_and_wait(&q->uring, results);

	if (got > 0) {
		JASSERT((unsigned int)got <= q->waiting);
		q->first = (q->first + (unsigned int)got) % q->queue.depth;
		q->waiting -= (unsigned int)got;
		q->kernel += (unsigned int)got;
	}
	/* out of something for now: again, when some have come back */
	if (got == -EINTR || ((got == -EAGAIN || got == -EBUSY) && q->kernel))
		return;
	if (got < 0 || (!got && !q->kernel))
		q->broken = true;
}

static bool in_arena(const struct uring_queue *q, const struct log_io *io)
{
	uintptr_t at = (uintptr_t)io->buffer - (uintptr_t)q->arena.iov_base;

	return at < q->arena.iov_len && io->bytes <= q->arena.iov_len - at;
}

static void queue_one(struct uring_queue *q, struct log_io *io)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&q->uring);
	int fd = q->file ? 0 : q->log->fd;

	JASSERT(sqe); /* it has as many entries as the queue is deep */
	if (in_arena(q, io))
		io_uring_prep_read_fixed(sqe, fd, io->buffer, io->bytes, io->offset, 0);
	else
		io_uring_prep_read(sqe, fd, io->buffer, io->bytes, io->offset);
	if (q->file)
		sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data(sqe, io);
}

static void uring_submit(struct log_queue *queue, struct log_io *io)
{
	struct uring_queue *q = uring_of(queue);

	log_count(&q->log->store, reads, 1);
	log_count(&q->log->store, bytes_read, io->bytes);
	q->io[(q->first + q->waiting++) % queue->depth] = io;
	if (q->broken)
		return;
	queue_one(q, io);
	if (q->waiting >= WAITING_MOST)
		push(q, 0);
}

/* ---- what comes back -------------------------------------------------------- */

static struct log_io *reap(struct uring_queue *q)
{
	struct io_uring_cqe *cqe;
	struct log_io *io;
	int got;

	if (!q->kernel || io_uring_peek_cqe(&q->uring, &cqe))
		return NULL;
	io = io_uring_cqe_get_data(cqe);
	got = cqe->res;
	io_uring_cqe_seen(&q->uring, cqe);
	q->kernel--;
	log_count(&q->log->store, async, 1);
	if (got == (int)io->bytes)
		io->result = 0;
	else if (got < 0 && got != -EINTR && got != -EAGAIN && got != -ECANCELED)
		io->result = got;
	else /* short, not begun, or its thread has ended: the rest the plain way */
		(void)log_pwrite_one(q->log->fd, io, false, got > 0 ? (uint32_t)got : 0, 0);
	return io;
}

static struct log_io *plain(struct uring_queue *q)
{
	struct log_io *io = q->io[q->first];

	q->first = (q->first + 1) % q->queue.depth;
	q->waiting--;
	(void)log_pwrite_one(q->log->fd, io, false, 0, 0);
	return io;
}

static void sleep_for_one(struct uring_queue *q)
{
	struct io_uring_cqe *cqe;

	/* interrupted or not, the caller looks again; where this call is forbidden
	 * by now, the kernel still completes what it has */
	if (io_uring_wait_cqe(&q->uring, &cqe))
		(void)sched_yield();
}

static struct log_io *uring_complete(struct log_queue *queue, bool wait)
{
	struct uring_queue *q = uring_of(queue);
	struct log_io *io;

	for (;;) {
		if (q->waiting && !q->broken)
			push(q, wait && !io_uring_cq_ready(&q->uring));
		io = reap(q);
		if (!io && q->waiting && q->broken)
			io = plain(q);
		if (io || !wait)
			return io;
		if (!q->waiting)
			sleep_for_one(q);
	}
}

static int uring_fd(const struct log_queue *queue)
{
	const struct uring_queue *q = (const struct uring_queue *)queue;

	return q->broken && q->waiting ? -1 : q->uring.ring_fd;
}

/* The log must not stay open by a ring that the kernel takes down in its own
 * time, so it is given back first. */
static void uring_close(struct log_queue *queue)
{
	struct uring_queue *q = uring_of(queue);

	/* what was never submitted is dropped with the ring */
	while (q->kernel)
		if (!reap(q))
			sleep_for_one(q);
	if (q->file)
		(void)io_uring_unregister_files(&q->uring);
	io_uring_queue_exit(&q->uring);
	free(q);
}

static const struct log_queue_ops uring_ops = {
	.submit = uring_submit,
	.complete = uring_complete,
	.fd = uring_fd,
	.close = uring_close,
};

int log_queue_uring_open(struct log_file *log, unsigned int depth, const struct iovec *arena,
			 struct log_queue **queue)
{
	struct uring_queue *q = calloc(1, sizeof(*q) + depth * sizeof(q->io[0]));
	int error;

	if (!q)
		return -ENOMEM;
	/* results are worked on when we ask for them, not by interrupting us; older
	 * kernels than 5.19 do it in their way */
	error = io_uring_queue_init(depth, &q->uring,
				    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG);
	if (error == -EINVAL)
		error = io_uring_queue_init(depth, &q->uring, 0);
	if (error) {
		free(q);
		return -ENOTSUP;
	}
	q->queue.ops = &uring_ops;
	q->log = log;
	/* Both only save time: without them (an old kernel, a small
	 * RLIMIT_MEMLOCK) it goes on as well. */
	q->file = !io_uring_register_files(&q->uring, &log->fd, 1);
	if (arena && !io_uring_register_buffers(&q->uring, arena, 1))
		q->arena = *arena;
	*queue = &q->queue;
	return 0;
}
