/* SPDX-License-Identifier: BSD-3-Clause */
/* Retiring, ids, and what listing shows. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bed.h"

static void retired_never_come_back(enum bed_medium medium)
{
	uint64_t ids[300], unknown = 0;
	int results[301], round, i;
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < 300; i++)
			assert_int_equal(bed_put(&bed, &model, 20 + i % 90, round * 1000 + i,
						 i % 4 && bed_has_nvram(&bed) ? i % 4 : 0, NULL),
					 0);
		for (i = 0; i < 150; i++)
			ids[i] = model.all[model.count - 300 + i * 2].id;
		/* one twice and one unknown in the middle of many */
		ids[150] = ids[3];
		ids[151] = unknown;
		assert_int_equal(journal_retire_many(bed.j, ids, 152, results), -ENOENT);
		for (i = 0; i < 152; i++)
			assert_int_equal(results[i], i < 150 ? 0 : -ENOENT);
		for (i = 0; i < 150; i++)
			model_retire(&model, ids[i]);
		assert_int_equal(journal_retire(bed.j, ids[5]), -ENOENT);
		assert_non_null(strstr(journal_error(bed.j), "already retired"));
		assert_int_equal(journal_retire(bed.j, ids[5] ^ 1ull << 60), -ENOENT);
		assert_int_equal(journal_retire_many(bed.j, NULL, 0, NULL), 0);
		model_verify(&model, bed.j);
		model_verify_reopened(&model, &bed);
		unknown = ids[7];
		assert_int_equal(journal_retire(bed.j, unknown), -ENOENT);
	}
	bed_remove(&bed);
	model_free(&model);
}

/* ---- one of two wins ---- */

struct race {
	struct bed *bed;
	struct model *model;
	pthread_barrier_t start;
	_Atomic uint32_t won, failed;
};

static void *race_retire(void *argument)
{
	struct race *race = argument;
	size_t i;
	int error;

	pthread_barrier_wait(&race->start);
	for (i = 0; i < race->model->count; i++) {
		error = journal_retire(race->bed->j, race->model->all[i].id);
		race->won += !error;
		race->failed += error && error != -ENOENT;
	}
	return NULL;
}

static void exactly_one_wins(enum bed_medium medium)
{
	struct race race = { 0 };
	pthread_t threads[3];
	struct model model;
	struct bed bed;
	int i, count = medium == BED_FILE || medium == BED_MSYNC ? 150 : 700;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	for (i = 0; i < count; i++)
		assert_int_equal(bed_put(&bed, &model, 40, i, 0, NULL), 0);
	race.bed = &bed;
	race.model = &model;
	pthread_barrier_init(&race.start, NULL, 3);
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race_retire, &race), 0);
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(race.won, count);
	assert_int_equal(race.failed, 0);
	for (i = 0; i < count; i++)
		model.all[i].retired = true;
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

/* ---- ids ---- */

static void ids_are_never_reissued(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	int round, i;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 30; i++) {
			assert_int_equal(bed_put(&bed, &model, 8, round, 0, NULL), 0);
			model_retire(&model, model.all[model.count - 1].id);
			assert_int_equal(journal_retire(bed.j, model.all[model.count - 1].id),
					 0);
		}
		if (round % 3 == 0)
			model_verify_reopened(&model, &bed);
		else
			bed_reopen(&bed);
	}
	/* model_verify() wants all of them different */
	model_verify(&model, bed.j);
	bed_remove(&bed);
	model_free(&model);
}

static void an_id_is_one_token(enum bed_medium medium)
{
	static const char *const bad[] = { "", "1", "-", "1-", "1-0000000", "1-000000000",
					   "01-00000000", "1-0000000g", "1-0000000A", " 1-00000000",
					   "123456789-00000000", "1--0000000", "1-00000000 " };
	char text[JOURNAL_ID_CHARS];
	uint64_t id = 0, ids[] = { 1ull << 32, UINT64_MAX, 0x123456789abcdefull };
	size_t i;

	(void)medium;
	for (i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		journal_id_print(ids[i], text);
		assert_int_equal(strspn(text, "0123456789abcdef-"), strlen(text));
		assert_int_equal(journal_id_parse(text, &id), 0);
		assert_true(id == ids[i]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(journal_id_parse(bad[i], &id), -EINVAL);
}

/* ---- listing beside commits ---- */

struct lister {
	struct bed *bed;
	_Atomic int stop;
	_Atomic uint32_t rounds, wrong;
	uint64_t fixed[50];
};

/* always in order, and what is not touched is always there */
static void *list_again(void *argument)
{
	struct lister *lister = argument;
	struct journal_entry entry;
	uint64_t after;
	int seen;

	while (!lister->stop || !lister->rounds) {
		for (after = 0, seen = 0; !journal_next(lister->bed->j, after, &entry);
		     after = entry.id) {
			lister->wrong += entry.id <= after || entry.state != JOURNAL_LIVE;
			seen += seen < 50 && entry.id == lister->fixed[seen];
		}
		lister->wrong += seen != 50;
		lister->rounds++;
	}
	return NULL;
}

static int order(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static void listing_while_others_commit(enum bed_medium medium)
{
	struct lister lister = { 0 };
	struct journal_receipt receipt;
	pthread_t thread;
	struct bed bed;
	int i;

	bed_make(&bed, medium, 0, 0);
	lister.bed = &bed;
	for (i = 0; i < 50; i++) {
		assert_int_equal(bed_put(&bed, NULL, 9, i, 0, &receipt), 0);
		lister.fixed[i] = receipt.id;
	}
	qsort(lister.fixed, 50, sizeof(uint64_t), order);
	assert_int_equal(pthread_create(&thread, NULL, list_again, &lister), 0);
	/* a synced pair takes a thousand times as long */
	for (i = 0; i < (medium == BED_PMEM || medium == BED_SIM ? 3000 : 200); i++) {
		assert_int_equal(bed_put(&bed, NULL, 9, i, 0, &receipt), 0);
		assert_int_equal(journal_retire(bed.j, receipt.id), 0);
	}
	lister.stop = 1;
	pthread_join(thread, NULL);
	assert_int_equal(lister.wrong, 0);
	bed_remove(&bed);
}

/* ---- reading beside commits and retires ---- */

struct reader {
	struct bed *bed;
	_Atomic int stop;
	_Atomic uint32_t reads, wrong;
};

static uint32_t churn_bytes(uint64_t id)
{
	return (uint32_t)(id * 7 % 3000);
}

/* What is read is whole, and its listing's: all words of a payload are the same. */
static bool is_whole(const uint64_t *words, const struct journal_entry *entry, size_t got)
{
	size_t i;

	for (i = 1; i < got / 8; i++)
		if (words[i] != words[0])
			return false;
	return got == entry->bytes;
}

static void *read_again(void *argument)
{
	struct reader *reader = argument;
	struct journal_entry entry;
	struct journal_info info;
	uint64_t words[400];
	size_t got;
	int error;

	while (!reader->stop || !reader->reads) {
		for (entry.id = 0; !journal_next(reader->bed->j, entry.id, &entry);) {
			error = journal_read(reader->bed->j, entry.id, words, sizeof(words), &got);
			reader->wrong += error ? error != -ENOENT :
						 !is_whole(words, &entry, got);
			reader->reads += !error;
		}
		reader->wrong += journal_info(reader->bed->j, &info) || info.lost;
	}
	return NULL;
}

static void churn(struct bed *bed, unsigned int rounds, enum journal_path path)
{
	uint64_t words[400], ids[20] = { 0 };
	struct journal_txn_options options = { .path = path };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	unsigned int i, k;

	for (i = 0; i < rounds; i++) {
		if (ids[i % 20])
			assert_int_equal(journal_retire(bed->j, ids[i % 20]), 0);
		for (k = 0; k < 400; k++)
			words[k] = i;
		assert_int_equal(journal_begin(bed->j, &options, &txn), 0);
		assert_int_equal(journal_append(txn, words, churn_bytes(i)), 0);
		assert_int_equal(journal_commit(txn, &receipt), 0);
		ids[i % 20] = receipt.id;
	}
}

/* Small enough that lines, rings and segments go round under the readers. */
static void reading_while_others_retire(enum bed_medium medium)
{
	bool fast = medium == BED_PMEM || medium == BED_SIM;
	struct reader reader = { 0 };
	pthread_t threads[2];
	struct bed bed;
	int i;

	bed_make(&bed, medium, 0, 1u << 20);
	reader.bed = &bed;
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_again, &reader), 0);
	churn(&bed, fast ? 6000 : 150, JOURNAL_PATH_AUTO);
	churn(&bed, 150, JOURNAL_PATH_SYNCED);
	reader.stop = 1;
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(reader.wrong, 0);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "retired_never_come_back", retired_never_come_back, BED_ALL },
		{ "exactly_one_wins", exactly_one_wins, BED_ALL },
		{ "p4_ids_are_never_reissued", ids_are_never_reissued, BED_ALL },
		{ "an_id_is_one_token", an_id_is_one_token, 1u << BED_FILE },
		{ "listing_while_others_commit", listing_while_others_commit, BED_ALL },
		{ "reading_while_others_retire", reading_while_others_retire, BED_ALL },
	};

	return bed_run(tests, sizeof(tests) / sizeof(*tests));
}
