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

/* it is retired on the medium, once that is fenced (or, checkpointed, recorded) */
static inline void line_retire_bit(struct journal *j, uint32_t line, uint32_t slot)
{
	nv_and8(j->marker, (uint64_t *)&line_media(j, line)->retire[slot / 64],
		~(1ull << (slot & 63)));
}

/* bits [slot, slot + count) of one word */
static inline uint64_t line_mask(uint32_t slot, uint32_t count)
{
	return (count == 64 ? ~0ull : (1ull << count) - 1) << (slot & 63);
}

/**
 * line_take() - take @count slots, inside one word
 * Opens a fresh line (P1) when @from's is used up.  Context: @from's holder.
 * Return: 0 and the first slot in @slot, its line in @from; -ENOSPC no line is
 * free; or the sticky failure.
 */
int line_take(struct journal *j, struct slots_from *from, uint32_t count, uint32_t *slot);

/* a line with at least one slot left; as line_take() */
int line_renew(struct journal *j, struct slots_from *from);

/* what @from was opening when its holder died is free again */
void line_unseize(struct journal *j, struct slots_from *from, uint32_t line, uint64_t number);

/* if all of it is claimed, it is free, whoever should have seen to that */
void line_complete(struct journal *j, uint32_t line);

/* no slot of its line will be taken any more */
void line_leave(struct journal *j, struct slots_from *from);

/* make committed transactions visible: the slots have been filled in */
void line_publish(struct line *line, uint32_t slot, uint32_t count);
void line_publish_bits(struct line *line, uint32_t word, uint64_t bits);
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

/* of epoch @number; if it was the last word, the line is free now */
void line_word_done(struct journal *j, uint32_t line, uint64_t number);

/* slots that will never be live: given up before anything was committed */
void line_dead(struct journal *j, uint32_t line, uint64_t number, uint32_t slot,
	       uint32_t count);

/* Both words of its epoch; whoever reads goes by the higher one.  Durable with the next
 * fence. */
void line_epoch_store(struct journal *j, struct marker_line *media, uint64_t value);

/* recovery: @line has epoch @number; forget what was known of an older one.
 * Return: 0 or -ENOMEM */
int line_adopt(struct journal *j, uint32_t line, uint64_t number);

/* its epoch is damaged, and nobody can tell what it holds */
static inline bool line_is_bad(const struct journal *j, uint32_t line)
{
	return line < j->shared->lines_used &&
	       line_state_of(atomic_load(&j->lines[line].use)) == LINE_BAD;
}

/* recovery: @line is never taken again.  Return: 0 or -ENOMEM */
int line_bad(struct journal *j, uint32_t line);

/* the same on the map of a checkpointed store: open, and both maps erased */
void line_map_adopt(struct journal *j, uint32_t line, uint64_t number);

/* recovery is over: lines that hold nothing live become free */
void lines_settle(struct journal *j);

/* that may be free: @enough is enough to know */
uint32_t lines_offered_count(const struct journal *j, uint32_t enough);
/* how many may be taken, about */
uint32_t lines_free_count(const struct journal *j);

static inline void slots_from_none(struct slots_from *from)
{
	from->line = NO_LINE;
	from->opening = NO_LINE;
	from->next = 0;
}

#endif
