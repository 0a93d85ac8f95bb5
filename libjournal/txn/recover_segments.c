/* SPDX-License-Identifier: BSD-3-Clause */
/* Recovery of segments: what each one is, and which are read how. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "txn/checkpoint.h"
#include "txn/copies.h"
#include "txn/found.h"
#include "txn/head.h"
#include "txn/recover.h"
#include "txn/runs.h"
#include "txn/segment.h"
#include "txn/segment_second.h"
#include "txn/stream.h"

#define BATCH_SEGMENTS 32u
#define LOOK_BYTES     4096u
#define LOOKS_BYTES    (2ul * LOOK_BYTES) /* of a segment */
#define BATCH_BYTES    (BATCH_SEGMENTS * LOOKS_BYTES) /* of one leg */

static uint32_t digest_whole_bytes(const struct journal *j, const struct summary_head *head)
{
	uint64_t bytes = sizeof(*head) +
			 (uint64_t)get_le32(head->lines) * sizeof(struct summary_line);

	return get_le32(head->magic) == SUMMARY_MAGIC && bytes <= j->digest_bytes ?
		       (uint32_t)bytes :
		       0;
}

/* what the headers, or the digests' beginnings, are on each leg; of a log that is not
 * mirrored, on the one that there is */
struct looks {
	const void *at[2];
	unsigned int count;
};

static int look_read(struct recovery *r, uint32_t log, const struct looks *looks,
		     unsigned int leg, struct log_io *io, unsigned int count)
{
	return looks->count == 1 ? log_store_read(logs_at(r->j, log), io, count) :
				   log_copies_read(logs_at(r->j, log), leg, io, count);
}

/* A digest that begins as it looks on @leg (LOOK_BYTES of it); the rest is read. */
static struct summary_head *digest_load_leg(struct recovery *r, uint32_t segment, uint32_t log,
					    uint64_t offset, const struct looks *looks,
					    unsigned int leg)
{
	const struct summary_head *head = looks->at[leg];
	struct journal *j = r->j;
	uint32_t bytes = digest_whole_bytes(j, head);
	struct log_io io = { .offset = offset, .bytes = j->digest_bytes };
	struct summary_head *digest;

	if (!bytes)
		return NULL;
	if (posix_memalign(&io.buffer, 4096, j->digest_bytes)) {
		r->no_memory = true;
		return NULL;
	}
	if (bytes <= LOOK_BYTES) {
		memcpy(io.buffer, head, bytes);
	} else if (look_read(r, log, looks, leg, &io, 1)) {
		free(io.buffer);
		return NULL;
	}
	digest = io.buffer;
	if (summary_validate(digest, j->digest_bytes, j->segment_bytes, segment,
			     j->geometry.nonce)) {
		free(digest);
		return NULL;
	}
	return digest;
}

static uint64_t digest_seq(const struct summary_head *digest)
{
	return digest ? get_le64(digest->seq) : 0;
}

/* Of two the one of the later use.  *@legs: those that have it */
static struct summary_head *digest_load(struct recovery *r, uint32_t segment, uint32_t log,
					uint64_t offset, const struct looks *looks,
					unsigned int *legs)
{
	struct summary_head *best = digest_load_leg(r, segment, log, offset, looks, 0), *other;

	*legs = best ? 3 : 0;
	if (looks->count == 1 ||
	    (best && !copies_all(r->j, log) && !memcmp(looks->at[0], looks->at[1], LOOK_BYTES)))
		return best;
	other = digest_load_leg(r, segment, log, offset, looks, 1);
	*legs = digest_seq(other) == digest_seq(best) ? *legs :
		digest_seq(other) > digest_seq(best)  ? 2 :
							1;
	if (*legs == 2) {
		free(best);
		return other;
	}
	free(other);
	return best;
}

/* The one at @offset of @log, from whichever leg has it. */
static struct summary_head *digest_at(struct recovery *r, uint32_t segment, uint32_t log,
				      uint64_t offset, uint8_t *buffer)
{
	struct looks looks = { { buffer, buffer + LOOK_BYTES },
			       log_copies_several(logs_at(r->j, log)) ? 2 : 1 };
	struct log_io io = { .offset = offset, .bytes = LOOK_BYTES };
	unsigned int leg, legs;

	for (leg = 0; leg < looks.count; leg++) {
		io.buffer = buffer + leg * LOOK_BYTES;
		if (look_read(r, log, &looks, leg, &io, 1))
			memset(io.buffer, 0, LOOK_BYTES);
	}
	return digest_load(r, segment, log, offset, &looks, &legs);
}

/* Not where it belongs: a log came or went, and whoever did that did not get done.  Then
 * it is where it belonged before. */
static struct summary_head *digest_astray(struct recovery *r, uint32_t segment, void *buffer)
{
	struct journal *j = r->j;
	struct summary_head *digest = NULL;
	uint32_t log, of, index;
	uint64_t offset;

	if (!runs_find(&j->conf.runs, segment, &of, &index))
		return NULL;
	for (log = 0; log < logs_end(j) && !digest; log++) {
		offset = log_runs_digest(&j->conf.runs, &j->log_geometry[of], log, index);
		if (offset)
			digest = digest_at(r, segment, log, offset, buffer);
	}
	return digest;
}

/* the copy that does not lie in the segment */
static struct summary_head *digest_second(struct recovery *r, uint32_t segment)
{
	struct journal *j = r->j;
	uint32_t log = 0;
	uint64_t offset = segment_digest_offset(j, segment, &log);
	struct summary_head *digest;
	void *buffer;

	if (posix_memalign(&buffer, 4096, max_u64(j->digest_bytes, 2 * LOOK_BYTES))) {
		r->no_memory = true;
		return NULL;
	}
	if (segment_digest_in_nvram(j, segment)) {
		memcpy(buffer, j->marker->map + offset, j->digest_bytes);
		if (!summary_validate(buffer, j->digest_bytes, j->segment_bytes, segment,
				      j->geometry.nonce))
			return buffer;
		free(buffer);
		return NULL;
	}
	digest = digest_at(r, segment, log, offset, buffer);
	if (!digest && logs_count(j) > 1)
		digest = digest_astray(r, segment, buffer);
	free(buffer);
	return digest;
}

static void segment_from_digest(struct segment_scan *scan, struct summary_head *digest)
{
	scan->seq = get_le64(digest->seq);
	scan->kind = get_le16(digest->kind);
	scan->open = !get_le16(digest->sealed);
	/* of one that is open it names what was there at a close; more may have come since */
	if (!scan->open || scan->gone) {
		scan->digest = digest;
		return;
	}
	free(scan->named); /* two open ones of one use: only damage leaves that */
	scan->named = digest;
}

static bool segment_second_is_gone(struct journal *j, uint32_t segment)
{
	uint32_t log;

	if (segment_digest_in_nvram(j, segment))
		return false;
	(void)segment_digest_offset(j, segment, &log);
	return logs_gone(j, log);
}

/*
 * What the second digest adds.  Header before second digest, and first digest
 * before second: so where the second is ahead of either, that one is damaged.
 */
static void segment_second(struct recovery *r, uint32_t segment, bool header_good,
			   const struct summary_head *first, struct summary_head *second)
{
	struct journal *j = r->j;
	struct segment_scan *scan = &r->scans[segment];
	const char *name = j->conf.logs[segment_log(j, segment)];

	if (!second || get_le64(second->seq) < scan->seq) {
		scan->second_gone = !second && recover_before_move(r, scan);
		if (j->found && first && !second && !scan->second_gone &&
		    !segment_second_is_gone(j, segment))
			found_remark(j, 0, "%s: segment %u: the second copy of its digest does "
				     "not verify", name, segment);
		free(second);
		return;
	}
	if (!header_good || get_le64(second->seq) > scan->seq) {
		scan->header_bad = true;
		if (!scan->gone)
			found_damage(j, 0, "%s: segment %u: its header is damaged, the second "
				     "copy of its digest stands in", name, segment);
	}
	if (get_le16(second->sealed) && !first && !scan->gone)
		found_damage(j, 0, "%s: segment %u: the digest at its end is damaged, the "
			     "second copy stands in", name, segment);
	segment_from_digest(scan, second);
}

/* The header of the latest use that a leg has.  Return: those that have it */
static unsigned int header_load(struct recovery *r, uint32_t segment,
				const struct looks *headers, struct log_segment_meta *meta)
{
	struct log_segment_meta one;
	unsigned int leg, legs = 0;

	for (leg = 0; leg < headers->count; leg++) {
		if (log_segment_decode(headers->at[leg], r->j->geometry.nonce, &one) ||
		    one.segment != segment || (legs && one.seq < meta->seq))
			continue;
		legs = (legs && one.seq == meta->seq ? legs : 0) | 1u << leg;
		*meta = one;
	}
	return legs && headers->count == 1 ? 3 : legs;
}

/* The highest use that any copy speaks of counts: the others are older. */
static void segment_look(struct recovery *r, uint32_t segment, const struct looks *headers,
			 const struct looks *digests)
{
	struct journal *j = r->j;
	struct segment_scan *scan = &r->scans[segment];
	struct log_segment_meta meta = { 0 };
	uint32_t log = segment_log(j, segment);
	uint64_t base = segment_base(j, segment);
	struct frame_legs legs = { .header = header_load(r, segment, headers, &meta) };
	bool header_good = legs.header;
	struct summary_head *first, *second = NULL;

	scan->gone = logs_gone(j, log);
	first = digest_load(r, segment, log, base + j->segment_bytes - j->digest_bytes, digests,
			    &legs.digest);
	if (first && header_good && get_le64(first->seq) != meta.seq) {
		free(first); /* of an older use */
		first = NULL;
	}
	if (!first || !header_good || j->found)
		second = digest_second(r, segment);
	if (header_good) {
		scan->seq = meta.seq;
		scan->kind = meta.kind;
	}
	legs.header_seq = meta.seq;
	legs.digest_seq = digest_seq(first);
	if (!first)
		legs.digest = 0; /* of an older use, if there is one */
	scan->differs = (legs.header && legs.header != 3) || (legs.digest && legs.digest != 3);
	if (scan->differs && copies_all(j, log))
		recover_copies_tell(r, segment, &legs, second);
	segment_second(r, segment, header_good, first, second);
	/* not over an open use that only the second copy still speaks of */
	if (first && !scan->digest && get_le64(first->seq) >= scan->seq)
		segment_from_digest(scan, first);
	else
		free(first);
}

/* Headers and the beginning of the digests of some segments, from one leg. */
static void segments_read(struct recovery *r, const struct log_run *run,
			  const struct looks *looks, unsigned int leg, uint32_t from,
			  uint32_t count, uint8_t *buffer)
{
	struct journal *j = r->j;
	struct log_io io[2 * BATCH_SEGMENTS];
	uint32_t i;
	uint64_t base;

	for (i = 0; i < count; i++) {
		base = segment_base(j, log_run_number(run, from + i));
		io[2 * i] = (struct log_io){ .offset = base,
					     .buffer = buffer + 2ul * i * LOOK_BYTES,
					     .bytes = LOOK_BYTES };
		io[2 * i + 1] = (struct log_io){
			.offset = base + j->segment_bytes - j->digest_bytes,
			.buffer = buffer + (2ul * i + 1) * LOOK_BYTES,
			.bytes = LOOK_BYTES,
		};
	}
	(void)look_read(r, run->log, looks, leg, io, 2 * count);
	for (i = 0; i < 2 * count; i++)
		if (io[i].result) /* unreadable: as if damaged, its copy stands in */
			memset(io[i].buffer, 0, LOOK_BYTES);
	r->bytes_read += 2ull * count * LOOK_BYTES;
}

/* Of some segments of one log. */
static void segments_look(struct recovery *r, const struct log_run *run, uint32_t from,
			  uint32_t count, uint8_t *buffer)
{
	struct log_store *store = logs_at(r->j, run->log);
	struct looks headers = { .count = log_copies_several(store) ? 2 : 1 };
	struct looks digests = { .count = headers.count };
	uint32_t i;
	unsigned int leg;

	for (leg = 0; leg < headers.count; leg++)
		segments_read(r, run, &headers, leg, from, count, buffer + leg * BATCH_BYTES);
	for (i = 0; i < count; i++) {
		for (leg = 0; leg < headers.count; leg++) {
			headers.at[leg] = buffer + leg * BATCH_BYTES + 2ul * i * LOOK_BYTES;
			digests.at[leg] = (const uint8_t *)headers.at[leg] + LOOK_BYTES;
		}
		segment_look(r, log_run_number(run, from + i), &headers, &digests);
	}
}

/* Neither the log is there, nor the one with the second digests. */
static void segments_nameless(struct recovery *r, uint32_t log)
{
	struct journal *j = r->j;

	if (!logs_gone(j, log) || !segment_second_is_gone(j, log_runs_first(&j->conf.runs, log)))
		return;
	found_damage(j, 0, "%s: what was on it is lost, without a name: the log with the list of "
		     "it is not there either", j->conf.logs[log]);
	j->recovered.lost_unnamed++;
}

static int segments_look_all(struct recovery *r)
{
	struct journal *j = r->j;
	const struct log_runs *runs = &j->conf.runs;
	const struct log_run *run;
	uint32_t log, from, count;
	void *buffer;

	if (posix_memalign(&buffer, 4096, 2 * BATCH_BYTES))
		return journal_say(j, -ENOMEM, "no memory to recover");
	recover_expect(r, segments_end(j) * (LOOKS_BYTES + j->segment_bytes));
	for (run = runs->of; run < runs->of + runs->count; run++)
		for (from = 0; from < run->count; from += count) {
			count = (uint32_t)min_u64(BATCH_SEGMENTS, run->count - from);
			segments_look(r, run, from, count, buffer);
			recover_progress(r, count * LOOKS_BYTES);
		}
	for (log = 0; log < logs_end(j); log++)
		segments_nameless(r, log);
	free(buffer);
	return 0;
}

/* ---- order ---- */

static int order_by_seq(const void *a, const void *b, void *context)
{
	const struct recovery *r = context;
	uint64_t left = r->scans[*(const uint32_t *)a].seq;
	uint64_t right = r->scans[*(const uint32_t *)b].seq;

	return left < right ? -1 : left > right;
}

static void segments_order(struct recovery *r)
{
	struct journal *j = r->j;
	struct segment_scan *scan;
	struct segment *segment;
	uint32_t i;

	for (i = 0; i < segments_end(j); i++) {
		scan = &r->scans[i];
		segment = &j->segments.all[i];
		if (!scan->seq)
			continue;
		r->order[r->order_count++] = i;
		segment_adopt(segment);
		segment->seq = scan->seq;
		segment->kind = (uint32_t)scan->kind;
		segment->seed = log_seed(j->geometry.nonce, i, scan->seq);
		/* a checkpoint knows nothing of what came after it */
		scan->whole = !scan->gone &&
			      (!scan->digest || (!j->bits_durable && scan->kind == LOG_STREAM &&
						 scan->seq >= r->replay_seq));
	}
	qsort_r(r->order, r->order_count, sizeof(*r->order), order_by_seq, r);
}

/* Epochs that the log shows; with durable markers none may be news. */
static int segments_epochs(struct recovery *r)
{
	const struct summary_line *lines;
	const struct segment_scan *scan;
	uint32_t i, k;
	int error = 0;

	for (i = 0; i < r->order_count; i++) {
		scan = &r->scans[r->order[i]];
		for (k = 0; scan->digest && k < get_le32(scan->digest->lines) && !error; k++) {
			lines = (const struct summary_line *)(scan->digest + 1);
			error = recover_epoch(r, get_le32(lines[k].line),
					      get_le64(lines[k].epoch));
		}
		for (k = 0; k < scan->count && !error; k++)
			if (scan->records[k].meta.type != LOG_RETIRE)
				error = recover_epoch(r, scan->records[k].meta.line,
						      scan->records[k].meta.line_epoch);
		if (!error)
			error = recover_gaps_epochs(r, r->order[i]);
	}
	return error;
}

static uint32_t segments_pick(struct recovery *r, uint32_t *picked, bool whole)
{
	uint32_t i, count = 0;

	for (i = 0; i < r->order_count; i++)
		if (r->scans[r->order[i]].whole == whole)
			picked[count++] = r->order[i];
	return count;
}

int recover_segments(struct recovery *r)
{
	struct journal *j = r->j;
	uint32_t *picked = calloc(segments_end(j), sizeof(*picked)), count;
	int error = picked ? segments_look_all(r) : -ENOMEM;

	if (!error) {
		segments_order(r);
		/* less than before: of free ones nothing more is read */
		recover_expect(r, r->order_count * j->segment_bytes);
		count = segments_pick(r, picked, true);
		error = recover_parallel(r, picked, count, recover_scan);
	}
	if (!error)
		error = segments_epochs(r);
	if (!error)
		error = recover_older(r);
	if (!error) {
		recover_scan_finish(r);
		count = segments_pick(r, picked, false);
		error = recover_parallel(r, picked, count, recover_sealed);
	}
	free(picked);
	return error;
}

/* ---- going on ---- */

/*
 * A torn record is never written over in this use of its segment: the same
 * payload at the same place could make it whole.  And a hole in the sequence is
 * never left behind: the next writer's watermark would make damage of it.
 */
static bool segment_torn(const struct segment_scan *scan)
{
	const struct scanned *record = scan->records;
	uint32_t i;

	for (i = 0; i < scan->count; i++, record++)
		if (!record->valid || (scan->kind == LOG_STREAM && record->meta.seq != i + 1))
			return true;
	/* nor if the last ones are what is missing */
	return scan->kind == LOG_STREAM && scan->count < scan->acked;
}

/*
 * Segments that are not sealed go on as heads', newest first: as many as there
 * would be open at a time anyway, and of each kind one at least.  Were they sealed,
 * a few processes that commit one message each, then leave, then come again, would
 * fill a segment with each message.
 */
struct goes_on {
	uint32_t heads, most;
	bool kind[2]; /* some of it does: stream, extents */
};

/* Return: the head that @number is to go on as; NULL: it is to be sealed */
static struct head *segment_goes_on(struct recovery *r, uint32_t number, struct goes_on *so_far)
{
	const struct segment_scan *scan = &r->scans[number];
	bool *kind = &so_far->kind[scan->kind == LOG_STREAM];

	if (scan->digest || logs_out(r->j, segment_log(r->j, number)) || scan->header_bad ||
	    scan->unreadable ||
	    segment_torn(scan) || (so_far->heads >= so_far->most && *kind))
		return NULL;
	*kind = true;
	return &r->j->heads[so_far->heads++];
}

static int segment_settle(struct recovery *r, uint32_t number, struct head *head)
{
	struct journal *j = r->j;
	const struct summary_head *digest = r->scans[number].digest;
	int error;

	if (logs_out(j, segment_log(j, number))) {
		/* nothing is written, neither there nor to its second digest: it may be
		 * back at the next open */
		segment_sealed(j, &j->segments.all[number]);
		return 0;
	}
	if (digest) {
		segment_filled(j, &j->segments.all[number], get_le32(digest->end),
			       get_le32(digest->record_bytes), get_le32(digest->entries));
		segment_sealed(j, &j->segments.all[number]);
		return 0;
	}
	error = recover_reseal(r, number, head);
	return error ? error : head_seal(j, head);
}

/* A reader frees nothing: it counts what a writer would find free. */
void recover_count_free(struct recovery *r)
{
	struct segments *s = &r->j->segments;
	uint32_t i;

	for (i = 0; i < segments_end(r->j); i++)
		if (!segment_is_there(&s->all[i]))
			continue;
		else if (!r->scans[i].seq ||
		    (r->scans[i].digest && !segment_live_of(s->all[i].use)))
			segment_free(r->j, &s->all[i]);
}

int recover_heads(struct recovery *r)
{
	struct journal *j = r->j;
	struct goes_on so_far = { .most = (uint32_t)min_u64(heads_wanted(j), HEADS - 2) };
	struct head *head;
	uint32_t i, number;
	int error = 0;

	j->recovering = false;
	for (i = 0; i < segments_end(j); i++)
		if (segment_is_there(&j->segments.all[i]) && !r->scans[i].seq)
			segment_free(j, &j->segments.all[i]);
	for (i = r->order_count; i-- && !error;) {
		number = r->order[i];
		head = segment_goes_on(r, number, &so_far);
		if (head)
			error = recover_reseal(r, number, head);
		else
			error = segment_settle(r, number, &j->heads[HEADS - 1]);
	}
	return error ? error : recover_seconds(r);
}
