/* SPDX-License-Identifier: BSD-3-Clause */
/* What is there, against the ledger. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crowd_worker.h"

static int id_order(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static void compare_ids(struct crowd_shared *shared)
{
	uint64_t count = atomic_load(&shared->id_count), i;

	count = count < CROWD_IDS ? count : CROWD_IDS;
	qsort(shared->ids, count, sizeof(shared->ids[0]), id_order);
	for (i = 1; i < count; i++)
		/* 0: of one that was killed before it noted which */
		if (shared->ids[i] && shared->ids[i] == shared->ids[i - 1])
			fail_msg("id %" PRIx64 " was given to two", shared->ids[i]);
	/* later ones are compared with these no more */
	if (count == CROWD_IDS)
		atomic_store(&shared->id_count, 0);
}

/* the transaction that an entry is: by id, else one whose commit was in flight */
static struct crowd_txn *compare_find(struct crowd *crowd, const struct journal_entry *entry,
				      const uint8_t *is, uint8_t *should)
{
	uint32_t i, who;
	struct crowd_txn *txn;
	enum crowd_state state;

	for (who = 0; who < crowd->count; who++)
		for (i = 0; i < CROWD_KEPT; i++) {
			txn = &crowd->shared->worker[who].kept[i];
			state = crowd_state(txn);
			if (state == CROWD_NONE || txn->seen || txn->bytes != entry->bytes ||
			    (state != CROWD_COMMITTING && txn->id != entry->id))
				continue;
			bed_fill(should, txn->bytes, txn->seed);
			if (!memcmp(is, should, txn->bytes))
				return txn;
		}
	return NULL;
}

static void compare_entry(struct crowd *crowd, struct journal *j,
			  const struct journal_entry *entry, uint8_t *is, uint8_t *should)
{
	struct crowd_txn *txn;
	size_t got;

	if (journal_read(j, entry->id, is, CROWD_LARGE, &got))
		fail_msg("id %" PRIx64 ": %s", entry->id, journal_error(j));
	txn = compare_find(crowd, entry, is, should);
	if (!txn) {
		fail_msg("id %" PRIx64 ": nobody committed it, or it was retired", entry->id);
		return;
	}
	txn->id = entry->id;
	txn->seen = true;
}

/* of a group all are there, or none */
static void compare_group(const struct crowd_worker *worker, const struct crowd_txn *txn)
{
	uint32_t i;

	for (i = 0; i < CROWD_KEPT; i++)
		if (worker->kept[i].group == txn->group && worker->kept[i].seen != txn->seen &&
		    crowd_state(&worker->kept[i]) == CROWD_COMMITTING)
			fail_msg("half of a group is there");
}

static void compare_worker(struct crowd_worker *worker)
{
	uint32_t i;

	for (i = 0; i < CROWD_KEPT; i++) {
		if (crowd_state(&worker->kept[i]) == CROWD_COMMITTING)
			compare_group(worker, &worker->kept[i]);
		if (crowd_state(&worker->kept[i]) == CROWD_LIVE && !worker->kept[i].seen)
			fail_msg("id %" PRIx64 ": acknowledged, not retired, and not there",
				 worker->kept[i].id);
	}
	/* what was in flight is decided now */
	for (i = 0; i < CROWD_KEPT; i++) {
		crowd_set(&worker->kept[i], worker->kept[i].seen ? CROWD_LIVE : CROWD_NONE);
		worker->kept[i].seen = false;
	}
}

void crowd_compare(struct crowd *crowd)
{
	struct journal_entry entry = { 0 };
	uint8_t *is = malloc(CROWD_LARGE), *should = malloc(CROWD_LARGE);
	uint32_t who;

	assert_true(is && should);
	compare_ids(crowd->shared);
	bed_check(crowd->bed, 0);
	bed_open(crowd->bed, NULL);
	while (!journal_next(crowd->bed->j, entry.id, &entry))
		compare_entry(crowd, crowd->bed->j, &entry, is, should);
	for (who = 0; who < crowd->count; who++)
		compare_worker(&crowd->shared->worker[who]);
	bed_close(crowd->bed);
	free(is);
	free(should);
}
