/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes, flushes and reads of a mirrored log.
 *
 *  1. Both legs are written at a time.  The write is done when both are.
 *  2. One fails: it is left.  What it did not get is acknowledged only after the other
 *     one says, durably, that it is alone (mirror_leave.c): whoever opens the log later
 *     knows that the failed one is old.
 *  3. Both fail, or the second cannot be told: so does the write (P16).
 *  4. While one is brought up to date (mirror_fill.c) it is written after the other one:
 *     so the copier, who finds a block as it was on the other one after he has copied it,
 *     knows that what is on its way there will come to this one after him.
 *  5. After the write the word is looked at again.  If it says by now that another leg is
 *     to be written, it is written again: who made it say so reads what was written
 *     before, and must not count on what comes later.
 *
 * A process that has not noticed yet that one was left goes on to write to both: what it
 * acknowledges is on both, or it meets the same failure.
 */
#include "log/mirror.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log/log_file.h"
#include "util/assert.h"
#include "util/math.h"
#include "util/own_limit.h"

#define AT_ONCE 64u /* of one call; more are done by turns */

/* one leg's part of a call */
struct part {
	struct log_store *leg;
	struct log_io io[AT_ONCE];
	unsigned int count;
	bool write, durable;
	int error; /* if there is one already, nothing is done */
};

static void part_fill(const struct mirror *m, struct part *part, const struct log_io *io,
		      unsigned int count)
{
	unsigned int i;

	JASSERT(count <= AT_ONCE);
	/* it may have become longer: log_store_longer() */
	log_store_longer(part->leg, log_store_bytes(&m->store) + LEG_HEAD_BYTES);
	part->count = count;
	for (i = 0; i < count; i++) {
		part->io[i] = io[i];
		part->io[i].offset += LEG_HEAD_BYTES;
	}
}

static void part_run(void *context)
{
	struct part *part = context;

	if (part->error)
		return;
	if (!part->count)
		part->error = log_store_flush(part->leg);
	else if (part->write)
		part->error = log_store_write(part->leg, part->io, part->count, part->durable);
	else
		part->error = log_store_read(part->leg, part->io, part->count);
}

static void parts_run(struct mirror *m, struct part part[LEGS])
{
	if (part[0].leg->ops->waits && part[1].leg->ops->waits) {
		log_pair_run(&m->pair, part_run, &part[0], &part[1]);
		return;
	}
	part_run(&part[0]);
	part_run(&part[1]);
}

static int refuse(struct log_io *io, unsigned int count, int error)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		io[i].result = error;
	return error;
}

/* ---- writing ------------------------------------------------------------------- */

/* Return: 0 it counts as done: both did it, or one, and the other one is left */
static int parts_end(struct mirror *m, uint64_t word, const struct part part[LEGS])
{
	/* Our own limit is no failure of the leg: others write it, and who takes over from us
	 * makes both the same. */
	if (own_limit(part[1].error))
		return part[1].error;
	if (own_limit(part[0].error) || (part[0].error && part[1].error))
		return part[0].error;
	if (part[0].error)
		return mirror_leave(m, word, 0, part[0].error);
	return part[1].error ? mirror_leave(m, word, 1, part[1].error) : 0;
}

/* The one that is good, then the one that is being brought up to date. */
static int parts_after(struct mirror *m, uint64_t word, struct part part[LEGS])
{
	unsigned int good = word_out(word) == 1;

	part_run(&part[good]);
	if (part[good].error)
		return part[good].error;
	if (word_fill(word) == FILL_UNMARKED)
		return mirror_mark_again(m, word);
	if (word_fill(word) == FILL_NONE)
		return 0;
	part_run(&part[!good]);
	if (own_limit(part[!good].error))
		return part[!good].error;
	return part[!good].error ? mirror_give_up(m, word, part[!good].error) : 0;
}

/* What was done by @before is enough by @after: all that is written now was written. */
static bool word_suffices(uint64_t before, uint64_t after)
{
	if (word_gen(after) == word_gen(before))
		return true;
	return word_gen(after) == word_gen(before) + 1 && word_fill(after) != FILL_UNMARKED &&
	       !(word_written(after) & ~word_written(before));
}

/* how its writes became durable: as those of a leg in use did */
static void take_counters(struct mirror *m)
{
	const struct log_counters *leg = &mirror_store(m, mirror_in_use(m) == 2)->counters;
	struct log_counters *own = &m->store.counters;

	atomic_store_explicit(&own->flushes, leg->flushes, memory_order_relaxed);
	atomic_store_explicit(&own->merged, leg->merged, memory_order_relaxed);
	atomic_store_explicit(&own->dsyncs, leg->dsyncs, memory_order_relaxed);
	atomic_store_explicit(&own->unsynced, leg->unsynced, memory_order_relaxed);
}

/* of all who share it: as the legs have counted */
static const struct log_store *mirror_counter(const struct log_store *store, size_t counter)
{
	const struct mirror *m = (const struct mirror *)store;
	bool durable = counter == offsetof(struct log_counters, flushes) ||
		       counter == offsetof(struct log_counters, merged) ||
		       counter == offsetof(struct log_counters, dsyncs) ||
		       counter == offsetof(struct log_counters, unsynced) ||
		       counter == offsetof(struct log_counters, async);

	return store->shared_counters && durable ? mirror_store(m, mirror_in_use(m) == 2) : NULL;
}

static int by_word(struct mirror *m, uint64_t word, struct log_io *io, unsigned int count,
		   bool durable)
{
	struct part part[LEGS];
	unsigned int i;

	for (i = 0; i < LEGS; i++) {
		/* what reaches the one from before is on no leg: it does not count as done */
		part[i].error = word_written(word) >> i & 1 ? mirror_meet(m, i) : 0;
		part[i].leg = mirror_store(m, i);
		part[i].write = true;
		part[i].durable = durable;
		part_fill(m, &part[i], io, count);
	}
	if (word_out(word))
		return parts_after(m, word, part);
	parts_run(m, part);
	return parts_end(m, word, part);
}

/* @count 0: a flush */
static int both(struct mirror *m, struct log_io *io, unsigned int count, bool durable)
{
	uint64_t before, word = mirror_word(m);
	int error;

	do {
		before = word;
		error = by_word(m, before, io, count, durable);
		/* the writes before the look; the copier changes the word before he reads */
		atomic_thread_fence(memory_order_seq_cst);
		word = mirror_word(m);
		/* by another word, what failed may be none of what counts */
	} while (error ? word_gen(word) != word_gen(before) : !word_suffices(before, word));
	return refuse(io, count, error); /* or each is done */
}

static int mirror_write(struct log_store *store, struct log_io *io, unsigned int count,
			bool durable)
{
	struct mirror *m = mirror_of(store);
	unsigned int i, n;
	int error = 0;

	for (i = 0; i < count; i += n) {
		n = (unsigned int)min_u64(count - i, AT_ONCE);
		if (!error)
			error = both(m, io + i, n, durable);
		else
			(void)refuse(io + i, n, error);
	}
	log_count(store, writes, count);
	for (i = 0; i < count; i++)
		log_count(store, bytes_written, io[i].bytes);
	take_counters(mirror_of(store));
	return error;
}

static int mirror_flush(struct log_store *store)
{
	int error = both(mirror_of(store), NULL, 0, true);

	take_counters(mirror_of(store));
	return error;
}

/* ---- reading ------------------------------------------------------------------- */

unsigned int mirror_readable(struct mirror *m)
{
	unsigned int i, in_use = mirror_in_use(m);

	for (i = 0; i < LEGS; i++)
		if (in_use >> i & 1 && mirror_meet(m, i))
			in_use &= ~(1u << i);
	return in_use & atomic_load(&m->there);
}

unsigned int mirror_pick(struct mirror *m, unsigned int from)
{
	uint32_t first, second;

	JASSERT(from && from <= LEGS_ALL);
	if (from != LEGS_ALL)
		return from == 2;
	first = atomic_load_explicit(&m->under_way[0], memory_order_relaxed);
	second = atomic_load_explicit(&m->under_way[1], memory_order_relaxed);
	if (first != second)
		return second < first;
	return atomic_fetch_add_explicit(&m->turn, 1, memory_order_relaxed) & 1;
}

int mirror_leg_read(struct mirror *m, unsigned int leg, struct log_io *io, unsigned int count)
{
	unsigned int i, done, n;
	struct part part = { .leg = mirror_store(m, leg) };
	int error = 0;

	atomic_fetch_add_explicit(&m->under_way[leg], count, memory_order_relaxed);
	for (done = 0; done < count; done += n) {
		n = (unsigned int)min_u64(count - done, AT_ONCE);
		part_fill(m, &part, io + done, n);
		part.error = 0;
		part_run(&part);
		for (i = 0; i < n; i++)
			io[done + i].result = part.io[i].result;
		error = error ? error : part.error;
	}
	atomic_fetch_sub_explicit(&m->under_way[leg], count, memory_order_relaxed);
	return error;
}

/* the first half of @io from one leg, the rest from the other, at a time */
static void read_halves(struct mirror *m, struct log_io *io, unsigned int count)
{
	unsigned int first = mirror_pick(m, LEGS_ALL), half = count / 2, i;
	struct part part[LEGS] = { { .leg = mirror_store(m, 0) },
				   { .leg = mirror_store(m, 1) } };

	part_fill(m, &part[first], io, half);
	part_fill(m, &part[!first], io + half, count - half);
	parts_run(m, part);
	for (i = 0; i < count; i++)
		io[i].result = i < half ? part[first].io[i].result :
					  part[!first].io[i - half].result;
}

/* What one leg could not read, the other one may. */
static void read_again(struct mirror *m, unsigned int readable, struct log_io *io)
{
	unsigned int leg;

	for (leg = 0; leg < LEGS && io->result; leg++)
		if (readable >> leg & 1)
			(void)mirror_leg_read(m, leg, io, 1);
}

static int read_by_word(struct mirror *m, struct log_io *io, unsigned int count)
{
	unsigned int readable = mirror_readable(m), i;
	int error = 0;

	if (!readable)
		return refuse(io, count, -EIO);
	if (readable == LEGS_ALL && count > 1)
		read_halves(m, io, count);
	else
		(void)mirror_leg_read(m, mirror_pick(m, readable), io, count);
	for (i = 0; i < count; i++) {
		if (io[i].result)
			read_again(m, readable, &io[i]);
		error = error ? error : io[i].result;
	}
	return error;
}

static int read_some(struct mirror *m, struct log_io *io, unsigned int count)
{
	uint32_t gen;
	int error;

	/* one that was left meanwhile may have been old when it was read */
	do {
		gen = word_gen(mirror_word(m));
		error = read_by_word(m, io, count);
	} while (word_gen(mirror_word(m)) != gen);
	return error;
}

static int mirror_read(struct log_store *store, struct log_io *io, unsigned int count)
{
	unsigned int i, n;
	int error = 0, one;

	log_count(store, reads, count);
	for (i = 0; i < count; i++)
		log_count(store, bytes_read, io[i].bytes);
	for (i = 0; i < count; i += n) {
		n = (unsigned int)min_u64(count - i, AT_ONCE);
		one = read_some(mirror_of(store), io + i, n);
		error = error ? error : one;
	}
	return error;
}

/* ---- the rest ------------------------------------------------------------------- */

static void mirror_share(struct log_store *store, struct log_share *share)
{
	struct mirror *m = mirror_of(store);
	unsigned int i;

	/* nobody writes yet */
	memcpy(&share->legs, m->legs, sizeof(share->legs));
	m->legs = &share->legs;
	m->share = share;
	share->pair = m->meta.pair;
	share->pair_bytes = m->meta.bytes;
	store->shared_counters = share->counters;
	for (i = 0; i < LEGS; i++)
		log_store_share(m->leg[i], &share[1 + i]);
}

static void *mirror_buffer(struct log_store *store)
{
	struct mirror *m = mirror_of(store);

	return log_store_buffer(m->pool);
}

static void mirror_buffer_done(struct log_store *store, void *buffer)
{
	struct mirror *m = mirror_of(store);

	log_store_buffer_done(m->pool, buffer);
}

static void mirror_close(struct log_store *store)
{
	struct mirror *m = mirror_of(store);
	struct mirror_old *old;
	unsigned int i;

	log_pair_end(&m->pair);
	for (i = 0; i < LEGS; i++) {
		log_store_close(m->leg[i]);
		free(m->path[i]);
	}
	while ((old = m->old)) {
		m->old = old->next;
		log_store_close(old->leg);
		free(old->path);
		free(old);
	}
	pthread_mutex_destroy(&m->meet);
	free(m);
}

const struct log_store_ops mirror_ops = {
	.backend = "mirror",
	.write = mirror_write,
	.read = mirror_read,
	.queue = mirror_queue_open,
	.flush = mirror_flush,
	.share = mirror_share,
	.counter = mirror_counter,
	.buffer = mirror_buffer,
	.buffer_done = mirror_buffer_done,
	.close = mirror_close,
};
