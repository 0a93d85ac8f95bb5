/* SPDX-License-Identifier: BSD-3-Clause */
/* Giving up what a retired transaction holds in the log. */
#ifndef TXN_SLOTS_H
#define TXN_SLOTS_H

#include "txn/journal_impl.h"

/* Whoever takes where away releases the segments: called by the one who
 * retires and by destage, when both saw the other. */
void slot_release(struct journal *j, struct slot *slot);

#endif
