/* SPDX-License-Identifier: BSD-3-Clause */
/* What journal.conf names, and whether it is there and of this journal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends.h"
#include "format/leg.h"
#include "format/marker.h"
#include "txn/destroy_impl.h"
#include "txn/remove.h"
#include "util/math.h"

static void look_tell(struct destroy *d, const struct destroy_part *part)
{
	enum journal_destroyed what = part->remove ? JOURNAL_REMOVED :
				      part->wipe   ? JOURNAL_WIPED :
						     JOURNAL_LEFT;

	d->total += part->wipe ? part->bytes : 0;
	if (d->options->part)
		d->options->part(d->options->context, part->path, what);
}

/* Most likely what another call that was killed has removed; or a disk that is not
 * mounted, and then somebody should know. */
static int look_nothing(struct destroy *d, const struct destroy_part *part, int error)
{
	if (error != -ENOENT)
		return message_errno(d->message, error, "%s", part->path);
	if (d->options->part)
		d->options->part(d->options->context, part->path, JOURNAL_MISSING);
	return 0;
}

/* ---- markers ---------------------------------------------------------------- */

/* Damaged or not: either copy has the magic and the uuid of this journal. */
static bool look_marker_is_ours(const struct destroy *d, const struct marker_store *store)
{
	const struct marker_super *super = (const struct marker_super *)(const void *)store->map;
	unsigned int copy;

	for (copy = 0; copy < MARKER_SUPERS; copy++)
		if (!memcmp(super[copy].magic, MARKER_MAGIC, sizeof(super->magic)) &&
		    !memcmp(super[copy].uuid, d->conf.uuid, sizeof(super->uuid)))
			return true;
	return false;
}

/* As destroy_wipe() leaves it: a crash came before it was removed. */
static bool look_marker_is_wiped(const struct marker_store *store)
{
	return store->map[0] == 0xff &&
	       !memcmp(store->map, store->map + 1, MARKER_SUPERS * MARKER_SUPER_BYTES - 1);
}

static bool look_is_below(const struct destroy *d, const char *path)
{
	size_t length = strlen(d->dir);

	return !strncmp(path, d->dir, length) && path[length] == '/';
}

static void look_marker_store(struct destroy *d, struct destroy_part *part, bool file)
{
	const struct marker_store *store = part->marker;

	if (store->bytes < MARKER_SUPERS * MARKER_SUPER_BYTES)
		return;
	if (look_marker_is_ours(d, store)) {
		/* a map of bits in a file has no payload: to remove it is enough */
		part->wipe = store->byte_persistent;
		part->bytes = store->bytes;
		part->remove = file;
	} else if (look_marker_is_wiped(store)) {
		part->remove = file;
	}
}

static int look_marker(struct destroy *d, struct destroy_part *part, const char *uri)
{
	unsigned int flags = d->options->dry_run ? MARKER_RDONLY : 0;
	struct stat st;
	int error;

	part->path = strchr(uri, ':') + 1;
	if (stat(part->path, &st))
		return look_nothing(d, part, -errno);
	error = backend_open_marker(uri, flags, 0, &part->marker, d->message);
	if (!error)
		look_marker_store(d, part, S_ISREG(st.st_mode));
	else if (error != -EUCLEAN && error != -ENOENT && error != -EPROTO)
		return error;
	else /* nothing on it can be trusted, but the name */
		part->remove = S_ISREG(st.st_mode) && look_is_below(d, part->path);
	look_tell(d, part);
	return 0;
}

/* ---- logs ------------------------------------------------------------------- */

/* all of the device, if its superblock does not say how much of it is the log's */
static uint64_t look_log_bytes(const struct destroy *d, const struct log_store *store,
			       const struct log_super *super)
{
	struct log_geometry g;
	struct leg_meta leg;
	const char *why;
	unsigned int copy;
	uint64_t bytes;

	if (!leg_supers_decode((const void *)super, store->bytes, true, &leg, &why))
		return LEG_HEAD_BYTES + leg.bytes;
	for (copy = 0; copy < LOG_SUPERS; copy++) {
		if (log_super_decode(&super[copy], store->bytes, true, &g, &why))
			continue;
		bytes = max_u64(g.bytes, log_runs_bytes(&d->conf.runs, &g, g.log));
		return round_down(min_u64(bytes, store->bytes), store->block_bytes);
	}
	return store->bytes;
}

static void look_log_supers(struct destroy *d, struct destroy_part *part,
			    const struct log_super *super)
{
	unsigned int copy;

	for (copy = 0; copy < LOG_SUPERS; copy++)
		if ((!memcmp(super[copy].magic, LOG_MAGIC, sizeof(super->magic)) ||
		     !memcmp(super[copy].magic, LEG_MAGIC, sizeof(super->magic))) &&
		    !memcmp(super[copy].uuid, d->conf.uuid, sizeof(super->uuid)))
			part->wipe = true;
	part->bytes = look_log_bytes(d, part->log, super);
}

static int look_device(struct destroy *d, struct destroy_part *part)
{
	struct log_io io = { .bytes = LOG_SUPERS * LOG_SUPER_BYTES };
	int error = backend_open_log(part->path,
				     LOG_NO_URING | (d->options->dry_run ? LOG_RDONLY : 0), 0,
				     NULL, &part->log, d->message);

	if (error)
		return error;
	if (part->log->bytes < io.bytes)
		return 0;
	if (posix_memalign(&io.buffer, 4096, io.bytes))
		return message_errno(d->message, -ENOMEM, "%s", part->path);
	error = log_store_read(part->log, &io, 1);
	if (!error)
		look_log_supers(d, part, io.buffer);
	free(io.buffer);
	return error ? message_errno(d->message, error, "%s: superblock", part->path) : 0;
}

static int look_log(struct destroy *d, struct destroy_part *part, const char *path)
{
	struct stat st;
	int error = 0;

	part->path = path;
	if (stat(part->path, &st))
		return look_nothing(d, part, -errno);
	if (S_ISBLK(st.st_mode))
		error = look_device(d, part);
	else
		part->remove = remove_is_log(part->path, d->conf.uuid);
	if (!error)
		look_tell(d, part);
	return error;
}

int destroy_look(struct destroy *d)
{
	uint32_t log;
	int error = look_marker(d, &d->marker, d->conf.marker);

	/* dead, it keeps nobody from destroying the rest; it is told of as left */
	if (!error && d->conf.return_to[0] &&
	    look_marker(d, &d->abandoned, d->conf.return_to))
		look_tell(d, &d->abandoned);
	for (log = 0; log < d->conf.log_count && !error; log++)
		if (conf_has_log(&d->conf, log))
			error = look_log(d, &d->logs[log], d->conf.logs[log]);
	for (log = 0; log < d->conf.log_count && !error; log++)
		if (d->conf.mirrors[log][0])
			error = look_log(d, &d->mirrors[log], d->conf.mirrors[log]);
	return error;
}
