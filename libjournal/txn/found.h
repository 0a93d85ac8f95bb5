/* SPDX-License-Identifier: BSD-3-Clause */
/* What recovery finds, told to whoever checks. */
#ifndef TXN_FOUND_H
#define TXN_FOUND_H

#include "txn/journal_impl.h"

/* damage: counted, and told; @id 0 when no single transaction is concerned */
__attribute__((format(printf, 3, 4)))
void found_damage(struct journal *j, uint64_t id, const char *format, ...);

/* what a crash may leave, or what was left out */
__attribute__((format(printf, 3, 4)))
void found_remark(struct journal *j, uint64_t id, const char *format, ...);

#endif
