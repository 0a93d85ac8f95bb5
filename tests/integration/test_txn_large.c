/* SPDX-License-Identifier: BSD-3-Clause */
/* Transactions larger than one write: their space, and threads that read them
 * while others retire them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bed.h"

#define LARGE 4500000u

static uint64_t put(struct bed *bed, uint64_t seed, enum journal_path path)
{
	struct journal_receipt receipt;

	assert_int_equal(bed_put(bed, NULL, LARGE, seed, path, &receipt), 0);
	return receipt.id;
}

static void frees_all_of_it(struct bed *bed, enum journal_path path, bool many, bool reopen)
{
	uint32_t before = bed_info(bed).segments_free;
	uint64_t ids[2] = { put(bed, 1, path), put(bed, 2, path) };

	/* the heads have a segment each before and after */
	assert_true(bed_info(bed).segments_free + 2 * LARGE / bed_info(bed).segment_bytes <=
		    before + 2);
	if (reopen)
		bed_reopen(bed);
	assert_true(bed_info(bed).segments_free < before);
	assert_int_equal(bed_verify(bed->j, ids[0], LARGE, 1), 0);
	assert_int_equal(bed_verify(bed->j, ids[1], LARGE, 2), 0);
	if (many) {
		assert_int_equal(journal_retire_many(bed->j, ids, 2, NULL), 0);
	} else {
		assert_int_equal(journal_retire(bed->j, ids[1]), 0);
		assert_int_equal(journal_retire(bed->j, ids[0]), 0);
	}
	/* of checkpointed markers only the next checkpoint frees them */
	if (bed_has_nvram(bed))
		assert_int_equal(bed_info(bed).segments_free, before);
	assert_int_equal(bed_info(bed).retires_unfreed, 0);
	bed_reopen(bed);
	assert_int_equal(bed_info(bed).segments_free, before);
	assert_int_equal(bed_info(bed).live, 0);
}

static void retiring_frees_all_segments(enum bed_medium medium)
{
	struct bed bed;
	int i;

	bed_make(&bed, medium, 24u << 20, 1u << 20);
	/* both heads have begun */
	assert_int_equal(journal_retire(bed.j, put(&bed, 0, JOURNAL_PATH_SYNCED)), 0);
	bed_reopen(&bed);
	for (i = 0; i < 4; i++) { /* each way of both */
		frees_all_of_it(&bed, JOURNAL_PATH_SYNCED, i & 1, i & 2);
		if (bed_has_nvram(&bed))
			frees_all_of_it(&bed, JOURNAL_PATH_DIRECT, i & 1, i & 2);
	}
	bed_remove(&bed);
}

/* ---- threads ---- */

#define WORDS_MAX 400000u

struct crowd {
	struct bed *bed;
	unsigned int rounds;
	_Atomic int stop;
	_Atomic uint32_t reads, wrong;
};

static size_t words_of(uint64_t word)
{
	return 150000 + word * 7919 % (WORDS_MAX - 150000);
}

/* as it was put: one word, and as often as that word says */
static bool is_whole(const uint64_t *words, size_t bytes)
{
	size_t i;

	for (i = 1; i < bytes / 8; i++)
		if (words[i] != words[0])
			return false;
	return bytes == words_of(words[0]) * 8;
}

static void *read_all(void *argument)
{
	struct crowd *crowd = argument;
	uint64_t *words = malloc(WORDS_MAX * 8);
	struct journal_entry entry;
	size_t got;
	int error;

	while (!crowd->stop || !crowd->reads) {
		for (entry.id = 0; !journal_next(crowd->bed->j, entry.id, &entry);) {
			error = journal_read(crowd->bed->j, entry.id, words, WORDS_MAX * 8, &got);
			crowd->wrong += error ? error != -ENOENT : !is_whole(words, got);
			crowd->reads += !error;
		}
	}
	free(words);
	return NULL;
}

static uint64_t put_words(struct crowd *crowd, uint64_t *words, uint64_t word)
{
	struct journal_receipt receipt = { 0 };
	size_t i, count = words_of(word);

	for (i = 0; i < count; i++)
		words[i] = word;
	crowd->wrong += journal_put(crowd->bed->j, words, count * 8, &receipt) != 0;
	return receipt.id;
}

/* So much that every segment is used many times. */
static void *put_and_retire(void *argument)
{
	struct crowd *crowd = argument;
	uint64_t *words = malloc(WORDS_MAX * 8), ids[2];
	unsigned int i;

	for (i = 0; i < crowd->rounds; i++) {
		ids[0] = put_words(crowd, words, i * 2);
		ids[1] = put_words(crowd, words, i * 2 + 1);
		if (i & 1) {
			crowd->wrong += journal_retire_many(crowd->bed->j, ids, 2, NULL) != 0;
			continue;
		}
		crowd->wrong += journal_retire(crowd->bed->j, ids[0]) != 0;
		crowd->wrong += journal_retire(crowd->bed->j, ids[1]) != 0;
	}
	free(words);
	return NULL;
}

static void read_while_others_retire(enum bed_medium medium)
{
	struct crowd crowd = { .rounds = 12 };
	pthread_t readers[2], writers[2];
	uint64_t fixed, *words = malloc(WORDS_MAX * 8);
	struct bed bed;
	int i;

	bed_make(&bed, medium, 40u << 20, 1u << 20);
	crowd.bed = &bed;
	/* one that stays: there is always something to read */
	fixed = put_words(&crowd, words, 0);
	free(words);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_all, &crowd), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, put_and_retire, &crowd), 0);
	for (i = 0; i < 2; i++)
		pthread_join(writers[i], NULL);
	crowd.stop = 1;
	for (i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	assert_int_equal(crowd.wrong, 0);
	assert_true(bed_info(&bed).segment_recycles > bed_info(&bed).segments);
	assert_int_equal(bed_info(&bed).retires_unfreed, 0);
	assert_int_equal(journal_retire(bed.j, fixed), 0);
	bed_reopen(&bed);
	assert_true(bed_info(&bed).segments - bed_info(&bed).segments_free <= 2);
	assert_int_equal(bed_info(&bed).live + bed_info(&bed).lost, 0);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "retiring_frees_all_segments", retiring_frees_all_segments, BED_ALL },
		{ "p18_read_while_others_retire", read_while_others_retire,
		  1u << BED_FILE | 1u << BED_PMEM | 1u << BED_SIM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(*tests));
}
