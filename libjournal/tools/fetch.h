/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many transactions read with deep queues, and given back in the order in which they
 * were asked for.  What comes back before its turn is kept: so only so much is asked for
 * at a time as memory is meant to hold.
 */
#ifndef TOOLS_FETCH_H
#define TOOLS_FETCH_H

#include <stdbool.h>

#include "journal.h"

#define FETCH_DEPTH 64u          /* transactions at a time */
#define FETCH_BYTES (2ull << 20) /* of payload, or one transaction */

/**
 * struct fetched - one that was asked for
 * @entry: as it was given to fetch_ask()
 * @data:  payload; valid until the next fetch_next(); of an error NULL
 * @error: 0, or as from journal_read()
 * @text:  of the error
 */
struct fetched {
	struct journal_entry entry;
	const void *data;
	size_t bytes;
	int error;
	const char *text;
};

struct fetch;

/* Return: NULL for want of memory.  One thread; before the journal is closed it must be. */
struct fetch *fetch_open(struct journal *journal);
void fetch_close(struct fetch *fetch);

/* whether one of @bytes may be asked for now: nothing under way, or room for it */
bool fetch_has_room(const struct fetch *fetch, uint64_t bytes);

/* ask for @entry->id, of @entry->bytes; of these, and what there is besides, it is what
 * is given back.  Context: fetch_has_room(). */
void fetch_ask(struct fetch *fetch, const struct journal_entry *entry);

/* the next one, in the order in which they were asked for.
 * Return: false: nothing is under way */
bool fetch_next(struct fetch *fetch, struct fetched *fetched);

#endif
