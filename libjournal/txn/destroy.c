/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journal_destroy().  Order: media are overwritten and removed, then journal.conf,
 * and the lock last.  Until journal.conf is gone another call can go on.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "txn/destroy_impl.h"
#include "txn/entry.h"
#include "txn/left.h"
#include "txn/member.h"
#include "txn/remove.h"
#include "txn/return_left.h"
#include "txn/set_marker_impl.h"
#include "txn/shared_file.h"
#include "txn/unfinished.h"

static int destroy_remove(struct destroy *d, const char *path)
{
	int error = remove_file(path);

	return error ? message_errno(d->message, error, "%s: cannot be removed", path) : 0;
}

static int destroy_part(struct destroy *d, struct destroy_part *part)
{
	int error = destroy_wipe(d, part);

	return error || !part->remove ? error : destroy_remove(d, part->path);
}

static int destroy_media(struct destroy *d)
{
	uint32_t log;
	/* first what would be people's mail to whoever gets the NVRAM next */
	int error = destroy_part(d, &d->marker);

	if (!error && d->abandoned.path)
		error = destroy_part(d, &d->abandoned);
	for (log = 0; log < d->conf.log_count && !error; log++)
		error = destroy_part(d, &d->logs[log]);
	for (log = 0; log < d->conf.log_count && !error; log++)
		if (d->mirrors[log].path)
			error = destroy_part(d, &d->mirrors[log]);
	return error;
}

/* Memory that processes shared has payload, and stays when all of them were killed. */
static void destroy_shared(struct destroy *d, int lock)
{
	struct message ignored = { "" };
	struct shared_file file;
	uint64_t bytes;

	if (shared_file_find(d->dir, false, &file, &bytes, &ignored))
		return;
	shared_file_remove(d->dir, lock, &file);
	shared_file_close(&file);
}

/* The members' lock files, by their numbers; the directory, if it is empty then. */
static int destroy_peers(struct destroy *d)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;
	int error = conf_path(d->dir, PEERS_DIR, path, d->message);

	if (error)
		return error;
	directory = opendir(path);
	if (!directory)
		return errno == ENOENT ? 0 : message_errno(d->message, -errno, "%s", path);
	while ((entry = readdir(directory)))
		if (!entry->d_name[strspn(entry->d_name, "0123456789")])
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
	(void)rmdir(path);
	return 0;
}

/* What who was killed while he replaced journal.conf, or all of it, has left. */
static void destroy_unfinished(struct destroy *d)
{
	static const char prefix[] = CONF_NAME ".new", resized[] = CONF_NAME CONF_RESIZED;
	DIR *directory = opendir(d->dir);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (!strncmp(entry->d_name, prefix, sizeof(prefix) - 1) ||
		    !strcmp(entry->d_name, resized))
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	unfinished_remove(d->dir, &d->conf);
}

/* On the way back to NVRAM; and by a rescue. */
static void destroy_returned(struct destroy *d)
{
	char path[PATH_MAX];

	return_left_remove(strchr(d->conf.marker, ':') + 1);
	if (!strncmp(d->conf.marker, "file:", 5))
		rescue_forget(strchr(d->conf.marker, ':') + 1);
	if (d->conf.return_to[0])
		return_left_remove(strchr(d->conf.return_to, ':') + 1);
	if (!conf_path(d->dir, CONF_NAME, path, d->message))
		return_left_remove(path);
}

static int destroy_files(struct destroy *d, int lock)
{
	static const char *const names[] = { "index", "stand-in", CONF_NAME, "lock" };
	char path[PATH_MAX];
	uint32_t log;
	size_t i;
	int error = destroy_peers(d);

	if (!error)
		destroy_shared(d, lock);
	if (!error) {
		destroy_unfinished(d);
		destroy_returned(d);
	}
	for (log = 0; log < d->conf.log_count && !error; log++)
		error = left_forget(d->dir, d->conf.uuid, log, 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]) && !error; i++) {
		error = conf_path(d->dir, names[i], path, d->message);
		if (!error)
			error = destroy_remove(d, path);
	}
	/* what others have put there keeps it */
	if (!error && !rmdir(d->dir))
		(void)remove_sync_above(d->dir);
	else if (!error && errno != ENOTEMPTY && errno != EEXIST)
		(void)message_errno(d->message, -errno, "%s: what was in it is gone, and it cannot "
				    "be removed itself", d->dir);
	return error;
}

static void destroy_close(struct destroy *d)
{
	uint32_t log;

	if (d->marker.marker)
		marker_store_close(d->marker.marker);
	if (d->abandoned.marker)
		marker_store_close(d->abandoned.marker);
	for (log = 0; log < d->conf.log_count; log++) {
		log_store_close(d->logs[log].log);
		log_store_close(d->mirrors[log].log);
	}
}

static int destroy_unused(struct destroy *d)
{
	int pid = entry_holder(d->dir);

	return pid ? message_set(d->message, -EBUSY, "%s: in use by pid %d", d->dir, pid) : 0;
}

static int destroy_locked(struct destroy *d, int lock)
{
	int error = destroy_look(d);

	if (!error && !d->options->dry_run)
		error = destroy_media(d);
	destroy_close(d);
	if (!error && !d->options->dry_run)
		error = destroy_files(d, lock);
	return error;
}

static int destroy_journal(struct destroy *d, const char *dir)
{
	int error, lock = -1;

	if (!realpath(dir, d->dir))
		return message_errno(d->message, -errno, "%s", dir);
	/* before the lock, which would be made where there is none */
	error = conf_read(d->dir, &d->conf, d->message);
	if (!error)
		error = d->options->dry_run ? destroy_unused(d) :
					      entry_exclusive(d->dir, 0600, &lock, d->message);
	/* again: it may be another by now */
	if (!error)
		error = conf_read(d->dir, &d->conf, d->message);
	if (!error && lock >= 0 && !entry_is_there(d->dir, lock))
		error = message_set(d->message, -ESTALE, "%s: was removed meanwhile, and another "
				    "journal made there: it is not destroyed", dir);
	if (!error)
		error = destroy_locked(d, lock);
	if (lock >= 0)
		entry_end(lock);
	return error;
}

int journal_destroy(const char *dir, const struct journal_destroy_options *options,
		    char *message, size_t message_bytes)
{
	static const struct journal_destroy_options defaults;
	struct message text = { "" };
	struct destroy *d = calloc(1, sizeof(*d));
	int error;

	if (message && message_bytes)
		(void)snprintf(message, message_bytes, "%s: no memory", dir);
	if (!d)
		return -ENOMEM;
	d->options = options ? options : &defaults;
	d->message = &text;
	error = destroy_journal(d, dir);
	free(d);
	if (message && message_bytes)
		(void)snprintf(message, message_bytes, "%s", text.text);
	return error;
}
