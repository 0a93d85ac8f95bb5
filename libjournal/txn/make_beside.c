/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Formatting over a journal: what would be written over is made beside it, under another
 * name, where there is room for both, and gets its name when all is made.  An error before
 * that costs nothing.  A device, or NVRAM, is written over where it is; NVRAM after all logs.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "format/checkpoint.h"
#include "format/leg.h"
#include "txn/make_impl.h"
#include "txn/unfinished.h"

/* Of each medium the path in m->conf: logs, their mirrors, the markers.  Empty: there is none */
static char *place_of(struct make *m, uint32_t i)
{
	uint32_t logs = m->conf.log_count;

	return i < logs	    ? m->conf.logs[i] :
	       i < 2 * logs ? m->conf.mirrors[i - logs] :
			      strchr(m->conf.marker, ':') + 1;
}

static bool is_markers(const struct make *m, uint32_t i)
{
	return i == 2 * m->conf.log_count;
}

static uint32_t places(const struct make *m)
{
	return 2 * m->conf.log_count + 1;
}

static void above(const char *path, char directory[PATH_MAX])
{
	char copy[PATH_MAX];

	(void)snprintf(copy, sizeof(copy), "%s", path);
	(void)snprintf(directory, PATH_MAX, "%s", dirname(copy));
}

/* A file, with a free name beside it.  In DIR that is what an attempt before has left. */
static bool may_be_beside(const struct make *m, const char *path)
{
	char name[PATH_MAX], directory[PATH_MAX];
	struct stat st;

	/* with the scheme of a marker URI before it, too */
	if (lstat(path, &st) || !S_ISREG(st.st_mode) || strlen(path) + 32 > PATH_MAX ||
	    snprintf(name, sizeof(name), "%s" UNFINISHED, path) >= (int)sizeof(name))
		return false;
	if (lstat(name, &st))
		return errno == ENOENT;
	above(path, directory);
	return S_ISREG(st.st_mode) && !strcmp(directory, m->dir) && !unlink(name);
}

static uint64_t bytes_of(const struct make *m, uint32_t i)
{
	uint64_t bytes = round_up(m->geometry.bytes, 4096);

	if (!is_markers(m, i))
		return m->log_bytes + (m->conf.mirrors[i % m->conf.log_count][0] ? LEG_HEAD_BYTES :
										   0);
	return strncmp(m->conf.marker, "file:", 5) || checkpoint_file_bytes(bytes, &bytes) ? 0 :
											     bytes;
}

/* All that is made in the file system of that place has room, with nothing given back. */
static bool has_room(struct make *m, const char *path)
{
	char directory[PATH_MAX];
	struct statvfs fs;
	struct stat st, other;
	uint64_t bytes = 0;
	uint32_t i;

	above(path, directory);
	if (stat(directory, &st) || statvfs(directory, &fs))
		return false;
	for (i = 0; i < places(m); i++) {
		above(place_of(m, i), directory);
		if (place_of(m, i)[0] && !stat(directory, &other) && other.st_dev == st.st_dev)
			bytes += bytes_of(m, i);
	}
	return bytes <= (uint64_t)(geteuid() ? fs.f_bavail : fs.f_bfree) * fs.f_frsize;
}

bool make_beside(struct make *m)
{
	uint64_t which = 0;
	struct stat st;
	uint32_t i;

	for (i = 0; i < places(m); i++) {
		const char *path = place_of(m, i);

		if (!path[0] || lstat(path, &st))
			continue;
		if (is_markers(m, i) && strncmp(m->conf.marker, "file:", 5))
			continue; /* NVRAM: where it is */
		if (!may_be_beside(m, path) || !has_room(m, path))
			return false;
		which |= 1ull << i;
	}
	m->beside = which;
	for (i = 0; i < places(m); i++)
		if (which >> i & 1)
			strcat(place_of(m, i), UNFINISHED);
	return true;
}

static int directory_sync(const char *path)
{
	char directory[PATH_MAX];
	int fd, error;

	above(path, directory);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = fd < 0 || fsync(fd) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return error;
}

int make_beside_end(struct make *m)
{
	char name[PATH_MAX];
	uint32_t i;
	int error = 0;

	for (i = 0; i < places(m) && !error; i++) {
		char *path = place_of(m, i);

		if (!(m->beside >> i & 1))
			continue;
		(void)snprintf(name, sizeof(name), "%s", path);
		path[strlen(path) - strlen(UNFINISHED)] = '\0';
		m->beside &= ~(1ull << i);
		/* durable before journal.conf names it */
		error = rename(name, path) ? -errno : directory_sync(path);
		if (error)
			(void)message_errno(m->message, error, "%s", path);
	}
	return error;
}
