/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/segment_notes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/assert.h"

struct segment_notes *notes_make(uint32_t digest_bytes)
{
	struct segment_notes *notes = calloc(1, sizeof(*notes));
	uint32_t room = 1;

	if (!notes)
		return NULL;
	notes->line_max = summary_lines_max(digest_bytes);
	while (room < notes->line_max * 2)
		room <<= 1;
	notes->set_mask = room - 1;
	notes->set = calloc(room, sizeof(*notes->set));
	notes->lines = calloc(notes->line_max, sizeof(*notes->lines));
	if (!notes->set || !notes->lines) {
		notes_free(notes);
		return NULL;
	}
	return notes;
}

void notes_free(struct segment_notes *notes)
{
	if (!notes)
		return;
	free(notes->set);
	free(notes->lines);
	free(notes->notes);
	free(notes);
}

/* A line may come twice in one segment, under two epochs: both are kept. */
static int notes_line(struct segment_notes *notes, uint32_t line, uint64_t number,
		      uint32_t *index)
{
	uint32_t at = (uint32_t)(number * 0x9e3779b1u) & notes->set_mask;
	struct summary_line *known;

	for (; notes->set[at]; at = (at + 1) & notes->set_mask) {
		known = &notes->lines[notes->set[at] - 1];
		if (get_le64(known->epoch) == number && get_le32(known->line) == line) {
			*index = notes->set[at] - 1;
			return 0;
		}
	}
	if (notes->line_count == notes->line_max)
		return -ENOSPC;
	*index = notes->line_count++;
	notes->set[at] = *index + 1;
	notes->lines[*index].epoch = put_le64(number);
	notes->lines[*index].line = put_le32(line);
	return 0;
}

static int notes_grow(struct segment_notes *notes)
{
	uint32_t room = notes->note_room ? notes->note_room * 2 : 256;
	struct segment_note *grown;

	if (notes->note_count < notes->note_room)
		return 0;
	grown = realloc(notes->notes, room * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	notes->notes = grown;
	notes->note_room = room;
	return 0;
}

static void notes_mark(struct summary_line *line, uint32_t slot, uint32_t count)
{
	for (; count; slot++, count--)
		line->used[slot / 64] |= put_le64(1ull << (slot & 63));
}

int notes_add(struct segment_notes *notes, uint32_t line, uint64_t number, uint32_t slot,
	      uint32_t count, uint32_t offset, uint32_t size)
{
	uint32_t index;
	int error = notes_grow(notes);

	if (!error)
		error = notes_line(notes, line, number, &index);
	if (error)
		return error;
	notes->notes[notes->note_count++] = (struct segment_note){
		.line_index = index,
		.offset = offset,
		.size = size,
		.slot = (uint16_t)slot,
		.count = (uint16_t)count,
	};
	notes->entries += count;
	notes_mark(&notes->lines[index], slot, count);
	return 0;
}

static uint32_t notes_rank(const struct summary_line *line, uint32_t slot)
{
	uint32_t rank = 0, word;

	for (word = 0; word < slot / 64; word++)
		rank += (uint32_t)__builtin_popcountll(get_le64(line->used[word]));
	return rank + (uint32_t)__builtin_popcountll(get_le64(line->used[slot / 64]) &
						     ((1ull << (slot & 63)) - 1));
}

uint32_t notes_table_bytes(const struct segment_notes *notes)
{
	uint32_t i, entries = 0;

	for (i = 0; i < notes->line_count; i++)
		entries += notes_rank(&notes->lines[i], 511) +
			   !!(get_le64(notes->lines[i].used[7]) >> 63);
	return entries * (uint32_t)sizeof(struct summary_entry);
}

/* The last piece of a transaction is its entry, the others only fill in. */
static void notes_entry(struct summary_entry *entry, uint32_t offset, uint32_t size)
{
	if (get_le32(entry->size) && size & SUMMARY_PART)
		return;
	entry->offset = put_le32(offset);
	entry->size = put_le32(size);
}

void notes_encode(const struct segment_notes *notes, struct summary_line *lines,
		  struct summary_entry *table)
{
	const struct segment_note *note;
	uint32_t i, k, first = 0;

	memcpy(lines, notes->lines, notes->line_count * sizeof(*lines));
	for (i = 0; i < notes->line_count; i++) {
		lines[i].first = put_le32(first);
		first += notes_rank(&lines[i], 511) + !!(get_le64(lines[i].used[7]) >> 63);
	}
	memset(table, 0, first * sizeof(*table));
	for (i = 0; i < notes->note_count; i++) {
		note = &notes->notes[i];
		first = get_le32(lines[note->line_index].first);
		for (k = 0; k < note->count; k++)
			notes_entry(&table[first + notes_rank(&lines[note->line_index],
							      note->slot + k)],
				    note->offset, note->size);
	}
}
