/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/left.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "txn/remove.h"

#define LEGS 2u

static int left_path(const char *dir, const uint8_t uuid[16], uint32_t log, uint32_t leg,
		     char path[PATH_MAX])
{
	char text[37];

	uuid_print(uuid, text);
	return snprintf(path, PATH_MAX, "%s/left-%s-%u-%u", dir, text, log + 1, leg) < PATH_MAX ?
		       0 : -ENAMETOOLONG;
}

int left_find(const char *dir, const uint8_t uuid[16], uint32_t log, uint32_t *left)
{
	char path[PATH_MAX];
	struct stat st;
	uint32_t leg;
	int error;

	*left = 0;
	for (leg = 1; leg <= LEGS; leg++) {
		error = left_path(dir, uuid, log, leg, path);
		if (error)
			return error;
		if (!lstat(path, &st))
			*left += leg;
		else if (errno != ENOENT)
			return -errno;
	}
	if (*left > LEGS)
		*left = 0;
	return 0;
}

int left_say(const char *dir, const uint8_t uuid[16], uint32_t log, uint32_t left)
{
	char path[PATH_MAX];
	int fd, error = left_path(dir, uuid, log, left, path);

	if (error)
		return error;
	fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	/* one that is there already may be another's, who may not have given it to us */
	if (fd < 0 && errno != EACCES)
		return -errno;
	if (fd >= 0)
		close(fd);
	/* also then: who made it may not have come to that */
	return remove_sync_above(path);
}

int left_forget(const char *dir, const uint8_t uuid[16], uint32_t log, uint32_t left)
{
	char path[PATH_MAX];
	uint32_t leg;
	int error = 0;

	for (leg = 1; leg <= LEGS && !error; leg++) {
		if (leg == left)
			continue;
		error = left_path(dir, uuid, log, leg, path);
		if (!error)
			error = remove_file(path);
	}
	return error;
}
