/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/holds.h"

int holds_ready(struct journal *j)
{
	uint32_t member = j->member - 1;
	int error = shared_holds_ready(j, member);

	if (!error)
		j->holds = shared_holds(j, member);
	return error;
}

void holds_takeover(struct journal *j, uint32_t number)
{
	_Atomic uint32_t *holds = shared_holds(j, number);
	uint32_t i, count;

	for (i = 0; i < segments_end(j); i++) {
		/* a member that died before it had memory for them has none: a hole is zero */
		if (!atomic_load_explicit(&holds[i], memory_order_relaxed))
			continue;
		count = atomic_exchange(&holds[i], 0);
		if (count)
			segment_release(j, &j->segments.all[i], count);
	}
}
