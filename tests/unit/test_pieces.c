/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transactions in several pieces, from inside: the final record is all that leads
 * to them, what they hold is given up once, and no slot goes on naming the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/fault_log.h"
#include "txn/pieces.h"
#include "txn/segment.h"
#include "util/crc32c.h"

#define LARGE 4500000u /* five pieces */

static uint64_t put(struct bed *bed, uint64_t bytes, enum journal_path path)
{
	struct journal_receipt receipt;

	assert_int_equal(bed_put(bed, NULL, bytes, bytes, path, &receipt), 0);
	return receipt.id;
}

/* both heads have begun, and nothing is live */
static void begin(struct bed *bed, enum bed_medium medium)
{
	bed_make(bed, medium, 0, 1u << 20);
	assert_int_equal(journal_retire(bed->j, put(bed, LARGE, JOURNAL_PATH_SYNCED)), 0);
	bed_reopen(bed);
}

/* holds of all transactions on all segments */
static uint32_t holds(struct bed *bed)
{
	uint32_t i, sum = 0;

	for (i = 0; i < segments_end(bed->j); i++)
		sum += (uint32_t)segment_live_of(bed->j->segments.all[i].use);
	return sum;
}

static uint32_t slots_in_log(struct bed *bed)
{
	uint32_t i, count = 0;

	for (i = 0; i < bed->j->shared->lines_used * SLOTS_PER_LINE; i++)
		count += where_kind(bed->j->slots[i].where) == WHERE_LOG;
	return count;
}

static struct slot *slot_of(struct bed *bed, uint64_t id)
{
	struct slot *slot = index_live(bed->j, id);

	assert_non_null(slot);
	return slot;
}

static void read_final(struct bed *bed, uint64_t id, struct record *final,
		       const uint8_t **table)
{
	struct slot *slot = slot_of(bed, id);

	assert_true(slot->where & WHERE_MULTI);
	assert_int_equal(pieces_final(bed->j, id, slot->where, slot->units, final, table), 0);
}

/* ---- what is held ---- */

static void holds_are_the_same_again(struct bed *bed, enum journal_path path)
{
	uint64_t id = put(bed, LARGE, path), where, last = UINT64_MAX;
	uint32_t distinct = 1, i, held = holds(bed);
	const uint8_t *table;
	struct record final;

	read_final(bed, id, &final, &table);
	assert_int_equal(final.meta.extents, 5);
	for (i = 0; i < 4; i++) {
		where = pieces_where(table, i) >> 32;
		distinct += where != last && where != where_segment(slot_of(bed, id)->where);
		last = where;
	}
	free(final.buffer);
	assert_true(distinct > 2);
	assert_int_equal(held, distinct);
	assert_int_equal(slots_in_log(bed), 1);
	bed_reopen(bed);
	assert_int_equal(holds(bed), distinct);
	assert_int_equal(bed_verify(bed->j, id, LARGE, LARGE), 0);
	assert_int_equal(journal_retire(bed->j, id), 0);
	assert_int_equal(holds(bed), 0);
	assert_int_equal(slots_in_log(bed), 0);
	assert_int_equal(bed_info(bed).retires_unfreed, 0);
}

static void a_segment_is_held_once(enum bed_medium medium)
{
	struct bed bed;

	begin(&bed, medium);
	holds_are_the_same_again(&bed, JOURNAL_PATH_SYNCED);
	if (bed_has_nvram(&bed))
		holds_are_the_same_again(&bed, JOURNAL_PATH_DIRECT);
	bed_remove(&bed);
}

/* ---- a final record that cannot be read ---- */

static void write_log(struct bed *bed, uint64_t where, const void *bytes, size_t count)
{
	uint64_t at = segment_base(bed->j, where_segment(where)) + where_offset(where);
	char path[PATH_MAX + 8];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/log", bed->dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, count, (off_t)at), count);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(close(fd), 0);
}

static void cannot_be_read(struct bed *bed, uint64_t id, int error)
{
	uint8_t *buffer = malloc(LARGE);
	size_t got;

	assert_int_equal(journal_read(bed->j, id, buffer, LARGE, &got), error);
	if (error == -EBADMSG)
		assert_non_null(strstr(journal_error(bed->j), "COMMITTED_BUT_LOST"));
	free(buffer);
}

/* it is retired all the same; its space returns with the next open */
static void retires_and_frees_later(struct bed *bed, uint64_t id, uint32_t free_before)
{
	uint32_t held = holds(bed);

	assert_true(held > 2);
	assert_int_equal(journal_retire(bed->j, id), 0);
	assert_int_equal(journal_retire(bed->j, id), -ENOENT);
	assert_int_equal(bed_info(bed).retires_unfreed, 1);
	assert_int_equal(bed_info(bed).live, 0);
	/* only what the slot itself names */
	assert_int_equal(holds(bed), held - 1);
	assert_int_equal(slots_in_log(bed), 0);
	assert_true(bed_info(bed).segments_free < free_before);
	bed_reopen(bed);
	assert_int_equal(holds(bed), 0);
	assert_true(bed_info(bed).segments_free >= free_before);
	assert_int_equal(bed_info(bed).live + bed_info(bed).lost, 0);
	assert_int_equal(bed_info(bed).retires_unfreed, 0);
}

static void a_damaged_final_record(enum bed_medium medium)
{
	uint32_t free_before;
	uint64_t id;
	struct bed bed;
	int i;

	begin(&bed, medium);
	for (i = 0; i < 2; i++) {
		free_before = bed_info(&bed).segments_free;
		id = put(&bed, LARGE, i && bed_has_nvram(&bed) ? JOURNAL_PATH_DIRECT :
								 JOURNAL_PATH_SYNCED);
		write_log(&bed, slot_of(&bed, id)->where + LOG_RECORD_BYTES, "damage!!", 8);
		cannot_be_read(&bed, id, -EBADMSG);
		retires_and_frees_later(&bed, id, free_before);
	}
	bed_remove(&bed);
}

static void a_final_record_that_fails_to_read(enum bed_medium medium)
{
	uint32_t free_before;
	uint64_t id;
	struct bed bed;

	begin(&bed, medium);
	free_before = bed_info(&bed).segments_free;
	id = put(&bed, LARGE, JOURNAL_PATH_AUTO);
	bed.j->logs[0] = fault_log_wrap(bed.j->logs[0]);
	assert_non_null(bed.j->logs[0]);
	fault_log_arm(bed.j->logs[0], FAULT_LOG_READ, 1, -EIO, true);
	cannot_be_read(&bed, id, -EIO);
	retires_and_frees_later(&bed, id, free_before);
	bed_remove(&bed);
}

/* The first entry of the table becomes @place, under checksums that hold. */
static void write_table(struct bed *bed, uint64_t id, uint64_t place)
{
	uint64_t where = slot_of(bed, id)->where;
	uint32_t seed = bed->j->segments.all[where_segment(where)].seed;
	__le64 entry = put_le64(place);
	const uint8_t *table;
	struct record final;
	uint8_t *start;

	read_final(bed, id, &final, &table);
	start = (uint8_t *)(uintptr_t)final.payload - LOG_RECORD_BYTES;
	memcpy(start + (table - start), &entry, 8);
	final.meta.payload_crc = crc32c(seed, final.payload, final.meta.bytes);
	log_record_encode(&final.meta, seed, where_offset(where), (struct log_record *)start);
	write_log(bed, where, start, LOG_RECORD_BYTES + final.meta.bytes);
	free(final.buffer);
}

static void a_table_that_names_no_place(enum bed_medium medium)
{
	uint64_t id, places[4], good;
	uint32_t free_before;
	const uint8_t *table;
	struct record final;
	struct bed bed;
	size_t i;

	begin(&bed, medium);
	free_before = bed_info(&bed).segments_free;
	places[0] = (uint64_t)segments_end(bed.j) << 32;
	places[1] = 1ull << 32 | (uint32_t)bed.j->segment_bytes;
	places[2] = 1ull << 32 | 4097;
	places[3] = UINT64_MAX;
	for (i = 0; i < 4; i++) {
		id = put(&bed, LARGE, JOURNAL_PATH_AUTO);
		read_final(&bed, id, &final, &table);
		good = pieces_where(table, 0);
		free(final.buffer);
		/* it is the place that makes the difference */
		write_table(&bed, id, good);
		assert_int_equal(bed_verify(bed.j, id, LARGE, LARGE), 0);
		write_table(&bed, id, places[i]);
		cannot_be_read(&bed, id, -EBADMSG);
		retires_and_frees_later(&bed, id, free_before);
	}
	bed_remove(&bed);
}

/* ---- what is given up ---- */

static struct journal_txn *open_one(struct bed *bed, uint64_t bytes, enum journal_path path,
				    int members)
{
	struct journal_txn_options options = { .path = path };
	uint8_t *payload = bed_payload(bytes, 3);
	struct journal_txn *txn;

	assert_int_equal(journal_begin(bed->j, &options, &txn), 0);
	while (members--) {
		assert_int_equal(journal_append(txn, payload, bytes), 0);
		if (members)
			assert_int_equal(journal_group_next(txn), 0);
	}
	free(payload);
	return txn;
}

static void aborted(struct bed *bed, uint64_t bytes, enum journal_path path, int members,
		    bool prepare)
{
	struct journal_txn *txn = open_one(bed, bytes, path, members);

	if (prepare) {
		assert_int_equal(journal_prepare(txn), 0);
		if (path == JOURNAL_PATH_DIRECT) {
			assert_int_equal(slots_in_log(bed), members);
			assert_true(holds(bed) >= (uint32_t)members);
		}
	}
	assert_int_equal(journal_abort(txn), 0);
	assert_int_equal(slots_in_log(bed), 0);
	assert_int_equal(holds(bed), 0);
}

/* What a slot of an aborted transaction named would be given up twice by
 * whoever finds it in the slot. */
static void an_aborted_one_names_nothing(enum bed_medium medium)
{
	struct bed bed;
	int i;

	begin(&bed, medium);
	for (i = 0; i < 6; i++) {
		aborted(&bed, LARGE, JOURNAL_PATH_SYNCED, 1, i & 1);
		if (!bed_has_nvram(&bed))
			continue;
		aborted(&bed, LARGE, JOURNAL_PATH_DIRECT, 1, i & 1);
		aborted(&bed, 5000, JOURNAL_PATH_DIRECT, 1, i & 1);
		aborted(&bed, 5000, JOURNAL_PATH_DIRECT, 3, i & 1);
		aborted(&bed, 500, JOURNAL_PATH_STAGED, 3, i & 1);
	}
	assert_int_equal(bed_info(&bed).live, 0);
	bed_reopen(&bed);
	assert_int_equal(bed_info(&bed).live + bed_info(&bed).lost, 0);
	assert_int_equal(holds(&bed), 0);
	bed_remove(&bed);
}

static void refused_ones_name_nothing(enum bed_medium medium)
{
	uint64_t ids[16];
	struct journal_receipt receipt;
	uint32_t held, count;
	struct bed bed;
	int i, error = 0;

	begin(&bed, medium);
	for (i = 0; i < 3; i++) {
		for (count = 0; count < 16; count++) {
			held = holds(&bed);
			error = bed_put(&bed, NULL, LARGE, count, i == 1 ? JOURNAL_PATH_SYNCED :
						JOURNAL_PATH_AUTO, &receipt);
			if (error)
				break;
			ids[count] = receipt.id;
		}
		assert_int_equal(error, -ENOSPC);
		assert_int_equal(holds(&bed), held);
		assert_int_equal(slots_in_log(&bed), count);
		assert_int_equal(journal_retire_many(bed.j, ids, count, NULL), 0);
		assert_int_equal(holds(&bed), 0);
		assert_int_equal(slots_in_log(&bed), 0);
	}
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "a_segment_is_held_once", a_segment_is_held_once, BED_ALL },
		{ "a_damaged_final_record", a_damaged_final_record, BED_ALL },
		{ "a_final_record_that_fails_to_read", a_final_record_that_fails_to_read,
		  BED_ALL },
		{ "a_table_that_names_no_place", a_table_that_names_no_place,
		  1u << BED_FILE | 1u << BED_SIM },
		{ "an_aborted_one_names_nothing", an_aborted_one_names_nothing,
		  1u << BED_FILE | 1u << BED_SIM },
		{ "refused_ones_name_nothing", refused_ones_name_nothing,
		  1u << BED_FILE | 1u << BED_SIM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(*tests));
}
