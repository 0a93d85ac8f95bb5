/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Formatting over a journal: whether the new one can be made at all, found out while the
 * old one is whole.  Of what is not there yet, by a file of another name in its place, which
 * is removed at once; what is there is only looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "backends.h"
#include "format/checkpoint.h"
#include "store/evidence.h"
#include "txn/make_impl.h"
#include "txn/media.h"
#include "util/in_use.h"

#define PROBE        ".XXXXXX"
#define PROBE_BYTES  4096u
#define PROBE_PLACES (2 * JOURNAL_LOGS_MAX + 1)

/* what is wanted of each file system */
struct probe {
	struct make *make;
	uint32_t count;
	struct {
		dev_t device;
		uint64_t bytes;
	} of[PROBE_PLACES];
};

/* ---- room ------------------------------------------------------------------- */

/* @path will have @bytes in the file system of @fd; what it has now is given back. */
static int probe_room(struct probe *p, const char *path, int fd, uint64_t bytes)
{
	struct statvfs fs;
	struct stat st, old;
	uint64_t free;
	uint32_t i = 0;

	if (fstat(fd, &st) || fstatvfs(fd, &fs))
		return message_errno(p->make->message, -errno, "%s", path);
	if (!stat(path, &old) && S_ISREG(old.st_mode))
		bytes -= min_u64(bytes, (uint64_t)old.st_blocks * 512);
	while (i < p->count && p->of[i].device != st.st_dev)
		i++;
	if (i == p->count)
		p->of[p->count++].device = st.st_dev;
	p->of[i].bytes += bytes;
	free = (uint64_t)(geteuid() ? fs.f_bavail : fs.f_bfree) * fs.f_frsize;
	return p->of[i].bytes <= free ? 0 :
		message_errno(p->make->message, -ENOSPC, "%s: %" PRIu64 " bytes more are needed, "
			      "and %" PRIu64 " are free", path, p->of[i].bytes, free);
}

/* ---- what is there ------------------------------------------------------------ */

static int probe_open(struct make *m, const char *path, int flags)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | flags);

	if (fd < 0)
		return message_errno(m->message, -errno, "%s", path);
	if (!in_use_claim(fd))
		return fd;
	close(fd);
	return message_set(m->message, -EBUSY, "%s: in use by a journal", path);
}

static int probe_class(struct make *m, const char *name, int fd, enum journal_class assumed)
{
	struct evidence evidence;
	enum journal_class class;
	int error = evidence_read(fd, &evidence);

	if (error)
		return evidence_none(name, error, m->message);
	return media_class(name, evidence.class, evidence.text, assumed, m->conf.require, &class,
			   m->message);
}

/* ---- logs ---------------------------------------------------------------------- */

static int probe_device(struct probe *p, const char *path)
{
	struct make *m = p->make;
	/* not one that is mounted or part of another */
	int error = 0, fd = probe_open(m, path, O_EXCL);
	off_t bytes;

	if (fd < 0)
		return fd;
	bytes = lseek(fd, 0, SEEK_END);
	if (bytes < 0 || (uint64_t)bytes < m->log_bytes)
		error = message_set(m->message, -ENOSPC, "%s: a log of %" PRIu64 " bytes does not "
				    "fit", path, m->log_bytes);
	if (!error)
		error = probe_class(m, path, fd, m->conf.assume_log);
	in_use_end(fd);
	close(fd);
	return error;
}

static int probe_file(struct probe *p, const char *path)
{
	struct make *m = p->make;
	char name[PATH_MAX + sizeof(PROBE)];
	int error, fd;

	(void)snprintf(name, sizeof(name), "%s" PROBE, path);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return message_errno(m->message, -errno, "%s", path);
	(void)unlink(name);
	error = probe_class(m, path, fd, m->conf.assume_log);
	if (!error)
		error = probe_room(p, path, fd, m->log_bytes);
	close(fd);
	return error;
}

static int probe_log(struct probe *p, const char *path)
{
	struct stat st;
	int fd;

	if (!path[0])
		return 0;
	if (stat(path, &st))
		return errno == ENOENT ? probe_file(p, path) :
					 message_errno(p->make->message, -errno, "%s", path);
	if (S_ISBLK(st.st_mode))
		return probe_device(p, path);
	if (!S_ISREG(st.st_mode))
		return message_set(p->make->message, -EINVAL, "%s: neither a file nor a block "
				   "device", path);
	fd = probe_open(p->make, path, 0);
	if (fd < 0)
		return fd;
	in_use_end(fd);
	close(fd);
	return probe_file(p, path);
}

/* ---- markers --------------------------------------------------------------------- */

/* How @uri is, which may be that of a file made for it, and removed. */
static int probe_store(struct make *m, const char *uri, unsigned int flags, uint64_t bytes)
{
	int error = backend_open_marker(uri, flags, PROBE_BYTES, &m->marker, m->message);

	if (!error) {
		error = make_marker_judge(m, bytes ? bytes : m->marker->bytes);
		marker_store_close(m->marker);
		m->marker = NULL;
		if (flags & MARKER_CREATE)
			(void)unlink(strchr(uri, ':') + 1);
	}
	return error;
}

static int probe_marker_new(struct make *m, uint64_t bytes)
{
	char suffix[sizeof(PROBE)], uri[PATH_MAX + sizeof(suffix)], *at;
	int error;

	(void)snprintf(suffix, sizeof(suffix), ".%06x", (unsigned int)m->nonce & 0xffffff);
	(void)snprintf(uri, sizeof(uri), "%s%s", m->conf.marker, suffix);
	error = probe_store(m, uri, MARKER_CREATE, bytes);
	/* people know it by the name that it was to get */
	at = error ? strstr(m->message->text, suffix) : NULL;
	if (at)
		memmove(at, at + strlen(suffix), strlen(at + strlen(suffix)) + 1);
	return error;
}

static int probe_marker_there(struct make *m, uint64_t bytes)
{
	const char *path = strchr(m->conf.marker, ':') + 1;
	int error = 0, fd = probe_open(m, path, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)))
		error = message_set(m->message, -EINVAL, "%s: neither a file nor a /dev/dax device",
				    path);
	else if (!strncmp(m->conf.marker, "file:", 5))
		error = probe_class(m, m->conf.marker, fd, m->conf.assume_marker);
	in_use_end(fd);
	close(fd);
	if (error || !strncmp(m->conf.marker, "file:", 5))
		return error;
	return S_ISREG(st.st_mode) && st.st_size < (off_t)PROBE_BYTES ?
		       probe_marker_new(m, bytes) :
		       probe_store(m, m->conf.marker, MARKER_RDONLY, bytes);
}

static int probe_marker_room(struct probe *p, uint64_t bytes)
{
	const char *path = strchr(p->make->conf.marker, ':') + 1;
	char copy[PATH_MAX];
	char *slash;
	int error = 0, fd;

	if (!bytes || (!strncmp(p->make->conf.marker, "file:", 5) &&
		       checkpoint_file_bytes(bytes, &bytes)))
		return 0;
	(void)snprintf(copy, sizeof(copy), "%s", path);
	slash = strrchr(copy, '/');
	slash[slash == copy] = '\0';
	fd = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return message_errno(p->make->message, -errno, "%s", path);
	error = probe_room(p, path, fd, bytes);
	close(fd);
	return error;
}

static int probe_marker(struct probe *p)
{
	struct make *m = p->make;
	bool there;
	uint64_t bytes = make_marker_bytes(m, &there);
	int error = there ? probe_marker_there(m, bytes) : probe_marker_new(m, bytes);

	return error ? error : probe_marker_room(p, bytes);
}

int make_probe(struct make *m)
{
	struct probe p = { .make = m };
	uint32_t log;
	int error = 0;

	for (log = 0; log < m->conf.log_count && !error; log++) {
		error = probe_log(&p, m->conf.logs[log]);
		if (!error)
			error = probe_log(&p, m->conf.mirrors[log]);
	}
	return error ? error : probe_marker(&p);
}
