/* SPDX-License-Identifier: BSD-3-Clause */
/* The summary of an open segment, as it grows; it lies in the mapping, for the head
 * passes from one process to another. */
#ifndef TXN_SEGMENT_NOTES_H
#define TXN_SEGMENT_NOTES_H

#include "format/summary.h"
#include "txn/journal_impl.h"

/* how many one segment can have at most */
uint32_t notes_max(const struct journal *j);
/* bytes for lines and set of one head */
uint64_t notes_lines_bytes(const struct journal *j);

/* point the view of head @index into the mapping */
void notes_point(struct journal *j, struct head *head, uint32_t index);
void notes_reset(struct segment_notes *notes);
/* @meta: of the record at @offset; @size: with flags; both in units of 32 bytes
 * Return: 0 or -ENOMEM with the text; there is room (segment_fits()) */
int notes_add(struct segment_notes *notes, const struct log_meta *meta, uint32_t offset,
	      uint32_t size);

/* of all records that are noted, as long as they are, without what fills up blocks; at most
 * @end, where the records end */
uint32_t notes_record_bytes(const struct segment_notes *notes, uint32_t end);

/* all but the first @count are forgotten: what they stand for is not durable */
void notes_keep(struct segment_notes *notes, uint32_t count);

/* entries of the table, once its slots are counted, and ids behind it */
void notes_table(const struct segment_notes *notes, uint32_t *entries, uint32_t *ids);
/* fill the digest's lines (media order) and the table with its ids
 * @first_id: room for a number for each line */
void notes_encode(const struct segment_notes *notes, struct summary_line *lines,
		  struct summary_entry *table, uint32_t entries, uint32_t *first_id);

#endif
