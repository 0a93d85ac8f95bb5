/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journal_format().  Order: directory and lock, logs (zero-filled), markers,
 * superblocks, and journal.conf last: without it there is no journal.  What
 * was made is removed again when a later step fails.
 *
 * Over a journal, by force: first all that may be refused (make_probe.c); then what would
 * be written over is made beside it (make_beside.c), and its journal.conf goes when all is
 * made.  Where that cannot be, its journal.conf goes before the first medium that is written
 * over; of other media, it is replaced at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends.h"
#include "txn/clock.h"
#include "txn/entry.h"
#include "txn/make_impl.h"
#include "txn/media.h"
#include "txn/member.h"
#include "txn/unfinished.h"

static int make_options_sane(const struct journal_format_options *o, struct message *message)
{
	if (o->mode & ~0770u)
		return message_set(message, -EINVAL, "mode %04o: only bits for owner and group "
				   "make sense", (unsigned int)o->mode);
	if (o->mode && (o->mode & 0600) != 0600)
		return message_set(message, -EINVAL, "mode %04o: the owner could not use it",
				   (unsigned int)o->mode);
	if (o->log_count > JOURNAL_LOGS_MAX)
		return message_set(message, -EINVAL, "%zu logs: at most %u", o->log_count,
				   JOURNAL_LOGS_MAX);
	if (o->mirror_count > (o->log_count ? o->log_count : 1))
		return message_set(message, -EINVAL, "%zu mirrors, but %zu logs", o->mirror_count,
				   o->log_count ? o->log_count : 1);
	if (o->require > JOURNAL_CLASS_POWER || o->assume_marker > JOURNAL_CLASS_POWER ||
	    o->assume_log > JOURNAL_CLASS_POWER)
		return message_set(message, -EINVAL, "no such durability class");
	return 0;
}

/* The owner's alone until its group is set; then what was asked for, whatever the
 * umask, and who may read may look inside. */
static int make_directory_permissions(const struct make *m)
{
	mode_t mode = m->mode | (m->mode & 0440) >> 2;

	if (m->options->group_set && chown(m->dir, (uid_t)-1, m->options->group))
		return message_errno(m->message, -errno, "%s: group", m->dir);
	return chmod(m->dir, mode) ? message_errno(m->message, -errno, "%s: mode", m->dir) : 0;
}

/* The directory may be there already: then it stays as it is. */
static int make_directory(struct make *m, const char *dir)
{
	int error;

	if (!mkdir(dir, 0700))
		m->made_dir = true;
	else if (errno != EEXIST)
		return message_errno(m->message, -errno, "%s", dir);
	/* one spelling for everything below it, so that journal.conf names that
	 * relative, and the journal can be moved */
	if (!realpath(dir, m->dir))
		return message_errno(m->message, -errno, "%s", dir);
	error = m->made_dir ? make_directory_permissions(m) : 0;
	if (error)
		rmdir(m->dir);
	return error;
}

/* A file that is synced is of no use when the name of its directory is lost. */
static int make_directory_durable(struct make *m)
{
	char copy[PATH_MAX];
	int error, fd;

	if (!m->made_dir)
		return 0;
	memcpy(copy, m->dir, sizeof(copy));
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = fd < 0 || fsync(fd) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return error ? message_errno(m->message, error, "%s: the directory above", m->dir) : 0;
}

static int make_not_there(struct make *m)
{
	char path[PATH_MAX];
	int error = conf_path(m->dir, CONF_NAME, path, m->message);

	if (error)
		return error;
	if (access(path, F_OK))
		return errno == ENOENT ? 0 : message_errno(m->message, -errno, "%s", path);
	if (!m->options->force)
		return message_set(m->message, -EEXIST, "%s: a journal is there already", m->dir);
	make_remember_old(m);
	m->over = true;
	return 0;
}

/* From here on the old one is gone, whatever happens. */
static int make_end_old(struct make *m)
{
	char path[PATH_MAX];
	int error;

	if (!m->hits || m->old_gone)
		return 0;
	error = conf_path(m->dir, CONF_NAME, path, m->message);
	if (error)
		return error;
	if (unlink(path))
		return message_errno(m->message, -errno, "%s", path);
	m->old_gone = true;
	return 0;
}

/* Of the journal that is there, so that nothing is begun that will be refused. */
static int make_over(struct make *m)
{
	int error = m->over ? make_probe(m) : 0;

	if (error || !m->over)
		return error;
	m->hits = make_hits_old(m);
	return m->hits && !make_beside(m) ? make_end_old(m) : 0;
}

/* What it was that was refused or failed, and what is left of what was there. */
static void make_say_gone(struct make *m, int error)
{
	struct message why = *m->message;

	(void)message_set(m->message, error, "%s; of the journal that was in %s nothing is left "
			  "that can be opened", why.text, m->dir);
}

static int make_uuid(struct make *m)
{
	if (getrandom(m->conf.uuid, sizeof(m->conf.uuid), 0) != sizeof(m->conf.uuid) ||
	    getrandom(&m->nonce, sizeof(m->nonce), 0) != sizeof(m->nonce))
		return message_errno(m->message, -errno, "no random numbers");
	m->conf.uuid[6] = (m->conf.uuid[6] & 0x0f) | 0x40;
	m->conf.uuid[8] = (m->conf.uuid[8] & 0x3f) | 0x80;
	return 0;
}

static int make_permissions(struct make *m, const char *path)
{
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return 0;
	if (m->options->group_set && chown(path, (uid_t)-1, m->options->group))
		return message_errno(m->message, -errno, "%s: group", path);
	return chmod(path, m->mode) ? message_errno(m->message, -errno, "%s: mode", path) : 0;
}

static int make_all_permissions(struct make *m)
{
	const char *marker = strchr(m->conf.marker, ':') + 1;
	char path[PATH_MAX];
	uint32_t log;
	int error = make_permissions(m, marker);

	for (log = 0; log < m->conf.log_count && !error; log++) {
		error = make_permissions(m, m->conf.logs[log]);
		if (!error && m->conf.mirrors[log][0])
			error = make_permissions(m, m->conf.mirrors[log]);
	}
	if (!error)
		error = conf_path(m->dir, "lock", path, m->message);
	return error ? error : make_permissions(m, path);
}

/* For the first member: by then the disk may be full. */
static int make_peers(struct make *m)
{
	char path[PATH_MAX];
	int error = conf_path(m->dir, PEERS_DIR, path, m->message);

	if (error)
		return error;
	m->made_peers = access(path, F_OK);
	error = member_make(m->dir, m->lock_fd);
	return error ? message_errno(m->message, error, "%s", path) : 0;
}

static void make_undo_peers(const struct make *m)
{
	char path[PATH_MAX];

	if (m->made_peers && !conf_path(m->dir, PEERS_DIR "/0", path, NULL)) {
		(void)unlink(path);
		(void)rmdir(dirname(path));
	}
}

static int make_conf(struct make *m)
{
	char path[PATH_MAX];
	int error = make_all_permissions(m);

	if (!error)
		error = make_peers(m);
	if (!error)
		error = conf_write(m->dir, m->lock_fd, &m->conf, m->mode, m->message);
	if (!error)
		error = conf_path(m->dir, CONF_NAME, path, m->message);
	return error ? error : make_permissions(m, path);
}

static void make_undo(struct make *m)
{
	char path[PATH_MAX];
	uint32_t log;

	for (log = 0; log < m->logs_made; log++) {
		if (m->log_is_file[log])
			unlink(m->conf.logs[log]);
		if (m->mirror_is_file[log])
			unlink(m->conf.mirrors[log]);
	}
	if (m->marker_made)
		unlink(strchr(m->conf.marker, ':') + 1);
	make_undo_peers(m);
	if (m->made_lock && !conf_path(m->dir, "lock", path, NULL))
		unlink(path);
	if (m->made_dir)
		rmdir(m->dir);
}

static int make_locked(struct make *m)
{
	int error = make_places(m);

	if (!error)
		error = make_not_there(m);
	if (!error)
		error = make_uuid(m);
	if (!error)
		error = make_logs_plan(m);
	if (!error)
		error = make_marker_uri(m);
	/* what was refused so far has cost nothing */
	if (!error)
		error = make_over(m);
	if (!error)
		error = make_logs(m);
	/* NVRAM is written over where it is */
	if (!error && strncmp(m->conf.marker, "file:", 5))
		error = make_end_old(m);
	if (!error)
		error = make_marker(m);
	if (!error)
		error = make_directory_durable(m);
	if (!error)
		error = make_end_old(m);
	if (!error)
		error = make_beside_end(m);
	if (!error)
		error = make_conf(m);
	if (error && m->old_gone)
		make_say_gone(m, error);
	return error;
}

static int make_journal(struct make *m, const char *dir)
{
	int error = make_directory(m, dir);
	char path[PATH_MAX];

	if (error)
		return error;
	m->made_lock = !conf_path(m->dir, "lock", path, NULL) && access(path, F_OK);
	error = entry_exclusive(m->dir, m->mode, &m->lock_fd, m->message);
	if (!error)
		error = make_locked(m);
	if (error) {
		make_undo(m);
	} else {
		make_remove_old(m);
		unfinished_remove(m->dir, &m->conf);
	}
	make_close(m);
	if (m->lock_fd >= 0)
		entry_end(m->lock_fd);
	return error;
}

int journal_format(const char *dir, const struct journal_format_options *options,
		   char *message, size_t message_bytes)
{
	static const struct journal_format_options defaults;
	struct message text = { "" };
	struct make *m = calloc(1, sizeof(*m));
	int error;

	if (message && message_bytes)
		(void)snprintf(message, message_bytes, "%s: no memory", dir);
	if (!m)
		return -ENOMEM;
	m->options = options ? options : &defaults;
	m->message = &text;
	m->lock_fd = -1;
	m->mode = m->options->mode      ? m->options->mode & 0660 :
		  m->options->group_set ? 0660 :
					  0600;
	m->conf.require = m->options->require ? m->options->require : JOURNAL_CLASS_POWER;
	m->conf.assume_marker = m->options->assume_marker;
	m->conf.assume_log = m->options->assume_log;
	error = make_options_sane(m->options, &text);
	if (!error)
		error = make_journal(m, dir);
	free(m);
	if (message && message_bytes)
		(void)snprintf(message, message_bytes, "%s", text.text);
	return error;
}
