/* SPDX-License-Identifier: BSD-3-Clause */
/* The unit of I/O, and whether it goes around the page cache. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "log/log.h"
#include "util/math.h"

#define BLOCK_BYTES_MIN 512u
#define BLOCK_BYTES_MAX 4096u

/* What direct I/O must be aligned to; 0: there is no direct I/O here. */
static uint32_t direct_alignment(int fd, bool device)
{
	struct statx status;
	int bytes;

	if (!statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) &&
	    status.stx_mask & STATX_DIOALIGN)
		return (uint32_t)max_u64(status.stx_dio_offset_align,
					 status.stx_dio_offset_align ?
						 status.stx_dio_mem_align : 0);
	/* before Linux 6.1, or a file system that does not tell: a page is
	 * always enough where there is direct I/O at all */
	if (device && !ioctl(fd, BLKSSZGET, &bytes) && bytes > 0)
		return (uint32_t)bytes;
	return BLOCK_BYTES_MAX;
}

static bool turn_on_direct(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !fcntl(fd, F_SETFL, flags | O_DIRECT);
}

void log_align(struct log_file *log, const struct evidence *evidence)
{
	uint32_t unit = direct_alignment(log->fd, log->device);
	uint32_t sector = evidence->physical_sector_bytes;

	log->direct = is_power_of_two(unit) && unit <= BLOCK_BYTES_MAX &&
		      turn_on_direct(log->fd);
	/* Rewriting part of a physical sector makes the disk rewrite all of it: a
	 * power failure could take the neighbour along.  Unknown: the largest
	 * that disks have. */
	if (!log->direct || !is_power_of_two(sector) || sector > BLOCK_BYTES_MAX)
		sector = BLOCK_BYTES_MAX;
	log->store.block_bytes =
		(uint32_t)max_u64(max_u64(unit, sector), BLOCK_BYTES_MIN);
	if (!log->direct)
		log->store.block_bytes = BLOCK_BYTES_MAX;
}
