/* SPDX-License-Identifier: BSD-3-Clause */
#include "resize_killed.h"

#include <signal.h>

#include "lib/child.h"
#include "txn/journal_impl.h"

struct at {
	struct journal *j;
	uint32_t phase;
};

static void die(void *context, uint64_t done, uint64_t total)
{
	const struct at *at = context;

	(void)done;
	(void)total;
	if (at->j->shared->resize_phase == at->phase)
		(void)raise(SIGKILL);
}

void resize_killed(const struct bed *bed, uint64_t bytes, uint32_t phase)
{
	struct at at = { .phase = phase };
	pid_t pid = child_fork();

	if (!pid) {
		if (!journal_open(bed->dir, NULL, &at.j))
			(void)journal_resize(at.j, &(struct journal_resize_options){
				.bytes = bytes, .progress = { die, &at } }, NULL);
		child_exit(0);
	}
	child_ends(pid, SIGKILL);
}
