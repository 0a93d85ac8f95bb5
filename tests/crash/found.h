/* SPDX-License-Identifier: BSD-3-Clause */
/* What a recovery shows of a journal, and whether that may be. */
#ifndef TESTS_CRASH_FOUND_H
#define TESTS_CRASH_FOUND_H

#include <stdint.h>

#include "crash_oracle.h"

struct found_txn {
	uint64_t id;
	uint64_t payload; /* found_payload() */
	uint32_t bytes;
	uint32_t state;   /* enum journal_state */
};

/**
 * struct found - of one image
 * @error:   the journal could not be opened, or read: why
 * @next_id: of a transaction that was committed after the recovery; 0: there was no room
 * @torn:    records that a crash tore
 */
struct found {
	uint32_t count;
	int error;
	uint64_t next_id;
	uint64_t lost_unnamed;
	uint64_t torn;
	char why[192];
	struct found_txn all[];
};

uint64_t found_payload(const void *payload, uint32_t bytes);
/* All that @j lists, read; Return: to be freed */
struct found *found_take(struct journal *j);
/* of one that could not be opened */
struct found *found_failed(int error, const char *why);
/* what is named by it is the same for whoever uses the journal: which payloads there are */
uint64_t found_sum(const struct found *found);
/**
 * found_judge() - whether the promise holds
 * @flights, @count: commits that are under way: each is there as a whole, or not at all
 * Return: 0, or -1 with the reason in @oracle->why
 */
int found_judge(const struct found *found, struct oracle *oracle, const struct oracle *flights,
		uint32_t count);
/* the same ids, with the same payloads */
bool found_same(const struct found *a, const struct found *b);

#endif
