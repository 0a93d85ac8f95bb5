/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The door between the library and libjournal-nvme.so.  The module knows libnvme
 * and nothing of the library; the library knows this table.
 */
#ifndef STORE_NVME_MODULE_H
#define STORE_NVME_MODULE_H

#include <stdint.h>

#define NVME_MODULE_FILE    "libjournal-nvme.so"
#define NVME_MODULE_SYMBOL  "journal_nvme_module"
#define NVME_MODULE_VERSION 1u

/**
 * struct nvme_cache - what a controller says of its volatile write cache
 * @present: Identify Controller, VWC bit 0
 * @enabled: Get Features, Volatile Write Cache: 1 or 0; negative errno when it
 *           could not be read.  Only if @present.
 */
struct nvme_cache {
	int present;
	int enabled;
};

/**
 * struct nvme_module - what the module exports as journal_nvme_module
 * @version: NVME_MODULE_VERSION; another one is refused
 * @cache:   asks the controller behind @fd, a namespace's block device.
 *           Return: 0, or a negative errno when Identify could not be read
 *           (-EREMOTEIO: the controller refused).
 */
struct nvme_module {
	uint32_t version;
	int (*cache)(int fd, struct nvme_cache *cache);
};

#endif
