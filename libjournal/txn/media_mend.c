/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A superblock of which one copy is damaged is whole as long as nothing happens to the
 * other.  Who writes does not leave it at that.
 */
#include <stdlib.h>
#include <string.h>

#include "store/log_copies.h"
#include "txn/logs.h"
#include "txn/media.h"

static int mend_marker(struct journal *j)
{
	struct marker_super *super = (struct marker_super *)(void *)j->marker->map;
	struct marker_geometry g;
	const char *why;
	int good = marker_super_decode(&super[0], j->marker->bytes, false, &g, &why) != 0;

	nv_copy(j->marker, &super[!good], &super[good], sizeof(*super));
	/* for whoever finds the other copy damaged, some day */
	return nv_fence(j->marker);
}

static int mend_log_copies(struct journal *j, uint32_t log, struct log_super *super)
{
	struct log_geometry g;
	struct log_io io = { .buffer = super, .bytes = LOG_SUPERS * LOG_SUPER_BYTES };
	const char *why;
	int good;

	/* it was read before: what fails now is the disk, and the next write will tell */
	if (log_store_read(logs_at(j, log), &io, 1))
		return 0;
	good = log_super_decode(&super[0], j->logs[log]->bytes, false, &g, &why) != 0;
	io.offset = (uint64_t)!good * LOG_SUPER_BYTES;
	io.buffer = &super[good];
	io.bytes = LOG_SUPER_BYTES;
	return logs_write(j, log, &io, 1, true);
}

static int mend_log(struct journal *j, uint32_t log)
{
	void *super;
	int error;

	/* of two legs recovery makes one as the other: recover_copies.c */
	if (logs_out(j, log) || log_copies_several(logs_at(j, log)))
		return 0;
	if (posix_memalign(&super, 4096, LOG_SUPERS * LOG_SUPER_BYTES))
		return 0; /* the next one who opens it does */
	error = mend_log_copies(j, log, super);
	free(super);
	return error == LOG_OUT ? 0 : error;
}

int media_mend(struct journal *j)
{
	uint32_t log;
	int error = 0;

	/* what a checkpoint holds has a checksum of its own */
	if (j->supers_bad.marker && j->bits_durable)
		error = mend_marker(j);
	for (log = 0; log < logs_end(j) && !error; log++)
		if (j->supers_bad.logs >> log & 1)
			error = mend_log(j, log);
	return error ? journal_fail(j, error) : 0;
}
