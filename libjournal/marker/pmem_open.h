/* SPDX-License-Identifier: BSD-3-Clause */
/* `pmem:PATH`: /dev/dax, a file on fsdax; plain memory and other files too, as
 * what they are. */
#ifndef MARKER_PMEM_OPEN_H
#define MARKER_PMEM_OPEN_H

#include "store/marker_store.h"

marker_store_opener marker_pmem_open;
marker_store_joiner marker_pmem_join;

#endif
