/* SPDX-License-Identifier: BSD-3-Clause */
/* Markers where there are none: in memory, as a format would leave them. */
#ifndef TXN_RESCUE_STORE_H
#define TXN_RESCUE_STORE_H

#include "format/marker.h"
#include "store/marker_store.h"

/**
 * rescue_store_make() - a store that is only read
 * @g: laid out
 * Return: 0 or -ENOMEM
 */
int rescue_store_make(const struct marker_geometry *g, struct marker_store **store);

#endif
