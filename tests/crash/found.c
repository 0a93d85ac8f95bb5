/* SPDX-License-Identifier: BSD-3-Clause */
#include "found.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash_world.h"
#include "util/assert.h"

#define PAYLOAD_ROOM (3u << 20)
#define FLIGHTS_MAX  4u

uint64_t found_payload(const void *payload, uint32_t bytes)
{
	uint64_t last = 0, whole = bytes & ~7u;

	memcpy(&last, (const uint8_t *)payload + whole, bytes - whole);
	return crash_sum(bytes, payload, (uint32_t)whole) + crash_sum(whole, &last, 8);
}

struct found *found_failed(int error, const char *why)
{
	struct found *found = calloc(1, sizeof(*found));

	JASSERT(found && error);
	found->error = error;
	(void)snprintf(found->why, sizeof(found->why), "%s: %s", strerror(-error), why);
	return found;
}

static struct found *found_add(struct found *found, const struct found_txn *txn)
{
	if (!(found->count & (found->count - 1))) {
		found = realloc(found, sizeof(*found) +
				       (found->count * 2 + 1) * sizeof(found->all[0]));
		JASSERT(found);
	}
	found->all[found->count++] = *txn;
	return found;
}

static int read_one(struct journal *j, const struct journal_entry *entry, struct found_txn *txn)
{
	static uint8_t *payload;
	size_t got = 0;
	int error;

	if (!payload)
		payload = malloc(PAYLOAD_ROOM);
	JASSERT(payload);
	*txn = (struct found_txn){ .id = entry->id, .bytes = (uint32_t)entry->bytes,
				   .state = entry->state };
	if (entry->state != JOURNAL_LIVE)
		return 0;
	error = journal_read(j, entry->id, payload, PAYLOAD_ROOM, &got);
	if (!error && got != entry->bytes)
		error = -EIO;
	if (!error)
		txn->payload = found_payload(payload, (uint32_t)got);
	return error;
}

struct found *found_take(struct journal *j)
{
	struct journal_info *info = calloc(1, sizeof(*info));
	struct found *found = calloc(1, sizeof(*found));
	struct journal_entry entry = { 0 };
	struct found_txn txn;
	int error = 0;

	JASSERT(found && info);
	while (!error && !journal_next(j, entry.id, &entry)) {
		error = read_one(j, &entry, &txn);
		found = found_add(found, &txn);
	}
	(void)journal_info(j, info);
	found->lost_unnamed = info->lost_unnamed;
	found->torn = info->torn;
	free(info);
	if (error) {
		found->error = error;
		(void)snprintf(found->why, sizeof(found->why), "id %" PRIx64 ": reading: %s: %s",
			       entry.id, strerror(-error), journal_error(j));
	}
	return found;
}

uint64_t found_sum(const struct found *found)
{
	uint64_t sum = (uint64_t)(uint32_t)found->error << 32 | found->count;
	uint32_t i;

	for (i = 0; i < found->count; i++) {
		uint64_t one[3] = { found->all[i].payload, found->all[i].bytes,
				    found->all[i].state };

		sum = crash_sum(sum, one, sizeof(one));
	}
	return sum;
}

bool found_same(const struct found *a, const struct found *b)
{
	return a->error == b->error && a->count == b->count &&
	       !memcmp(a->all, b->all, a->count * sizeof(a->all[0]));
}

/* ---- judging ------------------------------------------------------------------- */

static const struct oracle_txn *known(const struct oracle *oracle, uint64_t id)
{
	uint32_t i;

	for (i = oracle->count; i--;)
		if (oracle->all[i].id == id)
			return &oracle->all[i];
	return NULL;
}

/* of the commits under way: which of each was found */
struct flights {
	const struct oracle *all;
	uint32_t count;
	uint32_t there[FLIGHTS_MAX];
	uint64_t first[FLIGHTS_MAX];
};

static bool is_payload(const struct found_txn *txn, const struct oracle_txn *should)
{
	static uint8_t *payload;

	if (!payload)
		payload = malloc(PAYLOAD_ROOM);
	JASSERT(payload);
	if (txn->bytes != should->bytes)
		return false;
	oracle_payload(should->seed, payload, should->bytes);
	return txn->payload == found_payload(payload, should->bytes);
}

/* one that nobody acknowledged: the next of a commit in flight? */
static int judge_unknown(struct oracle *oracle, const struct found_txn *txn,
			 struct flights *flights)
{
	uint32_t i, index;

	for (i = 0; i < flights->count; i++) {
		index = flights->there[i];
		if (index == flights->all[i].flight_count ||
		    (index && txn->id != flights->first[i] + index) ||
		    !is_payload(txn, &flights->all[i].flight[index]))
			continue;
		if (!index)
			flights->first[i] = txn->id;
		flights->there[i]++;
		return 0;
	}
	return oracle_wrong(oracle, "id %" PRIx64 ": was never committed, nor is it the next of a "
			    "commit under way", txn->id);
}

static int judge_one(struct oracle *oracle, const struct found *found, uint32_t at,
		     struct flights *flights)
{
	const struct found_txn *txn = &found->all[at];
	const struct oracle_txn *should = known(oracle, txn->id);

	if (at && found->all[at - 1].id >= txn->id)
		return oracle_wrong(oracle, "id %" PRIx64 ": is there twice", txn->id);
	if (txn->state != JOURNAL_LIVE)
		return oracle_wrong(oracle, "id %" PRIx64 ": COMMITTED_BUT_LOST", txn->id);
	if (!should)
		return judge_unknown(oracle, txn, flights);
	if (should->state == ORACLE_RETIRED)
		return oracle_wrong(oracle, "id %" PRIx64 ": was retired and is back", txn->id);
	if (!is_payload(txn, should))
		return oracle_wrong(oracle, "id %" PRIx64 ": other bytes than were committed",
				    txn->id);
	return 0;
}

static bool is_there(const struct found *found, uint64_t id)
{
	uint32_t i;

	for (i = 0; i < found->count; i++)
		if (found->all[i].id == id)
			return true;
	return false;
}

static int judge_missing(struct oracle *oracle, const struct found *found)
{
	uint32_t i;

	for (i = 0; i < oracle->count; i++)
		if (oracle->all[i].state == ORACLE_LIVE && !is_there(found, oracle->all[i].id))
			return oracle_wrong(oracle, "id %" PRIx64 ": acknowledged, not retired, "
					    "and not there", oracle->all[i].id);
	return 0;
}

int found_judge(const struct found *found, struct oracle *oracle, const struct oracle *all,
		uint32_t count)
{
	struct flights flights = { .all = all, .count = count };
	uint32_t i;

	JASSERT(count <= FLIGHTS_MAX);
	if (found->error)
		return oracle_wrong(oracle, "%s", found->why);
	for (i = 0; i < found->count; i++)
		if (judge_one(oracle, found, i, &flights))
			return -1;
	for (i = 0; i < count; i++)
		if (flights.there[i] && flights.there[i] != all[i].flight_count)
			return oracle_wrong(oracle, "%u of a group of %u are there",
					    flights.there[i], all[i].flight_count);
	if (found->lost_unnamed)
		return oracle_wrong(oracle, "%" PRIu64 " lost without a name: a crash is no "
				    "damage", found->lost_unnamed);
	if (found->next_id && (known(oracle, found->next_id) || is_there(found, found->next_id)))
		return oracle_wrong(oracle, "P4: id %" PRIx64 " was issued before",
				    found->next_id);
	return judge_missing(oracle, found);
}
