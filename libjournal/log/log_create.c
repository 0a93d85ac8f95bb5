/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making a log: allocated and zero-filled once, so that every later write is
 * an overwrite of written blocks and changes no metadata (unwritten extents
 * cost half as much again per synced write).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log/log.h"
#include "util/math.h"

#define BLANK_BYTES 65536u /* of a device must be zero */
#define FILL_DEPTH  8u     /* writes of LOG_BUFFER_BYTES at a time */

int log_create_blank(struct log_file *log, const char *path, struct message *message)
{
	uint8_t *start = log_store_buffer(&log->store);
	struct log_io io = { .buffer = start };
	int error;

	if (!start)
		return message_errno(message, -ENOMEM, "%s", path);
	io.bytes = (uint32_t)min_u64(BLANK_BYTES, log->store.bytes);
	error = log_store_read(&log->store, &io, 1);
	if (error)
		message_errno(message, error, "%s: reading its start", path);
	/* all bytes are zero when the first is and each equals the next */
	else if (start[0] || memcmp(start, start + 1, io.bytes - 1))
		error = message_set(message, -EEXIST,
				    "%s: the device holds something already", path);
	log_store_buffer_done(&log->store, start);
	return error;
}

static int allocate(struct log_file *log)
{
	int error;

	/* Only to fail early, and for extents in one piece: what a file system
	 * cannot do here, the zeros do. */
	do
		error = fallocate(log->fd, 0, 0, (off_t)log->store.bytes) ? -errno : 0;
	while (error == -EINTR);
	if (error == -EOPNOTSUPP || error == -ENOSYS || error == -EINVAL || error == -ENODEV)
		return ftruncate(log->fd, (off_t)log->store.bytes) ? -errno : 0;
	return error;
}

/* Write @zeros from *@offset on, up to @end.  Moves it. */
static int fill_some(struct log_file *log, void *zeros, uint64_t *offset, uint64_t end)
{
	struct log_io io[FILL_DEPTH];
	unsigned int count = 0;

	memset(io, 0, sizeof(io));
	while (count < FILL_DEPTH && *offset < end) {
		io[count].offset = *offset;
		io[count].buffer = zeros;
		io[count].bytes = (uint32_t)min_u64(LOG_BUFFER_BYTES, end - *offset);
		*offset += io[count++].bytes;
	}
	return log_store_write(&log->store, io, count, false);
}

int log_fill(struct log_file *log, uint64_t from, uint64_t to,
	     const struct journal_progress *progress)
{
	void *zeros = mmap(NULL, LOG_BUFFER_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t offset = from;
	int error = 0;

	if (zeros == MAP_FAILED)
		return -ENOMEM;
	while (!error && offset < to) {
		error = fill_some(log, zeros, &offset, to);
		if (!error && progress && progress->report)
			progress->report(progress->context, offset - from, to - from);
	}
	(void)munmap(zeros, LOG_BUFFER_BYTES);
	return error;
}

/* The name of a new file is durable only when its directory is. */
static int sync_directory(const char *path)
{
	char *directory = strdup(path), *slash;
	int fd, error;

	if (!directory)
		return -ENOMEM;
	slash = strrchr(directory, '/');
	if (slash)
		slash[slash == directory] = '\0'; /* "/log" lies in "/" */
	fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = fd < 0 || fsync(fd) ? -errno : 0;
	if (fd >= 0)
		(void)close(fd);
	free(directory);
	return error;
}

int log_create_fill(struct log_file *log, const char *path,
		    const struct journal_progress *progress, struct message *message)
{
	int error = log->device ? 0 : allocate(log);

	if (!error)
		error = log_fill(log, 0, log->store.bytes, progress);
	if (!error && fsync(log->fd))
		error = -errno;
	if (!error && !log->device)
		error = sync_directory(path);
	if (error)
		return message_errno(message, error, "%s: making a log of %" PRIu64 " bytes",
				     path, log->store.bytes);
	/* they count the use of the log, not its making */
	memset(&log->store.counters, 0, sizeof(log->store.counters));
	return 0;
}
