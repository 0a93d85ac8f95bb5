/* SPDX-License-Identifier: BSD-3-Clause */
#include "util/in_use.h"

#include <errno.h>
#include <sys/file.h>

static int in_use_lock(int fd, int how)
{
	return flock(fd, how | LOCK_NB) && errno == EWOULDBLOCK ? -EBUSY : 0;
}

int in_use_mark(int fd)
{
	return in_use_lock(fd, LOCK_SH);
}

int in_use_claim(int fd)
{
	int error = in_use_lock(fd, LOCK_EX);

	return error ? error : in_use_lock(fd, LOCK_SH);
}

void in_use_end(int fd)
{
	if (fd >= 0)
		(void)flock(fd, LOCK_UN);
}
