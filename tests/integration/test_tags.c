/* SPDX-License-Identifier: BSD-3-Clause */
/* Tag and reference of a transaction come back, wherever it is, and after it was moved. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/bed.h"

#define ALL 40u

static uint64_t tag_of(uint32_t i)
{
	return i % 5 ? 0x0123456789abcdefull * (i + 1) : 0;
}

static uint64_t reference_of(uint32_t i)
{
	return i % 3 ? ~0x0123456789abcdefull * (i + 1) : 0;
}

/* Small ones, some that go to the log, one in several pieces, and groups. */
static uint64_t put_tagged(struct bed *bed, uint32_t i)
{
	static const uint64_t sizes[] = { 10, 3000, 20000, 0, 1500000, 200 };
	struct journal_txn_options options = {
		.tag = tag_of(i),
		.reference = reference_of(i),
		.path = i % 4 == 1 ? JOURNAL_PATH_SYNCED : JOURNAL_PATH_AUTO,
	};
	uint64_t bytes = sizes[i % 6];
	uint8_t *payload = bed_payload(bytes, i);
	struct journal_receipt receipt;
	struct journal_txn *txn;

	assert_int_equal(journal_begin(bed->j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, payload, bytes), 0);
	if (bytes < 1000) {
		assert_int_equal(journal_group_next(txn), 0);
		assert_int_equal(journal_append(txn, "second", 6), 0);
	}
	assert_int_equal(journal_commit(txn, &receipt), 0);
	free(payload);
	/* of a group, the last */
	return receipt.id + receipt.count - 1;
}

static void all_are_there(struct journal *j, const uint64_t *ids)
{
	struct journal_read_result result;
	struct journal_reads *reads;
	struct journal_tags tags;
	uint32_t i;

	for (i = 0; i < ALL; i++) {
		assert_int_equal(journal_tags(j, ids[i], &tags), 0);
		assert_int_equal(tags.tag, tag_of(i));
		assert_int_equal(tags.reference, reference_of(i));
	}
	assert_int_equal(journal_reads_open(j, 0, &reads), 0);
	for (i = 0; i < ALL; i++) {
		assert_int_equal(journal_reads_submit(reads, ids[i], i), 0);
		assert_int_equal(journal_reads_next(reads, -1, &result), 0);
		assert_int_equal(result.error, 0);
		assert_int_equal(result.tags.tag, tag_of((uint32_t)result.cookie));
		assert_int_equal(result.tags.reference, reference_of((uint32_t)result.cookie));
	}
	journal_reads_close(reads);
}

static void they_come_back(enum bed_medium medium)
{
	const struct journal_maintain_options now = { .stage_age_ns = 1 };
	struct journal_maintained done;
	struct journal_tags tags;
	uint64_t ids[ALL];
	struct bed bed;
	uint32_t i;

	bed_make(&bed, medium, 64ull << 20, 0);
	for (i = 0; i < ALL; i++)
		ids[i] = put_tagged(&bed, i);
	all_are_there(bed.j, ids);
	/* from the stage to the log */
	do
		assert_int_equal(journal_maintain(bed.j, &now, &done), 0);
	while (done.more || bed_info(&bed).staged_live);
	all_are_there(bed.j, ids);
	bed_reopen(&bed);
	all_are_there(bed.j, ids);
	assert_int_equal(journal_retire(bed.j, ids[7]), 0);
	assert_int_equal(journal_tags(bed.j, ids[7], &tags), -ENOENT);
	assert_int_equal(journal_tags(bed.j, ~0ull >> 20, &tags), -ENOENT);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "they come back", they_come_back, BED_ALL },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
