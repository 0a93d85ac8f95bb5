/* SPDX-License-Identifier: BSD-3-Clause */
/* Built where liburing is missing: reads are done one after the other. */
#include <errno.h>

#include "log/log.h"

int log_queue_uring_open(struct log_file *log, unsigned int depth, const struct iovec *arena,
			 struct log_queue **queue)
{
	(void)log;
	(void)depth;
	(void)arena;
	(void)queue;
	return -ENOTSUP;
}
