/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/slots.h"

#include <stdlib.h>

#include "txn/pieces.h"
#include "txn/segment.h"

/* The other pieces.  The hold on the final record's segment is released after
 * this: until then nobody writes over the table. */
static void place_release_pieces(struct journal *j, uint64_t id, const struct place *place)
{
	struct record final;
	const uint8_t *table;

	if (pieces_final(j, id, place->where, place->units, &final, &table))
		count(j->counters, COUNT_UNFREED, 1);
	else
		pieces_release(j, table, final.meta.extents - 1, where_segment(place->where));
	free(final.buffer);
}

void place_release(struct journal *j, uint64_t id, const struct place *place)
{
	if (where_kind(place->where) == WHERE_LOG && place->where & WHERE_MULTI)
		place_release_pieces(j, id, place);
	if (place_holds(place))
		holds_end(j, &j->segments.all[where_segment(place->where)], 1);
}
