/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/same_disk.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* the whole disk of a device, as /sys has it; Return: whether there is one */
static bool disk_of(dev_t device, char disk[PATH_MAX])
{
	char link[64], partition[PATH_MAX + 16];

	(void)snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(device),
		       minor(device));
	if (!realpath(link, disk))
		return false;
	(void)snprintf(partition, sizeof(partition), "%s/partition", disk);
	if (!access(partition, F_OK))
		*strrchr(disk, '/') = '\0';
	return true;
}

bool same_disk(const char *path, const char *other)
{
	char disk[2][PATH_MAX];
	struct stat st[2];
	dev_t device[2];
	int i;

	if (stat(path, &st[0]) || stat(other, &st[1]))
		return false;
	for (i = 0; i < 2; i++)
		device[i] = S_ISBLK(st[i].st_mode) ? st[i].st_rdev : st[i].st_dev;
	return device[0] == device[1] ||
	       (disk_of(device[0], disk[0]) && disk_of(device[1], disk[1]) &&
		!strcmp(disk[0], disk[1]));
}
