/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/segment_second.h"

#include <errno.h>
#include <stdlib.h>

#include "txn/logs.h"
#include "txn/segment.h"

#define LOOK_AT HEADS /* sealed segments with something live, after a crash */

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

int segment_second_again(struct journal *j, uint32_t number)
{
	const struct segment *segment = &j->segments.all[number];
	uint32_t log = NO_LOG;
	uint64_t offset = segment_digest_offset(j, number, &log);
	void *buffer;
	int error;

	/* in NVRAM, or on the same log, it was written at once */
	if (log == NO_LOG || log == segment->log || logs_out(j, log) || logs_out(j, segment->log))
		return 0;
	if (posix_memalign(&buffer, 4096, j->digest_bytes))
		return journal_say(j, -ENOMEM, "no memory for a summary");
	error = second_write(j, segment, log, offset, buffer);
	free(buffer);
	return error;
}

/* Each who was going from one to the next has left one so: few, and of the latest. */
int recover_seconds(struct recovery *r)
{
	struct journal *j = r->j;
	uint32_t i, number, left = LOOK_AT;
	int error = 0;

	if (r->closed || logs_count(j) == 1)
		return 0;
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
