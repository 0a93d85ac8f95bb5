/* SPDX-License-Identifier: BSD-3-Clause */
/* What resizing writes to logs, but for zeros and what lives there. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "format/features.h"
#include "format/summary.h"
#include "format/super.h"
#include "txn/health.h"
#include "txn/logs.h"
#include "txn/resize.h"
#include "txn/segment.h"

#define LOOK_BYTES 4096u

/* as log_geometry_make() has it */
#define HEAD_BYTES (LOG_SUPERS * LOG_SUPER_BYTES + 4096u)

uint64_t resize_bytes_for(const struct resize *r, uint32_t each)
{
	return HEAD_BYTES + each * (r->g.segment_bytes + r->g.digest_bytes);
}

uint32_t resize_each_of(const struct resize *r, uint64_t bytes)
{
	uint64_t each = bytes < HEAD_BYTES ? 0 :
					     (bytes - HEAD_BYTES) /
						     (r->g.segment_bytes + r->g.digest_bytes);

	return (uint32_t)min_u64(each, LOG_NUMBERS_MAX);
}

/* a new one is nobody's but ours */
static struct log_store *media_store(struct resize *r, uint32_t log)
{
	struct log_store *store = log >= logs_end(r->j) ? r->added : logs_at(r->j, log);

	/* it is as long already, and only we look there yet */
	log_store_longer(store, log_runs_bytes(&r->conf.runs, &r->g, log));
	return store;
}

/* ---- superblocks ------------------------------------------------------------------ */

/* Return: whether @super is a good one, and was without the feature */
static bool mark_is_due(const struct resize *r, struct log_super *super)
{
	struct log_geometry g;
	const char *why;

	if (log_super_decode(super, UINT64_MAX, false, &g, &why) ||
	    memcmp(g.uuid, r->j->conf.uuid, sizeof(g.uuid)) || g.incompat & FORMAT_INCOMPAT_RUNS)
		return false;
	super->incompat = put_le64(g.incompat | FORMAT_INCOMPAT_RUNS);
	super->crc = put_le32(super_crc(super, offsetof(struct log_super, crc)));
	return true;
}

/* One copy after the other: one of them is always good. */
static int mark_log(struct resize *r, uint32_t log, struct log_super *supers)
{
	struct log_io io = { .buffer = supers, .bytes = LOG_SUPERS * LOG_SUPER_BYTES };
	struct log_store *store = media_store(r, log);
	uint32_t i;
	int error = log_store_read(store, &io, 1);

	for (i = 0; i < LOG_SUPERS && !error; i++) {
		if (!mark_is_due(r, &supers[i]))
			continue;
		io = (struct log_io){ .buffer = &supers[i], .offset = i * LOG_SUPER_BYTES,
				      .bytes = LOG_SUPER_BYTES };
		/* durable on return, before a byte of the other, and before anything that
		 * who does not know the feature would take for damage */
		error = log_store_write(store, &io, 1, true);
	}
	return error;
}

int resize_mark(struct resize *r)
{
	void *buffer;
	uint32_t log;
	int error = 0;

	if (posix_memalign(&buffer, 4096, LOG_SUPERS * LOG_SUPER_BYTES))
		return journal_say(r->j, -ENOMEM, "no memory");
	for (log = 0; log < logs_end(r->j) && !error; log++)
		if (conf_has_log(&r->conf, log) && !logs_out(r->j, log))
			error = mark_log(r, log, buffer);
	free(buffer);
	return error ? message_errno(journal_message(r->j), error, "%s: superblock",
				     r->conf.logs[log - 1]) : 0;
}

/* ---- second digests ----------------------------------------------------------------- */

/* Zeros in place of the beginning of a digest of segment @number, if it is one. */
static int forget_at(struct resize *r, uint32_t log, uint64_t offset, uint32_t number,
		     void *buffer)
{
	const struct summary_head *head = buffer;
	struct log_io io = { .buffer = buffer, .offset = offset, .bytes = LOOK_BYTES };
	int error = log_store_read(media_store(r, log), &io, 1);

	if (error || get_le32(head->magic) != SUMMARY_MAGIC || get_le32(head->segment) != number)
		return error;
	memset(buffer, 0, LOOK_BYTES);
	return log_store_write(media_store(r, log), &io, 1, true);
}

/* Its fence is that of all of them: resize_forget(). */
static void forget_in_nvram(struct journal *j, uint32_t number)
{
	static const uint64_t nothing[8];

	if (segment_digest_in_nvram(j, number))
		nv_copy(j->marker, j->marker->map + j->geometry.digests_offset +
					   (uint64_t)number * j->digest_bytes,
			nothing, sizeof(nothing));
}

static int forget_number(struct resize *r, uint32_t number, void *buffer)
{
	uint32_t log, of, index;
	uint64_t offset;
	int error = 0;

	forget_in_nvram(r->j, number);
	if (!runs_find(&r->conf.runs, number, &of, &index))
		return 0;
	for (log = 0; log < r->conf.log_count && !error; log++) {
		offset = log_runs_digest(&r->conf.runs, &r->g, log, index);
		if (offset && !logs_out(r->j, log))
			error = forget_at(r, log, offset, number, buffer);
	}
	return error;
}

int resize_forget(struct resize *r, const struct log_run *run, uint32_t from)
{
	void *buffer;
	int error = 0;

	if (from >= run->count)
		return 0;
	if (posix_memalign(&buffer, 4096, LOOK_BYTES))
		return journal_say(r->j, -ENOMEM, "no memory");
	for (; from < run->count && !error; from++)
		error = forget_number(r, log_run_number(run, from), buffer);
	/* the zeros in NVRAM, before anybody could find the digest beside a header that is
	 * none: that would be damage */
	if (!error)
		error = health_fence(r->j);
	free(buffer);
	return error ? message_errno(journal_message(r->j), error, "digests") : 0;
}

static bool digest_is(const struct journal *j, const struct segment *segment, const void *buffer)
{
	const struct summary_head *head = buffer;

	return !summary_validate(head, j->digest_bytes, j->segment_bytes, segment->number,
				 j->geometry.nonce) &&
	       get_le64(head->seq) == segment->seq;
}

/* A sealed segment that is held; @buffer has room for a digest.  What cannot be read now
 * has one copy only. */
static int digest_copy(struct resize *r, const struct segment *segment, uint32_t log,
		       uint64_t offset, void *buffer)
{
	struct journal *j = r->j;
	struct log_io there = { .buffer = buffer, .offset = offset, .bytes = j->digest_bytes };
	struct log_io first = {
		.buffer = buffer, .bytes = j->digest_bytes,
		.offset = segment->base + j->segment_bytes - j->digest_bytes,
	};

	if (!log_store_read(media_store(r, log), &there, 1) && digest_is(j, segment, buffer))
		return 0;
	if (log_store_read(logs_at(j, segment->log), &first, 1) || !digest_is(j, segment, buffer))
		return 0;
	return log_store_write(media_store(r, log), &there, 1, true);
}

static int digest_settle(struct resize *r, uint32_t number, uint32_t index, void *buffer)
{
	struct journal *j = r->j;
	struct segment *segment = &j->segments.all[number];
	uint32_t log = log_runs_next(&r->conf.runs, segment->log);
	uint64_t offset = log_runs_digest(&r->conf.runs, &r->g, log, index);
	int error;

	if (segment_digest_in_nvram(j, number) || logs_out(j, log) || !segment_keep(segment))
		return 0;
	error = digest_copy(r, segment, log, offset, buffer);
	segment_release(j, segment, 1);
	return error;
}

int resize_digests(struct resize *r)
{
	uint32_t number, log, index, end = segments_end(r->j);
	void *buffer;
	int error = 0;

	if (posix_memalign(&buffer, 4096, r->j->digest_bytes))
		return journal_say(r->j, -ENOMEM, "no memory");
	for (number = 0; number < end && !error; number++)
		if (runs_find(&r->conf.runs, number, &log, &index))
			error = digest_settle(r, number, index, buffer);
	free(buffer);
	return error ? message_errno(journal_message(r->j), error, "digests") : 0;
}
