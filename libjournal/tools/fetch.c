/* SPDX-License-Identifier: BSD-3-Clause */
#include "fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/**
 * struct fetch_one - one that is asked for
 * @own: what came before its turn: a copy of the payload, or of the error's text
 */
struct fetch_one {
	struct journal_entry entry;
	uint8_t *own;
	size_t bytes;
	int error;
	bool back;
};

/* numbers run on; each has its place in the ring */
struct fetch {
	struct journal *journal;
	struct journal_reads *reads;
	uint64_t first, end; /* under way, or back and not yet given */
	uint64_t bytes;      /* of these */
	uint8_t *given;      /* the copy that the user has */
	struct fetch_one ring[FETCH_DEPTH];
};

static struct fetch_one *fetch_at(struct fetch *fetch, uint64_t number)
{
	return &fetch->ring[number % FETCH_DEPTH];
}

struct fetch *fetch_open(struct journal *journal)
{
	struct fetch *fetch = calloc(1, sizeof(*fetch));

	if (!fetch)
		return NULL;
	fetch->journal = journal;
	if (!journal_reads_open(journal, FETCH_DEPTH, &fetch->reads))
		return fetch;
	free(fetch);
	return NULL;
}

void fetch_close(struct fetch *fetch)
{
	if (!fetch)
		return;
	journal_reads_close(fetch->reads);
	for (; fetch->first != fetch->end; fetch->first++)
		free(fetch_at(fetch, fetch->first)->own);
	free(fetch->given);
	free(fetch);
}

bool fetch_has_room(const struct fetch *fetch, uint64_t bytes)
{
	if (fetch->first == fetch->end)
		return true;
	return fetch->end - fetch->first < FETCH_DEPTH && fetch->bytes + bytes <= FETCH_BYTES;
}

void fetch_ask(struct fetch *fetch, const struct journal_entry *entry)
{
	struct fetch_one *one = fetch_at(fetch, fetch->end);
	int err = journal_reads_submit(fetch->reads, entry->id, fetch->end);

	*one = (struct fetch_one){ .entry = *entry, .error = err, .back = err };
	fetch->bytes += entry->bytes;
	fetch->end++;
}

/* Before its turn: a copy, since its memory is the library's. */
static void fetch_keep(struct fetch *fetch, const struct journal_read_result *result)
{
	struct fetch_one *one = fetch_at(fetch, result->cookie);

	one->back = true;
	one->error = result->error;
	one->bytes = result->bytes;
	if (one->error) {
		one->own = (uint8_t *)strdup(journal_error(fetch->journal));
		return;
	}
	one->own = malloc(one->bytes ? one->bytes : 1);
	if (one->own && one->bytes)
		memcpy(one->own, result->data, one->bytes);
	else if (!one->own)
		one->error = -ENOMEM;
}

static void fetch_give(struct fetch *fetch, struct fetched *fetched)
{
	struct fetch_one *one = fetch_at(fetch, fetch->first++);

	fetch->bytes -= one->entry.bytes;
	fetch->given = one->own;
	*fetched = (struct fetched){ .entry = one->entry, .error = one->error };
	if (!one->error) {
		fetched->data = one->own;
		fetched->bytes = one->bytes;
	} else {
		fetched->text = one->own ? (const char *)one->own : strerror(ENOMEM);
	}
}

/* It came just when its turn was: no copy. */
static void fetch_pass(struct fetch *fetch, const struct journal_read_result *result,
		       struct fetched *fetched)
{
	struct fetch_one *one = fetch_at(fetch, fetch->first++);

	fetch->bytes -= one->entry.bytes;
	*fetched = (struct fetched){
		.entry = one->entry, .error = result->error,
		.data = result->data, .bytes = result->bytes,
		.text = result->error ? journal_error(fetch->journal) : NULL,
	};
}

bool fetch_next(struct fetch *fetch, struct fetched *fetched)
{
	struct journal_read_result result;
	int err;

	free(fetch->given);
	fetch->given = NULL;
	if (fetch->first == fetch->end)
		return false;
	while (!fetch_at(fetch, fetch->first)->back) {
		err = journal_reads_next(fetch->reads, -1, &result);
		if (err) { /* nothing is outstanding, and it is not back: it cannot be */
			result = (struct journal_read_result){ .cookie = fetch->first,
							       .error = err };
		}
		if (result.cookie == fetch->first) {
			fetch_pass(fetch, &result, fetched);
			return true;
		}
		fetch_keep(fetch, &result);
	}
	fetch_give(fetch, fetched);
	return true;
}
