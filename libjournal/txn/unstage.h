/* SPDX-License-Identifier: BSD-3-Clause */
/* Destaging what is old, or too much of one lane, before somebody needs the room. */
#ifndef TXN_UNSTAGE_H
#define TXN_UNSTAGE_H

#include "txn/journal_impl.h"

/**
 * struct unstaging - one round over all lanes that nobody holds
 * @fill_percent: a lane is destaged when it is filled above this; 100: not for that
 * @age_ns:       or when its oldest transaction was committed longer ago
 * @transactions, @bytes: receive what left the stage
 * @stuck:        receives how many lanes could not be destaged, for want of room or
 *                because of damage
 * @leased:       how many were somebody's
 * @more:         whether there is more to do
 * @error:        0 or -ENOMEM
 */
struct unstaging {
	struct journal *j;
	uint32_t fill_percent;
	uint64_t age_ns;
	uint64_t transactions, bytes;
	uint32_t stuck, leased;
	bool more;
	int error;
};

void unstage_all(struct unstaging *u);

#endif
