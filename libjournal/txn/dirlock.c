/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/dirlock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "txn/conf.h"

#define LOCK_NAME "lock"
#define PID_TRIES 50

static int dirlock_pid(int fd)
{
	char text[32] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : 0;
}

static bool dirlock_is_gone(int pid)
{
	return pid <= 0 || (kill(pid, 0) && errno == ESRCH);
}

static int dirlock_busy(const char *dir, int fd, struct message *message)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	int i, pid = dirlock_pid(fd);

	/* who has just taken the lock has yet to write its pid over the one before */
	for (i = 0; i < PID_TRIES && dirlock_is_gone(pid); i++) {
		nanosleep(&moment, NULL);
		pid = dirlock_pid(fd);
	}
	if (dirlock_is_gone(pid))
		return message_set(message, -EBUSY, "%s: in use by pid %d, which is gone, but a "
				   "child of it holds the journal open", dir, pid);
	return message_set(message, -EBUSY, "%s: in use by pid %d", dir, pid);
}

static int dirlock_write_pid(int fd)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)length, 0) != length)
		return -errno;
	return 0;
}

int dirlock_take(const char *dir, unsigned int mode, int *out, struct message *message)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX];
	int fd, error = conf_path(dir, LOCK_NAME, path, message);

	if (error)
		return error;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return message_errno(message, -errno, "%s", path);
	if (fcntl(fd, F_OFD_SETLK, &lock))
		error = errno == EAGAIN || errno == EACCES ?
				dirlock_busy(dir, fd, message) :
				message_errno(message, -errno, "%s: lock", path);
	else if (dirlock_write_pid(fd))
		error = message_errno(message, -EIO, "%s", path);
	if (error) {
		close(fd);
		return error;
	}
	*out = fd;
	return 0;
}

int dirlock_holder(const char *dir)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX];
	int fd, pid = 0;

	if (conf_path(dir, LOCK_NAME, path, NULL))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	if (!fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK)
		pid = dirlock_pid(fd);
	close(fd);
	return pid;
}
