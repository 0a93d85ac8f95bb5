/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/shared_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "txn/conf.h"
#include "txn/entry.h"

#define SHARED_DIR  "/dev/shm"
#define INDEX_NAME  "index"
#define BOOT_FILE   "/proc/sys/kernel/random/boot_id"
#define BOOT_CHARS  64u
#define INDEX_CHARS 512u

/* ---- the file in memory ---------------------------------------------------- */

/* Who may write the journal may share it, and nobody else. */
static int shared_file_permit(int fd, int lock_fd)
{
	struct stat lock, own;

	if (fstat(lock_fd, &lock) || fstat(fd, &own))
		return -errno;
	if (own.st_gid != lock.st_gid && fchown(fd, (uid_t)-1, lock.st_gid))
		return -errno;
	return fchmod(fd, lock.st_mode & 0660) ? -errno : 0;
}

/* It is sparse, and large all the same: over the limit, SIGXFSZ would end the process. */
static bool shared_file_is_over(uint64_t bytes)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY &&
	       bytes > limit.rlim_cur;
}

static int shared_file_size(int fd, int lock_fd, uint64_t bytes)
{
	int error = shared_file_permit(fd, lock_fd);

	if (!error && shared_file_is_over(bytes))
		return -EFBIG;
	if (!error && ftruncate(fd, (off_t)bytes))
		error = -errno;
	return error;
}

int shared_file_make(int lock_fd, uint64_t bytes, struct shared_file *file,
		     struct message *message)
{
	uint64_t name[2];
	int error = 0;

	file->fd = -1;
	if (getrandom(name, sizeof(name), 0) != sizeof(name))
		return message_errno(message, -errno, "no random numbers");
	(void)snprintf(file->path, sizeof(file->path), SHARED_DIR "/libjournal-%016" PRIx64
		       "%016" PRIx64, name[0], name[1]);
	file->fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file->fd < 0)
		return message_errno(message, -errno, SHARED_DIR);
	error = shared_file_size(file->fd, lock_fd, bytes);
	if (!error)
		return 0;
	(void)unlink(file->path);
	shared_file_close(file);
	if (error == -EFBIG)
		return message_set(message, error, "%s: %" PRIu64 " bytes are over a limit of this "
				   "process (ulimit -f)", file->path, bytes);
	return message_errno(message, error, "%s", file->path);
}

int shared_file_allocate(const struct shared_file *file, uint64_t from, uint64_t to)
{
	if (file->fd < 0 || from >= to)
		return 0;
	while (fallocate(file->fd, 0, (off_t)from, (off_t)(to - from)))
		if (errno != EINTR)
			return -errno;
	return 0;
}

void shared_file_close(struct shared_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

/* ---- DIR/index --------------------------------------------------------------- */

/* "" where it is not to be had: then a reboot is known by the file's absence.  That is for
 * all alike; a failure of ours is not, and what we announced then nobody could join. */
static int boot_read(char boot[BOOT_CHARS])
{
	int error = 0, fd = open(BOOT_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t got = 0;

	boot[0] = '\0';
	if (fd < 0)
		return errno == ENOENT || errno == EACCES || errno == EPERM ? 0 : -errno;
	got = read(fd, boot, BOOT_CHARS - 1);
	if (got < 0)
		error = -errno;
	close(fd);
	boot[got > 0 ? got : 0] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	return error;
}

static int index_text(const struct shared_file *file, char text[INDEX_CHARS])
{
	char boot[BOOT_CHARS];
	struct stat st;
	int error = fstat(file->fd, &st) ? -errno : boot_read(boot);

	if (error)
		return error;
	return snprintf(text, INDEX_CHARS, "boot=%s\nfile=%s\ndevice=%ju\ninode=%ju\n", boot,
			file->path, (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
}

static int index_write(int directory, int lock_fd, const struct shared_file *file)
{
	char text[INDEX_CHARS];
	int fd, error, length = index_text(file, text);
	ssize_t written;

	/* one that is there may be of a user with whom we only share a group */
	if (unlinkat(directory, INDEX_NAME, 0) && errno != ENOENT)
		return -errno;
	fd = openat(directory, INDEX_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return -errno;
	error = length < 0 ? length : shared_file_permit(fd, lock_fd);
	if (!error) {
		written = write(fd, text, (size_t)length);
		if (written != length)
			error = written < 0 ? -errno : -ENOSPC;
	}
	close(fd);
	return error;
}

/* DIR may have been removed, and another journal be in its place, with members: that one's
 * index is let alone, however long it takes from here. */
int shared_file_announce(const char *dir, int lock_fd, const struct shared_file *file,
			 struct message *message)
{
	int error, directory = entry_directory(dir, lock_fd);

	if (directory == -ESTALE)
		return message_set(message, -ESTALE, "%s: removed while it was being opened", dir);
	error = directory < 0 ? directory : index_write(directory, lock_fd, file);
	if (directory >= 0)
		close(directory);
	return error ? message_errno(message, error, "%s/%s", dir, INDEX_NAME) : 0;
}

static int index_read(const char *dir, char text[INDEX_CHARS], struct message *message)
{
	char path[PATH_MAX];
	ssize_t got;
	int fd, error = conf_path(dir, INDEX_NAME, path, message);

	if (error)
		return error;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return message_errno(message, errno == ENOENT ? -ESTALE : -errno, "%s", path);
	got = read(fd, text, INDEX_CHARS - 1);
	if (got < 0)
		error = message_errno(message, -errno, "%s", path);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	return error;
}

static int index_file(const char *text, struct shared_file *file)
{
	const char *at = strstr(text, "\nfile=" SHARED_DIR "/libjournal-");
	size_t length = at ? strcspn(at + 6, "\n") : 0;

	if (!length || length >= sizeof(file->path))
		return -EUCLEAN;
	memcpy(file->path, at + 6, length);
	file->path[length] = '\0';
	return strchr(file->path + sizeof(SHARED_DIR), '/') ? -EUCLEAN : 0;
}

/* The very file that was announced, in the same boot: or another /dev/shm hides it. */
static int index_same(const char *text, const struct shared_file *file)
{
	char found[INDEX_CHARS];
	int length = index_text(file, found);

	return length < 0 ? length : strcmp(text, found) ? -ESTALE : 0;
}

int shared_file_find(const char *dir, bool read_only, struct shared_file *file,
		     uint64_t *bytes, struct message *message)
{
	char text[INDEX_CHARS];
	struct stat st;
	int error = index_read(dir, text, message);

	file->fd = -1;
	if (error)
		return error;
	if (index_file(text, file))
		return message_set(message, -ESTALE, "%s/%s: does not make sense", dir, INDEX_NAME);
	file->fd = open(file->path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW);
	if (file->fd < 0)
		return message_errno(message, errno == ENOENT ? -ESTALE : -errno, "%s", file->path);
	error = index_same(text, file);
	if (!error && fstat(file->fd, &st))
		error = -errno;
	if (error) {
		shared_file_close(file);
		if (error != -ESTALE)
			return message_errno(message, error, "%s", file->path);
		return message_set(message, error, "%s: is not the file that %s/%s means",
				   file->path, dir, INDEX_NAME);
	}
	*bytes = (uint64_t)st.st_size;
	return 0;
}

void shared_file_remove(const char *dir, int lock_fd, const struct shared_file *file)
{
	int directory;

	/* killed in between, the index is stale: the other way round the file would stay */
	(void)unlink(file->path);
	directory = entry_directory(dir, lock_fd);
	if (directory < 0)
		return;
	(void)unlinkat(directory, INDEX_NAME, 0);
	close(directory);
}
