/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening and closing the log store on a file or block device. */
#include "log/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/log.h"
#include "util/assert.h"
#include "util/in_place.h"
#include "util/in_use.h"
#include "util/math.h"

#define LOG_UNIT 4096u /* sizes of logs are multiples of it */

/* what opening was asked for; @made: there is a file that has to go again if
 * the rest fails */
struct request {
	const char *path;
	unsigned int flags;
	uint64_t bytes;
	const struct journal_progress *progress;
	struct message *message;
	bool made;
};

/* ---- operations --------------------------------------------------------- */

static struct log_file *log_of(struct log_store *store)
{
	return (struct log_file *)store;
}

static uint64_t bytes_of(const struct log_io *io, unsigned int count)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < count; i++)
		bytes += io[i].bytes;
	return bytes;
}

static int file_write(struct log_store *store, struct log_io *io, unsigned int count,
		      bool durable)
{
	struct log_file *log = log_of(store);

	log_count(store, writes, count);
	log_count(store, bytes_written, bytes_of(io, count));
	return durable ? log_durable_write(log, io, count) : log_transfer(log, io, count, true);
}

static int file_read(struct log_store *store, struct log_io *io, unsigned int count)
{
	log_count(store, reads, count);
	log_count(store, bytes_read, bytes_of(io, count));
	return log_transfer(log_of(store), io, count, false);
}

static int file_queue(struct log_store *store, unsigned int depth, const struct iovec *arena,
		      struct log_queue **queue)
{
	struct log_file *log = log_of(store);

	return log->rings ? log_queue_uring_open(log, depth, arena, queue) : -ENOTSUP;
}

static int file_flush(struct log_store *store)
{
	return log_durable_flush(log_of(store));
}

static void *file_buffer(struct log_store *store)
{
	return log_buffers_get(&log_of(store)->buffers);
}

static void file_buffer_done(struct log_store *store, void *buffer)
{
	log_buffers_put(&log_of(store)->buffers, buffer);
}

static void use_share(struct log_file *log, struct log_share *share)
{
	_Static_assert(sizeof(share->flush) >= sizeof(*log->flush), "room for it");
	log->flush = (struct log_flush *)(void *)share->flush;
	log->durable_now = &share->writing;
	log->store.shared_counters = share->counters;
}

static void file_share(struct log_store *store, struct log_share *share)
{
	struct log_file *log = log_of(store);

	share->direct = log->direct;
	share->device = log->device;
	share->sync_free = log->sync_free;
	use_share(log, share); /* nobody writes yet */
	/* of what was there before: only a leg of a mirrored log can have had that.  Its
	 * numbers go on, so that a flush that was begun then is none of what is written now */
	atomic_store(&log->flush->failed, 0);
}

static void file_close(struct log_store *store)
{
	struct log_file *log = log_of(store);

	JASSERT(!atomic_load(&log->own_now));
	log_rings_close(log->rings); /* before what is registered with them */
	log_buffers_free(&log->buffers);
	if (log->device)
		in_use_end(log->fd);
	if (log->fd >= 0)
		(void)close(log->fd);
	free(log);
}

#define FILE_OPS(name)                                                           \
	{                                                                        \
		.backend = (name), .waits = true, .write = file_write, .read = file_read,       \
		.queue = file_queue, .flush = file_flush, .buffer = file_buffer, \
		.buffer_done = file_buffer_done, .share = file_share,            \
		.close = file_close,                                             \
	}

static const struct log_store_ops uring_ops = FILE_OPS("io_uring");
static const struct log_store_ops pwrite_ops = FILE_OPS("pwrite");

/* ---- the file ----------------------------------------------------------- */

static int open_new(struct request *request, int *fd)
{
	*fd = open(request->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (*fd < 0)
		return message_errno(request->message, -errno, "%s: cannot be made", request->path);
	request->made = true;
	in_place_ask(*fd);
	if (fchmod(*fd, 0600)) /* whatever the umask says */
		return message_errno(request->message, -errno, "%s", request->path);
	return 0;
}

/* A device is one journal's at a time; files have its uuid in their names. */
static int settle_use(const struct request *request, int fd)
{
	bool claims = request->flags & LOG_CREATE && !(request->flags & LOG_OURS);
	int error;

	if (request->flags & LOG_RDONLY)
		return 0;
	error = claims ? in_use_claim(fd) : in_use_mark(fd);
	return error ? message_set(request->message, error, "%s: in use by a journal",
				   request->path) : 0;
}

static int open_old(struct request *request, int *fd, bool device)
{
	int access = request->flags & LOG_RDONLY ? O_RDONLY : O_RDWR;

	/* on a device this means: not one that is mounted or part of another */
	if (device && request->flags & LOG_CREATE)
		access |= O_EXCL;
	*fd = open(request->path, access | O_CLOEXEC);
	if (*fd < 0)
		return message_errno(request->message, -errno, "%s", request->path);
	if (device)
		return settle_use(request, *fd);
	if (!(request->flags & LOG_CREATE))
		return 0;
	if (ftruncate(*fd, 0))
		return message_errno(request->message, -errno, "%s", request->path);
	in_place_ask(*fd);
	request->made = true; /* what it was is gone */
	return 0;
}

static int open_file(struct log_file *log, struct request *request)
{
	bool create = request->flags & LOG_CREATE;
	struct stat status;

	if (stat(request->path, &status)) {
		if (errno == ENOENT && create)
			return open_new(request, &log->fd);
		return message_errno(request->message, -errno, "%s", request->path);
	}
	log->device = S_ISBLK(status.st_mode);
	if (!log->device && !S_ISREG(status.st_mode))
		return message_set(request->message, -EINVAL,
				   "%s: neither a file nor a block device", request->path);
	if (create && !log->device && !(request->flags & LOG_FORCE))
		return message_errno(request->message, -EEXIST, "%s", request->path);
	return open_old(request, &log->fd, log->device);
}

static int medium_bytes(const struct log_file *log, uint64_t *bytes)
{
	struct stat status;

	if (log->device)
		return ioctl(log->fd, BLKGETSIZE64, bytes) ? -errno : 0;
	if (fstat(log->fd, &status))
		return -errno;
	*bytes = (uint64_t)status.st_size;
	return 0;
}

static int settle_size(struct log_file *log, const struct request *request)
{
	bool create = request->flags & LOG_CREATE;
	uint64_t bytes;
	int error = medium_bytes(log, &bytes);

	if (error)
		return message_errno(request->message, error, "%s", request->path);
	if (create && (request->bytes & (LOG_UNIT - 1) || request->bytes > INT64_MAX))
		return message_set(request->message, -EINVAL,
				   "%s: %" PRIu64 " bytes is no multiple of %u", request->path,
				   request->bytes, LOG_UNIT);
	if (create && log->device && request->bytes > bytes)
		return message_set(request->message, -ENOSPC,
				   "%s: %" PRIu64 " bytes are wanted, the device has %" PRIu64,
				   request->path, request->bytes, bytes);
	if (create && request->bytes)
		bytes = request->bytes;
	log->store.bytes = round_down(bytes, LOG_UNIT);
	if (log->store.bytes)
		return 0;
	return message_set(request->message, create ? -EINVAL : -EUCLEAN,
			   "%s: a log of %" PRIu64 " bytes has no room", request->path, bytes);
}

/* ---- how it works here -------------------------------------------------- */

/* io_uring, or why not.  *@refused: 0 or the errno that forbade it */
static int open_rings(struct log_file *log, const struct request *request, int *refused)
{
	int error = -ECANCELED; /* not wanted */

	if (!(request->flags & LOG_NO_URING))
		error = log_rings_open(&log->rings, log->fd, &log->buffers, true);
	log->store.ops = error ? &pwrite_ops : &uring_ops;
	*refused = error;
	switch (error) {
	case 0:
	case -ECANCELED:
	case -EPERM:
	case -ENOSYS:
	case -EACCES:
	case -ENOMEM:
		return 0;
	default:
		return message_errno(request->message, error, "%s: setting up io_uring",
				     request->path);
	}
}

static void say_routine(struct log_file *log, int refused)
{
	const char *how = log->direct ? "dsync" : "dsync, buffered";
	char path[36];

	if (log->sync_free)
		how = "none: no volatile cache";
	if (!refused)
		(void)snprintf(path, sizeof(path), "io_uring for batches");
	else if (refused == -ECANCELED)
		(void)snprintf(path, sizeof(path), "pwrite");
	else
		(void)snprintf(path, sizeof(path), "pwrite: no io_uring (%s)",
			       strerrorname_np(-refused));
	(void)snprintf(log->store.routine, sizeof(log->store.routine), "%.23s, %.35s", how,
		       path);
}

static int set_up(struct log_file *log, struct request *request)
{
	struct evidence evidence;
	int refused, error;

	error = evidence_read(log->fd, &evidence);
	if (error)
		return evidence_none(request->path, error, request->message);
	log->store.class = evidence.class;
	memcpy(log->store.evidence, evidence.text, sizeof(log->store.evidence));
	log_align(log, &evidence);
	error = open_rings(log, request, &refused);
	if (error)
		return error;
	if (request->flags & LOG_CREATE) {
		if (log->device && !(request->flags & LOG_FORCE))
			error = log_create_blank(log, request->path, request->message);
		if (!error)
			error = log_create_fill(log, request->path, request->progress,
						request->message);
		if (error)
			return error;
	}
	log->sync_free = !log->store.read_only &&
			 log_sync_free(log->fd, log->store.bytes, log->direct, log->device,
				       &evidence);
	say_routine(log, refused);
	return 0;
}

int log_file_open(const char *path, unsigned int flags, uint64_t bytes,
		  const struct journal_progress *progress, struct log_store **store,
		  struct message *message)
{
	struct request request = { path, flags, bytes, progress, message, false };
	struct log_file *log;
	int error;

	JASSERT(!(flags & LOG_RDONLY && flags & LOG_CREATE));
	_Static_assert(sizeof(((struct evidence *)0)->text) ==
		       sizeof(((struct log_store *)0)->evidence), "same text");
	log = log_store_alloc(sizeof(*log));
	if (!log)
		return message_errno(message, -ENOMEM, "%s", path);
	log->fd = -1;
	log->flush = &log->own_flush;
	log->durable_now = &log->own_now;
	log->store.read_only = flags & LOG_RDONLY;
	error = open_file(log, &request);
	if (!error)
		error = settle_size(log, &request);
	if (!error)
		error = set_up(log, &request);
	if (error) {
		file_close(&log->store);
		if (request.made)
			(void)unlink(path);
		return error;
	}
	log_store_check(&log->store);
	*store = &log->store;
	return 0;
}

static int join(struct log_file *log, const char *path, unsigned int flags,
		struct log_share *share, struct message *message)
{
	struct stat status;

	/* something else may be there by now, and a fifo would not be opened before somebody
	 * writes to it */
	if (!stat(path, &status) && !S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
		return message_set(message, -EINVAL, "%s: neither a file nor a block device",
				   path);
	log->store.read_only = flags & LOG_RDONLY;
	log->fd = open(path, (flags & LOG_RDONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC |
			     (share->direct ? O_DIRECT : 0));
	if (log->fd < 0)
		return message_errno(message, -errno, "%s", path);
	log->device = share->device;
	if (log->device && !log->store.read_only && in_use_mark(log->fd))
		return message_set(message, -EBUSY, "%s: in use by another journal", path);
	log->direct = share->direct;
	log->sync_free = share->sync_free;
	log->store.bytes = share->bytes;
	log->store.block_bytes = share->block_bytes;
	log->store.class = (enum journal_class)share->class;
	memcpy(log->store.evidence, share->evidence, sizeof(log->store.evidence));
	memcpy(log->store.routine, share->routine, sizeof(log->store.routine));
	/* a ring is made when there is a batch for it: most who join write little */
	if (flags & LOG_NO_URING || log_rings_open(&log->rings, log->fd, &log->buffers, false))
		log->store.ops = &pwrite_ops;
	else
		log->store.ops = &uring_ops;
	use_share(log, share);
	return 0;
}

int log_file_join(const char *path, unsigned int flags, struct log_share *share,
		  struct log_store **store, struct message *message)
{
	struct log_file *log = log_store_alloc(sizeof(*log));
	int error;

	if (!log)
		return message_errno(message, -ENOMEM, "%s", path);
	log->fd = -1;
	error = join(log, path, flags, share, message);
	if (error) {
		file_close(&log->store);
		return error;
	}
	log_store_check(&log->store);
	*store = &log->store;
	return 0;
}
