/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening to read beside a process that writes. */
#ifndef TXN_BESIDE_H
#define TXN_BESIDE_H

#include "txn/journal_impl.h"

/**
 * beside_doubtful() - @j reads beside a writer, and found transactions lost:
 * their records may have been overwritten while it looked
 */
bool beside_doubtful(struct journal *j);

/* Believe of @later, a second look, only what @first found lost, too. */
void beside_settle(struct journal *first, struct journal *later);

#endif
