/* SPDX-License-Identifier: BSD-3-Clause */
#include "crash_clean.h"

#include "txn/clean.h"
#include "txn/segment.h"

int crash_leave(struct journal *j, enum head_kind kind)
{
	struct head *head;
	int error;

	/* what a full log would not let it have */
	if (j->shared->segments_free <= segments_reserve(j))
		return 0;
	error = head_lease(j, kind, &head);
	if (error)
		return error;
	if (head_segment(j, head))
		error = head_roll(j, head, kind, true);
	head_return(head);
	return error;
}

int crash_clean(struct journal *j, uint32_t draw, uint64_t *moved)
{
	static const enum head_kind kinds[] = { HEAD_STREAM, HEAD_EXTENTS, HEAD_MOVED };
	bool gained = false;
	int error = draw % 4 < 3 ? crash_leave(j, kinds[draw % 4]) : 0;

	if (!error)
		error = clean_step(j, 256, &gained);
	*moved += gained;
	return error;
}
