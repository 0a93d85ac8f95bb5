/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Extents: payload written straight from the transaction's buffer to its
 * place, in any order, committed later by a bit or by a record in the stream.
 */
#ifndef TXN_EXTENT_H
#define TXN_EXTENT_H

#include "txn/journal_impl.h"

/* the largest payload of one extent */
uint32_t extent_payload_max(const struct journal *j);

/**
 * extent_write() - write one extent
 * @meta:    all but payload_crc
 * @buffer:  aligned; LOG_RECORD_BYTES left free, then @meta->bytes of payload,
 *           zeros up to the next block
 * @again:   an earlier extent of the same transaction lies in this segment:
 *           it is not held twice; may be NULL
 * @durable: it is, alone, on return
 * Return: 0; -ENOSPC, -ENOMEM: nothing happened; or the sticky failure.
 */
int extent_write(struct journal *j, const struct log_meta *meta, uint8_t *buffer,
		 const struct segment *again, bool durable, struct segment **segment,
		 uint32_t *offset);

/* one that has its place, and is yet to be written to it */
struct extent {
	struct extents *extents;
	struct log_io io;
	struct segment *segment;
	uint32_t offset;
};

/**
 * extent_begin() - its place, and the bytes of it ready at extent.io
 * @beside: one that has begun and is not ended: in the same segment, if there is room; else
 *          -EAGAIN.  Who has begun some that are not ended must not wait for a fresh
 *          segment: the old one waits for those.  NULL: wherever, waiting if need be
 * Return: 0; -EAGAIN, -ENOSPC, -ENOMEM: nothing happened; or the sticky failure.
 */
int extent_begin(struct journal *j, const struct log_meta *meta, uint8_t *buffer,
		 const struct segment *again, const struct extent *beside, struct extent *extent);
/* it was written, or failed to be */
void extent_end(struct extent *extent);

#endif
