/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Leaving a leg.  Of several processes each does all of it, and waits for nobody, who may
 * be stopped in the middle (P18):
 *
 *  1. Claim: which leg is left, and when; by one compare-and-swap, once and for all.  Two
 *     that meet different failures must not each call the other one's leg good: both legs
 *     would say that they are alone.  Who comes second has no leg left.
 *  2. The head of the other leg says so, durably, both copies.  Whoever writes it writes
 *     the same bytes: two at once, and a power cut between, leave it whole.
 *  3. The leg is out of use.
 *
 * A crash before 2 is complete: nothing was acknowledged that is on one leg only.
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

static uint64_t claim_of(unsigned int leg)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec << 8 | (leg + 1);
}

static void leave_say(struct mirror *m, unsigned int leg, int error)
{
	char reason[64];

	if (m->legs->why[leg][0]) /* why it was not there */
		return;
	(void)snprintf(m->legs->why[leg], sizeof(m->legs->why[leg]), "writing has failed: %s",
		       strerror_r(-error, reason, sizeof(reason)));
}

int mirror_leave(struct mirror *m, unsigned int leg, int error)
{
	struct log_legs *legs = m->legs;
	uint64_t claim = claim_of(leg), before = 0;
	struct leg_meta meta = m->meta;

	JASSERT(error < 0 && !m->store.read_only);
	if (atomic_compare_exchange_strong(&legs->left, &before, claim))
		leave_say(m, leg, error);
	else
		claim = before;
	if ((claim & 0xff) != leg + 1)
		return error; /* the other one is, or was, being left */
	if (!(mirror_in_use(m) >> leg & 1))
		return 0;
	meta.events = atomic_load(&legs->events) + 1;
	meta.left_ns = (claim >> 8) * 1000000000u;
	meta.good = LEGS_ALL & ~(1u << leg);
	error = mirror_head_write(m->leg[!leg], &meta, !leg);
	if (error)
		return error;
	/* release: the mark is durable before anybody relies on the other leg alone */
	atomic_fetch_or_explicit(&legs->out, 1u << leg, memory_order_release);
	return 0;
}
