/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/same_place.h"

#include <sys/stat.h>

bool same_place(const char *one, const char *other, bool *device)
{
	struct stat a, b;

	if (stat(one, &a) || stat(other, &b) || (a.st_mode & S_IFMT) != (b.st_mode & S_IFMT))
		return false;
	if (device)
		*device = S_ISBLK(a.st_mode);
	/* a device has several names, each with an inode of its own */
	if (S_ISBLK(a.st_mode))
		return a.st_rdev == b.st_rdev;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}
