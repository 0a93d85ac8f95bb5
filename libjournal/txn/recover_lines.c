/* SPDX-License-Identifier: BSD-3-Clause */
/* Recovery of marker lines: which slots may be live. */
#include <errno.h>

#include "txn/checkpoint.h"
#include "txn/found.h"
#include "txn/line.h"
#include "txn/pool.h"
#include "txn/recover.h"

/* bits that say "retired": the marker's are cleared */
static uint64_t retired_bits(struct journal *j, uint32_t line, uint32_t word)
{
	return ~get_le64(line_media(j, line)->retire[word]);
}

void recover_claim(struct recovery *r, uint32_t line)
{
	struct journal *j = r->j;
	uint32_t word;

	for (word = 0; word < MARKER_LINE_WORDS; word++)
		atomic_store(&j->lines[line].claimed[word], retired_bits(j, line, word));
}

static int recover_line(struct recovery *r, uint32_t line)
{
	struct journal *j = r->j;
	struct line *state = &j->lines[line];
	uint64_t epoch = 0;
	uint32_t word;
	int error = marker_line_epoch(line_media(j, line), &epoch);

	if (error == -EUCLEAN)
		return recover_without_epoch(r, line);
	if (!error) {
		error = recover_line_in_doubt(r, line);
		if (error || line_is_bad(r->j, line))
			return error;
	}
	if (line_media(j, line)->epoch != line_media(j, line)->epoch_copy &&
	    marker_line_epoch_damaged(line_media(j, line)))
		found_damage(j, 0, "%s: line %u: one copy of its epoch is damaged, the other one "
			     "stands in", j->conf.marker, line);
	if (error)
		return 0;
	error = line_adopt(j, line, epoch >> 1);
	/* A checkpoint may have been begun while the line was being opened, and nothing but
	 * the log knows what came after that. */
	if (!error && !(epoch & 1) && !j->bits_durable) {
		if (!j->read_only)
			line_map_adopt(j, line, epoch >> 1);
		return 0;
	}
	if (error)
		return error;
	r->newest = max_u64(r->newest, epoch >> 1);
	if (!recover_retires_are_gone(r, line))
		recover_claim(r, line);
	/* closed: a crash while it was recycled, all of it is finished (P1) */
	for (word = 0; word < MARKER_LINE_WORDS && !(epoch & 1); word++)
		atomic_store(&state->claimed[word], ~0ull);
	return 0;
}

int recover_lines(struct recovery *r)
{
	uint32_t line;
	int error = 0;

	r->newest = r->incarnation << LINE_COUNTER_BITS;
	for (line = 0; line < r->j->geometry.lines && !error; line++)
		error = recover_line(r, line);
	return error;
}

bool recover_may_live(struct recovery *r, uint32_t line, uint64_t number, uint32_t slot)
{
	struct line *state;

	if (line >= r->j->shared->lines_used || slot >= SLOTS_PER_LINE)
		return false;
	state = &r->j->lines[line];
	return state->number == number && !(state->claimed[slot / 64] >> (slot & 63) & 1);
}

/* The maps are of the epoch beside them: a reader of a checkpoint knows from the log
 * that the line has moved on since, and leaves the map as it is. */
static bool recover_map_is_current(struct journal *j, uint32_t line)
{
	uint64_t epoch;

	return !marker_line_epoch(line_media(j, line), &epoch) && epoch & 1 &&
	       epoch >> 1 == j->lines[line].number;
}

bool recover_bit_set(struct recovery *r, uint32_t line, uint32_t slot)
{
	struct journal *j = r->j;

	if (j->rescue_lines || recover_commits_are_gone(r, line))
		return true; /* nobody knows: rescue.c says so of each */
	if (!j->bits_durable && !recover_map_is_current(j, line))
		return false;
	return !(get_le64(line_media(j, line)->commit[slot / 64]) >> (slot & 63) & 1);
}

int recover_epoch(struct recovery *r, uint32_t line, uint64_t number)
{
	struct journal *j = r->j;
	uint64_t known;
	int error;

	if (line >= j->geometry.lines && j->rescue_lines && line < MARKER_LINES_MAX)
		j->rescue_short = true;
	if (line >= j->geometry.lines)
		return 0; /* a record that names no line of ours: nothing is live by it */
	known = line < j->shared->lines_used ? j->lines[line].number : 0;
	if (number <= known)
		return 0;
	/* a reader beside a writer: the line moved on since it was looked at */
	if (j->bits_durable && j->writer_pid)
		return 0;
	if (line_is_bad(j, line))
		return 0; /* nothing is decided by its records */
	if (recover_is_by_records(r, line) || recover_was_erased(r, line, number))
		return recover_erased_epoch(r, line, number);
	/* an old image has an incarnation of its own */
	if (j->bits_durable && r->incarnation_damaged)
		return journal_say(j, -EUCLEAN, "%s: is damaged: its incarnation is, and line %u "
				   "has epoch %llu, the log has %llu (if it stays so: jnl rescue)",
				   j->conf.marker, line, (unsigned long long)known,
				   (unsigned long long)number);
	if (j->bits_durable)
		return journal_say(j, -EUCLEAN, "%s: is older than the log: line %u has epoch "
				   "%llu, the log has %llu (if it stays so: jnl rescue)",
				   j->conf.marker, line, (unsigned long long)known,
				   (unsigned long long)number);
	/* the line moved on since the checkpoint, so all of the epoch before was
	 * retired; the map must say so too, for the next checkpoint */
	error = line_adopt(j, line, number);
	if (!error && !j->read_only)
		line_map_adopt(j, line, number);
	return error;
}

void recover_retire(struct recovery *r, uint32_t line, uint64_t number, uint32_t slot)
{
	struct journal *j = r->j;
	uint64_t bit = 1ull << (slot & 63);
	struct line *state;

	if (line >= j->shared->lines_used || slot >= SLOTS_PER_LINE ||
	    j->lines[line].number != number)
		return;
	state = &j->lines[line];
	atomic_fetch_or(&state->claimed[slot / 64], bit);
	if (!j->read_only)
		nv_and8(j->marker, (uint64_t *)&line_media(j, line)->retire[slot / 64], ~bit);
}

/* ---- the end ---- */

static bool recover_lost_bit(struct recovery *r, uint32_t line, uint32_t slot)
{
	struct journal *j = r->j;
	uint64_t number;

	if (!recover_bit_set(r, line, slot))
		return false;
	if (!j->writer_pid)
		return true;
	/* a reader beside a writer: it may have been retired while we looked */
	return !marker_line_epoch(line_media(j, line), &number) &&
	       number >> 1 == j->lines[line].number &&
	       !(retired_bits(j, line, slot / 64) >> (slot & 63) & 1);
}

/* committed by its bit, not retired, and no record entered */
static uint64_t recover_unfound(struct recovery *r, uint32_t line, uint32_t word)
{
	const struct line *state = &r->j->lines[line];

	return ~(get_le64(line_media(r->j, line)->commit[word]) | state->claimed[word] |
		 state->committed[word]);
}

void recover_lost_bits(struct recovery *r)
{
	struct journal *j = r->j;
	uint32_t line, word, slot;
	uint64_t bits;

	/* what is named by a bit: committed directly, or live when this medium took
	 * another's place (P14) */
	for (line = 0; line < j->shared->lines_used; line++)
		for (word = 0; word < MARKER_LINE_WORDS && j->lines[line].number &&
			       !recover_maps_are_gone(r, line);
		     word++)
			for (bits = recover_unfound(r, line, word); bits; bits &= bits - 1) {
				slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
				if (recover_lost_bit(r, line, slot))
					recover_lose(r, line, slot, WHY_BIT, NO_SEGMENT);
			}
}

/* who goes on in @line, or NULL */
static struct slots_from *recover_taken(struct journal *j, uint32_t line)
{
	uint32_t i;

	for (i = 0; i < j->lane_count; i++)
		if (j->lanes[i].s->from.line == line)
			return &j->lanes[i].s->from;
	return j->own->line == line ? j->own : NULL;
}

/* Nothing is in the slots of @line from @next on; else the word, or a map, is damaged, and
 * what is committed there would be retired at once, or be two in one slot. */
static bool recover_is_unused(struct journal *j, uint32_t line, uint32_t next)
{
	const struct marker_line *media = line_media(j, line);
	uint64_t used = 0, mask;
	uint32_t word;

	for (word = 0; word < MARKER_LINE_WORDS; word++) {
		mask = next >= (word + 1) * 64 ? 0 :
		       next <= word * 64       ? ~0ull :
						 ~0ull << (next & 63);
		used |= mask & (~get_le64(media->commit[word]) | ~get_le64(media->retire[word]) |
				j->lines[line].committed[word]);
	}
	if (used)
		found_damage(j, 0, "%s: line %u: slots from %u on were not used, as it was closed, "
			     "but something is in them: the rest of the line is given up",
			     j->conf.marker, line, next);
	return !used;
}

/* slots are taken on from where the last close left a line */
static void recover_clean(struct recovery *r, struct slots_from *from, __le64 word)
{
	struct journal *j = r->j;
	uint64_t value, epoch;
	uint32_t line, next;

	/* nor if they are of the checkpoint before: slots were used since */
	if (j->read_only || j->marker->fell_back || word_unseal(word, &value))
		return;
	if (value >> MARKER_CLEAN_SLOT_BITS >= j->shared->lines_used)
		return;
	line = (uint32_t)(value >> MARKER_CLEAN_SLOT_BITS);
	next = (uint32_t)(value & ((1u << MARKER_CLEAN_SLOT_BITS) - 1));
	if (next > SLOTS_PER_LINE ||
	    marker_line_epoch(line_media(j, line), &epoch) || !(epoch & 1) ||
	    epoch >> 1 != j->lines[line].number || recover_taken(j, line) ||
	    !recover_is_unused(j, line, next))
		return;
	atomic_store(&j->lines[line].owner, from->owner);
	from->line = line;
	from->next = next;
	from->line_number = epoch >> 1;
}

static void recover_settle_line(struct line *state, const struct slots_from *from)
{
	uint32_t word, unused_from = from ? from->next : SLOTS_PER_LINE;
	uint64_t unused, rest;

	for (word = 0; word < MARKER_LINE_WORDS; word++) {
		unused = unused_from >= (word + 1) * 64 ? 0 :
			 unused_from <= word * 64       ? ~0ull :
							  ~0ull << (unused_from & 63);
		/* what neither lives nor may still be used */
		rest = ~(state->committed[word] | state->claimed[word] | unused);
		state->claimed[word] |= rest;
		state->undecided[word] = rest;
	}
}

void recover_settle_lines(struct recovery *r)
{
	struct journal *j = r->j;
	uint32_t i;

	for (i = 0; i < j->lane_count; i++)
		recover_clean(r, &j->lanes[i].s->from, lane_media(j, i)->clean);
	recover_clean(r, j->own, state_media(j)->shared_clean);
	for (i = 0; i < j->shared->lines_used; i++)
		if (j->lines[i].number)
			recover_settle_line(&j->lines[i], recover_taken(j, i));
	lines_settle(j);
	/* for whoever comes first, and needs one: a lane may never be leased */
	for (i = 0; i < j->lane_count; i++)
		pool_give(j, &j->lanes[i].s->from);
}
