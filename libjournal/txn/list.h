/* SPDX-License-Identifier: BSD-3-Clause */
/* Listing transactions in order of id. */
#ifndef TXN_LIST_H
#define TXN_LIST_H

#include "txn/journal_impl.h"

int list_make(struct journal *j);
void list_free(struct journal *j);

/* the first in one line, by number, from @slot on; Return: 0 or -ENOENT */
int list_in_line(struct journal *j, uint64_t number, uint32_t slot,
		 struct journal_entry *entry);

#endif
