/* SPDX-License-Identifier: BSD-3-Clause */
#include "format/summary.h"

#include <errno.h>
#include <stddef.h>

#include "util/crc32c.h"

static const struct summary_line *summary_lines(const struct summary_head *head)
{
	return (const struct summary_line *)(head + 1);
}

static uint32_t summary_crc(const struct summary_head *head, uint64_t nonce)
{
	struct summary_head copy = *head;
	uint32_t crc = log_seed(nonce, get_le32(head->segment), get_le64(head->seq));

	copy.crc = 0;
	crc = crc32c(crc, &copy, sizeof(copy));
	return crc32c(crc, summary_lines(head),
		      get_le32(head->lines) * sizeof(struct summary_line));
}

void summary_seal(struct summary_head *head, uint64_t nonce)
{
	head->magic = put_le32(SUMMARY_MAGIC);
	head->crc = put_le32(summary_crc(head, nonce));
}

static uint32_t summary_line_entries(const struct summary_line *line)
{
	uint32_t count = 0;
	int i;

	for (i = 0; i < 8; i++)
		count += (uint32_t)__builtin_popcountll(get_le64(line->used[i]));
	return count;
}

/* entries lie in order, without gaps, and the table inside the segment */
static bool summary_sane(const struct summary_head *head, uint64_t segment_bytes)
{
	const struct summary_line *lines = summary_lines(head);
	uint32_t i, entries = 0, kind = get_le16(head->kind);

	if ((kind != LOG_STREAM && kind != LOG_EXTENTS) || get_le16(head->sealed) > 1)
		return false;
	for (i = 0; i < get_le32(head->lines); i++) {
		if (get_le32(lines[i].first) != entries)
			return false;
		entries += summary_line_entries(&lines[i]);
	}
	return entries == get_le32(head->entries) && get_le32(head->ids) <= entries &&
	       (uint64_t)get_le32(head->table_offset) + summary_table_bytes(head) <=
		       segment_bytes &&
	       get_le32(head->end) <= segment_bytes &&
	       get_le32(head->record_bytes) <= get_le32(head->end) &&
	       get_le64(head->last_record_seq) <= segment_bytes / LOG_RECORD_BYTES;
}

int summary_validate(const struct summary_head *head, uint32_t digest_bytes,
		     uint64_t segment_bytes, uint32_t segment, uint64_t nonce)
{
	if (get_le32(head->magic) != SUMMARY_MAGIC)
		return -ENODATA;
	if (get_le32(head->segment) != segment || digest_bytes < LOG_DIGEST_MIN ||
	    get_le32(head->lines) > summary_lines_max(digest_bytes) ||
	    summary_crc(head, nonce) != get_le32(head->crc) ||
	    !summary_sane(head, segment_bytes))
		return -EBADMSG;
	return 0;
}
