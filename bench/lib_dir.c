/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/evidence.h"
#include "util/math.h"

#define FILL_BYTES (1u << 20)

int dir_make(const char *path)
{
	char part[4096];
	size_t i, length = strlen(path);

	if (length >= sizeof(part))
		return -ENAMETOOLONG;
	for (i = 1; i <= length; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

void dir_remove(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int fill(int fd, uint64_t bytes)
{
	void *zeros = calloc(1, FILL_BYTES);
	uint64_t done = 0;
	int result = zeros ? 0 : -ENOMEM;

	while (!result && done < bytes) {
		ssize_t wrote = pwrite(fd, zeros, min_u64(FILL_BYTES, bytes - done),
				       (off_t)done);

		if (wrote < 0)
			result = -errno;
		else
			done += (uint64_t)wrote;
	}
	if (!result && fsync(fd))
		result = -errno;
	free(zeros);
	return result;
}

int file_zero_filled(const char *path, uint64_t bytes, int flags)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int result;

	if (fd < 0)
		return -errno;
	result = fill(fd, bytes);
	(void)close(fd);
	if (result)
		return result;
	fd = open(path, O_RDWR | O_CLOEXEC | flags);
	return fd < 0 ? -errno : fd;
}

uint32_t file_block_bytes(int fd)
{
	struct evidence evidence;

	if (evidence_read(fd, &evidence) || !evidence.physical_sector_bytes)
		return 4096;
	return (uint32_t)max_u64(512, evidence.physical_sector_bytes);
}

void path_join(char *path, size_t bytes, const char *dir, const char *name)
{
	(void)snprintf(path, bytes, "%s/%s", dir, name);
}
