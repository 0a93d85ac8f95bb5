/* SPDX-License-Identifier: BSD-3-Clause */
#include "nth_lives.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nth.h"
#include "util/math.h"

#define GROUP_MAX 8u

bool nth_has_nvram(const struct nth_life *life)
{
	return strcmp(life->place->scheme, "file");
}

bool nth_open(struct nth_life *life, unsigned int flags)
{
	struct journal_open_options options = { .flags = flags };
	struct journal_info info;

	for (int tries = 0; tries < 2; tries++) {
		if (!NTH_CALL_J(life, journal_open(life->place->dir, &options, &life->j))) {
			if (!journal_info(life->j, &info)) {
				life->unnamed = info.lost_unnamed;
				life->lost = info.lost;
			}
			return true;
		}
		/* also without a handle: then for want of memory */
		(void)NTH_CALL_J(life, journal_close(life->j) ? 0 : 0);
		life->j = NULL;
	}
	if (!nth->forever && !life->alone)
		nth_wrong(life->story, "it opens neither after what failed");
	return false;
}

void nth_close(struct nth_life *life)
{
	struct journal *j = life->j;

	if (life->killed || !j)
		return;
	nth_on();
	(void)nth_told(life, "journal_close", journal_close(j), NULL);
	nth_off();
	life->j = NULL;
}

/* ---- putting ---------------------------------------------------------------------------- */

static void given_up(struct nth_life *life, struct journal_txn *txn)
{
	(void)NTH_CALL_J(life, journal_abort(txn));
}

void nth_put(struct nth_life *life, enum journal_path path, uint32_t bytes)
{
	struct journal_txn_options options = { .path = path, .tag = bytes };
	struct nth_put *put = nth_new(life->story, bytes);
	uint8_t *payload = nth_payload(life->story, put);
	struct journal_receipt receipt;
	uint32_t half = bytes / 2;
	struct journal_txn *txn;
	void *where;
	int error;

	if (NTH_CALL_J(life, journal_begin(life->j, &options, &txn)))
		goto out;
	error = NTH_CALL_J(life, journal_append(txn, payload, half));
	if (!error && bytes - half <= JOURNAL_RESERVE_MAX && bytes % 2) {
		error = NTH_CALL_J(life, journal_reserve(txn, bytes - half, &where));
		if (!error)
			memcpy(where, payload + half, bytes - half);
	} else if (!error) {
		error = NTH_CALL_J(life, journal_append(txn, payload + half, bytes - half));
	}
	if (!error && bytes % 3 == 0)
		error = NTH_CALL_J(life, journal_prepare(txn));
	if (error) {
		given_up(life, txn);
		goto out;
	}
	put->put = NTH_DOUBT;
	put->put = nth_committed(NTH_CALL_J(life, journal_commit(txn, &receipt)));
	put->id = put->put == NTH_YES ? receipt.id : 0;
out:
	free(payload);
}

/* begin and append @count of @bytes.  Return: their first one, or NULL: given up */
static struct nth_put *group(struct nth_life *life, uint32_t count, uint32_t bytes,
			     struct journal_txn **txn)
{
	struct nth_put *first = &life->story->put[life->story->count], *put;
	uint32_t number = ++life->story->groups, i;
	uint8_t *payload;
	int error;

	if (NTH_CALL_J(life, journal_begin(life->j, NULL, txn)))
		return NULL;
	for (i = 0, error = 0; i < count && !error; i++) {
		put = nth_new(life->story, bytes + i);
		put->group = number;
		payload = nth_payload(life->story, put);
		if (i)
			error = NTH_CALL_J(life, journal_group_next(*txn));
		if (!error)
			error = NTH_CALL_J(life, journal_append(*txn, payload, put->bytes));
		free(payload);
	}
	if (!error)
		return first;
	given_up(life, *txn);
	return NULL;
}

static void answered(struct nth_put *first, uint32_t count, enum nth_answer answer,
		     const struct journal_receipt *receipt)
{
	for (uint32_t i = 0; i < count; i++) {
		first[i].put = answer;
		first[i].id = answer == NTH_YES ? receipt->id + i : 0;
	}
}

void nth_put_group(struct nth_life *life, uint32_t count, uint32_t bytes)
{
	struct journal_receipt receipt;
	struct journal_txn *txn;
	struct nth_put *first = group(life, count, bytes, &txn);

	if (!first)
		return;
	answered(first, count, NTH_DOUBT, NULL);
	answered(first, count, nth_committed(NTH_CALL_J(life, journal_commit(txn, &receipt))),
		 &receipt);
}

void nth_abort(struct nth_life *life, uint32_t bytes)
{
	struct journal_txn *txn;

	if (group(life, 2, bytes, &txn))
		given_up(life, txn);
}

/* one group each */
void nth_submit(struct nth_life *life, uint32_t count, uint32_t bytes)
{
	struct nth_put *first[64];
	struct journal_completion done;
	struct journal_async *async;
	struct journal_txn *txn;
	uint32_t i, taken = 0;
	int error;

	if (NTH_CALL_J(life, journal_async_open(life->j, 0, &async)))
		return;
	for (i = 0; i < count; i++) {
		first[i] = group(life, 2, bytes + 100 * i, &txn);
		if (!first[i])
			continue;
		answered(first[i], 2, NTH_DOUBT, NULL);
		error = NTH_CALL_J(life, journal_submit(async, txn, i));
		if (error)
			answered(first[i], 2, nth_committed(error), NULL);
		else
			taken++;
	}
	for (i = 0; i < taken; i++) {
		if (NTH_CALL_J(life, journal_async_next(async, -1, &done)))
			break;
		answered(first[done.cookie], 2, nth_committed(nth_told(life, "a completion",
			 done.error, done.error ? journal_error(life->j) : NULL)), &done.receipt);
	}
	if (i < taken)
		nth_wrong(life->story, "%d completions never came", (int)(taken - i));
	(void)NTH_CALL_J(life, journal_async_close(async));
}

/* ---- retiring ---------------------------------------------------------------------------- */

static bool lives(const struct nth_put *put)
{
	return put->put == NTH_YES && put->retire == NTH_NO;
}

static enum nth_answer retired(struct nth_life *life, int error)
{
	if (error == -ENOENT && !life->unnamed)
		nth_wrong(life->story, "one that lives cannot be found, to be retired");
	return nth_committed(error);
}

void nth_retire(struct nth_life *life, bool many)
{
	struct nth_put *put[3] = { NULL };
	uint32_t i, count = 0, want = many ? 3 : 1;
	enum nth_answer answer;
	int results[3], error;
	uint64_t ids[3];

	for (i = 0; i < life->story->count && count < want; i++)
		if (lives(&life->story->put[i]))
			put[count++] = &life->story->put[i];
	if (count < want)
		return;
	for (i = 0; i < want; i++) {
		ids[i] = put[i]->id;
		put[i]->retire = NTH_DOUBT;
	}
	error = many ? NTH_CALL_J(life, journal_retire_many(life->j, ids, 3, results)) :
		       NTH_CALL_J(life, journal_retire(life->j, ids[0]));
	answer = retired(life, error);
	for (i = 0; i < want; i++)
		put[i]->retire = answer;
}

/* ---- reading ----------------------------------------------------------------------------- */

void nth_read_all(struct nth_life *life)
{
	struct nth_story *story = life->story;
	struct journal_entry entry = { 0 };
	struct journal_tags tags;
	uint8_t *data;
	size_t got;

	for (uint32_t i = 0; i < story->count; i++) {
		struct nth_put *put = &story->put[i];

		if (!lives(put))
			continue;
		/* that some are lost is told, without their names, nor how many */
		if (journal_lookup(life->j, put->id, &entry) && !life->unnamed)
			nth_wrong(story, "number %d is not found", (int)i);
		data = malloc(put->bytes);
		if (!data)
			abort();
		if (!NTH_CALL_J(life, journal_read(life->j, put->id, data, put->bytes, &got)))
			nth_compare(life, put, data, got);
		if (!NTH_CALL_J(life, journal_tags(life->j, put->id, &tags)) && tags.tag &&
		    tags.tag != put->bytes)
			nth_wrong(story, "number %d: another tag", (int)i);
		free(data);
	}
}

void nth_read_many(struct nth_life *life)
{
	struct journal_read_result got;
	struct nth_story *story = life->story;
	struct journal_reads *reads;
	uint32_t i, under_way = 0;
	uint64_t id;

	if (NTH_CALL_J(life, journal_reads_open(life->j, 16, &reads)))
		return;
	for (i = 0; i < story->count || under_way;) {
		if (i < story->count && !lives(&story->put[i])) {
			i++;
		} else if (i < story->count && under_way < 16) {
			id = story->put[i].id;
			under_way += !NTH_CALL_J(life, journal_reads_submit(reads, id, i));
			i++;
		} else {
			under_way--;
			if (NTH_CALL_J(life, journal_reads_next(reads, -1, &got)))
				break;
			if (!nth_told(life, "a read", got.error,
				      got.error ? journal_error(life->j) : NULL))
				nth_compare(life, &story->put[got.cookie], got.data, got.bytes);
		}
	}
	nth_on();
	journal_reads_close(reads);
	nth_off();
}

/* ---- looking, and work in the background --------------------------------------------------- */

void nth_maintain(struct nth_life *life, unsigned int rounds)
{
	/* all of the stage, whatever its age */
	struct journal_maintain_options options = { .stage_age_ns = 1, .stage_fill_percent = 1,
						    .sound_for_ns = 1 };
	struct journal_maintained done;

	while (rounds-- && !NTH_CALL_J(life, journal_maintain(life->j, &options, &done)))
		;
}

void nth_look(struct nth_life *life)
{
	struct journal_leg legs[JOURNAL_LEGS];
	struct journal_health health;
	struct journal_info info;

	(void)NTH_CALL_J(life, journal_info(life->j, &info));
	(void)NTH_CALL_J(life, journal_health(life->j, &health));
	if (life->place->mirrored)
		(void)NTH_CALL_J(life, journal_legs(life->j, 0, legs));
}
