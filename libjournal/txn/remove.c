/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/leg.h"
#include "format/log.h"

_Static_assert(offsetof(struct leg_super, uuid) == offsetof(struct log_super, uuid) &&
	       LEG_SUPER_BYTES == LOG_SUPER_BYTES && LEG_SUPERS == LOG_SUPERS, "alike");

bool remove_is_log(const char *path, const uint8_t uuid[16])
{
	struct log_super super;
	struct stat st;
	/* not blocking: a FIFO that took its name is no log, and has no writer */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool is = false;
	int copy;

	if (fd < 0)
		return false;
	for (copy = 0; copy < (int)LOG_SUPERS && !is; copy++)
		is = !fstat(fd, &st) && S_ISREG(st.st_mode) &&
		     pread(fd, &super, sizeof(super), copy * (off_t)LOG_SUPER_BYTES) ==
			     (ssize_t)sizeof(super) &&
		     (!memcmp(super.magic, LOG_MAGIC, sizeof(super.magic)) ||
		      !memcmp(super.magic, LEG_MAGIC, sizeof(super.magic))) &&
		     !memcmp(super.uuid, uuid, sizeof(super.uuid));
	close(fd);
	return is;
}

int remove_sync_above(const char *path)
{
	char copy[PATH_MAX];
	int error, fd;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return -ENAMETOOLONG;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = fsync(fd) ? -errno : 0;
	close(fd);
	return error;
}

int remove_file(const char *path)
{
	if (unlink(path))
		return errno == ENOENT ? 0 : -errno;
	return remove_sync_above(path);
}

void remove_beside(const char *path, bool (*is)(const char *name, const char *of))
{
	char above[PATH_MAX], name[PATH_MAX];
	const struct dirent *entry;
	DIR *directory;

	if (snprintf(above, sizeof(above), "%s", path) >= (int)sizeof(above))
		return;
	memcpy(name, above, sizeof(name));
	directory = opendir(dirname(above));
	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (is(entry->d_name, basename(name)))
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
}
