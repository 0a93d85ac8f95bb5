/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Leaving a leg.  Of several processes each does all of it, and waits for nobody, who may
 * be stopped in the middle (P18):
 *
 *  1. Claim: which leg is left; by one compare-and-swap, once and for all.  Two
 *     that meet different failures must not each call the other one's leg good: both legs
 *     would say that they are alone.  Who comes second has no leg left.
 *  2. The head of the other leg says so, durably, both copies.  Whoever writes it writes
 *     the same bytes: two at once, and a power cut between, leave it whole.
 *  3. The leg is out of use.
 *
 * A crash before 2 is complete: nothing was acknowledged that is on one leg only.
 *
 * One that is being brought up to date is given up likewise.  While it is copied to, the
 * mark is still there.  In the end the copier writes heads that say that both are good
 * (FILL_ENDING); so he is first kept from going on, then the mark is written again, with
 * more events than his.  He may be stopped with such a write before him: it is one, of one
 * copy, and the other copy has the mark.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log/mirror.h"
#include "util/assert.h"

int mirror_head_write(struct log_store *store, const struct leg_meta *meta, unsigned int leg)
{
	struct log_io io = { .bytes = LEG_SUPER_BYTES };
	struct leg_meta mine = *meta;
	unsigned int i;
	int error = 0;

	if (posix_memalign(&io.buffer, 4096, io.bytes))
		return -ENOMEM;
	mine.leg = leg;
	leg_super_encode(&mine, io.buffer);
	for (i = 0; i < LEG_SUPERS && !error; i++) {
		/* each durable before a byte of the other: one of them is good at any time */
		io.offset = leg_super_offset(meta->events + i);
		error = log_store_write(store, &io, 1, true);
	}
	free(io.buffer);
	return error;
}

int mirror_head_read(struct log_store *store, const char *path, struct leg_meta *meta,
		     struct message *message)
{
	struct log_io io = { .bytes = LEG_HEAD_BYTES };
	const char *why = "it is too short";
	int error = -EUCLEAN;

	if (store->bytes <= LEG_HEAD_BYTES)
		return message_set(message, error, "%s: %s", path, why);
	if (posix_memalign(&io.buffer, 4096, io.bytes))
		return message_errno(message, -ENOMEM, "%s", path);
	error = log_store_read(store, &io, 1);
	if (error) {
		(void)message_errno(message, error, "%s: superblock of the leg", path);
	} else {
		error = leg_supers_decode(io.buffer, store->bytes, store->read_only, meta, &why);
		if (error)
			(void)message_set(message, error, "%s: %s", path, why);
	}
	free(io.buffer);
	return error == -ENODATA ? -EUCLEAN : error;
}

/* When: the first who asks for this gen of the word says it for all. */
static uint64_t left_at(struct mirror *m, uint32_t gen)
{
	uint64_t before = atomic_load(&m->legs->left_at), mine;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	mine = (uint64_t)gen << 32 | ((uint64_t)now.tv_sec & UINT32_MAX);
	while (before >> 32 < gen)
		if (atomic_compare_exchange_strong(&m->legs->left_at, &before, mine))
			return mine & UINT32_MAX;
	return before & UINT32_MAX;
}

uint64_t mirror_left_ns(const struct mirror *m)
{
	return (atomic_load(&m->legs->left_at) & UINT32_MAX) * 1000000000u;
}

/* The leg that is not @leg is alone: of the word's @gen. */
static int mark(struct mirror *m, unsigned int leg, uint32_t gen)
{
	struct leg_meta meta = m->meta;
	int error = mirror_meet(m, !leg);

	if (error)
		return error;
	meta.events = atomic_load(&m->legs->events) + gen;
	meta.left_ns = left_at(m, gen) * 1000000000u;
	meta.good = LEGS_ALL & ~(1u << leg);
	return mirror_head_write(mirror_store(m, !leg), &meta, !leg);
}

static void leave_say(struct mirror *m, unsigned int leg, int error)
{
	const struct log_store *store = mirror_store(m, leg);
	char reason[64];

	if (store->gone)
		(void)snprintf(m->legs->why[leg], sizeof(m->legs->why[leg]), "%.159s",
			       store->evidence);
	else
		(void)snprintf(m->legs->why[leg], sizeof(m->legs->why[leg]),
			       "writing has failed: %s",
			       strerror_r(-error, reason, sizeof(reason)));
}

int mirror_leave(struct mirror *m, uint64_t word, unsigned int leg, int error)
{
	_Atomic uint64_t *legs = &m->legs->word;
	uint64_t now = mirror_word(m), claimed;

	JASSERT(error < 0 && !m->store.read_only);
	do {
		if (word_gen(now) != word_gen(word))
			return 0;
		claimed = now | (uint64_t)(leg + 1) << 2;
	} while (!word_claim(now) && !atomic_compare_exchange_weak(legs, &now, claimed));
	if (!word_claim(now)) {
		leave_say(m, leg, error);
		now = claimed;
	}
	if (word_claim(now) != leg + 1)
		return error; /* the other one is, or was, being left */
	error = mark(m, leg, word_gen(now) + 1);
	if (error)
		return error;
	/* The mark is durable before anybody relies on the other leg alone.  If it is another
	 * word by now, somebody else has done all of this. */
	(void)atomic_compare_exchange_strong(legs, &now,
					     word_make(word_gen(now) + 1, FILL_NONE, leg + 1,
						       1u << leg));
	return 0;
}

/* ---- one that is being brought up to date ------------------------------------------ */

int mirror_mark_again(struct mirror *m, uint64_t word)
{
	int error = mark(m, word_out(word) == 2, word_gen(word));

	if (!error)
		(void)atomic_compare_exchange_strong(&m->legs->word, &word,
						     word_next(word, FILL_NONE));
	return error;
}

int mirror_give_up(struct mirror *m, uint64_t word, int error)
{
	_Atomic uint64_t *legs = &m->legs->word;
	uint64_t now = mirror_word(m), next;
	int none = 0;

	for (;;) {
		if (word_gen(now) != word_gen(word))
			return 0;
		next = word_next(now, word_fill(now) == FILL_ENDING ? FILL_UNMARKED : FILL_NONE);
		/* before: who copies finds the word changed, and asks why */
		if (error && atomic_compare_exchange_strong(&m->legs->failed, &none, error))
			leave_say(m, word_out(now) == 2, error);
		if (atomic_compare_exchange_strong(legs, &now, next))
			break;
	}
	return word_fill(next) == FILL_UNMARKED ? mirror_mark_again(m, next) : 0;
}

/*
 * He may have died between the two legs, and whoever takes over serves what is on the one:
 * so the copier has to look at all of it once more.  In the end he has looked: it is
 * begun anew.
 */
void mirror_died(struct log_store *store, bool copier)
{
	struct mirror *m = mirror_of(store);
	uint64_t now = mirror_word(m);

	while (word_fill(now) == FILL_COPYING && !copier) {
		uint32_t dead = word_dead(now) + (word_dead(now) < WORD_DEAD_MAX);

		if (atomic_compare_exchange_weak(&m->legs->word, &now, word_with_dead(now, dead)))
			return;
	}
	/* what fails is the good leg's: whoever writes next finds it */
	if (word_fill(now) == FILL_UNMARKED)
		(void)mirror_mark_again(m, now);
	else if (word_fill(now) != FILL_NONE)
		(void)mirror_give_up(m, now, 0);
}
