/* SPDX-License-Identifier: BSD-3-Clause */
#include "crash_oracle.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

int oracle_wrong(struct oracle *oracle, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!*oracle->why)
		(void)vsnprintf(oracle->why, sizeof(oracle->why), format, args);
	va_end(args);
	return -1;
}

void oracle_free(struct oracle *oracle)
{
	free(oracle->all);
}

void oracle_payload(uint64_t seed, void *buffer, uint32_t bytes)
{
	uint8_t *to = buffer;
	uint64_t word;
	uint32_t at;

	for (at = 0; at < bytes; at += 8) {
		word = fault_random(&seed);
		memcpy(to + at, &word, bytes - at < 8 ? bytes - at : 8);
	}
}

static struct oracle_txn *oracle_find(const struct oracle *oracle, uint64_t id)
{
	uint32_t i;

	/* newest first: most that are asked for are young */
	for (i = oracle->count; i--;)
		if (oracle->all[i].id == id)
			return &oracle->all[i];
	return NULL;
}

void oracle_begin(struct oracle *oracle)
{
	oracle->flight_count = 0;
}

void oracle_add_flight(struct oracle *oracle, uint64_t seed, uint32_t bytes)
{
	assert(oracle->flight_count < JOURNAL_GROUP_MAX);
	oracle->flight[oracle->flight_count++] =
		(struct oracle_txn){ .seed = seed, .bytes = bytes };
}

bool oracle_committed(struct oracle *oracle, uint64_t first_id)
{
	uint32_t i;

	for (i = 0; i < oracle->flight_count; i++) {
		if (oracle_find(oracle, first_id + i)) {
			oracle_wrong(oracle, "P4: id %" PRIx64 " was issued before",
				     first_id + i);
			return false;
		}
		if (oracle->count == oracle->room) {
			oracle->room = oracle->room ? oracle->room * 2 : 256;
			oracle->all = realloc(oracle->all,
					      oracle->room * sizeof(*oracle->all));
			assert(oracle->all);
		}
		oracle->all[oracle->count] = oracle->flight[i];
		oracle->all[oracle->count].id = first_id + i;
		oracle->all[oracle->count++].state = ORACLE_LIVE;
	}
	oracle->flight_count = 0;
	return true;
}

void oracle_not_committed(struct oracle *oracle)
{
	oracle->flight_count = 0;
}

void oracle_state(struct oracle *oracle, uint64_t id, enum oracle_state state)
{
	struct oracle_txn *txn = oracle_find(oracle, id);

	assert(txn);
	txn->state = state;
}

/* ---- comparing ------------------------------------------------------------- */

static int oracle_read(struct oracle *oracle, struct journal *j, uint64_t id,
		       const struct oracle_txn *txn)
{
	size_t got = 0;
	uint8_t *is = malloc(txn->bytes + 1), *should = malloc(txn->bytes + 1);
	int error;

	assert(is && should);
	oracle_payload(txn->seed, should, txn->bytes);
	error = journal_read(j, id, is, txn->bytes, &got);
	if (error)
		oracle_wrong(oracle, "id %" PRIx64 ": reading: %s: %s", id, strerror(-error),
			     journal_error(j));
	else if (got != txn->bytes || memcmp(is, should, got))
		error = oracle_wrong(oracle, "id %" PRIx64 ": other bytes than were committed",
				     id);
	free(is);
	free(should);
	return error ? -1 : 0;
}

static void list_add(struct oracle_list *list, uint64_t id)
{
	if (list->count == list->room) {
		list->room = list->room ? list->room * 2 : 256;
		list->ids = realloc(list->ids, list->room * sizeof(*list->ids));
		assert(list->ids);
	}
	list->ids[list->count++] = id;
}

static bool list_has(const struct oracle_list *list, uint64_t id)
{
	uint32_t low = 0, high = list->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (list->ids[middle] == id)
			return true;
		if (list->ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* one that nobody acknowledged: the next of the commit in flight? */
static int oracle_unknown(struct oracle *oracle, struct journal *j,
			  const struct journal_entry *entry, uint32_t index, uint64_t *first)
{
	const struct oracle_txn *txn = &oracle->flight[index];

	if (index >= oracle->flight_count)
		return oracle_wrong(oracle, "id %" PRIx64 ": was never committed", entry->id);
	if (!index)
		*first = entry->id;
	if (entry->id != *first + index || entry->bytes != txn->bytes)
		return oracle_wrong(oracle, "id %" PRIx64 ": is not number %u of the group in "
				    "flight", entry->id, index);
	return oracle_read(oracle, j, entry->id, txn);
}

static int oracle_known(struct oracle *oracle, struct journal *j,
			const struct journal_entry *entry, const struct oracle_txn *txn)
{
	if (txn->state == ORACLE_RETIRED)
		return oracle_wrong(oracle, "id %" PRIx64 ": was retired and is back",
				    entry->id);
	if (entry->bytes != txn->bytes)
		return oracle_wrong(oracle, "id %" PRIx64 ": %" PRIu64 " bytes, not %u",
				    entry->id, entry->bytes, txn->bytes);
	return oracle_read(oracle, j, entry->id, txn);
}

static int oracle_listed(struct oracle *oracle, struct journal *j, struct oracle_list *list,
			 uint32_t *unknown, uint64_t *first)
{
	struct journal_entry entry = { 0 };
	const struct oracle_txn *txn;
	int error = 0;

	list->count = 0;
	while (!error && !journal_next(j, entry.id, &entry)) {
		list_add(list, entry.id);
		if (entry.state != JOURNAL_LIVE)
			return oracle_wrong(oracle, "id %" PRIx64 ": COMMITTED_BUT_LOST",
					    entry.id);
		txn = oracle_find(oracle, entry.id);
		error = txn ? oracle_known(oracle, j, &entry, txn) :
			      oracle_unknown(oracle, j, &entry, (*unknown)++, first);
	}
	return error;
}

static int oracle_info(struct oracle *oracle, struct journal *j)
{
	struct journal_info *info = calloc(1, sizeof(*info));
	int error = 0;

	assert(info);
	(void)journal_info(j, info);
	if (info->lost || info->lost_unnamed)
		error = oracle_wrong(oracle, "%" PRIu64 " lost, %" PRIu64 " without a name: a "
				     "crash is no damage", info->lost, info->lost_unnamed);
	free(info);
	return error;
}

static void oracle_adopt(struct oracle *oracle, const struct oracle_list *list,
			 uint32_t unknown, uint64_t first)
{
	uint32_t i;

	for (i = 0; i < oracle->count; i++)
		if (oracle->all[i].state == ORACLE_RETIRING)
			oracle->all[i].state = list_has(list, oracle->all[i].id) ?
						       ORACLE_LIVE :
						       ORACLE_RETIRED;
	if (unknown)
		(void)oracle_committed(oracle, first);
	oracle->flight_count = 0;
}

int oracle_check(struct oracle *oracle, struct journal *j, struct oracle_list *list, bool adopt)
{
	uint32_t i, unknown = 0;
	uint64_t first = 0;

	if (oracle_listed(oracle, j, list, &unknown, &first))
		return -1;
	for (i = 0; i < oracle->count; i++)
		if (oracle->all[i].state == ORACLE_LIVE && !list_has(list, oracle->all[i].id))
			return oracle_wrong(oracle, "id %" PRIx64 ": acknowledged, not retired, "
					    "and not there", oracle->all[i].id);
	if (unknown && unknown != oracle->flight_count)
		return oracle_wrong(oracle, "%u of a group of %u are there", unknown,
				    oracle->flight_count);
	if (oracle_info(oracle, j))
		return -1;
	if (adopt)
		oracle_adopt(oracle, list, unknown, first);
	return 0;
}

int oracle_same(struct oracle *oracle, const struct oracle_list *first,
		const struct oracle_list *second)
{
	if (first->count == second->count &&
	    (!first->count ||
	     !memcmp(first->ids, second->ids, first->count * sizeof(*first->ids))))
		return 0;
	return oracle_wrong(oracle, "P7: what the first recovery served (%u) is not what the "
			    "second finds (%u)", first->count, second->count);
}
