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

static bool before_is_known(const struct recovery *r, const struct log_before *before)
{
	uint64_t number;

	return before->type != LOG_DATA || before_number(r, before, &number);
}

static void retires_tell(struct recovery *r, uint32_t segment, uint64_t records, uint64_t retired)
{
	struct journal *j = r->j;
	const char *name = j->conf.logs[segment_log(j, segment)];

	if (retired)
		found_damage(j, 0, "%s: segment %u: a retire record was acknowledged and does not "
			     "verify: what it retired, %llu in number, may be back",
			     name, segment, (unsigned long long)retired);
	else
		found_damage(j, 0, "%s: segment %u: %llu retire records were acknowledged and do "
			     "not verify: what they retired may be back",
			     name, segment, (unsigned long long)records);
}

static void before_enter(struct recovery *r, uint32_t segment, const struct log_before *before)
{
	uint64_t number;

	if (before->type == LOG_RETIRE)
		retires_tell(r, segment, 1, before->id);
	/* an extent is a piece, in a stream: the table of the last one leads to it, and
	 * misses it */
	if (before->type == LOG_DATA && before_number(r, before, &number) && number)
		before_lose(r, segment, before, number);
}

/* what the names of a clean close are complete up to */
static uint64_t names_end(const struct segment_scan *scan)
{
	return scan->named ? get_le64(scan->named->last_record_seq) + 1 : 0;
}

/* Of the records that were acknowledged, the ones that nothing names: *@from to *@to - 1. */
static bool gap_unnamed(const struct recovery *r, const struct segment_scan *scan,
			const struct gap *gap, uint64_t *from, uint64_t *to)
{
	*from = max_u64(gap->from, names_end(scan));
	*to = min_u64(gap->to, scan->acked + 1);
	if (gap->last && gap_was_acked(scan, gap) && before_is_known(r, gap->last))
		(*to)--;
	return *from < *to;
}

/* As a clean close has counted them: those that are not there, nor named by another. */
static void gaps_retires(struct recovery *r, uint32_t segment, uint64_t told)
{
	const struct segment_scan *scan = &r->scans[segment];
	uint64_t there = told;
	uint32_t i;

	for (i = 0; i < scan->count; i++)
		there += scan->records[i].meta.type == LOG_RETIRE &&
			 scan->records[i].meta.seq < names_end(scan);
	if (scan->named && there < get_le32(scan->named->retires))
		retires_tell(r, segment, get_le32(scan->named->retires) - there, 0);
}

uint64_t recover_gaps_retires(const struct recovery *r, uint32_t segment)
{
	struct gaps g = gaps_begin(r, segment);
	uint64_t there = 0, sealed = g.scan->digest ? get_le32(g.scan->digest->retires) : 0;
	struct gap gap;
	uint32_t i;

	for (i = 0; i < g.scan->count; i++)
		there += g.scan->records[i].meta.type == LOG_RETIRE;
	while (gaps_next(&g, &gap))
		there += gap.last && gap_was_acked(g.scan, &gap) && gap.last->type == LOG_RETIRE;
	return sealed - min_u64(sealed, there);
}

uint64_t recover_gaps(struct recovery *r, uint32_t segment)
{
	struct gaps g = gaps_begin(r, segment);
	uint64_t unnamed = 0, retires = 0, from, to;
	struct gap gap;

	if (g.scan->kind != LOG_STREAM)
		return 0;
	while (gaps_next(&g, &gap)) {
		r->j->recovered.torn += gap.to - max_u64(gap.from, min_u64(gap.to,
									   g.scan->acked + 1));
		if (gap.last && gap_was_acked(g.scan, &gap)) {
			before_enter(r, segment, gap.last);
			retires += gap.last->type == LOG_RETIRE && gap.to <= names_end(g.scan);
		}
		if (gap_unnamed(r, g.scan, &gap, &from, &to))
			unnamed += to - from;
	}
	gaps_retires(r, segment, retires);
	return unnamed;
}

void recover_gaps_tell(struct recovery *r, uint32_t segment)
{
	struct gaps g = gaps_begin(r, segment);
	struct journal *j = r->j;
	uint64_t from, to;
	struct gap gap;

	while (gaps_next(&g, &gap))
		if (gap_unnamed(r, g.scan, &gap, &from, &to))
			found_damage(j, 0, "%s: segment %u: records %llu to %llu were acknowledged "
				     "and do not verify: transactions are lost, or retired ones "
				     "are back, without a name",
				     j->conf.logs[segment_log(j, segment)], segment,
				     (unsigned long long)from, (unsigned long long)to - 1);
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
