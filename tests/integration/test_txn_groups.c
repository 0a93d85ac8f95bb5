/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups, prepared commits, and aborts at every stage. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bed.h"

static uint64_t member_bytes(uint32_t members, uint32_t i)
{
	return i % 5 == 2 ? 0 : (i * 37 + members) % 211;
}

static void group_feed(struct journal_txn *txn, uint32_t members, bool reserve)
{
	uint8_t *payload;
	uint64_t bytes;
	void *where;
	uint32_t i;

	for (i = 0; i < members; i++) {
		bytes = member_bytes(members, i);
		payload = bed_payload(bytes, members * 64 + i);
		if (reserve && i & 1) {
			assert_int_equal(journal_reserve(txn, bytes, &where), 0);
			memcpy(where, payload, bytes);
		} else {
			assert_int_equal(journal_append(txn, payload, bytes / 2), 0);
			assert_int_equal(journal_append(txn, payload + bytes / 2,
							bytes - bytes / 2), 0);
		}
		free(payload);
		if (i + 1 < members)
			assert_int_equal(journal_group_next(txn), 0);
	}
}

static void group_commit(struct bed *bed, struct model *model, uint32_t members,
			 enum journal_path path, bool prepare)
{
	struct journal_txn_options options = { .path = path };
	struct journal_receipt receipt;
	struct journal_txn *txn;
	uint32_t i;

	assert_int_equal(journal_begin(bed->j, &options, &txn), 0);
	group_feed(txn, members, prepare);
	if (members == JOURNAL_GROUP_MAX)
		assert_int_equal(journal_group_next(txn), -E2BIG);
	if (prepare)
		assert_int_equal(journal_prepare(txn), 0);
	assert_int_equal(journal_commit(txn, &receipt), 0);
	assert_int_equal(receipt.count, members);
	if (path)
		assert_int_equal(receipt.path, path);
	for (i = 0; i < members; i++)
		model_add(model, receipt.id + i, member_bytes(members, i), members * 64 + i);
}

static void groups_of_every_size(enum bed_medium medium)
{
	static const uint32_t members[] = { 1, 2, 3, 31, 63, 64 };
	struct model model;
	struct bed bed;
	enum journal_path path;
	size_t i;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	for (i = 0; i < sizeof(members) / sizeof(*members); i++)
		for (path = 0; path <= JOURNAL_PATH_SYNCED; path++)
			if (bed_has_nvram(&bed) || path == 0 || path == JOURNAL_PATH_SYNCED) {
				group_commit(&bed, &model, members[i], path, false);
				group_commit(&bed, &model, members[i], path, true);
			}
	assert_true(bed_info(&bed).groups > 0);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	/* members are retired singly: every third stays */
	for (i = 0; i < model.count; i++)
		if (i % 3) {
			assert_int_equal(journal_retire(bed.j, model.all[i].id), 0);
			model.all[i].retired = true;
		}
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

static void groups_have_limits(enum bed_medium medium)
{
	uint8_t *payload = bed_payload(3u << 20, 1);
	struct journal_receipt receipt;
	struct journal_txn *txn;
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	/* too large together */
	assert_int_equal(journal_begin(bed.j, NULL, &txn), 0);
	assert_int_equal(journal_append(txn, payload, 700000), 0);
	assert_int_equal(journal_group_next(txn), 0);
	assert_int_equal(journal_append(txn, payload, 700000), -EMSGSIZE);
	assert_int_equal(journal_commit(txn, &receipt), -EMSGSIZE);
	/* the first alone is too large */
	assert_int_equal(journal_begin(bed.j, NULL, &txn), 0);
	assert_int_equal(journal_append(txn, payload, 3u << 20), 0);
	assert_int_equal(journal_group_next(txn), -EMSGSIZE);
	journal_abort(txn);
	/* as much as may be: 983040 bytes together */
	assert_int_equal(journal_begin(bed.j, NULL, &txn), 0);
	assert_int_equal(journal_append(txn, payload, 20000), 0);
	assert_int_equal(journal_group_next(txn), 0);
	assert_int_equal(journal_append(txn, payload, JOURNAL_RESERVE_MAX - 20000), 0);
	assert_int_equal(journal_commit(txn, &receipt), 0);
	bed_reopen(&bed);
	assert_int_equal(bed_info(&bed).live, 2);
	assert_int_equal(bed_verify(bed.j, receipt.id, 20000, 1), 0);
	assert_int_equal(bed_verify(bed.j, receipt.id + 1, JOURNAL_RESERVE_MAX - 20000, 1), 0);
	bed_remove(&bed);
	free(payload);
}

enum stage { AFTER_BEGIN, AFTER_APPEND, AFTER_RESERVE, AFTER_GROUP, AFTER_SPILL, AFTER_LARGE,
	     AFTER_PREPARE, AFTER_LARGE_PREPARE, STAGES };

static void begin_and_abort(struct bed *bed, enum stage stage, enum journal_path path,
			    const uint8_t *payload)
{
	struct journal_txn_options options = { .path = path };
	bool spill = stage == AFTER_SPILL && path != JOURNAL_PATH_STAGED;
	bool large = (stage == AFTER_LARGE || stage == AFTER_LARGE_PREPARE) &&
		     path != JOURNAL_PATH_STAGED;
	struct journal_txn *txn;
	void *where;

	assert_int_equal(journal_begin(bed->j, &options, &txn), 0);
	if (stage > AFTER_BEGIN)
		assert_int_equal(journal_append(txn, payload, 1001), 0);
	if (stage == AFTER_RESERVE)
		assert_int_equal(journal_reserve(txn, 777, &where), 0);
	if (stage == AFTER_GROUP)
		assert_int_equal(journal_group_next(txn), 0);
	if (spill)
		assert_int_equal(journal_append(txn, payload, 50000), 0);
	if (large)
		assert_int_equal(journal_append(txn, payload, 3u << 20), 0);
	if (stage == AFTER_PREPARE || stage == AFTER_LARGE_PREPARE)
		assert_int_equal(journal_prepare(txn), 0);
	assert_int_equal(journal_abort(txn), 0);
}

static void retire_last(struct bed *bed, struct model *model)
{
	struct model_entry *last = &model->all[model->count - 1];

	assert_int_equal(journal_retire(bed->j, last->id), 0);
	last->retired = true;
}

/* far more than the log holds is aborted: all of its space comes back */
static void aborts_leave_nothing(enum bed_medium medium)
{
	uint8_t *payload = bed_payload(3u << 20, 9);
	struct model model;
	struct bed bed;
	enum journal_path path;
	enum stage stage;
	uint64_t seed = 0;
	int round;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	for (round = 0; round < 3; round++)
		for (stage = 0; stage < STAGES; stage++)
			for (path = 0; path <= JOURNAL_PATH_SYNCED; path++) {
				if (!bed_has_nvram(&bed) && path && path != JOURNAL_PATH_SYNCED)
					continue;
				begin_and_abort(&bed, stage, path, payload);
				assert_int_equal(bed_put(&bed, &model, seed % 300, seed, path,
							 NULL), 0);
				/* a survivor in each segment would keep them all */
				if (seed++ % 8)
					retire_last(&bed, &model);
			}
	assert_true(bed_info(&bed).aborts >= 3u * STAGES);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
	free(payload);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "groups_of_every_size", groups_of_every_size, BED_ALL },
		{ "groups_have_limits", groups_have_limits, BED_ALL },
		{ "aborts_leave_nothing", aborts_leave_nothing, BED_ALL },
	};

	return bed_run(tests, sizeof(tests) / sizeof(*tests));
}
