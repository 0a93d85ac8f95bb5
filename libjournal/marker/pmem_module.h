/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The door between the library and libjournal-pmem.so.  The module knows
 * libpmem and nothing of the library; the library knows this table.
 */
#ifndef MARKER_PMEM_MODULE_H
#define MARKER_PMEM_MODULE_H

#include <stddef.h>
#include <stdint.h>

#define PMEM_MODULE_FILE    "libjournal-pmem.so"
#define PMEM_MODULE_SYMBOL  "journal_pmem_module"
#define PMEM_MODULE_VERSION 1u

/**
 * struct pmem_module - what the module exports as journal_pmem_module
 * @version:    PMEM_MODULE_VERSION; another one is refused
 * @map:        map all of the file or device for writing; NULL with errno
 * @unmap:      0 or -1 with errno
 * @auto_flush: the caches are in the persistence domain (eADR): 1, else 0
 *              or -1
 * @error:      libpmem's text for the last failure
 */
struct pmem_module {
	uint32_t version;
	void *(*map)(const char *path, size_t *bytes, int *is_pmem);
	int (*unmap)(void *map, size_t bytes);
	int (*auto_flush)(void);
	const char *(*error)(void);
};

#endif
