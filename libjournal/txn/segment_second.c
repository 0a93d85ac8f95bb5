/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/segment_second.h"

#include <errno.h>
#include <stdlib.h>

#include "txn/found.h"
#include "txn/logs.h"
#include "txn/segment.h"

#define LOOK_AT    HEADS /* sealed segments with something live, after a crash */
#define LOOKS      64u   /* read at a time */
#define LOOK_BYTES 4096u
#define MAKE_AT    1024u /* in one opening */

/* Return: whether it is the digest of the sealed segment as it is used now. */
static bool digest_read(struct journal *j, const struct segment *segment, uint32_t log,
			uint64_t offset, void *buffer)
{
	const struct summary_head *head = buffer;
	struct log_io io = { .offset = offset, .buffer = buffer, .bytes = j->digest_bytes };

	return !log_store_read(logs_at(j, log), &io, 1) && !io.result &&
	       !summary_validate(head, j->digest_bytes, j->segment_bytes, segment->number,
				 j->geometry.nonce) &&
	       get_le64(head->seq) == segment->seq && get_le16(head->sealed);
}

static int second_write(struct journal *j, const struct segment *segment, uint32_t log,
			uint64_t offset, void *buffer)
{
	uint64_t first = segment_base(j, segment->number) + j->segment_bytes - j->digest_bytes;
	struct log_io io = { .offset = offset, .buffer = buffer, .bytes = j->digest_bytes };
	int error;

	if (digest_read(j, segment, log, offset, buffer) ||
	    !digest_read(j, segment, segment->log, first, buffer))
		return 0;
	error = logs_write(j, log, &io, 1, true);
	/* there is one copy only while that log is out of use */
	return error == LOG_OUT ? 0 : error;
}

static int second_make(struct journal *j, const struct segment *segment)
{
	uint32_t log = NO_LOG;
	uint64_t offset = segment_digest_offset(j, segment->number, &log);
	void *buffer;
	int error;

	if (log == NO_LOG || logs_out(j, log) || logs_out(j, segment->log))
		return 0;
	if (posix_memalign(&buffer, 4096, j->digest_bytes))
		return journal_say(j, -ENOMEM, "no memory for a summary");
	error = second_write(j, segment, log, offset, buffer);
	free(buffer);
	return error;
}

int segment_second_again(struct journal *j, uint32_t number)
{
	const struct segment *segment = &j->segments.all[number];
	uint32_t log = NO_LOG;

	(void)segment_digest_offset(j, number, &log);
	/* on the same log it was written at once */
	return log == segment->log ? 0 : second_make(j, segment);
}

/* Each who was going from one to the next has left one so: few, and of the latest. */
static int seconds_of_latest(struct recovery *r)
{
	struct journal *j = r->j;
	uint32_t i, number, left = LOOK_AT;
	int error = 0;

	for (i = r->order_count; i-- && left && !error;) {
		number = r->order[i];
		if (!r->scans[number].digest || r->scans[number].gone ||
		    !segment_live_of(atomic_load(&j->segments.all[number].use)))
			continue;
		error = segment_second_again(j, number);
		left--;
	}
	return error;
}

/* ---- they were in NVRAM ------------------------------------------------------------ */

bool recover_before_move(const struct recovery *r, const struct segment_scan *scan)
{
	return r->abandoned && scan->seq && scan->seq >> 32 <= r->abandoned &&
	       !segment_digests_in_nvram(r->j);
}

void recover_tell_seconds(struct recovery *r)
{
	struct journal *j = r->j;
	uint32_t i, count = 0;

	for (i = 0; i < r->order_count; i++)
		count += r->scans[r->order[i]].second_gone && r->scans[r->order[i]].digest &&
			 segment_live_of(atomic_load(&j->segments.all[r->order[i]].use));
	if (count)
		found_remark(j, 0, "%u segments have one copy of their digest only: the second one "
			     "was in NVRAM that the journal has left. Nothing is lost by that, and "
			     "who opens the journal to write makes it anew", count);
}

/* beginnings of second digests, read at a time, of one log */
struct second_looks {
	const struct segment *of[LOOKS];
	struct log_io io[LOOKS];
	uint32_t count, log;
	uint8_t *buffer;
	uint32_t left; /* to be made in this opening: the others in later ones */
};

static bool look_is_good(const struct second_looks *looks, uint32_t i)
{
	const struct summary_head *head = looks->io[i].buffer;

	return !looks->io[i].result && get_le32(head->magic) == SUMMARY_MAGIC &&
	       get_le64(head->seq) == looks->of[i]->seq && get_le16(head->sealed);
}

static int looks_done(struct journal *j, struct second_looks *looks)
{
	uint32_t i, count = looks->count;
	int error = 0;

	looks->count = 0;
	/* which of them failed is in each */
	(void)log_store_read(logs_at(j, looks->log), looks->io, count);
	for (i = 0; i < count && looks->left && !error; i++)
		if (!look_is_good(looks, i)) {
			error = second_make(j, looks->of[i]);
			looks->left--;
		}
	return error;
}

static int looks_add(struct journal *j, struct second_looks *looks, uint32_t number)
{
	uint32_t log = NO_LOG;
	uint64_t offset = segment_digest_offset(j, number, &log);
	int error = 0;

	if (log == NO_LOG || logs_out(j, log))
		return 0;
	if (looks->count && (looks->count == LOOKS || log != looks->log))
		error = looks_done(j, looks);
	looks->log = log;
	looks->of[looks->count] = &j->segments.all[number];
	looks->io[looks->count] = (struct log_io){
		.offset = offset,
		.buffer = looks->buffer + (uint64_t)looks->count * LOOK_BYTES,
		.bytes = LOOK_BYTES,
	};
	looks->count++;
	return error;
}

/* Looked for at each opening: nothing on media says that it was done, and those that had
 * it there become fewer. */
static int seconds_of_nvram(struct recovery *r)
{
	struct second_looks looks = { .left = MAKE_AT };
	struct journal *j = r->j;
	uint32_t i, number;
	int error = 0;

	if (posix_memalign((void **)&looks.buffer, 4096, LOOKS * LOOK_BYTES))
		return journal_say(j, -ENOMEM, "no memory for summaries");
	for (i = 0; i < r->order_count && looks.left && !error; i++) {
		number = r->order[i];
		if (r->scans[number].digest && !r->scans[number].gone &&
		    recover_before_move(r, &r->scans[number]) &&
		    segment_live_of(atomic_load(&j->segments.all[number].use)))
			error = looks_add(j, &looks, number);
	}
	if (!error && looks.count)
		error = looks_done(j, &looks);
	free(looks.buffer);
	return error;
}

int recover_seconds(struct recovery *r)
{
	int error = 0;

	if (!r->closed && logs_count(r->j) > 1)
		error = seconds_of_latest(r);
	if (!error && r->abandoned && !segment_digests_in_nvram(r->j))
		error = seconds_of_nvram(r);
	return error;
}
