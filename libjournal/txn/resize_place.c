/* SPDX-License-Identifier: BSD-3-Clause */
/* Where another log is to be, and whether it can be there: looked at before the first
 * step of a resize, so that what is refused has changed nothing. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/evidence.h"
#include "txn/logs.h"
#include "txn/media.h"
#include "txn/remove.h"
#include "txn/resize.h"
#include "txn/same_place.h"

/* Also under another name.  Without this, who gives a command again, with --force, would
 * write over what he has added. */
static int place_is_new(struct resize *r, const char *path)
{
	const char *leg;
	uint32_t i;

	for (i = 0; i < 2 * r->conf.log_count; i++) {
		leg = i % 2 ? r->conf.mirrors[i / 2] : r->conf.logs[i / 2];
		if (leg[0] && same_place(leg, path, NULL))
			return journal_say(r->j, -EBUSY, "%s: is a log of this journal already",
					   path);
	}
	return 0;
}

int resize_name(struct resize *r, uint32_t log, struct resize_place *place, const char *suffix)
{
	const char *path = place->given;
	char real[PATH_MAX], uuid[37];
	struct stat st;
	int used, error;

	if (!realpath(path, real) || stat(real, &st))
		return message_errno(journal_message(r->j), -errno, "%s", path);
	place->device = S_ISBLK(st.st_mode);
	if (!place->device && !S_ISDIR(st.st_mode))
		return journal_say(r->j, -EINVAL, "%s: a log is a directory or a block device",
				   path);
	error = place->device ? place_is_new(r, path) : 0;
	if (error)
		return error;
	uuid_print(r->j->conf.uuid, uuid);
	used = place->device ? snprintf(place->path, PATH_MAX, "%s", real) :
			       snprintf(place->path, PATH_MAX, "%s/journal-%s-%u%s.log", real,
					uuid, log + 1, suffix);
	return used < PATH_MAX ? 0 : journal_say(r->j, -ENAMETOOLONG, "%s: path too long", path);
}

/* The name has our uuid: what an attempt made that was killed is zeros, or has our
 * superblock.  Anything else somebody else has put there. */
bool resize_is_left(const struct resize *r, const char *path)
{
	uint8_t start[4096];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool zeros;

	if (fd < 0)
		return false;
	memset(start, 0, sizeof(start));
	zeros = !fstat(fd, &st) && S_ISREG(st.st_mode) &&
		pread(fd, start, sizeof(start), 0) >= 0 && !start[0] &&
		!memcmp(start, start + 1, sizeof(start) - 1);
	close(fd);
	return zeros || remove_is_log(path, r->j->conf.uuid);
}

/* ---- before the first step ------------------------------------------------------------ */

/* What the directory, or device, is on says what a log there would survive. */
static int look_class(struct resize *r, const char *path)
{
	struct message *message = journal_message(r->j);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error;
	struct evidence evidence;
	enum journal_class class;

	if (fd < 0)
		return message_errno(message, -errno, "%s", path);
	error = evidence_read(fd, &evidence);
	close(fd);
	if (error)
		return evidence_none(path, error, message);
	return media_class(path, evidence.class, evidence.text, r->j->conf.assume_log,
			   r->j->conf.require, &class, message);
}

/* A second log beside one that stays would only be in its way. */
static int look_beside(struct resize *r, const char *given)
{
	char above[PATH_MAX];
	uint32_t log;

	for (log = 0; log < r->conf.log_count; log++) {
		(void)snprintf(above, sizeof(above), "%s", r->conf.logs[log]);
		if (r->logs >> log & 1 && conf_has_log(&r->conf, log) &&
		    same_place(dirname(above), given, NULL))
			return journal_say(r->j, -EBUSY, "%s: a log of this journal is there "
					   "already", given);
	}
	return 0;
}

static int look_place(struct resize *r, uint32_t log, const char *given, const char *suffix)
{
	char path[PATH_MAX];
	struct resize_place place = { .given = given, .path = path };
	int error = resize_name(r, log, &place, suffix);

	if (!error && !*suffix)
		error = look_beside(r, given);
	if (error)
		return error;
	if (access(given, place.device ? R_OK | W_OK : W_OK | X_OK))
		return message_errno(journal_message(r->j), -errno, "%s", given);
	/* content of a device is looked at by who opens it, with it alone */
	if (!place.device && !r->options->force && !access(path, F_OK) &&
	    !resize_is_left(r, path))
		return message_errno(journal_message(r->j), -EEXIST, "%s", path);
	return look_class(r, given);
}

static const char *look_mirror(const struct resize *r, size_t i)
{
	return r->options->add_mirrors ? r->options->add_mirrors[i] : NULL;
}

/* Two logs at one place, of those that come; and a mirror beside its log. */
static int look_twice(struct resize *r, size_t log)
{
	const char *path = r->options->add[log], *mirror = look_mirror(r, log);
	const char *const all[] = { path, mirror };
	bool device = false;
	size_t i, leg;

	for (i = 0; i < log; i++)
		if (same_place(r->options->add[i], path, NULL))
			return journal_say(r->j, -EINVAL, "%s: two logs cannot be at one place",
					   path);
	if (mirror && same_place(path, mirror, NULL))
		return journal_say(r->j, -EINVAL, "%s: a log cannot be its own mirror, nor beside "
				   "it", mirror);
	for (i = 0; i < 2 * log; i++)
		for (leg = 0; leg < 2; leg++) {
			const char *one = i % 2 ? look_mirror(r, i / 2) : r->options->add[i / 2];

			if (one && all[leg] && same_place(one, all[leg], &device) && device)
				return journal_say(r->j, -EINVAL, "%s: two logs cannot be on one "
						   "device", all[leg]);
		}
	return 0;
}

int resize_look(struct resize *r)
{
	uint32_t log = (uint32_t)max_u64(r->conf.log_count, logs_end(r->j));
	size_t i;
	int error = 0;

	for (i = 0; i < r->options->add_count && !error; i++) {
		error = look_place(r, log + (uint32_t)i, r->options->add[i], "");
		if (!error && look_mirror(r, i))
			error = look_place(r, log + (uint32_t)i, look_mirror(r, i), "-mirror");
		if (!error)
			error = look_twice(r, i);
	}
	return error;
}
