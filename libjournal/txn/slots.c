/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/slots.h"

#include <stdlib.h>
#include <string.h>

#include "txn/pieces.h"
#include "txn/segment.h"

uint64_t slots_named(const struct journal *j, uint32_t line, uint32_t word, uint64_t live)
{
	const struct slot *slots = &j->slots[(size_t)line * SLOTS_PER_LINE + word * 64];
	uint64_t bits, named = live;

	for (bits = live; bits; bits &= bits - 1)
		if (where_kind(atomic_load(&slots[__builtin_ctzll(bits)].where)) == WHERE_STAGE)
			named &= ~(bits & -bits);
	return named;
}

/* The other pieces: their table, from the final record at @where. */
static void place_read(struct journal *j, uint64_t id, uint64_t where, struct place *place)
{
	const uint8_t *table;
	struct record final;

	place->pieces = 0;
	place->table = NULL;
	if (!pieces_final(j, id, where, place->units, &final, &table)) {
		place->pieces = final.meta.extents - 1;
		place->table = malloc(place->pieces * 8ull);
	}
	if (place->table)
		memcpy(place->table, table, place->pieces * 8ull);
	free(final.buffer);
}

void slot_take_large(struct journal *j, uint64_t id, struct slot *slot, uint64_t where,
		     struct place *place)
{
	place_read(j, id, where, place);
	place->where = atomic_exchange(&slot->where, 0);
	if (place->where != where) /* moved meanwhile, or lost */
		place_forget(place);
	if (!place_holds(place))
		return;
	holds_count(j, &j->segments.all[where_segment(place->where)], 1);
	if (place->table)
		pieces_count(j, place->table, place->pieces, where_segment(place->where));
}

/* The hold on the final record's segment is released after this: until then nobody
 * writes over the table. */
static void place_release_pieces(struct journal *j, uint64_t id, struct place *place)
{
	uint32_t final = where_segment(place->where);

	if (place->table)
		pieces_settle(j, place->table, place->pieces, final);
	else
		place_read(j, id, place->where, place);
	if (place->table)
		pieces_release(j, place->table, place->pieces, final);
	else
		count(j->counters, COUNT_UNFREED, 1);
	place_forget(place);
}

void place_release(struct journal *j, uint64_t id, struct place *place)
{
	if (place_is_large(place->where))
		place_release_pieces(j, id, place);
	if (place_holds(place))
		holds_end(j, &j->segments.all[where_segment(place->where)], 1);
}

void place_put_back(struct journal *j, struct slot *slot, struct place *place)
{
	if (place->table)
		pieces_settle(j, place->table, place->pieces, where_segment(place->where));
	if (place_holds(place)) {
		holds_settle(j, &j->segments.all[where_segment(place->where)], 1);
		atomic_store_explicit(&slot->where, place->where, memory_order_release);
	}
	place_forget(place);
}

void place_forget(struct place *place)
{
	free(place->table);
	place->table = NULL;
}
