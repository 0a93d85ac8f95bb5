/* SPDX-License-Identifier: BSD-3-Clause */
/* Payloads of every size, appended in every way, on every path. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bed.h"

static const uint32_t sizes[] = {
	0, 1, 7, 8, 63, 64, 65, 4095, 4096, 4097, 16383, 16384, 16385, 28576, 28577, 32767,
	32768, 32769, 983039, 983040, 983041, 1028095, 1028096, 1028097, 1048576, 3145728,
};

enum way { WAY_ONCE, WAY_PIECES, WAY_VECTOR, WAY_RESERVE, WAY_MIXED, WAYS };

static int feed_vector(struct journal_txn *txn, uint8_t *payload, size_t bytes)
{
	struct iovec iov[5];
	size_t at = 0;
	int i;

	for (i = 0; i < 5; i++) {
		iov[i].iov_base = payload + at;
		iov[i].iov_len = i == 4 ? bytes - at : bytes / 7;
		at += iov[i].iov_len;
	}
	return journal_appendv(txn, iov, 5);
}

/* pieces of odd sizes; reserved and appended in turn when @mixed */
static int feed_pieces(struct journal_txn *txn, const uint8_t *payload, size_t bytes,
		       bool reserve, bool mixed)
{
	size_t at, part, step = bytes > 65536 ? 65521 : bytes > 1024 ? 509 : 3;
	unsigned int turn = 0;
	void *where;
	int error = 0;

	for (at = 0; at < bytes && !error; at += part, turn++) {
		part = bytes - at < step ? bytes - at : step + turn % 5;
		if (part > bytes - at)
			part = bytes - at;
		if (!reserve || (mixed && turn % 3 == 1)) {
			error = journal_append(txn, payload + at, part);
			continue;
		}
		error = journal_reserve(txn, part, &where);
		if (!error)
			memcpy(where, payload + at, part);
	}
	return error;
}

static int feed_reserve(struct journal_txn *txn, const uint8_t *payload, size_t bytes)
{
	void *where;
	int error;

	if (bytes > JOURNAL_RESERVE_MAX)
		return feed_pieces(txn, payload, bytes, true, false);
	error = journal_reserve(txn, bytes, &where);
	if (!error) {
		assert_int_equal((uintptr_t)where & 7, 0);
		memcpy(where, payload, bytes);
	}
	return error;
}

static int feed(struct journal_txn *txn, enum way way, uint8_t *payload, size_t bytes)
{
	switch (way) {
	case WAY_ONCE:
		return journal_append(txn, payload, bytes);
	case WAY_PIECES:
		return feed_pieces(txn, payload, bytes, false, false);
	case WAY_VECTOR:
		return feed_vector(txn, payload, bytes);
	case WAY_RESERVE:
		return feed_reserve(txn, payload, bytes);
	default:
		return feed_pieces(txn, payload, bytes, true, true);
	}
}

static enum journal_path path_expected(const struct bed *bed, enum journal_path path,
				       uint64_t bytes)
{
	if (!bed_has_nvram(bed))
		return JOURNAL_PATH_SYNCED;
	if (path != JOURNAL_PATH_AUTO)
		return path;
	return bytes <= 16384 ? JOURNAL_PATH_STAGED : JOURNAL_PATH_DIRECT;
}

static void put_one(struct bed *bed, struct model *model, uint64_t bytes, enum way way,
		    enum journal_path path, bool hint)
{
	struct journal_txn_options options = { .path = path, .bytes = hint ? bytes : 0 };
	uint64_t seed = bytes * 64 + way * 8 + path * 2 + hint;
	uint8_t *payload = bed_payload(bytes, seed);
	struct journal_receipt receipt = { 0 };
	struct journal_txn *txn;

	assert_int_equal(journal_begin(bed->j, &options, &txn), 0);
	assert_int_equal(feed(txn, way, payload, bytes), 0);
	assert_int_equal(journal_commit(txn, &receipt), 0);
	assert_int_equal(receipt.count, 1);
	assert_int_equal(receipt.path, path_expected(bed, path, bytes));
	assert_true(receipt.survives >= JOURNAL_CLASS_PROCESS);
	model_add(model, receipt.id, bytes, seed);
	free(payload);
}

static bool path_possible(const struct bed *bed, enum journal_path path, uint64_t bytes)
{
	if (path == JOURNAL_PATH_STAGED)
		return bed_has_nvram(bed) && bytes <= 16384;
	return path != JOURNAL_PATH_DIRECT || bed_has_nvram(bed);
}

static void every_size_every_way(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	enum journal_path path;
	enum way way;
	size_t i;

	bed_make(&bed, medium, 112ull << 20, 16ull << 20);
	model_make(&model);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (way = 0; way < WAYS; way++)
			for (path = JOURNAL_PATH_AUTO; path <= JOURNAL_PATH_SYNCED; path++) {
				/* the large ones by one way and path in turn: time */
				if (sizes[i] > 100000 &&
				    ((i + way) % 3 || path == JOURNAL_PATH_AUTO))
					continue;
				if (path_possible(&bed, path, sizes[i]))
					put_one(&bed, &model, sizes[i], way, path,
						(i + way + path) & 1);
			}
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	bed_remove(&bed);
	model_free(&model);
}

static void the_largest(enum bed_medium medium)
{
	struct journal_txn_options options = { .bytes = JOURNAL_TXN_BYTES_MAX + 1ull };
	uint8_t *payload = bed_payload(JOURNAL_TXN_BYTES_MAX, 5);
	struct journal_receipt receipt;
	struct journal_txn *txn;
	struct bed bed;

	bed_make(&bed, medium, 160ull << 20, 0);
	assert_int_equal(journal_begin(bed.j, &options, &txn), -EMSGSIZE);
	assert_non_null(strstr(journal_error(bed.j), "67108865"));
	assert_int_equal(journal_begin(bed.j, NULL, &txn), 0);
	assert_int_equal(feed_pieces(txn, payload, JOURNAL_TXN_BYTES_MAX, true, true), 0);
	assert_int_equal(journal_append(txn, payload, 1), -EMSGSIZE);
	assert_int_equal(journal_commit(txn, NULL), -EMSGSIZE);
	assert_int_equal(journal_put(bed.j, payload, JOURNAL_TXN_BYTES_MAX, &receipt), 0);
	bed_close(&bed);
	bed_check(&bed, 0);
	bed_open(&bed, NULL);
	assert_int_equal(bed_verify(bed.j, receipt.id, JOURNAL_TXN_BYTES_MAX, 5), 0);
	assert_int_equal(bed_info(&bed).live, 1);
	/* the space of the aborted one and of this one comes back */
	assert_int_equal(journal_retire(bed.j, receipt.id), 0);
	assert_int_equal(journal_put(bed.j, payload, JOURNAL_TXN_BYTES_MAX, &receipt), 0);
	bed_remove(&bed);
	free(payload);
}

static void larger_than_the_log(enum bed_medium medium)
{
	struct journal_txn_options options = { .bytes = 32u << 20 };
	struct journal_txn *txn;
	uint8_t *payload = bed_payload(32u << 20, 1);
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	assert_int_equal(journal_begin(bed.j, &options, &txn), -EMSGSIZE);
	assert_non_null(strstr(journal_error(bed.j), "this log holds"));
	assert_int_equal(journal_begin(bed.j, NULL, &txn), 0);
	assert_int_equal(journal_append(txn, payload, options.bytes), -EMSGSIZE);
	assert_int_equal(journal_append(txn, payload, 1), -EMSGSIZE);
	journal_abort(txn);
	assert_int_equal(journal_begin(bed.j, NULL, &txn), 0);
	assert_int_equal(journal_append(txn, payload, SIZE_MAX), -EMSGSIZE);
	journal_abort(txn);
	assert_int_equal(bed_info(&bed).live, 0);
	bed_remove(&bed);
	free(payload);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "every_size_every_way", every_size_every_way, BED_ALL },
		{ "the_largest", the_largest, 1u << BED_FILE | 1u << BED_PMEM },
		{ "larger_than_the_log", larger_than_the_log, BED_ALL },
	};

	return bed_run(tests, sizeof(tests) / sizeof(*tests));
}
