/* SPDX-License-Identifier: BSD-3-Clause */
/* How far recovery is: told in the thread that opens, and in no other. */
#include "txn/recover.h"

void recover_expect(struct recovery *r, uint64_t bytes)
{
	r->expected = r->gone_through + bytes;
}

void recover_progress(struct recovery *r, uint64_t bytes)
{
	r->gone_through += bytes;
	recover_progress_at(r, 0);
}

void recover_progress_at(const struct recovery *r, uint64_t more)
{
	if (r->progress.report)
		r->progress.report(r->progress.context, r->gone_through + more, r->expected);
}
