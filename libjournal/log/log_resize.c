/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making a log longer or shorter, while others use it: nobody looks behind its end until
 * they are told that it is longer, and nobody needs what is cut off any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/log.h"
#include "log/log_file.h"
#include "util/math.h"

/* A block device is as large as it is. */
static int resize_open(const char *path, int *fd, bool *device, struct message *message)
{
	struct stat st;

	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return message_errno(message, -errno, "%s", path);
	if (fstat(*fd, &st)) {
		close(*fd);
		return message_errno(message, -EIO, "%s", path);
	}
	*device = !S_ISREG(st.st_mode);
	return 0;
}

/* Only to fail early, and for extents in one piece: see log_create.c. */
static int resize_allocate(int fd, uint64_t from, uint64_t to)
{
	int error;

	do
		error = fallocate(fd, 0, (off_t)from, (off_t)(to - from)) ? -errno : 0;
	while (error == -EINTR);
	if (error == -EOPNOTSUPP || error == -ENOSYS || error == -EINVAL || error == -ENODEV)
		return ftruncate(fd, (off_t)to) ? -errno : 0;
	return error;
}

static int resize_fill(const char *path, uint64_t from, uint64_t to,
		       const struct journal_progress *progress, struct message *message)
{
	struct log_store *store;
	int error = log_file_open(path, LOG_NO_URING, 0, NULL, &store, message);

	if (error)
		return error;
	if (store->bytes < to)
		error = message_set(message, -ENOSPC, "%s: %" PRIu64 " bytes are wanted, it has %"
				    PRIu64, path, to, store->bytes);
	else if ((error = log_fill((struct log_file *)store, from, to, progress)) ||
		 (error = fsync(((struct log_file *)store)->fd) ? -errno : 0))
		(void)message_errno(message, error, "%s: making it %" PRIu64 " bytes long", path,
				    to);
	log_store_close(store);
	return error;
}

int log_file_extend(const char *path, uint64_t from, uint64_t to,
		    const struct journal_progress *progress, struct message *message)
{
	bool device;
	int fd, error = resize_open(path, &fd, &device, message);

	if (error)
		return error;
	error = device ? 0 : resize_allocate(fd, from, to);
	if (error)
		(void)message_errno(message, error, "%s: making it %" PRIu64 " bytes long", path,
				    to);
	else
		/* a file that was cut off may end within a block: that begins anew */
		error = resize_fill(path, round_down(from, 4096), to, progress, message);
	/* as it was; if that fails, too, it is too long, which does no harm */
	if (error && !device && ftruncate(fd, (off_t)from))
		error = error < 0 ? error : -EIO;
	(void)close(fd);
	return error;
}

int log_file_trim(const char *path, uint64_t bytes, struct message *message)
{
	struct stat st;
	bool device;
	int fd, error = resize_open(path, &fd, &device, message);

	if (error || device) {
		if (!error)
			(void)close(fd);
		return error;
	}
	if (!fstat(fd, &st) && (uint64_t)st.st_size > bytes &&
	    (ftruncate(fd, (off_t)bytes) || fsync(fd)))
		error = message_errno(message, -errno, "%s: making it %" PRIu64 " bytes short",
				      path, bytes);
	(void)close(fd);
	return error;
}
