/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/segment_notes.h"

#include <errno.h>
#include <string.h>

#include "util/assert.h"

/* a header each */
uint32_t notes_max(const struct journal *j)
{
	return (uint32_t)(j->segment_bytes / LOG_RECORD_BYTES);
}

static uint32_t notes_set_room(uint32_t line_max)
{
	uint32_t room = 1;

	while (room < line_max * 2)
		room <<= 1;
	return room;
}

uint64_t notes_lines_bytes(const struct journal *j)
{
	uint32_t line_max = summary_lines_max(j->digest_bytes);

	return round_up(line_max * sizeof(struct summary_line) +
			notes_set_room(line_max) * sizeof(uint32_t), 64);
}

void notes_point(struct journal *j, struct head *head, uint32_t index)
{
	struct segment_notes *notes = &head->notes;

	notes->j = j;
	notes->index = index;
	notes->counts = &head->s->notes;
	notes->line_max = summary_lines_max(j->digest_bytes);
	notes->set_mask = notes_set_room(notes->line_max) - 1;
	notes->lines = shared_note_lines(j, index);
	notes->set = (uint32_t *)(void *)(notes->lines + notes->line_max);
	notes->notes = shared_notes(j, index);
}

void notes_reset(struct segment_notes *notes)
{
	struct notes_counts *counts = notes->counts;

	counts->lines = counts->notes = counts->entries = counts->retires = 0;
	if (!counts->lines_ready)
		return;
	memset(notes->set, 0, (notes->set_mask + 1ull) * sizeof(*notes->set));
	memset(notes->lines, 0, notes->line_max * sizeof(*notes->lines));
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
	if (notes->counts->lines == notes->line_max)
		return -ENOSPC; /* what a medium holds, perhaps: never what was just placed */
	*index = notes->counts->lines++;
	notes->set[at] = *index + 1;
	notes->lines[*index].epoch = put_le64(number);
	notes->lines[*index].line = put_le32(line);
	return 0;
}

static void notes_mark(struct summary_line *line, uint32_t slot, uint32_t count)
{
	for (; count; slot++, count--)
		line->used[slot / 64] |= put_le64(1ull << (slot & 63));
}

static bool notes_are_moved(const struct summary_line *line)
{
	return line->first;
}

int notes_add(struct segment_notes *notes, const struct log_meta *meta, uint32_t offset,
	      uint32_t size)
{
	struct notes_counts *counts = notes->counts;
	bool moved = meta->id != id_make(meta->line_epoch, meta->slot);
	uint32_t index;
	int error = counts->notes == notes_max(notes->j) ?
			    -ENOSPC :
			    shared_notes_ready(notes->j, notes->index, counts->notes + 1);

	if (!error)
		error = notes_line(notes, meta->line, meta->line_epoch, &index);
	if (error)
		return error;
	notes->notes[counts->notes++] = (struct segment_note){
		.id = moved ? meta->id : 0,
		.line_index = index,
		.offset = offset,
		.size = moved ? size | SUMMARY_MOVED : size,
		.slot = (uint16_t)meta->slot,
		.count = (uint16_t)meta->count,
	};
	/* until it is encoded: all of a line were moved there, or none */
	if (moved)
		notes->lines[index].first = put_le32(1);
	counts->entries += meta->count << moved;
	notes_mark(&notes->lines[index], meta->slot, meta->count);
	return 0;
}

void notes_keep(struct segment_notes *notes, uint32_t count)
{
	const struct segment_note *note;
	uint32_t i;

	notes->counts->notes = count;
	notes->counts->entries = 0;
	for (i = 0; i < notes->counts->lines; i++)
		memset(notes->lines[i].used, 0, sizeof(notes->lines[i].used));
	for (i = 0; i < count; i++) {
		note = &notes->notes[i];
		notes_mark(&notes->lines[note->line_index], note->slot, note->count);
		notes->counts->entries += note->count << (note->id != 0);
	}
}

uint32_t notes_record_bytes(const struct segment_notes *notes, uint32_t end)
{
	uint64_t bytes = 0;
	uint32_t i;

	/* of one that is lost nothing may lie below @end any more: it is named all the same */
	for (i = 0; i < notes->counts->notes; i++)
		bytes += (notes->notes[i].size & SUMMARY_SIZE) * 32ull;
	return (uint32_t)min_u64(bytes, end);
}

static uint32_t notes_rank(const struct summary_line *line, uint32_t slot)
{
	uint32_t rank = 0, word;

	for (word = 0; word < slot / 64; word++)
		rank += (uint32_t)__builtin_popcountll(get_le64(line->used[word]));
	return rank + (uint32_t)__builtin_popcountll(get_le64(line->used[slot / 64]) &
						     ((1ull << (slot & 63)) - 1));
}

static uint32_t notes_entries(const struct summary_line *line)
{
	return notes_rank(line, 511) + !!(get_le64(line->used[7]) >> 63);
}

void notes_table(const struct segment_notes *notes, uint32_t *entries, uint32_t *ids)
{
	uint32_t i, count;

	*entries = *ids = 0;
	for (i = 0; i < notes->counts->lines; i++) {
		count = notes_entries(&notes->lines[i]);
		*entries += count;
		*ids += notes_are_moved(&notes->lines[i]) ? count : 0;
	}
}

/* The last piece of a transaction is its entry, the others only fill in. */
static void notes_entry(struct summary_entry *entry, uint32_t offset, uint32_t size)
{
	if (get_le32(entry->size) && size & SUMMARY_PART)
		return;
	entry->offset = put_le32(offset);
	entry->size = put_le32(size);
}

static void notes_lines(const struct segment_notes *notes, struct summary_line *lines,
			uint32_t *first_id)
{
	uint32_t i, count, first = 0, ids = 0;

	memcpy(lines, notes->lines, notes->counts->lines * sizeof(*lines));
	for (i = 0; i < notes->counts->lines; i++) {
		count = notes_entries(&lines[i]);
		first_id[i] = ids;
		ids += notes_are_moved(&lines[i]) ? count : 0;
		lines[i].first = put_le32(first);
		first += count;
	}
}

void notes_encode(const struct segment_notes *notes, struct summary_line *lines,
		  struct summary_entry *table, uint32_t entries, uint32_t *first_id)
{
	const struct segment_note *note;
	uint32_t i, k, first, rank;
	__le64 *ids = (__le64 *)(void *)(table + entries);

	notes_lines(notes, lines, first_id);
	memset(table, 0, entries * sizeof(*table));
	for (i = 0; i < notes->counts->notes; i++) {
		note = &notes->notes[i];
		first = get_le32(lines[note->line_index].first);
		for (k = 0; k < note->count; k++) {
			rank = notes_rank(&lines[note->line_index], note->slot + k);
			notes_entry(&table[first + rank], note->offset, note->size);
			if (note->id)
				ids[first_id[note->line_index] + rank] = put_le64(note->id + k);
		}
	}
}
