/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/nvme_device.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

bool nvme_device_is(const char *directory)
{
	char path[PATH_MAX], link[PATH_MAX];
	const char *slash;
	ssize_t bytes;

	/* "nvme" is a controller; "nvme-subsystem" has several, for one namespace */
	if (snprintf(path, sizeof(path), "%s/device/subsystem", directory) >= (int)sizeof(path))
		return false;
	bytes = readlink(path, link, sizeof(link) - 1);
	if (bytes < 0)
		return false;
	link[bytes] = '\0';
	slash = strrchr(link, '/');
	slash = slash ? slash + 1 : link;
	return !strcmp(slash, "nvme") || !strcmp(slash, "nvme-subsystem");
}

static int device_number(const char *directory, dev_t *number)
{
	unsigned int major = 0, minor = 0;
	char path[PATH_MAX];
	FILE *file;
	int read;

	if (snprintf(path, sizeof(path), "%s/dev", directory) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	file = fopen(path, "re");
	if (!file)
		return -errno;
	read = fscanf(file, "%u:%u", &major, &minor);
	(void)fclose(file);
	*number = makedev(major, minor);
	return read == 2 ? 0 : -ENODEV;
}

int nvme_device_open(const char *directory)
{
	const char *name = strrchr(directory, '/') + 1;
	char path[PATH_MAX];
	struct stat status;
	dev_t number = 0;
	int fd, error = device_number(directory, &number);

	if (error)
		return error;
	if (snprintf(path, sizeof(path), "/dev/%s", name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* another disk's answer would be worse than none */
	if (!fstat(fd, &status) && S_ISBLK(status.st_mode) && status.st_rdev == number)
		return fd;
	(void)close(fd);
	return -ENODEV;
}
