/* SPDX-License-Identifier: BSD-3-Clause */
/* Formatting over a journal that was killed in the middle. */
#ifndef TXN_UNFINISHED_H
#define TXN_UNFINISHED_H

#include "txn/conf.h"

/* what is made beside PATH has this behind its name */
#define UNFINISHED ".new"

/* What it had made beside what is in @dir goes, but for a medium of @conf.
 * Context: the journal's lock is held, and nothing is being made */
void unfinished_remove(const char *dir, const struct conf *conf);

#endif
