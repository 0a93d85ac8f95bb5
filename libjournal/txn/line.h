/* SPDX-License-Identifier: BSD-3-Clause */
/* Marker lines: opening (P1), the bits of a slot, and what is finished. */
#ifndef TXN_LINE_H
#define TXN_LINE_H

#include "txn/journal_impl.h"

static inline struct marker_line *line_media(struct journal *j, uint32_t line)
{
	return (struct marker_line *)(j->marker->map +
				      marker_line_offset(&j->geometry, line));
}

/* bits [slot, slot + count) of one word */
static inline uint64_t line_mask(uint32_t slot, uint32_t count)
{
	return (count == 64 ? ~0ull : (1ull << count) - 1) << (slot & 63);
}

/**
 * line_open() - give @lane a fresh line (P1)
 * Return: 0, -ENOSPC no line is free, or the sticky failure.
 */
int line_open(struct journal *j, struct lane *lane);

/**
 * line_take() - take @count slots, inside one word, of the lane's line
 * Opens a fresh line when this one is full.  Context: the lane's holder.
 * Return: 0 and the first slot in @slot, or as line_open().
 */
int line_take(struct journal *j, struct lane *lane, uint32_t count, uint32_t *slot);

/* make committed transactions visible: the slots have been filled in */
void line_publish(struct line *line, uint32_t slot, uint32_t count);
/* the same for the only one who publishes in this line: no locked operation */
void line_publish_alone(struct line *line, uint32_t slot, uint32_t count);

/* transactions of this line's epoch that were live here and are retired */
uint32_t line_retired(const struct line *line);

/**
 * line_claim() - of several who want to end a slot, one wins
 * @completes: the word is claimed as a whole now: line_word_done() is to be
 *             called, once what was claimed is durable
 * Return: whether the caller won (all of @count slots, of one word).
 */
static inline bool line_claim(struct line *line, uint32_t slot, uint32_t count,
			      bool *completes)
{
	uint64_t mask = line_mask(slot, count);
	uint64_t old = atomic_fetch_or(&line->claimed[slot / 64], mask);

	*completes = old != ~0ull && (old | mask) == ~0ull;
	return !(old & mask);
}

void line_word_done(struct journal *j, uint32_t line);

/* slots that will never be live: given up before anything was committed */
void line_dead(struct journal *j, uint32_t line, uint32_t slot, uint32_t count);

/* no slot of @line from @slot on will be used */
void line_close(struct journal *j, uint32_t line, uint32_t slot);

/* recovery: @line has epoch @number; forget what was known of an older one */
void line_adopt(struct journal *j, uint32_t line, uint64_t number);

/* the same on the map of a checkpointed store: open, and both maps erased */
void line_map_adopt(struct journal *j, uint32_t line, uint64_t number);

int lines_make(struct journal *j);
void lines_free(struct journal *j);

/* recovery is over: lines that hold nothing live become free */
void lines_settle(struct journal *j);

#endif
