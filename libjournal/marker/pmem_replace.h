/* SPDX-License-Identifier: BSD-3-Clause */
/* marker_store_replace() and marker_store_show() of `pmem:`. */
#ifndef MARKER_PMEM_REPLACE_H
#define MARKER_PMEM_REPLACE_H

#include "marker/pmem_store.h"

enum pmem_kind pmem_kind_of(const struct medium *m);

int pmem_replace(struct marker_store *store, const char *path, uint64_t device,
		 uint64_t inode, struct message *message);
int pmem_show(struct marker_store *store, uint64_t at, uint64_t bytes, uint64_t offset);
/* a map without a medium; Return: 0 or negative errno */
int pmem_vacant(struct marker_pmem *pmem, void *map, uint64_t bytes);

#endif
