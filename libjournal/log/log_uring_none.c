/* SPDX-License-Identifier: BSD-3-Clause */
/* Built where liburing is missing: every log takes the pwrite path. */
#include <errno.h>

#include "log/log.h"
#include "util/assert.h"

int log_rings_open(struct log_rings **rings, int fd, struct log_buffers *buffers, bool now)
{
	(void)rings;
	(void)fd;
	(void)buffers;
	(void)now;
	return -ENOSYS;
}

int log_rings_transfer(struct log_rings *rings, struct log_io *io, unsigned int count,
		       bool write, struct log_store *store)
{
	(void)io;
	(void)count;
	(void)write;
	(void)store;
	JASSERT(!rings); /* there are none */
	return -ENOSYS;
}

void log_rings_close(struct log_rings *rings)
{
	JASSERT(!rings);
}
