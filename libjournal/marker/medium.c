/* SPDX-License-Identifier: BSD-3-Clause */
#include "marker/medium.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "util/in_place.h"
#include "util/in_use.h"
#include "util/math.h"

int medium_read(int fd, void *data, uint64_t bytes, uint64_t offset)
{
	while (bytes) {
		ssize_t got = pread(fd, data, min_u64(bytes, INT_MAX), (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EIO;
		data = (uint8_t *)data + got;
		offset += (uint64_t)got;
		bytes -= (uint64_t)got;
	}
	return 0;
}

int medium_write(int fd, const void *data, uint64_t bytes, uint64_t offset)
{
	while (bytes) {
		ssize_t put = pwrite(fd, data, min_u64(bytes, INT_MAX), (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put ? -errno : -EIO;
		data = (const uint8_t *)data + put;
		offset += (uint64_t)put;
		bytes -= (uint64_t)put;
	}
	return 0;
}

int medium_size_check(const char *path, uint64_t bytes, struct message *message)
{
	if (bytes % MEDIUM_PAGE_BYTES)
		return message_set(message, -EINVAL,
				   "%s: size %" PRIu64 " is not a multiple of %u", path, bytes,
				   MEDIUM_PAGE_BYTES);
	if (bytes > INT64_MAX / 4)
		return message_set(message, -EINVAL, "%s: size %" PRIu64 " is not sensible", path,
				   bytes);
	return 0;
}

/* sysfs has the size of a /dev/dax device; nothing else does */
static int device_bytes(dev_t dev, uint64_t *bytes)
{
	char name[64];
	FILE *f;
	int got;

	(void)snprintf(name, sizeof(name), "/sys/dev/char/%u:%u/size", major(dev), minor(dev));
	f = fopen(name, "re");
	if (!f)
		return -ENOTSUP;
	got = fscanf(f, "%" SCNu64, bytes);
	(void)fclose(f);
	return got == 1 ? 0 : -ENOTSUP;
}

static int find_bytes(struct medium *m, struct message *message)
{
	struct stat st;

	if (fstat(m->fd, &st))
		return message_errno(message, -errno, "%s", m->path);
	if (S_ISREG(st.st_mode)) {
		m->bytes = (uint64_t)st.st_size;
	} else if (S_ISCHR(st.st_mode)) {
		m->device = true;
		if (device_bytes(st.st_rdev, &m->bytes))
			return message_set(message, -ENOTSUP,
					   "%s: a character device that is no /dev/dax", m->path);
	} else {
		return message_set(message, -EINVAL, "%s: neither a file nor a /dev/dax device",
				   m->path);
	}
	m->old_bytes = m->bytes;
	return 0;
}

static bool is_filled_with(const uint8_t *data, size_t bytes, uint8_t value)
{
	return !bytes || (data[0] == value && !memcmp(data, data + 1, bytes - 1));
}

/* Only a medium that is all zeros or all ones where markers begin is free.
 * (A /dev/dax device cannot be read, only mapped: its opener looks there.) */
static int check_blank(const struct medium *m, struct message *message)
{
	uint8_t block[MEDIUM_PAGE_BYTES];
	size_t bytes = (size_t)min_u64(m->bytes, sizeof(block));
	int error = medium_read(m->fd, block, bytes, 0);

	if (error)
		return message_errno(message, error, "%s: cannot be read", m->path);
	if (is_filled_with(block, bytes, 0) || is_filled_with(block, bytes, 0xff))
		return 0;
	return message_set(message, -EEXIST, "%s: there is content already", m->path);
}

static int open_fd(struct medium *m, unsigned int flags)
{
	int mode = (flags & MARKER_RDONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC;

	/* not O_CREAT alone: whether the file was made decides what undo does */
	if (flags & MARKER_CREATE) {
		m->fd = open(m->path, mode | O_CREAT | O_EXCL, 0600);
		m->made = m->fd >= 0;
		if (m->made)
			in_place_ask(m->fd);
		if (m->fd >= 0 || errno != EEXIST)
			return m->fd < 0 ? -errno : 0;
	}
	m->fd = open(m->path, mode | O_NONBLOCK); /* never hang on a fifo */
	return m->fd < 0 ? -errno : 0;
}

/* One journal's at a time: else --force would take it from under another one. */
static int settle_use(const struct medium *m, unsigned int flags, struct message *message)
{
	bool claims = flags & MARKER_CREATE && !m->made && !(flags & MARKER_OURS);
	int error;

	if (flags & MARKER_RDONLY)
		return 0;
	error = claims ? in_use_claim(m->fd) : in_use_mark(m->fd);
	return error ? message_set(message, error, "%s: in use by a journal", m->path) : 0;
}

int medium_open(const char *path, unsigned int flags, struct medium *medium,
		struct message *message)
{
	int error;

	JASSERT(!(flags & MARKER_RDONLY) || !(flags & MARKER_CREATE));
	JASSERT(!(flags & MARKER_FORCE) || (flags & MARKER_CREATE));
	memset(medium, 0, sizeof(*medium));
	medium->path = path;
	error = open_fd(medium, flags);
	if (error)
		return message_errno(message, error, "%s", path);
	error = find_bytes(medium, message);
	if (!error)
		error = settle_use(medium, flags, message);
	if (!error && (flags & MARKER_CREATE) && !(flags & MARKER_FORCE) && !medium->device)
		error = check_blank(medium, message);
	if (error)
		medium_undo(medium);
	return error;
}

int medium_resize(struct medium *medium, uint64_t bytes, struct message *message)
{
	int error;

	if (medium->device) {
		if (bytes > medium->bytes)
			return message_set(message, -ENOSPC,
					   "%s: the device has %" PRIu64 " bytes, not %" PRIu64,
					   medium->path, medium->bytes, bytes);
		return 0;
	}
	if (ftruncate(medium->fd, (off_t)bytes))
		return message_errno(message, -errno, "%s: size %" PRIu64, medium->path, bytes);
	medium->bytes = bytes;
	error = -posix_fallocate(medium->fd, 0, (off_t)bytes);
	if (error)
		return message_errno(message, error, "%s: cannot allocate %" PRIu64 " bytes",
				     medium->path, bytes);
	return 0;
}

static int sync_directory(const char *path)
{
	char *copy = strdup(path);
	int error = 0;
	int fd;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		error = -errno;
	if (fd >= 0)
		(void)close(fd);
	free(copy);
	return error;
}

int medium_sync(const struct medium *medium, struct message *message)
{
	int error = 0;

	if (medium->device)
		return 0;
	if (fsync(medium->fd))
		error = -errno;
	/* the name after the content, so that a name never leads to a torn file */
	if (!error)
		error = sync_directory(medium->path);
	if (error)
		return message_errno(message, error, "%s: cannot be made durable", medium->path);
	return 0;
}

void medium_undo(struct medium *medium)
{
	if (medium->made)
		(void)unlink(medium->path);
	else if (!medium->device && medium->bytes != medium->old_bytes &&
		 ftruncate(medium->fd, (off_t)medium->old_bytes))
		medium->bytes = medium->old_bytes; /* nothing more can be done about it */
	medium_close(medium);
}

void medium_close(struct medium *medium)
{
	if (medium->fd >= 0)
		(void)close(medium->fd);
	medium->fd = -1;
}
