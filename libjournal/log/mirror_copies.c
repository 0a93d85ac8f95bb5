/* SPDX-License-Identifier: BSD-3-Clause */
/* Each leg by itself: looking, and repairing. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "log/mirror.h"
#include "util/assert.h"

static struct mirror *const_mirror_of(const struct log_store *store)
{
	return (struct mirror *)(uintptr_t)store;
}

static unsigned int copies_good(const struct log_store *store)
{
	return mirror_readable(const_mirror_of(store));
}

static uint64_t copies_left(const struct log_store *store)
{
	const struct mirror *m = const_mirror_of(store);
	uint64_t word = mirror_word(m);

	/* in the end it is said elsewhere that it is not left any more: by one alone */
	if (!word_out(word) || word_fill(word) == FILL_ENDING)
		return 0;
	return atomic_load(&m->legs->left_at) >> 32 << 2 | word_out(word);
}

static int copies_read(struct log_store *store, unsigned int leg, struct log_io *io,
		       unsigned int count)
{
	return mirror_leg_read(mirror_of(store), leg, io, count);
}

static int copies_repair(struct log_store *store, unsigned int leg, struct log_io *io)
{
	struct mirror *m = mirror_of(store);
	uint64_t word = mirror_word(m);
	struct log_io at = *io;
	int error;

	if (!(mirror_readable(m) >> leg & 1))
		return -ENODEV;
	at.offset += LEG_HEAD_BYTES;
	error = log_store_write(mirror_store(m, leg), &at, 1, true);
	if (error)
		(void)mirror_leave(m, word, leg, error);
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
	uint64_t word = mirror_word(m);

	if (word_written(word) >> leg & 1)
		(void)mirror_meet(m, leg);
	*copy = (struct log_copy){
		.store = mirror_has(m, leg) ? mirror_store(m, leg) : NULL,
		.path = mirror_path(m, leg),
		.out = word_out(word) >> leg & 1,
		.copying = word_out(word) >> leg & 1 && word_written(word) == LEGS_ALL,
		.damaged = atomic_load(&m->legs->damaged[leg]),
		.repaired = atomic_load(&m->legs->repaired[leg]),
		.offset = atomic_load(&m->legs->offset[leg]),
		.repaired_ns = atomic_load(&m->legs->repaired_ns[leg]),
		.heads_bad = m->heads_bad[leg],
		.heads_mended = m->heads_mended[leg],
	};
	if (copy->out)
		copy->left_ns = mirror_left_ns(m);
	(void)snprintf(copy->why, sizeof(copy->why), "%s", m->legs->why[leg]);
}

const struct log_copies_ops mirror_copies_ops = {
	.good = copies_good,
	.left = copies_left,
	.read = copies_read,
	.repair = copies_repair,
	.damaged = copies_damaged,
	.look = copies_look,
	.renew = mirror_renew,
	.died = mirror_died,
};
