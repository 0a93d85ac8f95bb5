/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sealed segment whose second digest was still to be written to another log when its
 * writer, or the machine, died (seconds.h): it is made up for from the first one.
 */
#ifndef TXN_SEGMENT_SECOND_H
#define TXN_SEGMENT_SECOND_H

#include "txn/recover.h"

/**
 * segment_second_again() - its second digest is the same as its first one
 * One that cannot be read, or is of another use, is nobody's copy: nothing is written.
 * Context: nobody else writes there: it is recovery, or the segment is a dead one's.
 * Return: 0, -ENOMEM, or the sticky failure.
 */
int segment_second_again(struct journal *j, uint32_t number);

/* After a crash: of those with something live that were sealed last.  After NVRAM was
 * given up, or rescued from: of all that had theirs there. */
int recover_seconds(struct recovery *r);

/* whether its second digest may have been in NVRAM that the journal has left */
bool recover_before_move(const struct recovery *r, const struct segment_scan *scan);
/* those that are found to be without, and have something live: to who checks */
void recover_tell_seconds(struct recovery *r);

#endif
