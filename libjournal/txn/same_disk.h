/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether what takes one of two media takes the other one, too. */
#ifndef TXN_SAME_DISK_H
#define TXN_SAME_DISK_H

#include <stdbool.h>

/* Files of one file system, or of two on partitions of one disk, or such partitions.  What
 * lies behind LVM, md, or a network, is not looked for.  false: or it is not known. */
bool same_disk(const char *path, const char *other);

#endif
