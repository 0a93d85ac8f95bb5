/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many transfers at a time by io_uring.
 *
 * A ring has one user at a time, so there are several: a thread takes a free
 * one, or makes one, and when all are busy does its transfers by pwrite: it
 * never waits for another thread.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#include "log/log.h"
#include "util/assert.h"

#define RINGS_MAX    8u
#define RING_ENTRIES 64u
#define PENDING      1 /* a result that no transfer has */

enum ring_state {
	RING_ABSENT,
	RING_FREE,
	RING_BUSY,
	RING_BROKEN, /* could not be made, or failed: not tried again */
};

struct log_ring {
	_Atomic int state;
	bool has_file;       /* the log is registered as file 0 */
	bool has_table;      /* and there is a table for buffers */
	bool table_full;     /* that no further one goes into */
	uint32_t registered; /* bit i: kept buffer i is in it */
	struct io_uring uring;
};

struct log_rings {
	int fd;
	struct log_buffers *buffers;
	struct log_ring ring[RINGS_MAX];
};

/* one batch under way: io[0, queued) are in the ring, io[0, submitted) are the
 * kernel's, @done of these have come back */
struct batch {
	struct log_io *io;
	unsigned int count, queued, submitted, done;
	bool write;
};

/* ---- rings -------------------------------------------------------------- */

static int ring_make(struct log_rings *rings, struct log_ring *ring)
{
	int error = io_uring_queue_init(RING_ENTRIES, &ring->uring, 0);

	if (error)
		return error;
	/* Both registrations only save time: without them (an old kernel, a
	 * small RLIMIT_MEMLOCK) it goes on as well. */
	ring->has_file = !io_uring_register_files(&ring->uring, &rings->fd, 1);
	ring->has_table = !io_uring_register_buffers_sparse(&ring->uring, LOG_BUFFERS_KEPT);
	return 0;
}

/* The kernel takes a ring down in its own time.  The log must not stay open by
 * it (a device opened exclusively would be busy), so it is given back first. */
static void ring_end(struct log_ring *ring)
{
	if (ring->has_file)
		(void)io_uring_unregister_files(&ring->uring);
	io_uring_queue_exit(&ring->uring);
}

static bool ring_take(struct log_ring *ring, int from)
{
	return atomic_compare_exchange_strong(&ring->state, &from, RING_BUSY);
}

static struct log_ring *ring_lease(struct log_rings *rings)
{
	for (unsigned int i = 0; i < RINGS_MAX; i++)
		if (ring_take(&rings->ring[i], RING_FREE))
			return &rings->ring[i];
	for (unsigned int i = 0; i < RINGS_MAX; i++) {
		struct log_ring *ring = &rings->ring[i];

		if (!ring_take(ring, RING_ABSENT))
			continue;
		if (!ring_make(rings, ring))
			return ring;
		atomic_store(&ring->state, RING_BROKEN);
		return NULL;
	}
	return NULL;
}

int log_rings_open(struct log_rings **rings, int fd, struct log_buffers *buffers, bool now)
{
	struct log_rings *all = calloc(1, sizeof(*all));
	int error;

	if (!all)
		return -ENOMEM;
	all->fd = fd;
	all->buffers = buffers;
	error = now ? ring_make(all, &all->ring[0]) : 0;
	if (error) {
		free(all);
		return error;
	}
	if (now)
		atomic_store(&all->ring[0].state, RING_FREE);
	*rings = all;
	return 0;
}

void log_rings_close(struct log_rings *rings)
{
	if (!rings)
		return;
	for (unsigned int i = 0; i < RINGS_MAX; i++) {
		int state = atomic_load(&rings->ring[i].state);

		JASSERT(state != RING_BUSY);
		if (state == RING_FREE)
			ring_end(&rings->ring[i]);
	}
	free(rings);
}

/* ---- one transfer ------------------------------------------------------- */

/* Number of the registered buffer that holds @io, or -1.  A buffer is
 * registered with a ring when it first passes through: that pins it, so the
 * ones never used cost nothing. */
static int registered_buffer(struct log_rings *rings, struct log_ring *ring,
			     const struct log_io *io)
{
	int i = ring->has_table ? log_buffers_find(rings->buffers, io->buffer, io->bytes) : -1;
	struct iovec iov;

	if (i < 0 || ring->registered & 1u << i)
		return i;
	if (ring->table_full)
		return -1;
	iov.iov_base = atomic_load(&rings->buffers->address[i]);
	iov.iov_len = LOG_BUFFER_BYTES;
	if (io_uring_register_buffers_update_tag(&ring->uring, (unsigned int)i, &iov, NULL,
						 1) != 1) {
		/* over the limit of locked memory: it will not get better */
		ring->table_full = true;
		return -1;
	}
	ring->registered |= 1u << i;
	return i;
}

static void queue_one(struct log_rings *rings, struct log_ring *ring, struct batch *batch)
{
	struct log_io *io = &batch->io[batch->queued];
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
	int index = registered_buffer(rings, ring, io);
	int fd = ring->has_file ? 0 : rings->fd;

	JASSERT(sqe); /* never more under way than there are entries */
	if (index >= 0 && batch->write)
		io_uring_prep_write_fixed(sqe, fd, io->buffer, io->bytes, io->offset, index);
	else if (index >= 0)
		io_uring_prep_read_fixed(sqe, fd, io->buffer, io->bytes, io->offset, index);
	else if (batch->write)
		io_uring_prep_write(sqe, fd, io->buffer, io->bytes, io->offset);
	else
		io_uring_prep_read(sqe, fd, io->buffer, io->bytes, io->offset);
	if (ring->has_file)
		sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data(sqe, io);
	io->result = PENDING;
	batch->queued++;
}

static void complete_one(struct log_rings *rings, struct batch *batch, struct log_io *io,
			 int got)
{
	JASSERT(io >= batch->io && io < batch->io + batch->submitted);
	JASSERT(io->result == PENDING);
	if (got == (int)io->bytes)
		io->result = 0;
	else if (got < 0 && got != -EINTR && got != -EAGAIN)
		io->result = got;
	else /* short, or not begun: the rest of it the plain way */
		(void)log_pwrite_one(rings->fd, io, batch->write, got > 0 ? (uint32_t)got : 0,
				     0);
	batch->done++;
}

/* ---- a batch ------------------------------------------------------------ */

/* Take what has come back.  Return: how many. */
static unsigned int reap(struct log_rings *rings, struct log_ring *ring, struct batch *batch)
{
	struct io_uring_cqe *cqe;
	unsigned int count = 0;

	while (!io_uring_peek_cqe(&ring->uring, &cqe)) {
		struct log_io *io = io_uring_cqe_get_data(cqe);
		int got = cqe->res;

		io_uring_cqe_seen(&ring->uring, cqe);
		complete_one(rings, batch, io, got);
		count++;
	}
	return count;
}

static int submit(struct log_ring *ring, struct batch *batch)
{
	int got = batch->queued > batch->submitted ? io_uring_submit(&ring->uring) : 0;

	if (got > 0)
		batch->submitted += (unsigned int)got;
	if (got == -EINTR || (batch->submitted > batch->done &&
			      (got == -EAGAIN || got == -EBUSY)))
		return 0; /* again, when some have come back */
	return got < 0 ? got : 0;
}

/* Sleep until enough has come back to be worth it. */
static void wait_some(struct log_ring *ring, const struct batch *batch)
{
	unsigned int under_way = batch->submitted - batch->done;
	struct io_uring_cqe *cqe;

	if (batch->queued < batch->count)
		under_way = (under_way + 1) / 2;
	/* interrupted or not: the caller looks at what is there */
	if (under_way)
		(void)io_uring_wait_cqe_nr(&ring->uring, &cqe, under_way);
}

/* Return: 0, or why the ring can no longer be used; then what was not
 * submitted is left PENDING, and nothing is under way any more. */
static int run(struct log_rings *rings, struct log_ring *ring, struct batch *batch,
	       struct log_store *store)
{
	int error = 0;

	while (batch->done < (error ? batch->submitted : batch->count)) {
		while (!error && batch->queued < batch->count &&
		       batch->queued - batch->done < RING_ENTRIES)
			queue_one(rings, ring, batch);
		if (!error)
			error = submit(ring, batch);
		(void)reap(rings, ring, batch);
		wait_some(ring, batch);
		log_count(store, async, reap(rings, ring, batch));
	}
	return error;
}

int log_rings_transfer(struct log_rings *rings, struct log_io *io, unsigned int count,
		       bool write, struct log_store *store)
{
	struct batch batch = { .io = io, .count = count, .write = write };
	struct log_ring *ring = ring_lease(rings);
	int error = 0;

	if (!ring)
		return log_pwrite_all(rings->fd, io, count, write);
	if (run(rings, ring, &batch, store)) {
		/* entries that were never submitted still point to @io */
		ring_end(ring);
		atomic_store(&ring->state, RING_BROKEN);
		(void)log_pwrite_all(rings->fd, io + batch.submitted, count - batch.submitted,
				     write);
	} else {
		atomic_store(&ring->state, RING_FREE);
	}
	for (unsigned int i = 0; i < count; i++)
		error = error ? error : io[i].result;
	return error;
}
