/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "txn/clock.h"
#include "txn/conf.h"
#include "util/in_place.h"

#define LOCK_NAME  "lock"
#define LOCK_CHARS 512
#define PID_TRIES  50
#define WAIT_NS    30000000000ull
#define MOMENT_NS  200000
#define LEAVE_TRIES 500 /* a tenth of a second */

enum entry_byte { ARBITER, PRESENT, MEMBER, ALONE, CONF };

/* F_RDLCK, F_WRLCK or F_UNLCK; Return: 0 or negative errno, -EAGAIN denied */
static int entry_lock(int fd, enum entry_byte byte, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	/* interrupted: as one that is denied, it is tried again */
	return errno == EACCES || errno == EINTR ? -EAGAIN : -errno;
}

/* whether somebody else's lock on it is in the way of one of @type */
static bool entry_locked(int fd, enum entry_byte byte, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

/* ---- pids ----------------------------------------------------------------- */

static int entry_pid(int fd)
{
	char text[32] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : 0;
}

static bool entry_is_gone(int pid)
{
	return pid <= 0 || (kill(pid, 0) && errno == ESRCH);
}

static int entry_busy(const char *dir, int fd, const char *why, struct message *message)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	int i, pid = entry_pid(fd);

	/* who has just taken the lock has yet to write its pid over the one before */
	for (i = 0; i < PID_TRIES && entry_is_gone(pid); i++) {
		nanosleep(&moment, NULL);
		pid = entry_pid(fd);
	}
	if (entry_is_gone(pid))
		return message_set(message, -EBUSY, "%s: in use by pid %d, which is gone, but a "
				   "child of it or others hold the journal open%s", dir, pid, why);
	return message_set(message, -EBUSY, "%s: in use by pid %d%s", dir, pid, why);
}

/* Written before it is cut: on a disk that is full by now, it needs no block that it has
 * just given back. */
static int entry_write(int fd, const char *why)
{
	char text[LOCK_CHARS];
	int length = snprintf(text, sizeof(text), "%d\n%.*s%s", (int)getpid(),
			      (int)sizeof(text) - 32, why, *why ? "\n" : "");
	ssize_t wrote = pwrite(fd, text, (size_t)length, 0);

	/* a short one has no reason: the rest of it has */
	if (wrote >= 0 && wrote < length)
		wrote = pwrite(fd, text + wrote, (size_t)(length - wrote), wrote) < 0 ? -1 : wrote;
	return wrote < 0 || ftruncate(fd, length) ? -errno : 0;
}

/* ---- coming ---------------------------------------------------------------- */

static int entry_open(const char *dir, unsigned int mode, int *fd, struct message *message)
{
	char path[PATH_MAX];
	struct stat st;
	int error = conf_path(dir, LOCK_NAME, path, message);

	if (error)
		return error;
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);
	if (*fd < 0)
		return message_errno(message, -errno, "%s", path);
	error = fstat(*fd, &st) ? -errno : 0;
	if (!error && S_ISREG(st.st_mode)) {
		if (!st.st_size)
			in_place_ask(*fd);
		return 0;
	}
	close(*fd);
	return error ? message_errno(message, error, "%s", path) :
		       message_set(message, -EUCLEAN, "%s: is no file", path);
}

/* Return: 0 it is, -ESTALE it is not, or why that is not known. */
static int entry_at(int directory, const char *path, int fd)
{
	struct stat there, own;

	if (fstatat(directory, path, &there, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT || errno == ENOTDIR ? -ESTALE : -errno;
	if (fstat(fd, &own))
		return -errno;
	return there.st_dev == own.st_dev && there.st_ino == own.st_ino ? 0 : -ESTALE;
}

/* Between open and lock the journal may have been destroyed: then what is locked is no
 * file any more, and whoever makes the next journal there locks another. */
int entry_there(const char *dir, int fd)
{
	char path[PATH_MAX];
	int error = conf_path(dir, LOCK_NAME, path, NULL);

	return error ? error : entry_at(AT_FDCWD, path, fd);
}

bool entry_is_there(const char *dir, int fd)
{
	return !entry_there(dir, fd);
}

int entry_directory(const char *dir, int fd)
{
	int error, directory = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ESTALE : -errno;
	error = entry_at(directory, LOCK_NAME, fd);
	if (!error)
		return directory;
	close(directory);
	return error;
}

int entry_not_there(const char *dir, int error, struct message *message)
{
	if (!error || error == -ESTALE)
		return error ? entry_stale(dir, message) : 0;
	return message_errno(message, error, "%s/%s", dir, LOCK_NAME);
}

int entry_stale(const char *dir, struct message *message)
{
	return message_set(message, -ESTALE, "%s: was removed, or is another journal's by now",
			   dir);
}

/* Somebody is a member, and none can leave as the last while we hold PRESENT.
 * Return: 0, -EAGAIN not so, or why there are no locks. */
static int entry_join(int fd)
{
	int error = entry_lock(fd, PRESENT, F_RDLCK);

	if (error)
		return error;
	if (entry_locked(fd, MEMBER, F_WRLCK))
		return 0;
	(void)entry_lock(fd, PRESENT, F_UNLCK);
	return -EAGAIN;
}

/* Nobody is there: neither a member, nor one who comes.  Return: as entry_join() */
static int entry_first(int fd)
{
	int error = entry_lock(fd, ARBITER, F_WRLCK);

	if (error)
		return error;
	error = entry_lock(fd, PRESENT, F_WRLCK);
	if (!error) {
		/* a fork's child may hold this one alone: it is no member */
		if (!entry_locked(fd, MEMBER, F_WRLCK))
			return 0;
		(void)entry_lock(fd, PRESENT, F_UNLCK);
		error = -EAGAIN;
	}
	(void)entry_lock(fd, ARBITER, F_UNLCK);
	return error;
}

static int entry_wait(int fd, enum entry_role *role)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	uint64_t end = clock_monotonic_ns() + WAIT_NS;
	int error;

	for (;;) {
		if (entry_locked(fd, ALONE, F_WRLCK))
			return -EBUSY;
		*role = ENTRY_JOINS;
		error = entry_join(fd);
		if (error != -EAGAIN)
			return error;
		*role = ENTRY_FIRST;
		error = entry_first(fd);
		if (error != -EAGAIN)
			return error;
		if (clock_monotonic_ns() > end)
			return -ETIMEDOUT;
		nanosleep(&moment, NULL);
	}
}

int entry_come(const char *dir, unsigned int mode, int *out, enum entry_role *role,
	       struct message *message)
{
	int fd, error = entry_open(dir, mode, &fd, message);

	if (error)
		return error;
	error = entry_wait(fd, role);
	if (error == -EBUSY)
		error = entry_busy(dir, fd, "", message);
	else if (error == -ETIMEDOUT)
		error = entry_busy(dir, fd, ", which opens or closes it and does not get done",
				   message);
	else if (error)
		error = message_errno(message, error, "%s/%s: lock", dir, LOCK_NAME);
	else if ((error = entry_there(dir, fd)) == -ESTALE)
		error = message_set(message, -ESTALE, "%s: destroyed while it was being opened",
				    dir);
	else if (error)
		error = message_errno(message, error, "%s/%s", dir, LOCK_NAME);
	else if (*role == ENTRY_FIRST && (error = entry_write(fd, "")))
		error = message_errno(message, error, "%s/%s", dir, LOCK_NAME);
	if (error) {
		entry_end(fd);
		return error;
	}
	*out = fd;
	return 0;
}

void entry_again(int *fd)
{
	entry_end(*fd);
	*fd = -1;
}

int entry_ready(int fd)
{
	int error = entry_lock(fd, MEMBER, F_RDLCK);

	if (!error)
		error = entry_lock(fd, PRESENT, F_RDLCK);
	if (!error)
		error = entry_lock(fd, ARBITER, F_UNLCK);
	return error;
}

int entry_alone(int fd, const char *why)
{
	/* before the lock: who sees that looks for the reason */
	int error = entry_write(fd, why);

	if (!error)
		error = entry_lock(fd, ALONE, F_WRLCK);

	return error ? error : entry_lock(fd, ARBITER, F_UNLCK);
}

/* ---- leaving ---------------------------------------------------------------- */

/* One after the other, or of two who leave together none would be the last.  But
 * not behind one who is stopped in it: then the next to open recovers. */
static void entry_arbiter(int fd)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	int i;

	for (i = 0; i < LEAVE_TRIES && entry_lock(fd, ARBITER, F_WRLCK) == -EAGAIN; i++)
		nanosleep(&moment, NULL);
}

bool entry_leave(int fd)
{
	entry_arbiter(fd);
	if (!entry_lock(fd, PRESENT, F_WRLCK))
		return true;
	(void)entry_lock(fd, MEMBER, F_UNLCK);
	(void)entry_lock(fd, PRESENT, F_UNLCK);
	(void)entry_lock(fd, ARBITER, F_UNLCK);
	return false;
}

bool entry_conf(int fd)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	int i, error = 0;

	for (i = 0; i < LEAVE_TRIES && (error = entry_lock(fd, CONF, F_WRLCK)) == -EAGAIN; i++)
		nanosleep(&moment, NULL);
	return !error;
}

void entry_conf_done(int fd)
{
	(void)entry_lock(fd, CONF, F_UNLCK);
}

void entry_end(int fd)
{
	(void)entry_lock(fd, MEMBER, F_UNLCK);
	(void)entry_lock(fd, ALONE, F_UNLCK);
	(void)entry_lock(fd, PRESENT, F_UNLCK);
	(void)entry_lock(fd, ARBITER, F_UNLCK);
	close(fd);
}

/* ---- others ------------------------------------------------------------------ */

static int entry_exclusive_try(const char *dir, unsigned int mode, int *out,
			       struct message *message)
{
	int fd, error = entry_open(dir, mode, &fd, message);

	if (error)
		return error;
	error = entry_lock(fd, ARBITER, F_WRLCK);
	if (!error)
		error = entry_lock(fd, PRESENT, F_WRLCK);
	if (error == -EAGAIN)
		error = entry_busy(dir, fd, "", message);
	else if (error)
		error = message_errno(message, error, "%s/%s: lock", dir, LOCK_NAME);
	else if (!entry_is_there(dir, fd))
		error = -ESTALE;
	else if ((error = entry_alone(fd, "format or destroy")))
		error = message_errno(message, error, "%s/%s", dir, LOCK_NAME);
	if (error) {
		entry_end(fd);
		return error;
	}
	*out = fd;
	return 0;
}

int entry_exclusive(const char *dir, unsigned int mode, int *fd, struct message *message)
{
	int error;

	do
		error = entry_exclusive_try(dir, mode, fd, message);
	while (error == -ESTALE);
	return error;
}

/* DIR/lock, to look at; negative: there is none */
static int entry_look(const char *dir)
{
	char path[PATH_MAX];

	if (conf_path(dir, LOCK_NAME, path, NULL))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

int entry_holder(const char *dir)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	int i, pid = 0, fd = entry_look(dir);
	bool locked;

	if (fd < 0)
		return 0;
	/* somebody has it; who has just taken it has yet to write its pid */
	for (i = 0; (locked = entry_locked(fd, PRESENT, F_WRLCK)) && i < PID_TRIES; i++) {
		pid = entry_pid(fd);
		if (pid > 0)
			break;
		nanosleep(&moment, NULL);
	}
	close(fd);
	return !locked ? 0 : pid > 0 ? pid : ENTRY_PID_UNKNOWN;
}

void entry_why_alone(const char *dir, char *why, size_t bytes)
{
	char text[LOCK_CHARS] = "", *line = NULL;
	int fd = entry_look(dir);

	if (fd >= 0 && entry_locked(fd, ALONE, F_WRLCK) &&
	    pread(fd, text, sizeof(text) - 1, 0) > 0)
		line = strchr(text, '\n');
	if (fd >= 0)
		close(fd);
	if (line)
		line[1 + strcspn(line + 1, "\n")] = '\0';
	(void)snprintf(why, bytes, "%s", line ? line + 1 : "");
}
