/* SPDX-License-Identifier: BSD-3-Clause */
/* The module: libnvme behind a table.  See docs/decisions/0008-nvme-write-cache.md. */
#include "store/nvme_module.h"

#include <errno.h>
#include <libnvme.h>

#define FEATURE_WCE 1u /* Get Features, Volatile Write Cache: bit 0 of the result */

/* libnvme returns -1 with errno, or the status that the controller gave */
static int module_error(int result)
{
	if (!result)
		return 0;
	return result < 0 ? -errno : -EREMOTEIO;
}

static int module_cache(int fd, struct nvme_cache *cache)
{
	struct nvme_id_ctrl id;
	__u32 result = 0;
	int error = module_error(nvme_identify_ctrl(fd, &id));

	if (error)
		return error;
	cache->present = !!(id.vwc & NVME_CTRL_VWC_PRESENT);
	cache->enabled = 0;
	if (!cache->present)
		return 0;
	error = module_error(nvme_get_features_volatile_wc(fd, NVME_GET_FEATURES_SEL_CURRENT,
							   &result));
	cache->enabled = error ? error : (int)(result & FEATURE_WCE);
	return 0;
}

extern const struct nvme_module journal_nvme_module;

__attribute__((visibility("default")))
const struct nvme_module journal_nvme_module = {
	.version = NVME_MODULE_VERSION,
	.cache = module_cache,
};
