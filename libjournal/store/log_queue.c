/* SPDX-License-Identifier: BSD-3-Clause */
/* The checked call-through of queues, and the queue of stores without one of
 * their own: one read after the other, each when its result is asked for. */
#include "store/log_queue.h"

#include <errno.h>
#include <stdlib.h>

#include "util/assert.h"

/* no errno: shows that a backend forgot an io */
#define RESULT_UNSET 1

/* ---- one after the other -------------------------------------------------- */

struct serial_queue {
	struct log_queue queue; /* first */
	unsigned int first, count;
	struct log_io *io[];
};

static void serial_submit(struct log_queue *queue, struct log_io *io)
{
	struct serial_queue *serial = (struct serial_queue *)queue;

	serial->io[(serial->first + serial->count++) % queue->depth] = io;
}

static struct log_io *serial_complete(struct log_queue *queue, bool wait)
{
	struct serial_queue *serial = (struct serial_queue *)queue;
	struct log_io *io = serial->io[serial->first];

	(void)wait; /* whoever asks does the reading */
	/* unreached: log_queue_complete() asserts that some are under way */
	if (!serial->count)
		return NULL;
	serial->first = (serial->first + 1) % queue->depth;
	serial->count--;
	(void)log_store_read(queue->store, io, 1);
	return io;
}

static int serial_fd(const struct log_queue *queue)
{
	(void)queue;
	return -1;
}

static void serial_close(struct log_queue *queue)
{
	free(queue);
}

static const struct log_queue_ops serial_ops = {
	.submit = serial_submit,
	.complete = serial_complete,
	.fd = serial_fd,
	.close = serial_close,
};

static int serial_open(unsigned int depth, struct log_queue **queue)
{
	struct serial_queue *serial = calloc(1, sizeof(*serial) + depth * sizeof(serial->io[0]));

	if (!serial)
		return -ENOMEM;
	serial->queue.ops = &serial_ops;
	*queue = &serial->queue;
	return 0;
}

/* ---- checked ---------------------------------------------------------------- */

int log_queue_open(struct log_store *store, unsigned int depth, const struct iovec *arena,
		   struct log_queue **queue)
{
	int error = -ENOTSUP;

	JASSERT(depth > 0 && depth <= LOG_QUEUE_DEPTH_MAX);
	if (store->ops->queue)
		error = store->ops->queue(store, depth, arena, queue);
	if (error == -ENOTSUP)
		error = serial_open(depth, queue);
	if (error)
		return error;
	JASSERT((*queue)->ops);
	(*queue)->store = store;
	(*queue)->depth = depth;
	return 0;
}

void log_queue_submit(struct log_queue *queue, struct log_io *io)
{
	log_store_check_io(queue->store, io);
	JASSERT(queue->under_way < queue->depth);
	io->result = RESULT_UNSET;
	queue->under_way++;
	queue->ops->submit(queue, io);
}

struct log_io *log_queue_complete(struct log_queue *queue, bool wait)
{
	struct log_io *io;

	JASSERT(queue->under_way);
	io = queue->ops->complete(queue, wait);
	JASSERT(io || !wait);
	if (!io)
		return NULL;
	JASSERT(io->result <= 0);
	queue->under_way--;
	return io;
}

int log_queue_fd(const struct log_queue *queue)
{
	return queue->ops->fd(queue);
}

void log_queue_close(struct log_queue *queue)
{
	if (queue)
		queue->ops->close(queue);
}
