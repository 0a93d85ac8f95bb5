/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/marker.h"
#include "txn/destroy_impl.h"
#include "util/math.h"

#define WIPE_BYTES  (1u << 20)
#define WIPE_SUPERS (2u * 4096u)

_Static_assert(WIPE_SUPERS == MARKER_SUPERS * MARKER_SUPER_BYTES &&
	       WIPE_SUPERS == LOG_SUPERS * LOG_SUPER_BYTES, "what goes last");

static void wipe_progress(struct destroy *d, uint64_t bytes)
{
	const struct journal_progress *progress = &d->options->progress;

	d->done += bytes;
	if (progress->report)
		progress->report(progress->context, d->done, d->total);
}

/* ---- NVRAM: to all ones, as a new medium is ------------------------------- */

static int wipe_marker_range(struct destroy *d, struct marker_store *store, uint64_t at,
			     uint64_t end)
{
	uint8_t ones[4096];
	uint64_t begun = at;
	int error = 0;

	memset(ones, 0xff, sizeof(ones));
	for (; at < end && !error; at += sizeof(ones)) {
		nv_copy(store, store->map + at, ones, min_u64(sizeof(ones), end - at));
		if ((at + sizeof(ones)) % WIPE_BYTES && at + sizeof(ones) < end)
			continue;
		/* what was overwritten is gone, before the superblocks that name it go */
		error = nv_fence(store);
		wipe_progress(d, at + sizeof(ones) - begun);
		begun = at + sizeof(ones);
	}
	return error;
}

static int wipe_marker(struct destroy *d, struct destroy_part *part)
{
	int error = wipe_marker_range(d, part->marker, WIPE_SUPERS, part->bytes);

	return error ? error : wipe_marker_range(d, part->marker, 0, WIPE_SUPERS);
}

/* ---- a log on a device: to zeros ------------------------------------------- */

static int wipe_log_range(struct destroy *d, struct log_store *store, void *zeros, uint64_t at,
			  uint64_t end)
{
	int error = 0;

	while (at < end && !error) {
		struct log_io io = { .offset = at, .buffer = zeros };

		io.bytes = (uint32_t)min_u64(WIPE_BYTES, end - at);
		error = log_store_write(store, &io, 1, false);
		at += io.bytes;
		wipe_progress(d, io.bytes);
	}
	return error ? error : log_store_flush(store);
}

static int wipe_log(struct destroy *d, struct destroy_part *part)
{
	void *zeros;
	int error;

	if (posix_memalign(&zeros, 4096, WIPE_BYTES))
		return -ENOMEM;
	memset(zeros, 0, WIPE_BYTES);
	error = wipe_log_range(d, part->log, zeros, WIPE_SUPERS, part->bytes);
	if (!error)
		error = wipe_log_range(d, part->log, zeros, 0, WIPE_SUPERS);
	free(zeros);
	return error;
}

int destroy_wipe(struct destroy *d, struct destroy_part *part)
{
	int error = 0;

	if (part->wipe)
		error = part->marker ? wipe_marker(d, part) : wipe_log(d, part);
	return error ? message_errno(d->message, error, "%s: cannot be overwritten", part->path) :
		       0;
}
