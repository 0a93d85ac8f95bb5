/* SPDX-License-Identifier: BSD-3-Clause */
/* Mirrored logs whose legs are made good while others write. */
#ifndef TXN_MIRROR_H
#define TXN_MIRROR_H

#include "txn/journal_impl.h"

/**
 * mirror_look() - both copies of all that lives are read, and a damaged one is repaired
 * @logs:     those of which it is wanted: bits
 * @progress: told of the bytes of those that were looked at
 * With j->found and j->scrub set.  What was lost before we opened the journal was told by
 * recovery, if that was ours.
 * Return: 0 (also: damage was found), or negative errno with the text
 */
int mirror_look(struct journal *j, uint32_t logs, const struct journal_progress *progress,
		struct message *message);

/* @member is dead, and is taken over now */
void mirror_takeover(struct journal *j, uint32_t member);

#endif
