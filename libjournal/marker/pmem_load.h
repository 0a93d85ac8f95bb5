/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads libjournal-pmem.so, and libpmem with it, when a `pmem:` medium is
 * opened and not before. */
#ifndef MARKER_PMEM_LOAD_H
#define MARKER_PMEM_LOAD_H

#include "marker/pmem_module.h"
#include "util/message.h"

/**
 * pmem_load() - find the module: beside the file this code is in, in the
 * configured library directory, then where the system looks
 * @module: receives its table; it stays loaded
 * Return: 0, or -ENOTSUP with the text.
 */
int pmem_load(const struct pmem_module **module, struct message *message);

#endif
