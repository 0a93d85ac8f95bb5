/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a lane's ring, for recovery and for who takes over. */
#ifndef TXN_RING_H
#define TXN_RING_H

#include "txn/journal_impl.h"

static inline const uint8_t *ring_at(const struct lane *lane, uint64_t position)
{
	return lane->ring + position % lane->ring_bytes;
}

/* Return: 0, -ENODATA, -EBADMSG the header, or -EIO the payload does not verify */
int ring_look(const struct lane *lane, uint64_t position, struct stage_meta *meta);

/* The next position in (@position, tail + ring) whose header verifies; 0: none. */
uint64_t ring_later(const struct lane *lane, uint64_t position);

#endif
