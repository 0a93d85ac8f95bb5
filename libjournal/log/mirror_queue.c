/* SPDX-License-Identifier: BSD-3-Clause */
/* A queue of reads that is one of each leg: each read goes to the leg that has less to
 * do, and what one cannot read, to the other. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "log/mirror.h"
#include "store/log_queue.h"
#include "util/assert.h"

/* one read: the caller's, and what became of it */
struct mirrored {
	struct log_io io; /* the leg's; first: what comes back is one of these */
	struct log_io *of;
	struct mirrored *next;
	unsigned int leg;
};

/**
 * @leg:  NULL: was not readable at open
 * @met:  log_legs.fills by then: one that was opened anew since is another one
 * @fd:   readable when either's is; -1: to be asked
 * @last: which leg was asked last for what is done
 */
struct mirror_queue {
	struct log_queue queue; /* first */
	struct mirror *mirror;
	struct log_queue *leg[LEGS];
	uint32_t met[LEGS];
	int fd;
	unsigned int last;
	struct mirrored *free;
	struct mirrored all[];
};

static struct mirror_queue *queue_of(struct log_queue *queue)
{
	return (struct mirror_queue *)queue;
}

static unsigned int queue_readable(const struct mirror_queue *q)
{
	unsigned int readable = mirror_readable(q->mirror), have = 0, as_it_was = 0, i;

	for (i = 0; i < LEGS; i++) {
		if (!q->leg[i])
			continue;
		have |= 1u << i;
		if (q->met[i] == atomic_load(&q->mirror->met[i]))
			as_it_was |= 1u << i;
	}
	/* one that was left meanwhile has what it had: it does not verify, and is looked up
	 * again by who reads one */
	return readable & as_it_was ? readable & as_it_was : have;
}

static unsigned int queue_pick(const struct mirror_queue *q)
{
	unsigned int readable = queue_readable(q);

	if (readable == LEGS_ALL && q->leg[0]->under_way != q->leg[1]->under_way)
		return q->leg[1]->under_way < q->leg[0]->under_way;
	return mirror_pick(q->mirror, readable);
}

static void queue_submit(struct log_queue *queue, struct log_io *io)
{
	struct mirror_queue *q = queue_of(queue);
	struct mirrored *read = q->free;

	JASSERT(read);
	q->free = read->next;
	read->of = io;
	read->io = *io;
	read->io.offset += LEG_HEAD_BYTES;
	read->leg = queue_pick(q);
	log_count(queue->store, reads, 1);
	log_count(queue->store, bytes_read, io->bytes);
	atomic_fetch_add_explicit(&q->mirror->under_way[read->leg], 1, memory_order_relaxed);
	log_store_longer(q->leg[read->leg]->store,
			 log_store_bytes(queue->store) + LEG_HEAD_BYTES);
	log_queue_submit(q->leg[read->leg], &read->io);
}

static struct log_io *queue_back(struct mirror_queue *q, struct mirrored *read)
{
	struct log_io *io = read->of;
	unsigned int other = !read->leg;

	atomic_fetch_sub_explicit(&q->mirror->under_way[read->leg], 1, memory_order_relaxed);
	io->result = read->io.result;
	if (io->result && mirror_readable(q->mirror) >> other & 1)
		(void)mirror_leg_read(q->mirror, other, io, 1);
	read->next = q->free;
	q->free = read;
	return io;
}

static struct mirrored *queue_look(struct mirror_queue *q, unsigned int leg, bool wait)
{
	struct log_queue *queue = q->leg[leg];

	return queue && queue->under_way ?
		       (struct mirrored *)log_queue_complete(queue, wait) : NULL;
}

/* Both have reads under way: sleep until one of them may be done. */
static void queue_sleep(struct mirror_queue *q)
{
	struct pollfd fds[LEGS];
	unsigned int i;

	for (i = 0; i < LEGS; i++)
		fds[i] = (struct pollfd){ .fd = log_queue_fd(q->leg[i]), .events = POLLIN };
	if (fds[0].fd >= 0 && fds[1].fd >= 0)
		(void)poll(fds, LEGS, -1);
}

static struct log_io *queue_complete(struct log_queue *queue, bool wait)
{
	struct mirror_queue *q = queue_of(queue);
	struct mirrored *read;
	unsigned int i, leg;
	bool both;

	for (;;) {
		both = q->leg[0] && q->leg[0]->under_way && q->leg[1] && q->leg[1]->under_way;
		for (i = 0; i < LEGS; i++) {
			/* by turns, so that none waits for ever behind the other's */
			leg = (q->last + 1 + i) % LEGS;
			read = queue_look(q, leg, wait && !both);
			if (!read)
				continue;
			q->last = leg;
			return queue_back(q, read);
		}
		if (!wait)
			return NULL;
		queue_sleep(q);
	}
}

static int queue_fd(const struct log_queue *queue)
{
	const struct mirror_queue *q = (const struct mirror_queue *)queue;
	unsigned int i;

	for (i = 0; i < LEGS; i++)
		if (q->leg[i] && log_queue_fd(q->leg[i]) < 0)
			return -1;
	return q->fd;
}

static void queue_close(struct log_queue *queue)
{
	struct mirror_queue *q = queue_of(queue);
	unsigned int i;

	for (i = 0; i < LEGS; i++) {
		if (q->leg[i])
			atomic_fetch_sub_explicit(&q->mirror->under_way[i],
						  q->leg[i]->under_way, memory_order_relaxed);
		log_queue_close(q->leg[i]);
	}
	if (q->fd >= 0)
		(void)close(q->fd);
	free(q);
}

static const struct log_queue_ops queue_ops = {
	.submit = queue_submit,
	.complete = queue_complete,
	.fd = queue_fd,
	.close = queue_close,
};

static int queue_make_fd(struct mirror_queue *q)
{
	struct epoll_event event = { .events = EPOLLIN };
	unsigned int i;
	int fd;

	q->fd = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < LEGS && q->fd >= 0; i++) {
		fd = q->leg[i] ? log_queue_fd(q->leg[i]) : -1;
		if (fd >= 0 && epoll_ctl(q->fd, EPOLL_CTL_ADD, fd, &event))
			return -errno;
	}
	return q->fd < 0 ? -errno : 0;
}

static int queue_make(struct mirror_queue *q, unsigned int depth, const struct iovec *arena)
{
	unsigned int i;
	int error = 0;

	for (i = 0; i < depth; i++) {
		q->all[i].next = q->free;
		q->free = &q->all[i];
	}
	for (i = 0; i < LEGS && !error; i++) {
		/* before the store: if that is a newer one, it is not used */
		q->met[i] = atomic_load(&q->mirror->met[i]);
		if (mirror_has(q->mirror, i))
			error = log_queue_open(mirror_store(q->mirror, i), depth, arena,
					       &q->leg[i]);
	}
	return error ? error : queue_make_fd(q);
}

int mirror_queue_open(struct log_store *store, unsigned int depth, const struct iovec *arena,
		      struct log_queue **queue)
{
	struct mirror_queue *q = calloc(1, sizeof(*q) + depth * sizeof(q->all[0]));
	int error;

	if (!q)
		return -ENOMEM;
	q->queue.ops = &queue_ops;
	q->mirror = mirror_of(store);
	q->fd = -1;
	error = queue_make(q, depth, arena);
	if (error) {
		queue_close(&q->queue);
		return error == -ENOMEM ? error : -ENOTSUP;
	}
	*queue = &q->queue;
	return 0;
}
