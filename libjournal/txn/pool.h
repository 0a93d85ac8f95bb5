/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines half used pass from one who leaves to the next who needs one (P8): else
 * processes that commit one message each would burn 512 slots each.
 */
#ifndef TXN_POOL_H
#define TXN_POOL_H

#include "txn/journal_impl.h"

/* @from goes on in one that is here; Return: false there is none */
bool pool_take(struct journal *j, struct slots_from *from);
/* what is left of @from's line is for somebody else, or nobody */
void pool_give(struct journal *j, struct slots_from *from);

#endif
