/* SPDX-License-Identifier: BSD-3-Clause */
/* Markers where there are none: in memory, as a format would leave them. */
#ifndef TXN_RESCUE_STORE_H
#define TXN_RESCUE_STORE_H

#include "format/marker.h"
#include "store/marker_store.h"

/**
 * rescue_store_make() - a store that nothing of becomes durable
 * @g:     laid out
 * @nvram: of the kind that NVRAM is, to be stored to; else one that is only read
 * Return: 0 or -ENOMEM
 */
int rescue_store_make(const struct marker_geometry *g, bool nvram, struct marker_store **store);

#endif
