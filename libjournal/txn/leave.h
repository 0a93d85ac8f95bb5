/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines that are half used, when the last one leaves: a process that commits one message
 * should not cost a line. */
#ifndef TXN_LEAVE_H
#define TXN_LEAVE_H

#include "txn/journal_impl.h"

/* Lines that nobody goes on in end, but for those that there is a word for. */
void leave_pool(struct journal *j);

/* Where the next one goes on.  Return: 0 or negative errno */
int leave_lines(struct journal *j);

#endif
