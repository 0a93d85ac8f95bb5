/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Retiring.  With durable bits:
 *
 *  1. claim the slot: of two who retire one id, one wins, the other is told
 *     -ENOENT; readers stop finding it;
 *  2. clear the retire bit on the medium; fence: the durable point;
 *  3. give up the place it had in the log.  Whoever claimed the last slot of a
 *     line frees the line; it is not recycled before every claimed bit is
 *     cleared, and recycling has fences of its own (P1).
 *
 * Without (P11): the bit is cleared in the map, which the next checkpoint
 * makes durable, and a retire record in the stream is the durable point.  The
 * bit goes first, so that a checkpoint which ends the replay of the segment
 * with the record already holds it.
 */
#include <errno.h>
#include <stdlib.h>

#include "txn/cell.h"
#include "txn/health.h"
#include "txn/line.h"
#include "txn/logs.h"
#include "txn/slots.h"
#include "txn/stream.h"
#include "txn/times.h"

/* one that this call ends */
struct retired {
	uint64_t id;
	struct place place; /* what it has in the log, to be given up once it is durable */
	uint32_t line;
	bool completes; /* its word of claims */
};

static bool retire_claim(struct line *state, uint32_t slot, bool *completes)
{
	return atomic_load_explicit(&state->committed[slot / 64], memory_order_acquire) >>
		       (slot & 63) & 1 &&
	       line_claim(state, slot, 1, completes);
}

static void retire_bit(struct journal *j, uint32_t line, uint32_t slot)
{
	struct marker_line *media = line_media(j, line);

	nv_and8(j->marker, (uint64_t *)&media->retire[slot / 64], ~(1ull << (slot & 63)));
}

/*
 * What it has in the log.  Before its bit is cleared: then others may complete the
 * line, and the slot be committed again.
 * A staged one has nothing to give up: destage looks at the claim, which was
 * made before where is read here, after it has written where (destage.c).
 */
static void retire_take(struct journal *j, uint32_t line, uint32_t slot, struct place *place)
{
	struct slot *entry = &j->slots[(size_t)line * SLOTS_PER_LINE + slot];

	place->where = 0;
	if (where_kind(atomic_load(&entry->where)) != WHERE_STAGE)
		slot_take(j, entry, place);
}

/*
 * Claim it and clear its bit, not yet durably.  The cell keeps the line from being
 * recycled until the bit is cleared: who takes over from the dead clears the bits
 * of all that are claimed, and then nothing else would tell that ours is still to
 * be cleared (P2; tests/model/p7_lines.pml, BREAK_CELL_EARLY).
 * Return: 0, or -ENOENT it is not there, or somebody else has claimed it.
 */
static int retire_begin(struct journal *j, uint64_t id, struct retired *r)
{
	uint32_t slot = id_slot(id);
	struct line *state;
	struct cell *cell;
	bool claimed;

	r->id = id;
	r->line = id_number(id) ? index_find(j, id_number(id)) : NO_LINE;
	if (r->line == NO_LINE)
		return -ENOENT;
	state = &j->lines[r->line];
	cell = cell_take(j, r->line);
	claimed = atomic_load_explicit(&state->number, memory_order_seq_cst) == id_number(id) &&
		  retire_claim(state, slot, &r->completes);
	if (claimed) {
		retire_take(j, r->line, slot, &r->place);
		retire_bit(j, r->line, slot);
	}
	cell_drop(cell);
	return claimed ? 0 : -ENOENT;
}

/* Durably retired: its bytes in the log may go, and its slot counts as dead. */
static void retire_done(struct journal *j, const struct retired *r)
{
	place_release(j, r->id, &r->place);
	if (r->completes)
		line_word_done(j, r->line, id_number(r->id));
}

static int retire_allowed(struct journal *j)
{
	if (journal_is_childs(j))
		return journal_childs(j);
	if (j->read_only)
		return journal_say(j, -EROFS, "the journal is open read-only");
	return journal_failed(j) ? journal_fail(j, -EIO) : 0;
}

static int retire_unknown(struct journal *j, uint64_t id)
{
	char text[JOURNAL_ID_CHARS];

	journal_id_print(id, text);
	return journal_say(j, -ENOENT, "%s: no such transaction, or already retired", text);
}

/* all that one call ends */
struct retire_set {
	struct retired *all;
	size_t count;
	uint64_t unknown; /* one that was not found, for the text */
	bool some_unknown;
};

static void retire_begin_all(struct journal *j, const uint64_t *ids, size_t want, int *results,
			     struct retire_set *set)
{
	size_t i;
	int error;

	for (i = 0; i < want; i++) {
		error = retire_begin(j, ids[i], &set->all[set->count]);
		if (results)
			results[i] = error;
		if (error) {
			set->unknown = ids[i];
			set->some_unknown = true;
		} else {
			set->count++;
		}
	}
}

#define RETIRES_PER_RECORD 1024u

static int retire_append(struct journal *j, const struct retired *from, size_t entries,
			 uint64_t *ticket)
{
	struct log_retire list[RETIRES_PER_RECORD];
	struct stream_record record = {
		.meta = { .type = LOG_RETIRE, .count = 1,
			  .bytes = (uint32_t)(entries * sizeof(list[0])) },
		.payload = list,
	};
	struct stream_place place;
	size_t i;
	int error;

	for (i = 0; i < entries; i++)
		list[i] = (struct log_retire){
			.id = put_le64(from[i].id),
			.line_epoch = put_le64(id_number(from[i].id)),
			.line = put_le32(from[i].line),
			.slot = put_le32(id_slot(from[i].id)),
		};
	error = stream_append(&j->stream, &record, true, &place);
	if (!error)
		*ticket = place.ticket;
	return error;
}

static int retire_append_all(struct journal *j, const struct retire_set *set, uint64_t *first,
			     uint64_t *last)
{
	size_t from, entries;
	int error = 0;

	for (from = 0; from < set->count && !error; from += entries) {
		entries = min_u64(set->count - from, RETIRES_PER_RECORD);
		error = retire_append(j, &set->all[from], entries, last);
		if (!from)
			*first = *last;
	}
	return error;
}

static int retire_by_records(struct journal *j, const struct retire_set *set)
{
	uint64_t first = 0, last = 0;
	int error;

	do {
		/* Their bits are cleared in the map, and room for retiring is set aside:
		 * without it nothing is decided any more. */
		error = retire_append_all(j, set, &first, &last);
		if (error)
			return journal_fail(j, error);
		error = stream_wait(&j->stream, first, last);
	} while (error == LOG_OUT);
	return error;
}

/* NVRAM is given up: by a record, whether a list names it or not; and that only once
 * there is a list. */
static int retire_unlisted(struct journal *j, const struct retire_set *set)
{
	int error = health_switch(j);

	return error ? error : retire_by_records(j, set);
}

static int retire_set_durably(struct journal *j, const struct retire_set *set)
{
	int error;

	if (!health_bits_durable(j))
		return retire_unlisted(j, set);
	/* all the bits before the acknowledgement */
	error = health_fence(j);
	if (error)
		return journal_fail(j, error);
	return health_is_lost(j) ? retire_unlisted(j, set) : 0;
}

static void retire_timed(struct journal *j, uint64_t began)
{
	if (j->bits_durable)
		times_some_end(j, JOURNAL_TIMED_RETIRE, began);
	else
		times_end(j, JOURNAL_TIMED_RETIRE, began);
}

int journal_retire_many(struct journal *j, const uint64_t *ids, size_t want, int *results)
{
	struct retire_set set = { 0 };
	int error = retire_allowed(j);
	uint64_t began;
	size_t i;

	if (error || !want)
		return error;
	began = j->bits_durable ? times_some(j) : clock_monotonic_ns();
	set.all = malloc(want * sizeof(*set.all));
	if (!set.all)
		return journal_say(j, -ENOMEM, "no memory to retire %zu transactions", want);
	retire_begin_all(j, ids, want, results, &set);
	if (set.count)
		error = retire_set_durably(j, &set);
	for (i = 0; i < set.count && !error; i++)
		retire_done(j, &set.all[i]);
	if (!error && set.count)
		retire_timed(j, began);
	free(set.all);
	if (!error && set.some_unknown)
		error = retire_unknown(j, set.unknown);
	return error;
}

/* ---- one ---- */

static int retire_one_by_bit(struct journal *j, uint64_t id)
{
	uint64_t began = times_some(j);
	struct retired r;
	const struct retire_set set = { .all = &r, .count = 1 };
	int error;

	if (retire_begin(j, id, &r))
		return retire_unknown(j, id);
	/* the bit before the acknowledgement */
	error = health_fence(j);
	if (error)
		return journal_fail(j, error);
	/* after it is claimed (P14): else it would be in the list of what lives */
	if (health_is_lost(j))
		error = retire_unlisted(j, &set);
	if (error)
		return error;
	retire_done(j, &r);
	times_some_end(j, JOURNAL_TIMED_RETIRE, began);
	return 0;
}

int journal_retire(struct journal *j, uint64_t id)
{
	int error = retire_allowed(j);

	if (error)
		return error;
	if (health_bits_durable(j))
		return retire_one_by_bit(j, id);
	return journal_retire_many(j, &id, 1, NULL);
}
