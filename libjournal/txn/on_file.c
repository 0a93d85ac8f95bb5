/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/on_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/marker_vacant.h"
#include "txn/health_word.h"
#include "txn/lane.h"
#include "txn/make_impl.h"
#include "txn/media.h"
#include "txn/reserve.h"
#include "txn/stand_in.h"

void on_file_room(struct journal *j)
{
	struct marker_geometry room;

	j->room_geometry = j->geometry;
	if (!j->bits_durable && !j->read_only && !j->alone &&
	    make_geometry_beside(&j->geometry, media_log_bytes(j), &room))
		j->room_geometry = room;
}

static int on_file_vacant(struct journal *j, struct marker_store **store,
			  struct message *message)
{
	/* lanes and lines, which end on a page; rings are not touched before they are seen */
	int error = marker_vacant_make(round_up(j->geometry.bytes, 4096),
				       round_up(j->geometry.digests_offset, 4096), j->read_only,
				       store);

	return error ? message_set(message, error, "%s: no memory", j->dir) : 0;
}

/* Lanes anew, with rings: nobody has one yet. */
static int on_file_lanes(struct journal *j)
{
	lanes_free(j);
	j->lanes = NULL;
	j->lane_count = 0;
	return lanes_make(j);
}

/* With its path from the root on, as others find it. */
static int on_file_uri(struct journal *j)
{
	struct conf conf;
	int error = conf_read(j->dir, &conf, journal_message(j));

	if (!error)
		memcpy(j->shared->common.marker_uri, conf.marker, sizeof(conf.marker));
	return error;
}

int on_file_begin(struct journal *j)
{
	struct shared_common *c = &j->shared->common;
	struct marker_store *file = j->marker, *vacant;
	int error = on_file_uri(j);

	if (error)
		return error;
	c->stand_in_geometry = j->geometry;
	j->geometry = j->room_geometry;
	error = on_file_vacant(j, &vacant, journal_message(j));
	if (error)
		return error;
	stand_in_take(j, file);
	j->marker = vacant;
	error = on_file_lanes(j);
	if (error)
		return journal_say(j, error, "%s: no memory", j->dir);
	c->marker_geometry = j->geometry;
	j->bits_durable = true;
	c->bits_durable = 1;
	j->on_file = true;
	c->on_file = 1;
	/* nobody looks for NVRAM to go back to: it is by order that it comes */
	atomic_store(&j->shared->returns_not, 1);
	atomic_store(&j->shared->health, health_word(1, HEALTH_ABANDONED, 0));
	return 0;
}

int on_file_join(struct journal *j, struct message *message)
{
	const struct shared_common *c = &j->shared->common;
	struct marker_store *vacant;
	enum journal_class class;
	int error = on_file_vacant(j, &vacant, message);

	if (error)
		return error;
	j->marker = vacant;
	j->class_marker = (enum journal_class)c->class_marker;
	/* also while it is on NVRAM: it may be given up any time */
	return media_class(c->marker_uri, j->class_marker, c->stand_in.evidence,
			   JOURNAL_CLASS_UNSET, j->require, &class, message);
}

/* ---- its name ------------------------------------------------------------------------ */

static int on_file_link(const struct journal *j, int directory, const char *from, const char *to)
{
	char temporary[64];
	int fd, error = 0;

	/* over one that an earlier life has left, by one step */
	(void)snprintf(temporary, sizeof(temporary), "%.32s.%u", to, j->member);
	(void)unlinkat(directory, temporary, 0);
	if (linkat(AT_FDCWD, from, directory, temporary, 0))
		return -errno;
	if (renameat(directory, temporary, directory, to))
		error = -errno;
	/* where both are one file already, rename() leaves it */
	(void)unlinkat(directory, temporary, 0);
	if (error)
		return error;
	fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

int on_file_name(struct journal *j)
{
	struct shared_common *c = &j->shared->common;
	struct message *message = journal_message(j);
	char path[PATH_MAX];
	int directory, error;

	if (!j->on_file || atomic_load(&c->on_file_named))
		return 0;
	error = stand_in_own_path(j, path, message);
	if (error)
		return error;
	directory = entry_directory(j->dir, j->lock_fd);
	error = directory < 0 ? directory :
				on_file_link(j, directory, strchr(c->marker_uri, ':') + 1,
					     strrchr(path, '/') + 1);
	if (directory >= 0)
		close(directory);
	if (error == -ESTALE)
		return entry_stale(j->dir, message);
	if (error == -EXDEV || error == -EPERM || error == -EMLINK || error == -EOPNOTSUPP)
		return 0;
	if (error)
		return message_errno(message, error, "%s", path);
	atomic_store(&c->on_file_named, 1);
	return 0;
}
