/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/head.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "txn/clock.h"
#include "txn/segment.h"
#include "txn/segment_notes.h"
#include "txn/segment_seal.h"
#include "txn/takeover.h"

#define MOMENT_NS   100000
/* How long one waits for a head, and how long after one head more comes the next: while
 * many segments are free, no longer than it takes until the first one's is counted; when
 * few are, together less than the 100 ms that nobody waits behind who is stopped (P18). */
#define PATIENCE_NS     2000000ull
#define MORE_NS         200000ull
#define PATIENCE_FEW_NS 20000000ull
#define MORE_FEW_NS     60000000ull

int heads_make(struct journal *j)
{
	uint32_t i;

	j->heads = calloc(HEADS, sizeof(*j->heads));
	if (!j->heads)
		return -ENOMEM;
	for (i = 0; i < HEADS; i++) {
		j->heads[i].s = shared_head(j, i);
		j->heads[i].log = NO_LOG;
		notes_point(j, &j->heads[i], i);
	}
	return 0;
}

void heads_free(struct journal *j)
{
	free(j->heads);
}

/* ---- leasing ----------------------------------------------------------------- */

uint32_t heads_wanted(const struct journal *j)
{
	return (uint32_t)min_u64(max_u64(segments_usable(j) / 8, 2), HEADS);
}

static bool head_is_on(const struct journal *j, const struct head *head, uint32_t log)
{
	const struct segment *segment = head_segment(j, head);

	return segment && segment_log(j, segment->number) == log;
}

static bool head_try(struct journal *j, struct head *head, enum head_kind kind, bool open)
{
	struct head_shared *s = head->s;
	uint32_t none = 0;

	if (atomic_load_explicit(&s->lease, memory_order_relaxed) ||
	    (bool)atomic_load_explicit(&s->segment, memory_order_relaxed) != open ||
	    (open && s->kind != (uint32_t)kind) ||
	    !atomic_compare_exchange_strong(&s->lease, &none, j->member))
		return false;
	/* it may have changed hands in between */
	if ((bool)s->segment == open && (!open || s->kind == (uint32_t)kind))
		return true;
	head_return(head);
	return false;
}

/* @log: one that is open there; or NO_LOG */
static struct head *head_find(struct journal *j, enum head_kind kind, bool open, uint32_t log,
			      uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if ((log == NO_LOG || head_is_on(j, &j->heads[i], log)) &&
		    head_try(j, &j->heads[i], kind, open))
			return &j->heads[i];
	return NULL;
}

/*
 * Whether one who has waited since @since may open one more than are wanted: one of all
 * processes, once in a while.  Behind a head whose holder is stopped the others go on
 * with that one; where the disk is slow their number grows; and many who have waited
 * together do not take all segments that are left.
 */
static bool heads_grant(struct journal *j, uint64_t since)
{
	uint32_t free_count = atomic_load(&j->shared->segments_free);
	bool few = free_count < segments_reserve(j) + segments_usable(j) / 4;
	uint64_t now = clock_monotonic_ns(), last = atomic_load(&j->shared->head_granted_ns);

	return now - since >= (few ? PATIENCE_FEW_NS : PATIENCE_NS) &&
	       (now < last || now - last >= (few ? MORE_FEW_NS : MORE_NS)) &&
	       atomic_compare_exchange_strong(&j->shared->head_granted_ns, &last, now);
}

/* Better a fresh one than one that is open elsewhere, as far as the log's size allows;
 * better that than none. */
static struct head *head_find_on(struct journal *j, enum head_kind kind, uint32_t log,
				 uint32_t fresh)
{
	struct head *head = head_find(j, kind, true, log, HEADS);

	if (!head)
		head = head_find(j, kind, false, NO_LOG, fresh);
	if (!head && log != NO_LOG)
		head = head_find(j, kind, true, NO_LOG, HEADS);
	if (head)
		head->log = log;
	return head;
}

int head_lease_on(struct journal *j, enum head_kind kind, uint32_t log, struct head **head)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	uint64_t since = 0;
	/* the cleaner's are for all, and nobody waits for them */
	bool more = head_is_cleaners(kind);

	for (;;) {
		*head = head_find_on(j, kind, log, more ? HEADS : heads_wanted(j));
		if (*head)
			return 0;
		if (journal_failed(j))
			return journal_fail(j, -EIO);
		if (!since)
			since = clock_monotonic_ns();
		more = more || heads_grant(j, since);
		takeover_sweep(j, SWEEP_WAITING_NS);
		nanosleep(&moment, NULL);
	}
}

int head_lease(struct journal *j, enum head_kind kind, struct head **head)
{
	return head_lease_on(j, kind, NO_LOG, head);
}

bool head_lease_room(struct journal *j, enum head_kind kind, uint64_t bytes, uint32_t entries,
		     struct head **head)
{
	uint32_t i;

	for (i = 0; i < HEADS; i++) {
		*head = &j->heads[i];
		if (!head_try(j, *head, kind, true))
			continue;
		if (!segment_is_out(j, head_segment(j, *head)) &&
		    segment_fits(j, *head, (*head)->s->end, bytes, entries))
			return true;
		head_return(*head);
	}
	*head = NULL;
	return false;
}

void head_return(struct head *head)
{
	const struct journal *j = head->notes.j;

	/* behind its end there may be what nobody knows of: for who takes over, who reads it */
	if (journal_failed_here(j) && atomic_load(&head->s->lease) == j->member)
		return;
	JASSERT(!head->seconds && !head->left);
	/* release: the next holder sees end, notes and sequences */
	atomic_store_explicit(&head->s->lease, 0, memory_order_release);
}

/* ---- segments ------------------------------------------------------------------ */

static void head_take_up(struct journal *j, struct head *head, enum head_kind kind,
			 struct segment *segment)
{
	struct head_shared *s = head->s;

	notes_reset(&head->notes);
	s->kind = (uint32_t)kind;
	s->end = j->block_bytes;
	s->last_record_seq = s->durable_record_seq = 0;
	s->last_record = (struct log_before){ 0 };
	s->durable_notes = 0;
	s->named_notes = 0;
	s->named_seq = 0;
	atomic_store(&s->segment, segment->number + 1);
}

/* the notes of what was being opened, for who takes over and for a checkpoint */
static void head_opened(struct head *head)
{
	atomic_store(&head->s->opening, 0);
	atomic_store(&head->s->floor, 0);
}

int head_roll(struct journal *j, struct head *head, enum head_kind kind, bool reserved)
{
	struct segment *old = head_segment(j, head), *fresh;
	int error;

	JASSERT(!head->left);
	error = segment_take(j, head, kind, reserved, &fresh);

	if (error) {
		head->seconds = NULL;
		return error;
	}
	if (old)
		error = segment_write_summary(j, head, old);
	if (error) {
		/* its second copy may be under way */
		(void)head_settle(j, head);
		segment_give_back(j, fresh);
		head_opened(head);
		return error;
	}
	/* before the old one is let go: dead, it may be taken at once, and a
	 * checkpoint must not take that use of it for the head's */
	if (old)
		atomic_store(&head->s->closing, old->use >> 32 << 32 | (old->number + 1));
	head_take_up(j, head, kind, fresh);
	head_opened(head);
	head->left = old;
	return head->seconds ? 0 : head_settle(j, head);
}

int head_settle(struct journal *j, struct head *head)
{
	struct segment *old = head->left;
	int error = head->seconds ? seconds_wait(head->seconds) : 0;

	head->seconds = NULL;
	head->left = NULL;
	/* who takes over finds it noted, and writes the second copy */
	if (error && journal_failed_here(j))
		return error;
	if (old)
		segment_sealed(j, old);
	atomic_store(&head->s->closing, 0);
	return error;
}

void head_adopt(struct journal *j, struct head *head, struct segment *segment)
{
	head_take_up(j, head, segment->kind == LOG_STREAM ? HEAD_STREAM : HEAD_EXTENTS, segment);
}

int head_seal(struct journal *j, struct head *head)
{
	struct segment *segment = head_segment(j, head);
	int error = segment_write_summary(j, head, segment);

	if (error)
		return error;
	atomic_store(&head->s->closing, segment->use >> 32 << 32 | (segment->number + 1));
	atomic_store(&head->s->segment, 0);
	segment_sealed(j, segment);
	atomic_store(&head->s->closing, 0);
	return 0;
}

/* of a log that has failed, or whose segment is to go; @log NO_SEGMENT: any log */
static bool head_is_out(const struct journal *j, const struct head *head, uint32_t log)
{
	const struct segment *segment = head_segment(j, head);

	return segment && (log == NO_SEGMENT ? segment_is_out(j, segment) : segment->log == log);
}

void heads_leave(struct journal *j, uint32_t log)
{
	struct head *head;
	uint32_t i, none;

	for (i = 0; i < HEADS; i++) {
		head = &j->heads[i];
		none = 0;
		if (!head_is_out(j, head, log) ||
		    !atomic_compare_exchange_strong(&head->s->lease, &none, j->member))
			continue;
		/* without memory for it, whoever leases it next does it */
		if (head_is_out(j, head, log))
			(void)head_seal(j, head);
		head_return(head);
	}
}

void heads_leave_going(struct journal *j)
{
	heads_leave(j, NO_SEGMENT);
}

/* It keeps a segment for nothing, or is one of too many.  Not the cleaner's: sealed early
 * it would be the next to be cleaned, for ever. */
static bool head_is_dear(const struct journal *j, uint32_t number)
{
	const struct segment *segment = head_segment(j, &j->heads[number]);

	return segment && (!segment_live_of(atomic_load(&segment->use)) ||
			   (number >= heads_wanted(j) &&
			    !head_is_cleaners(j->heads[number].s->kind)));
}

bool heads_shed(struct journal *j)
{
	uint32_t i, none;
	bool shed = false;

	for (i = 0; i < HEADS; i++) {
		none = 0;
		if (!head_is_dear(j, i) ||
		    !atomic_compare_exchange_strong(&j->heads[i].s->lease, &none, j->member))
			continue;
		if (head_is_dear(j, i) && !head_seal(j, &j->heads[i]))
			shed = true;
		head_return(&j->heads[i]);
	}
	return shed;
}

static bool head_is_nameless(const struct head *head)
{
	const struct head_shared *s = head->s;

	return s->notes.notes != s->named_notes || s->durable_record_seq != s->named_seq;
}

int heads_name(struct journal *j)
{
	struct segment *segment;
	uint32_t i;
	int error = 0;

	for (i = 0; i < HEADS && !error; i++) {
		segment = head_segment(j, &j->heads[i]);
		if (segment && head_is_nameless(&j->heads[i]))
			error = segment_write_names(j, &j->heads[i], segment);
	}
	return error;
}

/*
 * Uses of segments are drawn in order.  One that was drawn before the first line
 * here and is not to be seen in its head yet has said so before (segment_take()).
 * The cleaner's have no retire records, which are all that replay is for.
 */
uint64_t heads_oldest(struct journal *j)
{
	uint64_t oldest = atomic_load(&j->shared->next_seq), floor;
	const struct head_shared *s;
	uint32_t i, segment;

	for (i = 0; i < HEADS; i++) {
		s = j->heads[i].s;
		floor = atomic_load(&s->floor);
		if (floor)
			oldest = min_u64(oldest, floor);
		/* seq_cst: before kind, which was stored before it */
		segment = atomic_load(&s->segment);
		if (segment && atomic_load(&s->kind) == HEAD_STREAM)
			oldest = min_u64(oldest, j->segments.all[segment - 1].seq);
	}
	return oldest;
}
