/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jnl.h"
#include "output.h"

static void sink_start(struct sink *sink, int fd, const char *name)
{
	sink->fd = fd;
	sink->name = name;
	sink->path[0] = sink->temporary[0] = '\0';
	sink->failed = 0;
	sink->nameless = false;
	sink->used = 0;
}

void sink_nowhere(struct sink *sink)
{
	sink_start(sink, -1, "nowhere");
}

static int sink_fail(struct sink *sink, int error)
{
	jnl_error("%s: %s", sink->name, strerror(-error));
	sink->failed = error;
	return error;
}

/* What a link leads to is replaced, not the link; a device or a pipe would be lost. */
static int sink_path(struct sink *sink, const char *path)
{
	struct stat about;

	if (stat(path, &about))
		return snprintf(sink->path, sizeof(sink->path), "%s", path) < PATH_MAX ?
			       0 :
			       sink_fail(sink, -ENAMETOOLONG);
	if (!S_ISREG(about.st_mode)) {
		jnl_error("%s: is there, and is no file: it is not replaced", path);
		return sink->failed = -EEXIST;
	}
	return realpath(path, sink->path) ? 0 : sink_fail(sink, -errno);
}

/* Mode 0600, as mkostemp(): it is people's mail.  Whoever is killed leaves none of it. */
static int sink_nameless(const char *path)
{
	char copy[PATH_MAX];

	(void)snprintf(copy, sizeof(copy), "%s", path);
	return open(dirname(copy), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

int sink_open(struct sink *sink, const char *path)
{
	int err;

	sink_start(sink, STDOUT_FILENO, "standard output");
	if (!path || !strcmp(path, "-"))
		return 0;
	sink_start(sink, -1, path);
	err = sink_path(sink, path);
	if (err)
		return err;
	if (snprintf(sink->temporary, sizeof(sink->temporary), "%s.XXXXXX", sink->path) >=
	    (int)sizeof(sink->temporary))
		return sink_fail(sink, -ENAMETOOLONG);
	sink->fd = sink_nameless(sink->path);
	sink->nameless = sink->fd >= 0;
	/* where the file system knows no files without a name */
	if (sink->fd < 0)
		sink->fd = mkostemp(sink->temporary, O_CLOEXEC);
	return sink->fd < 0 ? sink_fail(sink, -errno) : 0;
}

static int sink_flush(struct sink *sink)
{
	int err = sink->fd < 0 ? 0 : output_write(sink->fd, sink->buffer, sink->used);

	sink->used = 0;
	return err ? sink_fail(sink, err) : 0;
}

int sink_write(struct sink *sink, const void *data, size_t bytes)
{
	const uint8_t *next = data;

	while (bytes && !sink->failed) {
		size_t room = sizeof(sink->buffer) - sink->used;
		size_t part = bytes < room ? bytes : room;

		memcpy(sink->buffer + sink->used, next, part);
		sink->used += part;
		next += part;
		bytes -= part;
		if (sink->used == sizeof(sink->buffer))
			(void)sink_flush(sink);
	}
	return sink->failed;
}

static int sink_sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int err, fd;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	(void)close(fd);
	return err;
}

/* A name for it, beside the one that it is to get: only rename() replaces. */
static int sink_link(struct sink *sink)
{
	char *end = sink->temporary + strlen(sink->temporary) - 6;
	char self[32];
	uint32_t chance;

	if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
		return -errno;
	(void)snprintf(end, 7, "%06" PRIx32, chance & 0xffffff);
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", sink->fd);
	if (linkat(AT_FDCWD, self, AT_FDCWD, sink->temporary, AT_SYMLINK_FOLLOW))
		return -errno;
	sink->nameless = false;
	return 0;
}

/* The content before the name: a crash leaves the old file, or all of the new one. */
static int sink_replace(struct sink *sink)
{
	int err = fsync(sink->fd) ? -errno : 0;

	if (!err && sink->nameless)
		err = sink_link(sink);
	if (!err && rename(sink->temporary, sink->path))
		err = -errno;
	if (err)
		return sink_fail(sink, err);
	err = sink_sync_directory(sink->path);
	return err ? sink_fail(sink, err) : 0;
}

int sink_end(struct sink *sink, bool keep)
{
	bool file = sink->path[0];

	if (!sink->failed)
		(void)sink_flush(sink);
	if (!file || sink->fd < 0)
		return sink->failed;
	if (keep && !sink->failed)
		(void)sink_replace(sink);
	if ((!keep || sink->failed) && !sink->nameless)
		(void)unlink(sink->temporary);
	(void)close(sink->fd);
	sink->fd = -1;
	return sink->failed;
}
