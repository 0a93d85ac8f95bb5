/* SPDX-License-Identifier: BSD-3-Clause */
/* Each leg by itself: looking, repairing, and bringing one up to date. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log/mirror.h"
#include "util/assert.h"
#include "util/math.h"

#define RENEW_BYTES  LOG_BUFFER_BYTES
#define RENEW_AT_ONCE 4u

static struct mirror *const_mirror_of(const struct log_store *store)
{
	return (struct mirror *)(uintptr_t)store;
}

static unsigned int copies_good(const struct log_store *store)
{
	return mirror_readable(const_mirror_of(store));
}

static unsigned int copies_left(const struct log_store *store)
{
	unsigned int in_use = mirror_in_use(const_mirror_of(store));

	return in_use == LEGS_ALL ? 0 : in_use == 2 ? 1 : 2;
}

static int copies_read(struct log_store *store, unsigned int leg, struct log_io *io,
		       unsigned int count)
{
	return mirror_leg_read(mirror_of(store), leg, io, count);
}

static int copies_repair(struct log_store *store, unsigned int leg, struct log_io *io)
{
	struct mirror *m = mirror_of(store);
	struct log_io at = *io;
	int error;

	if (!(mirror_readable(m) >> leg & 1))
		return -ENODEV;
	at.offset += LEG_HEAD_BYTES;
	error = log_store_write(m->leg[leg], &at, 1, true);
	if (error)
		(void)mirror_leave(m, leg, error);
	return error;
}

static void copies_damaged(struct log_store *store, unsigned int leg, uint64_t offset,
			   bool repaired)
{
	struct mirror *m = mirror_of(store);
	struct timespec now;

	/* of who only reads, in memory that he may not write */
	if (store->read_only && m->legs != &m->own)
		return;
	atomic_fetch_add(&m->legs->damaged[leg], 1);
	atomic_store(&m->legs->offset[leg], offset);
	if (!repaired)
		return;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	atomic_fetch_add(&m->legs->repaired[leg], 1);
	atomic_store(&m->legs->repaired_ns[leg],
		     (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
}

static void copies_look(const struct log_store *store, unsigned int leg, struct log_copy *copy)
{
	struct mirror *m = const_mirror_of(store);
	uint64_t left = atomic_load(&m->legs->left);

	*copy = (struct log_copy){
		.store = m->there >> leg & 1 ? m->leg[leg] : NULL,
		.path = m->path[leg],
		.out = !(mirror_in_use(m) >> leg & 1),
		.damaged = atomic_load(&m->legs->damaged[leg]),
		.repaired = atomic_load(&m->legs->repaired[leg]),
		.offset = atomic_load(&m->legs->offset[leg]),
		.repaired_ns = atomic_load(&m->legs->repaired_ns[leg]),
	};
	if ((left & 0xff) == leg + 1)
		copy->left_ns = (left >> 8) * 1000000000u;
	(void)snprintf(copy->why, sizeof(copy->why), "%s", m->legs->why[leg]);
}

/* ---- up to date ------------------------------------------------------------------- */

struct renew {
	struct mirror *m;
	unsigned int from, to;
	uint8_t *buffer;
	const struct journal_progress *progress;
	struct message *message;
};

static int renew_say(struct renew *r, unsigned int leg, int error)
{
	return message_errno(r->message, error, "%s: copying %s to %s", r->m->path[leg],
			     r->m->path[r->from], r->m->path[r->to]);
}

/* A file that a crash has left when it was being made: nothing was written to its head. */
static bool renew_is_blank(const char *path)
{
	uint8_t head[LEG_HEAD_BYTES] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t got = fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ?
			      -1 : pread(fd, head, sizeof(head), 0);

	if (fd >= 0)
		(void)close(fd);
	return got >= 0 && !head[0] && !memcmp(head, head + 1, sizeof(head) - 1);
}

/* A leg that is not there is made, where nothing else is. */
static int renew_make(struct renew *r)
{
	struct mirror *m = r->m;
	const char *path = m->of.path[r->to];
	struct log_store *made;
	int error;

	if (m->there >> r->to & 1)
		return 0;
	error = m->of.open(path, LOG_CREATE | (renew_is_blank(path) ? LOG_FORCE : 0),
			   m->meta.bytes + LEG_HEAD_BYTES, r->progress, &made, r->message);
	if (error)
		return error;
	if (made->block_bytes > m->store.block_bytes) {
		error = message_set(r->message, -EINVAL, "%s: wants blocks of %u bytes, %s has "
				    "%u", path, made->block_bytes, m->path[r->from],
				    m->store.block_bytes);
		log_store_close(made);
		return error;
	}
	log_store_close(m->leg[r->to]);
	m->leg[r->to] = made;
	m->there |= 1u << r->to;
	return 0;
}

/* From here on it says itself that it is not whole: the other one may go, too. */
static int renew_begin(struct renew *r)
{
	struct leg_meta meta = r->m->meta;
	int error;

	meta.events = atomic_load(&r->m->legs->events) + 1;
	meta.good = 1u << r->from;
	meta.left_ns = (atomic_load(&r->m->legs->left) >> 8) * 1000000000u;
	error = mirror_head_write(r->m->leg[r->to], &meta, r->to);
	return error ? renew_say(r, r->to, error) : 0;
}

static unsigned int renew_chunks(const struct renew *r, uint64_t at, struct log_io *io,
				 uint8_t *buffer)
{
	uint64_t bytes = r->m->store.bytes;
	unsigned int count = 0;

	for (; count < RENEW_AT_ONCE && at < bytes; at += RENEW_BYTES, count++)
		io[count] = (struct log_io){
			.offset = at,
			.buffer = buffer + (size_t)count * RENEW_BYTES,
			.bytes = (uint32_t)min_u64(RENEW_BYTES, bytes - at),
		};
	return count;
}

/* What is the same already is not written: most of it is, after a short absence, or when
 * copying begins again. */
static int renew_some(struct renew *r, uint64_t at)
{
	struct mirror *m = r->m;
	struct log_io from[RENEW_AT_ONCE], to[RENEW_AT_ONCE], one;
	unsigned int i, count = renew_chunks(r, at, from, r->buffer);
	int error = mirror_leg_read(m, r->from, from, count);

	if (error)
		return renew_say(r, r->from, error);
	(void)renew_chunks(r, at, to, r->buffer + (size_t)RENEW_AT_ONCE * RENEW_BYTES);
	(void)mirror_leg_read(m, r->to, to, count);
	for (i = 0; i < count && !error; i++) {
		if (!to[i].result && !memcmp(from[i].buffer, to[i].buffer, from[i].bytes))
			continue;
		one = from[i];
		one.offset += LEG_HEAD_BYTES;
		error = log_store_write(m->leg[r->to], &one, 1, false);
	}
	return error ? renew_say(r, r->to, error) : 0;
}

static int renew_all(struct renew *r)
{
	uint64_t at, bytes = r->m->store.bytes, step = (uint64_t)RENEW_AT_ONCE * RENEW_BYTES;
	int error = 0;

	for (at = 0; at < bytes && !error; at += step) {
		error = renew_some(r, at);
		if (!error && r->progress && r->progress->report)
			r->progress->report(r->progress->context, min_u64(at + step, bytes),
					    bytes);
	}
	if (!error)
		error = log_store_flush(r->m->leg[r->to]);
	return error;
}

/* All of it is durable there.  Its own head last: until then it is nothing by itself, and
 * may not be had without the other one, which may have gone on by then. */
static int renew_end(struct renew *r)
{
	struct mirror *m = r->m;
	struct leg_meta meta = m->meta;
	int error;

	meta.events = atomic_load(&m->legs->events) + 2;
	meta.good = LEGS_ALL;
	meta.left_ns = 0;
	error = mirror_head_write(m->leg[r->from], &meta, r->from);
	if (error)
		return renew_say(r, r->from, error);
	error = mirror_head_write(m->leg[r->to], &meta, r->to);
	if (error)
		return renew_say(r, r->to, error);
	m->meta.good = LEGS_ALL;
	m->meta.left_ns = 0;
	atomic_store(&m->legs->events, meta.events);
	memset(m->legs->why[r->to], 0, sizeof(m->legs->why[r->to]));
	atomic_store(&m->legs->left, 0);
	atomic_store_explicit(&m->legs->out, 0, memory_order_release);
	mirror_settle(m);
	return 0;
}

static int copies_renew(struct log_store *store, const struct journal_progress *progress,
			struct message *message)
{
	struct mirror *m = mirror_of(store);
	struct renew r = { .m = m, .progress = progress, .message = message };
	void *buffer;
	int error = 0;

	/* one that was missed, and not yet by a write */
	if (m->there != LEGS_ALL && mirror_in_use(m) == LEGS_ALL)
		error = mirror_leave(m, m->there == 1, -ENODEV);
	if (error)
		return message_errno(message, error, "%s", m->path[m->there == 2]);
	if (mirror_in_use(m) == LEGS_ALL)
		return 0;
	r.from = mirror_in_use(m) == 2;
	r.to = !r.from;
	if (posix_memalign(&buffer, 4096, 2ul * RENEW_AT_ONCE * RENEW_BYTES))
		return message_errno(message, -ENOMEM, "%s", m->path[r.to]);
	r.buffer = buffer;
	error = renew_make(&r);
	if (!error)
		error = renew_begin(&r);
	if (!error)
		error = renew_all(&r);
	if (!error)
		error = renew_end(&r);
	free(buffer);
	return error;
}

const struct log_copies_ops mirror_copies_ops = {
	.good = copies_good,
	.left = copies_left,
	.read = copies_read,
	.repair = copies_repair,
	.damaged = copies_damaged,
	.look = copies_look,
	.renew = copies_renew,
};
