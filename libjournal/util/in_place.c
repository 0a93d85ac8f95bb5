/* SPDX-License-Identifier: BSD-3-Clause */
#include "util/in_place.h"

#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#define SEVERAL_COPIES                                                              \
	(BTRFS_BLOCK_GROUP_DUP | BTRFS_BLOCK_GROUP_RAID1 | BTRFS_BLOCK_GROUP_RAID10 | \
	 BTRFS_BLOCK_GROUP_RAID5 | BTRFS_BLOCK_GROUP_RAID6 | BTRFS_BLOCK_GROUP_RAID1C3 | \
	 BTRFS_BLOCK_GROUP_RAID1C4)

/* of data, by the kinds of room that this btrfs has */
static bool kept_once(int fd)
{
	struct btrfs_ioctl_space_args count = { .space_slots = 0 }, *all;
	bool once = false, several = false;
	uint64_t i;

	if (ioctl(fd, BTRFS_IOC_SPACE_INFO, &count))
		return false;
	all = calloc(1, sizeof(*all) + count.total_spaces * sizeof(all->spaces[0]));
	if (!all)
		return false;
	all->space_slots = count.total_spaces;
	if (!ioctl(fd, BTRFS_IOC_SPACE_INFO, all))
		for (i = 0; i < all->total_spaces && i < all->space_slots; i++) {
			if (!(all->spaces[i].flags & BTRFS_BLOCK_GROUP_DATA))
				continue;
			once = true;
			several |= all->spaces[i].flags & SEVERAL_COPIES;
		}
	free(all);
	return once && !several;
}

void in_place_ask(int fd)
{
	struct statfs of;
	int flags;

	if (fstatfs(fd, &of) || of.f_type != BTRFS_SUPER_MAGIC || !kept_once(fd) ||
	    ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return;
	flags |= FS_NOCOW_FL;
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
}
