/* SPDX-License-Identifier: BSD-3-Clause */
/* The module: libpmem behind a table.  See docs/decisions/0001-libpmem-module.md. */
#include "marker/pmem_module.h"

#include <libpmem.h>

static void *module_map(const char *path, size_t *bytes, int *is_pmem)
{
	/* no length, no flags: what is there, as large as it is */
	return pmem_map_file(path, 0, 0, 0, bytes, is_pmem);
}

extern const struct pmem_module journal_pmem_module;

__attribute__((visibility("default")))
const struct pmem_module journal_pmem_module = {
	.version = PMEM_MODULE_VERSION,
	.map = module_map,
	.unmap = pmem_unmap,
	.auto_flush = pmem_has_auto_flush,
	.error = pmem_errormsg,
};
