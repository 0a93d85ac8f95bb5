/* SPDX-License-Identifier: BSD-3-Clause */
/* The summary of an open segment, as it grows. */
#ifndef TXN_SEGMENT_NOTES_H
#define TXN_SEGMENT_NOTES_H

#include "format/summary.h"

struct segment_note {
	uint32_t line_index; /* in lines[] */
	uint32_t offset;
	uint32_t size;
	uint16_t slot;
	uint16_t count;
};

struct segment_notes {
	struct summary_line *lines; /* host order while it grows, but for first */
	uint32_t *set;              /* open addressing: index in lines + 1 */
	uint32_t set_mask;
	uint32_t line_count, line_max;
	struct segment_note *notes;
	uint32_t note_count, note_room;
	uint32_t entries; /* an upper bound while it grows */
	uint32_t retires;
};

struct segment_notes *notes_make(uint32_t digest_bytes);
void notes_free(struct segment_notes *notes);
int notes_add(struct segment_notes *notes, uint32_t line, uint64_t number, uint32_t slot,
	      uint32_t count, uint32_t offset, uint32_t size);

/* bytes of the table, once its slots are counted */
uint32_t notes_table_bytes(const struct segment_notes *notes);
/* fill the digest's lines (media order) and the table */
void notes_encode(const struct segment_notes *notes, struct summary_line *lines,
		  struct summary_entry *table);

#endif
