/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A head whose holder died: its segment is read whole from the medium, as recovery
 * would, and sealed with what verifies.  A dead process has no write in flight.
 * What it held for transactions that no slot names is another matter: holds.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "txn/head.h"
#include "txn/recover.h"
#include "txn/segment.h"
#include "txn/segment_second.h"
#include "txn/takeover_impl.h"

static struct segment *noted(struct journal *j, uint32_t number_plus_one)
{
	return number_plus_one ? &j->segments.all[number_plus_one - 1] : NULL;
}

/*
 * It was being opened for the head: nothing is in it yet.  Who took over before us, and
 * died of it, may have given it back already; in a later turn it is another's.
 */
static void head_opening(struct journal *j, struct head *head)
{
	uint64_t opening = atomic_load(&head->s->opening), bit, use;
	struct segment *segment = noted(j, (uint32_t)opening);
	uint32_t turn = (uint32_t)(opening >> 32);

	if (!segment || segment == head_segment(j, head))
		return;
	bit = 1ull << (segment->number & 63);
	use = atomic_load(&segment->use);
	switch (segment_state_of(use)) {
	case SEGMENT_OPEN:
		if ((uint32_t)(use >> 32) == turn)
			segment_give_back(j, segment);
		break;
	case SEGMENT_FREE: /* taken from those on offer, and no further */
		if ((uint32_t)(use >> 32) + 1 == turn &&
		    !(atomic_load(&j->free_segments[segment->number / 64]) & bit))
			segment_give_back(j, segment);
		break;
	default:
		break;
	}
}

/* It was left, its summary durable, perhaps not yet the second copy of its digest, and not
 * yet let go: of that very use. */
static int head_closing(struct journal *j, struct head *head)
{
	uint64_t closing = atomic_load(&head->s->closing), use;
	struct segment *segment = noted(j, (uint32_t)closing);
	int error;

	if (!segment || segment == head_segment(j, head))
		return 0;
	use = atomic_load(&segment->use);
	if (use >> 32 != closing >> 32 || segment_state_of(use) != SEGMENT_OPEN)
		return 0;
	error = segment_second_again(j, segment->number);
	if (!error)
		segment_sealed(j, segment);
	return error;
}

static int segment_reread(struct journal *j, struct head *head, const struct segment *segment,
			  struct segment_scan *scans)
{
	struct recovery r = { .j = j, .scans = scans };
	struct segment_scan *scan = &scans[segment->number];
	int error;

	if (pthread_mutex_init(&r.lock, NULL))
		return -ENOMEM;
	scan->seq = segment->seq;
	scan->kind = (enum log_segment_kind)segment->kind;
	/* what was written may be in the disk's cache only; the digest will vouch for
	 * it (P7) */
	error = logs_flush(j, segment_log(j, segment->number));
	if (!error || error == LOG_OUT)
		error = recover_scan(&r, segment->number);
	/* what was acknowledged keeps its name in the digest, though it fails */
	recover_watermark(scan);
	if (!error && !scan->unreadable)
		error = recover_copies_records(&r, segment->number);
	if (!error && !scan->unreadable)
		error = recover_reseal(&r, segment->number, head);
	pthread_mutex_destroy(&r.lock);
	return error;
}

static int head_reseal(struct journal *j, struct head *head, struct segment *segment)
{
	struct segment_scan *scans = calloc(segments_end(j), sizeof(*scans));
	struct segment_scan *scan;
	uint32_t i;
	int error;

	if (!scans)
		return journal_say(j, -ENOMEM, "no memory to take over from the dead");
	scan = &scans[segment->number];
	error = segment_reread(j, head, segment, scans);
	/* one that cannot be read is nobody's until the next recovery */
	if (!error && !scan->unreadable)
		error = head_seal(j, head);
	for (i = 0; i < scan->count; i++)
		free(scan->records[i].tail);
	free(scan->records);
	free(scans);
	return error;
}

static int takeover_head(struct journal *j, struct head *head)
{
	struct segment *segment = head_segment(j, head);
	int error;

	head_opening(j, head);
	error = head_closing(j, head);
	if (!error && segment)
		error = head_reseal(j, head, segment);
	if (error)
		return error;
	atomic_store(&head->s->segment, 0);
	atomic_store(&head->s->opening, 0);
	atomic_store(&head->s->closing, 0);
	atomic_store(&head->s->floor, 0);
	head_return(head);
	return 0;
}

int takeover_heads(struct journal *j, uint32_t number)
{
	uint32_t i;
	int error = 0;

	for (i = 0; i < HEADS && !error; i++)
		if (atomic_load(&j->heads[i].s->lease) == number + 1)
			error = takeover_head(j, &j->heads[i]);
	return error;
}
