/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recovery of a mirrored log.  What was durable is on both legs, or the one that lacks it
 * is marked.  What was on its way when the writer died may be on one, on both or on
 * neither; and a disk may have damaged what it had.  So:
 *
 *   a record         counts if it is whole on one leg
 *   a header         the one that speaks of the later use of the segment counts
 *   a digest         as a header
 *
 * and a writer makes it so on both before it serves anybody: it must not be there at this
 * open, and gone at the next one that happens to read the other leg.  What is whole on
 * neither stays as it is: it is torn on both.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "txn/copies.h"
#include "txn/found.h"
#include "txn/recover.h"
#include "txn/segment.h"
#include "util/crc32c.h"

/* the same bytes of both legs, side by side */
struct sides {
	struct recovery *r;
	struct log_store *store;
	uint32_t segment;
	struct log_io io[2];
	bool bad[2]; /* could not be read */
};

static int sides_read(struct sides *s, uint64_t offset, uint64_t bytes)
{
	unsigned int leg;
	void *buffer;

	if (posix_memalign(&buffer, 4096, 2 * bytes)) {
		s->r->no_memory = true;
		return journal_say(s->r->j, -ENOMEM, "no memory to recover");
	}
	for (leg = 0; leg < 2; leg++) {
		s->io[leg] = (struct log_io){ .offset = offset,
					      .buffer = (uint8_t *)buffer + leg * bytes,
					      .bytes = (uint32_t)bytes };
		s->bad[leg] = log_copies_read(s->store, leg, &s->io[leg], 1);
		if (s->bad[leg])
			memset(s->io[leg].buffer, 0, bytes);
	}
	return 0;
}

static void sides_done(struct sides *s)
{
	free(s->io[0].buffer);
}

static bool sides_agree(const struct sides *s)
{
	return !s->bad[0] && !s->bad[1] &&
	       !memcmp(s->io[0].buffer, s->io[1].buffer, s->io[0].bytes);
}

/* What fails is left by the store; with the other one it goes on.  If that one cannot say
 * so, both are in use, and not alike: nobody may be served. */
static int sides_write(struct sides *s, unsigned int leg)
{
	int error = log_copies_repair(s->store, leg, &s->io[leg]);

	if (!error || !log_copies_several(s->store))
		return 0;
	return message_errno(journal_message(s->r->j), error, "what is on one leg only cannot be "
			     "copied to the other, nor that one be left");
}

/* @leg gets what the other one has. */
static int sides_copy(struct sides *s, unsigned int leg)
{
	memcpy(s->io[leg].buffer, s->io[!leg].buffer, s->io[leg].bytes);
	return sides_write(s, leg);
}

/* ---- records --------------------------------------------------------------------- */

bool recover_was_durable(struct recovery *r, uint32_t segment, const struct scanned *record)
{
	const struct log_meta *meta = &record->meta;
	uint32_t i;

	if (meta->seq && meta->seq <= r->scans[segment].acked)
		return true;
	/* before its bit was cleared */
	for (i = 0; r->j->bits_durable && meta->type == LOG_EXTENT && i < meta->count; i++)
		if (recover_may_live(r, meta->line, meta->line_epoch, meta->slot + i) &&
		    recover_bit_set(r, meta->line, meta->slot + i))
			return true;
	return false;
}

/* Its bytes only: the rest of its blocks may be right on the other leg alone. */
static int record_to_other(struct sides *s, const struct scanned *record)
{
	struct journal *j = s->r->j;
	uint32_t number = s->segment, leg = record->legs == 2, skip;
	uint64_t bytes = LOG_RECORD_BYTES + (uint64_t)record->meta.bytes;
	bool durable = recover_was_durable(s->r, number, record);
	struct log_io span;
	int error = record_span(j, number, record->offset, bytes, &span);

	if (!error)
		error = sides_read(s, span.offset, span.bytes);
	if (error)
		return error == -ENOMEM ? error : 0;
	skip = record->offset % j->block_bytes;
	memcpy((uint8_t *)s->io[!leg].buffer + skip, (uint8_t *)s->io[leg].buffer + skip, bytes);
	error = sides_write(s, !leg);
	if (durable && !error)
		copies_tell(j, segment_log(j, number), number, !leg, span.offset, true);
	sides_done(s);
	return error;
}

int recover_copies_records(struct recovery *r, uint32_t segment)
{
	struct journal *j = r->j;
	struct segment_scan *scan = &r->scans[segment];
	struct sides s = { .r = r, .segment = segment,
			   .store = logs_at(j, segment_log(j, segment)) };
	uint32_t i;
	int error = 0;

	for (i = 0; i < scan->count && !error && log_copies_several(s.store); i++)
		if (scan->records[i].valid && scan->records[i].legs != 3) {
			error = record_to_other(&s, &scan->records[i]);
			scan->records[i].legs = 3;
		}
	return error;
}

/* ---- headers and digests ------------------------------------------------------------ */

static uint64_t header_seq(const struct sides *s, unsigned int leg)
{
	struct log_segment_meta meta;

	return !s->bad[leg] &&
			       !log_segment_decode(s->io[leg].buffer, s->r->j->geometry.nonce,
						   &meta) &&
			       meta.segment == s->segment ? meta.seq : 0;
}

static uint64_t digest_seq(const struct sides *s, unsigned int leg)
{
	struct journal *j = s->r->j;

	return !s->bad[leg] &&
			       !summary_validate(s->io[leg].buffer, j->digest_bytes,
						 j->segment_bytes, s->segment,
						 j->geometry.nonce) ?
		       get_le64(((const struct summary_head *)s->io[leg].buffer)->seq) : 0;
}

/* Of the use that counts; what is of another one is no matter. */
static int sides_settle(struct sides *s, uint64_t (*seq)(const struct sides *, unsigned int))
{
	uint64_t use = s->r->scans[s->segment].seq, first = seq(s, 0), second = seq(s, 1);

	if (sides_agree(s) || (first != use && second != use) || !use || first == second)
		return 0;
	return sides_copy(s, first == use);
}

static int table_settle(struct sides *s)
{
	struct journal *j = s->r->j;
	const struct summary_head *digest = s->r->scans[s->segment].digest;
	uint32_t bytes = digest ? summary_table_bytes(digest) : 0, offset, seed;
	uint64_t room = round_up(bytes, j->block_bytes);
	bool good[2];
	int error;

	offset = bytes ? get_le32(digest->table_offset) : 0;
	if (!bytes || offset % j->block_bytes || offset + room > j->segment_bytes)
		return 0;
	error = sides_read(s, segment_base(j, s->segment) + offset, room);
	if (error)
		return error;
	seed = j->segments.all[s->segment].seed;
	good[0] = crc32c(seed, s->io[0].buffer, bytes) == get_le32(digest->table_crc);
	good[1] = crc32c(seed, s->io[1].buffer, bytes) == get_le32(digest->table_crc);
	error = good[0] != good[1] ? sides_copy(s, good[0]) : 0;
	sides_done(s);
	return error;
}

static int copies_frame(struct recovery *r, uint32_t segment)
{
	struct journal *j = r->j;
	struct sides s = { .r = r, .segment = segment,
			   .store = logs_at(j, segment_log(j, segment)) };
	uint64_t base = segment_base(j, segment);
	int error = sides_read(&s, base, j->block_bytes);

	if (error)
		return error;
	error = sides_settle(&s, header_seq);
	sides_done(&s);
	/* the table before the digest that relies on it */
	if (!error)
		error = table_settle(&s);
	if (!error)
		error = sides_read(&s, base + j->segment_bytes - j->digest_bytes,
				   j->digest_bytes);
	if (error)
		return error;
	error = sides_settle(&s, digest_seq);
	sides_done(&s);
	return error;
}

/*
 * Header, then second digest; first digest, then second (segment_seal.c): each durable on
 * both legs before the next is written.  So where the second one is as far, or a digest
 * follows a header, one that is on one leg only was damaged since.
 */
void recover_copies_tell(struct recovery *r, uint32_t segment, const struct frame_legs *legs,
			 const struct summary_head *second)
{
	struct journal *j = r->j;
	uint32_t log = segment_log(j, segment);
	uint64_t base = segment_base(j, segment), use = second ? get_le64(second->seq) : 0;
	bool sealed = second && get_le16(second->sealed);

	if (legs->header && legs->header != 3 &&
	    (use >= legs->header_seq || legs->digest_seq == legs->header_seq))
		copies_tell(j, log, segment, legs->header == 1, base, !j->read_only);
	if (legs->digest && legs->digest != 3 &&
	    (use > legs->digest_seq || (sealed && use == legs->digest_seq)))
		copies_tell(j, log, segment, legs->digest == 1,
			    base + j->segment_bytes - j->digest_bytes, !j->read_only);
}

void recover_copies_tell_records(struct recovery *r, uint32_t segment)
{
	struct journal *j = r->j;
	const struct segment_scan *scan = &r->scans[segment];
	const struct scanned *record;
	uint64_t at;
	uint32_t i;

	/* a writer tells when it repairs them */
	for (i = 0; j->read_only && i < scan->count; i++) {
		record = &scan->records[i];
		at = segment_base(j, segment) + round_down(record->offset, j->block_bytes);
		if (!record->valid || record->legs == 3)
			continue;
		if (recover_was_durable(r, segment, record))
			copies_tell(j, segment_log(j, segment), segment, record->legs == 1, at,
				    false);
		else
			found_remark(j, 0, "%s: segment %u, at %llu of the log: on one leg only: "
				     "it was on its way; the next who writes completes it",
				     j->conf.logs[segment_log(j, segment)], segment,
				     (unsigned long long)at);
	}
}

/* ---- superblocks ------------------------------------------------------------------------ */

static bool supers_good(struct journal *j, uint32_t log, const void *supers)
{
	const struct log_super *super = supers;
	struct log_geometry g;
	const char *why;

	return !log_super_decode(&super[0], j->logs[log]->bytes, false, &g, &why) &&
	       !log_super_decode(&super[1], j->logs[log]->bytes, false, &g, &why);
}

static int copies_supers(struct recovery *r, uint32_t log)
{
	struct sides s = { .r = r, .store = r->j->logs[log] };
	unsigned int leg;
	int error = sides_read(&s, 0, LOG_SUPERS * LOG_SUPER_BYTES);

	if (error)
		return error;
	for (leg = 0; leg < 2 && !error && !sides_agree(&s); leg++)
		/* both of one that has both; an upgrade that was cut off is ended by the next */
		if (supers_good(r->j, log, s.io[leg].buffer)) {
			bool damaged = !supers_good(r->j, log, s.io[!leg].buffer);

			error = sides_copy(&s, !leg);
			if (damaged && !error)
				copies_tell(r->j, log, NO_SEGMENT, !leg, 0, true);
			break;
		}
	sides_done(&s);
	return error;
}

int recover_copies(struct recovery *r)
{
	struct journal *j = r->j;
	uint32_t i, log;
	int error = 0;

	for (log = 0; log < logs_end(j) && !error; log++)
		if (!logs_removed(j, log) && log_copies_several(logs_at(j, log)))
			error = copies_supers(r, log);
	for (i = 0; i < segments_end(j) && !error; i++) {
		if (!segment_is_there(&j->segments.all[i]) ||
		    !log_copies_several(logs_at(j, segment_log(j, i))))
			continue;
		if (r->scans[i].differs)
			error = copies_frame(r, i);
		if (!error)
			error = recover_copies_records(r, i);
	}
	return error;
}
