/* SPDX-License-Identifier: BSD-3-Clause */
/* Transactions in several extents: where the pieces are, in order. */
#ifndef TXN_MULTI_H
#define TXN_MULTI_H

#include "txn/journal_impl.h"

struct multi {
	uint32_t extents;
	uint32_t units;   /* of the last extent's record, 32 bytes each */
	uint64_t where[]; /* segment << 32 | offset, the last extent last */
};

struct multi *multi_make(uint32_t extents);

/* keep @multi (taken over); Return: 0 or -ENOMEM (then it is the caller's) */
int multi_add(struct journal *j, struct multi *multi, uint32_t *index);
/* Before anything else has seen it: forget it, and what it holds is the caller's. */
void multi_forget(struct journal *j, uint32_t index);
/* @copy: to be freed.  Return: 0, -ENOMEM, or -EBADMSG it is gone. */
int multi_copy(struct journal *j, uint32_t index, struct multi **copy);
/* release the segments and forget it */
void multi_drop(struct journal *j, uint32_t index);
/* release the segments of the first @extents pieces */
void multi_release(struct journal *j, const uint64_t *where, uint32_t extents);
void multi_free(struct journal *j);

#endif
