/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls that MemorySanitizer does not know: what they write has a value from then on.
 * statx() and preadv2() are called by the library as functions of libc, which is built
 * without it.
 */
#include <sys/stat.h>
#include <sys/uio.h>

#include "fuzz.h"

void __msan_unpoison(const volatile void *at, size_t bytes) __attribute__((weak));

static void has_values(const void *at, size_t bytes)
{
	if (__msan_unpoison)
		__msan_unpoison(at, bytes);
}

int __real_statx(int fd, const char *path, int flags, unsigned int mask, struct statx *about);
int __wrap_statx(int fd, const char *path, int flags, unsigned int mask, struct statx *about);
int __wrap_statx(int fd, const char *path, int flags, unsigned int mask, struct statx *about)
{
	int error = __real_statx(fd, path, flags, mask, about);

	if (!error)
		has_values(about, sizeof(*about));
	return error;
}

ssize_t __real_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags);
ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags);
ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	ssize_t bytes = __real_preadv2(fd, iov, count, offset, flags);
	size_t left = bytes > 0 ? (size_t)bytes : 0, part;
	int i;

	for (i = 0; i < count && left; i++, left -= part) {
		part = left < iov[i].iov_len ? left : iov[i].iov_len;
		has_values(iov[i].iov_base, part);
	}
	return bytes;
}
