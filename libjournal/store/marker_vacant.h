/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A marker store without a medium: a map in memory of nobody, of which nothing becomes
 * durable.  It keeps the addresses for a byte-persistent one that is to come.
 */
#ifndef STORE_MARKER_VACANT_H
#define STORE_MARKER_VACANT_H

#include "store/marker_store.h"

/* @used: what lies before it may be read and stored to, whatever that is good for; of the
 * rest there are the addresses, and no memory is promised.  Return: 0 or negative errno */
int marker_vacant_make(uint64_t bytes, uint64_t used, bool read_only,
		       struct marker_store **store);

bool marker_is_vacant(const struct marker_store *store);

/* the map is another store's, which unmaps it; this one is still to be closed */
void marker_vacant_give(struct marker_store *store);

#endif
