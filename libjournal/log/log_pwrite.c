/* SPDX-License-Identifier: BSD-3-Clause */
/* Transfers by plain system calls: the path of single writes, and of all where
 * io_uring cannot be had. */
#include <errno.h>
#include <sys/uio.h>

#include "log/log.h"

int log_pwrite_one(int fd, struct log_io *io, bool write, uint32_t done, int flags)
{
	io->result = 0;
	while (!io->result && done < io->bytes) {
		struct iovec iov = { (uint8_t *)io->buffer + done, io->bytes - done };
		off_t offset = (off_t)(io->offset + done);
		ssize_t bytes = write ? pwritev2(fd, &iov, 1, offset, flags)
				      : preadv2(fd, &iov, 1, offset, flags);

		if (bytes > 0)
			done += (uint32_t)bytes;
		else if (!bytes) /* the file ends where it must not */
			io->result = -EIO;
		else if (errno != EINTR)
			io->result = -errno;
	}
	return io->result;
}

int log_pwrite_all(int fd, struct log_io *io, unsigned int count, bool write)
{
	int error = 0;

	for (unsigned int i = 0; i < count; i++) {
		int one = log_pwrite_one(fd, &io[i], write, 0, 0);

		error = error ? error : one;
	}
	return error;
}
