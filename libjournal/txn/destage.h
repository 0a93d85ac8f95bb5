/* SPDX-License-Identifier: BSD-3-Clause */
/* Moving staged transactions to the log. */
#ifndef TXN_DESTAGE_H
#define TXN_DESTAGE_H

#include "txn/journal_impl.h"

/**
 * destage() - free at least @want bytes at the tail of @lane, if it has them
 *
 * What was retired is skipped and never touches the disk.  The rest becomes
 * LOG_DATA records, which certify themselves and keep their slots (P6).
 * Context: the lane's holder; blocks for log writes.
 * Return: 0, -ENOSPC, -ENOMEM, -EBADMSG the stage does not read back, or the
 * sticky failure.
 */
int destage(struct journal *j, struct lane *lane, uint64_t want);

#endif
