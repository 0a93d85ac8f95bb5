/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/slots.h"

#include "txn/multi.h"
#include "txn/segment.h"

void place_release(struct journal *j, const struct place *place)
{
	if (where_kind(place->where) == WHERE_LOG && place->where & WHERE_MULTI)
		multi_drop(j, place->units);
	else if (where_kind(place->where) == WHERE_LOG ||
		 (where_kind(place->where) == WHERE_LOST && place->where & WHERE_LOST_SEGMENT))
		segment_release(j, &j->segments.all[where_segment(place->where)], 1);
}
