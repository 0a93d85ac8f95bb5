/* SPDX-License-Identifier: BSD-3-Clause */
/* Mirrored logs whose legs are brought up to date while others write: who of them dies. */
#ifndef TXN_MIRROR_H
#define TXN_MIRROR_H

#include "txn/journal_impl.h"

/* @member is dead, and is taken over now */
void mirror_takeover(struct journal *j, uint32_t member);

#endif
