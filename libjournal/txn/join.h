/* SPDX-License-Identifier: BSD-3-Clause */
/* What one process found about the media, and others rely on. */
#ifndef TXN_JOIN_H
#define TXN_JOIN_H

#include "txn/journal_impl.h"

/* whether all media can be shared; @why: which cannot */
bool join_possible(const struct journal *j, struct message *why);

/* the first: what was found goes into the mapping.  Return: 0 or -ENOMEM */
int join_offer(struct journal *j);

/* nobody moves the journal to what survives less than this process requires */
void require_raise(struct journal *j);

/* a joiner: the mapping is there; take what stands in it.  Before shared_point(). */
void join_geometry(struct journal *j);

/* open the media as they stand there.  Return: 0, -EPERM the class is below the
 * required one, or what the system said */
int join_media(struct journal *j, unsigned int flags, struct message *message);

#endif
