/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this directory share: the open log, and how its parts
 * call each other.  Nothing outside includes this but their unit tests. */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdatomic.h>
#include <stdbool.h>

#include "log/log_buffers.h"
#include "log/log_flush.h"
#include "store/evidence.h"
#include "store/log_store.h"

struct log_rings;

/**
 * struct log_file - one open log
 * @store:       what the caller sees; first, so that one is the other
 * @fd:          of the file or device
 * @device:      it is a block device
 * @direct:      @fd has O_DIRECT
 * @sync_free:   a completed write is durable without sync (P12)
 * @durable_now: durable writes under way, of all processes that share the log
 * @flush:       the combined flush (P13), theirs too
 * @own_now, @own_flush: these, while nobody shares
 * @buffers:     the pool
 * @rings:       NULL on the pwrite path
 */
struct log_file {
	struct log_store store;
	int fd;
	bool device;
	bool direct;
	bool sync_free;
	_Atomic uint32_t *durable_now;
	struct log_flush *flush;
	_Atomic uint32_t own_now;
	struct log_flush own_flush;
	struct log_buffers buffers;
	struct log_rings *rings;
};

/* ---- log_pwrite.c ------------------------------------------------------- */

/* One transfer, the first @done bytes of which are done already; @flags are
 * RWF_*.  Sets and returns io->result. */
int log_pwrite_one(int fd, struct log_io *io, bool write, uint32_t done, int flags);
/* All of them, one after the other; goes on after a failure and returns the
 * first one. */
int log_pwrite_all(int fd, struct log_io *io, unsigned int count, bool write);

/* ---- log_run.c ---------------------------------------------------------- */

/* how many, from the first on, lie side by side */
unsigned int log_run_length(const struct log_io *io, unsigned int count);
/* All of them, neighbours together; goes on after a failure and returns the first
 * one; @flags are RWF_*.  Whole runs are as durable as RWF_DSYNC makes one write. */
int log_run_write(int fd, struct log_io *io, unsigned int count, int flags);

/* ---- log_uring.c, log_uring_none.c -------------------------------------- */

/* @now: make one, to see whether it is to be had; else the first transfer will.
 * -EPERM, -ENOSYS, -EACCES, -ENOMEM: not to be had here */
int log_rings_open(struct log_rings **rings, int fd, struct log_buffers *buffers, bool now);
/* All of @io, many at a time; @store counts what was not completed inline.
 * Any number of threads at once. */
int log_rings_transfer(struct log_rings *rings, struct log_io *io, unsigned int count,
		       bool write, struct log_store *store);
void log_rings_close(struct log_rings *rings);

/* ---- log_queue_uring.c, log_queue_uring_none.c --------------------------- */

/* As log_store_ops.queue.  Return: 0, -ENOMEM, -ENOTSUP there is no ring. */
int log_queue_uring_open(struct log_file *log, unsigned int depth, const struct iovec *arena,
			 struct log_queue **queue);

/* ---- log_durable.c ------------------------------------------------------ */

/* plain transfer of @io by whatever path the log has */
int log_transfer(struct log_file *log, struct log_io *io, unsigned int count, bool write);
int log_durable_write(struct log_file *log, struct log_io *io, unsigned int count);
int log_durable_flush(struct log_file *log);
/* P12: may sync be left out? */
bool log_sync_free(int fd, uint64_t bytes, bool direct, bool device,
		   const struct evidence *evidence);

/* ---- log_align.c -------------------------------------------------------- */

/* Turn on O_DIRECT where it can be had, and settle store.block_bytes. */
void log_align(struct log_file *log, const struct evidence *evidence);

/* ---- log_create.c ------------------------------------------------------- */

/* Is the start of the device all zeros?  0, -EEXIST, or what reading said. */
int log_create_blank(struct log_file *log, const char *path, struct message *message);
/* zeros over [@from, @to), not yet durable */
int log_fill(struct log_file *log, uint64_t from, uint64_t to,
	     const struct journal_progress *progress);
/* Allocate, write zeros over all of it, make it durable with its name. */
int log_create_fill(struct log_file *log, const char *path,
		    const struct journal_progress *progress, struct message *message);

#endif
