/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Gaps in a stream's sequence: records whose headers do not verify.  At or below the
 * watermark they were acknowledged.  A record names the one before it, so the last one of a
 * gap has its name, and most gaps are of one; the others are lost without a name.
 */
#include "txn/found.h"
#include "txn/line.h"
#include "txn/recover.h"
#include "txn/segment.h"
#include "txn/segment_notes.h"

/* records @from to @to - 1 were not found; @last is the name of the last one, or NULL */
struct gap {
	uint64_t from, to;
	const struct log_before *last;
};

/* goes through the gaps of one segment */
struct gaps {
	const struct segment_scan *scan;
	uint32_t next;
	uint64_t expected;
};

static bool gaps_next(struct gaps *g, struct gap *gap)
{
	const struct log_meta *meta;

	while (g->next < g->scan->count) {
		meta = &g->scan->records[g->next++].meta;
		*gap = (struct gap){ g->expected, meta->seq,
				     meta->before.type ? &meta->before : NULL };
		g->expected = meta->seq + 1;
		if (gap->to > gap->from)
			return true;
	}
	/* of a sealed one its end too is known */
	*gap = (struct gap){ g->expected, g->scan->acked + 1, NULL };
	g->expected = gap->to;
	return gap->to > gap->from;
}

static struct gaps gaps_begin(const struct recovery *r, uint32_t segment)
{
	const struct segment_scan *scan = &r->scans[segment];

	/* extents have no order */
	return (struct gaps){ scan, scan->kind == LOG_STREAM ? 0 : scan->count, 1 };
}

static bool gap_was_acked(const struct segment_scan *scan, const struct gap *gap)
{
	return gap->to <= scan->acked + 1;
}

/*
 * The epoch number of its line; 0: that has moved on, and nothing of it is live.
 * Return: false: not known.  Of one whose id has another number only a check is there, and
 * that number may be one that nothing else tells of: without bits.
 */
static bool before_number(const struct recovery *r, const struct log_before *before,
			  uint64_t *number)
{
	struct journal *j = r->j;
	uint64_t known = before->line < j->shared->lines_used ? j->lines[before->line].number : 0;

	if (!known)
		return false;
	*number = log_before_is_at_home(before) ? id_number(before->id) :
		  log_before_check(known) == before->check ? known :
							     0;
	return *number || (j->bits_durable && !recover_is_by_records(r, before->line));
}

static void before_lose(struct recovery *r, uint32_t segment, const struct log_before *before,
			uint64_t number)
{
	uint32_t i;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < before->count; i++) {
		if (!recover_may_live(r, before->line, number, before->slot + i))
			continue;
		recover_moved_note(r, before->line, before->slot + i, before->id + i);
		recover_lose(r, before->line, before->slot + i, WHY_HEADER, segment);
	}
	pthread_mutex_unlock(&r->lock);
}

/* Return: whether it is known what it was; then it is told, or nothing is to be */
static bool before_tell(struct recovery *r, uint32_t segment, const struct log_before *before)
{
	struct journal *j = r->j;
	uint64_t number;

	if (before->type == LOG_RETIRE) {
		found_damage(j, 0, "%s: segment %u: a retire record was acknowledged and does not "
			     "verify: what it retired, %llu in number, may be back",
			     j->conf.logs[segment_log(j, segment)], segment,
			     (unsigned long long)before->id);
		return true;
	}
	/* in a stream a piece, which the table of the last one leads to, and misses */
	if (before->type == LOG_EXTENT)
		return true;
	if (!before_number(r, before, &number))
		return false;
	if (number)
		before_lose(r, segment, before, number);
	return true;
}

static uint64_t gap_tell(struct recovery *r, uint32_t segment, const struct gap *gap)
{
	struct journal *j = r->j;
	const struct segment_scan *scan = &r->scans[segment];
	uint64_t torn = max_u64(gap->from, min_u64(gap->to, scan->acked + 1)), unnamed = torn;

	j->recovered.torn += gap->to - torn;
	if (gap->last && gap_was_acked(scan, gap) && before_tell(r, segment, gap->last))
		unnamed--;
	if (unnamed == gap->from)
		return 0;
	found_damage(j, 0, "%s: segment %u: records %llu to %llu were acknowledged and do not "
		     "verify: transactions are lost, or retired ones are back, without a name",
		     j->conf.logs[segment_log(j, segment)], segment,
		     (unsigned long long)gap->from, (unsigned long long)unnamed - 1);
	j->recovered.lost_unnamed += unnamed - gap->from;
	return unnamed - gap->from;
}

uint64_t recover_gaps(struct recovery *r, uint32_t segment)
{
	struct gaps g = gaps_begin(r, segment);
	uint64_t unnamed = 0;
	struct gap gap;

	if (g.scan->kind != LOG_STREAM)
		return 0;
	while (gaps_next(&g, &gap))
		unnamed += gap_tell(r, segment, &gap);
	return unnamed;
}

int recover_gaps_epochs(struct recovery *r, uint32_t segment)
{
	struct gaps g = gaps_begin(r, segment);
	struct gap gap;
	int error = 0;

	/* the line was in that epoch before the record was written, durable or not */
	while (!error && gaps_next(&g, &gap))
		if (gap.last && gap.last->type != LOG_RETIRE && log_before_is_at_home(gap.last))
			error = recover_epoch(r, gap.last->line, id_number(gap.last->id));
	return error;
}

/* ---- for the digest ---------------------------------------------------------------- */

static int before_note(struct recovery *r, const struct log_before *before, struct head *head)
{
	struct log_meta meta = { .type = LOG_DATA, .count = 1, .extents = 1, .line = before->line };
	uint32_t i;
	int error = 0;

	if (before->type != LOG_DATA || !before_number(r, before, &meta.line_epoch))
		return 0;
	for (i = 0; i < before->count && !error && meta.line_epoch; i++) {
		meta.slot = before->slot + i;
		meta.id = before->id + i;
		/* retired by now, or with a copy elsewhere, it is as any other in a digest */
		error = notes_add(&head->notes, &meta, 0, LOG_RECORD_BYTES / 32 | SUMMARY_SELF);
	}
	return error;
}

int recover_gaps_reseal(struct recovery *r, uint32_t segment, struct head *head)
{
	struct gaps g = gaps_begin(r, segment);
	struct gap gap;
	int error = 0;

	while (!error && gaps_next(&g, &gap))
		if (gap.last && gap_was_acked(g.scan, &gap))
			error = before_note(r, gap.last, head);
	return error;
}
