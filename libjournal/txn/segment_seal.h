/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing a segment's header and its summary. */
#ifndef TXN_SEGMENT_SEAL_H
#define TXN_SEGMENT_SEAL_H

#include "txn/journal_impl.h"

/* header, and a digest of no lines in the second place; durable on return, but that second
 * one if @to has seconds: once it is settled (head.h) */
int segment_write_header(struct journal *j, struct head *to, struct segment *segment);

/* the second copy of its digest, which is readable, in whole blocks.  There is one copy only,
 * while the log that the second would be on is out of use. */
int segment_write_second(struct journal *j, struct segment *segment, void *digest,
			 uint64_t bytes);

/* what is in the open segment of @from now, in the second digest alone: for the case that
 * its log is not there any more at the next open, or a record is damaged that nothing else
 * vouches for, or names */
int segment_write_names(struct journal *j, struct head *from, struct segment *segment);

/* table and digest of @from's segment, and the digest's second copy; durable as above */
int segment_write_summary(struct journal *j, struct head *from,
			  struct segment *segment);

#endif
