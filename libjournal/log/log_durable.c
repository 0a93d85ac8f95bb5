/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a write is made durable:
 *
 *  - not at all, where a completed one is durable (P12);
 *  - alone, or several side by side, with RWF_DSYNC: one system call.  pwritev2 is
 *    used for it, since an io_uring round trip is never shorter and at times longer,
 *    and its write may outlive the process (log_run.c);
 *  - in company, plainly, and then by a flush shared with the others (P13).
 */
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "log/log.h"

#define EXTENTS_AT_ONCE 32

/* Flags of an extent that make an overwrite more than an overwrite: what
 * encoded, inline or delayed means there is not for us to guess. */
#define EXTENT_UNSETTLED                                                          \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED | \
	 FIEMAP_EXTENT_DATA_ENCRYPTED | FIEMAP_EXTENT_NOT_ALIGNED |               \
	 FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL |                    \
	 FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_SHARED)

struct flushing {
	struct log_file *log;
	bool myself;
};

static int sync_file(void *context)
{
	struct flushing *flushing = context;
	struct log_file *log = flushing->log;

	flushing->myself = true;
	log_count(&log->store, flushes, 1);
	while (fdatasync(log->fd))
		if (errno != EINTR)
			return -errno;
	return 0;
}

int log_durable_flush(struct log_file *log)
{
	struct flushing flushing = { .log = log };
	const struct log_flusher flusher = { sync_file, &flushing,
					      log_flush_patience(log->flush) };
	int error = log->sync_free ? 0 : log_flush_wait(log->flush, &flusher);

	if (!log->sync_free && !error && !flushing.myself)
		log_count(&log->store, merged, 1);
	return error;
}

int log_transfer(struct log_file *log, struct log_io *io, unsigned int count, bool write)
{
	if (count > 1 && log->rings)
		return log_rings_transfer(log->rings, io, count, write,
					  &log->store);
	return log_pwrite_all(log->fd, io, count, write);
}

static int write_then_flush(struct log_file *log, struct log_io *io, unsigned int count)
{
	int error = log_run_write(log->fd, io, count, 0);

	return error ? error : log_durable_flush(log);
}

int log_durable_write(struct log_file *log, struct log_io *io, unsigned int count)
{
	uint32_t others;
	int error;

	if (log->sync_free) {
		log_count(&log->store, unsynced, count);
		return log_run_write(log->fd, io, count, 0);
	}
	others = atomic_fetch_add_explicit(log->durable_now, 1, memory_order_relaxed);
	if (others || log_run_length(io, count) < count) {
		error = write_then_flush(log, io, count);
	} else {
		log_count(&log->store, dsyncs, 1);
		error = log_run_write(log->fd, io, count, RWF_DSYNC);
	}
	atomic_fetch_sub_explicit(log->durable_now, 1, memory_order_relaxed);
	return error;
}

/* ---- P12 ---------------------------------------------------------------- */

/* Walk on over the extents that continue at *@next.  Return: all are settled. */
static bool extents_settled_on(const struct fiemap *map, uint64_t *next)
{
	for (unsigned int i = 0; i < map->fm_mapped_extents; i++) {
		const struct fiemap_extent *extent = &map->fm_extents[i];

		if (extent->fe_flags & EXTENT_UNSETTLED || extent->fe_logical > *next)
			return false; /* the latter is a hole */
		*next = extent->fe_logical + extent->fe_length;
	}
	return map->fm_mapped_extents > 0;
}

static bool extents_settled(int fd, uint64_t bytes)
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) +
			  EXTENTS_AT_ONCE * sizeof(struct fiemap_extent)];
	} ask;
	uint64_t next = 0;

	while (next < bytes) {
		memset(&ask, 0, sizeof(ask));
		ask.map.fm_start = next;
		ask.map.fm_length = bytes - next;
		ask.map.fm_flags = FIEMAP_FLAG_SYNC;
		ask.map.fm_extent_count = EXTENTS_AT_ONCE;
		if (ioctl(fd, FS_IOC_FIEMAP, &ask.map) || !extents_settled_on(&ask.map, &next))
			return false;
	}
	return true;
}

bool log_sync_free(int fd, uint64_t bytes, bool direct, bool device,
		   const struct evidence *evidence)
{
	if (!direct || !evidence->no_volatile_cache || !evidence->overwrites_in_place)
		return false;
	if (device)
		return true;
	/* What made the extents written may still be in memory only; after this
	 * nothing but data changes any more.  Sharing an extent later (a reflink
	 * copy of the live log) is the one thing that cannot be seen here. */
	return !fsync(fd) && extents_settled(fd, bytes);
}
