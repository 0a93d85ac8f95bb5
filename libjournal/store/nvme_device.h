/* SPDX-License-Identifier: BSD-3-Clause */
/* The device node of a namespace, and libjournal-nvme.so for it. */
#ifndef STORE_NVME_DEVICE_H
#define STORE_NVME_DEVICE_H

#include <stdbool.h>

#include "store/nvme_module.h"

/* whether @directory, of a disk in sysfs, is that of an NVMe namespace */
bool nvme_device_is(const char *directory);

/**
 * nvme_device_open() - the block device that @directory in sysfs is of
 * Return: a file descriptor for reading, or a negative errno; -ENODEV when what
 * has its name in /dev is another device.
 */
int nvme_device_open(const char *directory);

#endif
