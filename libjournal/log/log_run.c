/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several writes by plain system calls, neighbours by one.
 *
 * Not by io_uring, whose writes may outlive their process: records of the dead would
 * land where others write by then (P7).  And what is committed together lies side by
 * side, so one system call and one sync do for all of it.
 */
#include <errno.h>
#include <sys/uio.h>

#include "log/log.h"

#define RUN_MOST 64u

unsigned int log_run_length(const struct log_io *io, unsigned int count)
{
	unsigned int n = 1;

	while (n < count && io[n].offset == io[n - 1].offset + io[n - 1].bytes)
		n++;
	return n;
}

/* Return: bytes that were written, or negative errno. */
static ssize_t write_once(int fd, const struct log_io *io, unsigned int count, int flags)
{
	struct iovec iov[RUN_MOST];
	ssize_t bytes;

	for (unsigned int i = 0; i < count; i++)
		iov[i] = (struct iovec){ io[i].buffer, io[i].bytes };
	bytes = pwritev2(fd, iov, (int)count, (off_t)io->offset, flags);
	if (bytes < 0)
		return errno == EINTR ? 0 : -errno;
	return bytes;
}

/* What a short write has left over is written one by one. */
static int write_neighbours(int fd, struct log_io *io, unsigned int count, int flags)
{
	ssize_t written = write_once(fd, io, count, flags);
	uint64_t left = written > 0 ? (uint64_t)written : 0;
	int error = 0;

	for (unsigned int i = 0; i < count; i++) {
		uint32_t done = left < io[i].bytes ? (uint32_t)left : io[i].bytes;

		left -= done;
		if (written < 0)
			io[i].result = (int)written;
		else
			(void)log_pwrite_one(fd, &io[i], true, done, flags);
		error = error ? error : io[i].result;
	}
	return error;
}

int log_run_write(int fd, struct log_io *io, unsigned int count, int flags)
{
	unsigned int n;
	int one, error = 0;

	for (unsigned int i = 0; i < count; i += n) {
		n = log_run_length(io + i, count - i);
		if (n > RUN_MOST)
			n = RUN_MOST;
		one = write_neighbours(fd, io + i, n, flags);
		error = error ? error : one;
	}
	return error;
}
