/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/slots.h"

#include "txn/multi.h"
#include "txn/segment.h"

void slot_release(struct journal *j, struct slot *slot)
{
	uint32_t units = slot->units;
	uint64_t where = atomic_exchange(&slot->where, 0);

	if (where_kind(where) == WHERE_LOG && where & WHERE_MULTI)
		multi_drop(j, units);
	else if (where_kind(where) == WHERE_LOG)
		segment_release(j, &j->segments.all[where_segment(where)], 1);
}
