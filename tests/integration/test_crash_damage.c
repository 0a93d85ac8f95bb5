/* SPDX-License-Identifier: BSD-3-Clause */
/* diskless */
/*
 * Rules about what is no crash: bytes that go bad after they were acknowledged,
 * and media that fail.  Linked with CRASH_LDFLAGS: media in memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crash_place.h"
#include "crash_sealed.h"

#define BYTES PLACE_BYTES

/* Three are committed; then byte @at of the record of number @which goes bad. */
static void three(struct place *p, enum journal_path path, struct crash_map *map, int which,
		  int at, uint64_t ids[3])
{
	int i;

	for (i = 0; i < 3; i++)
		assert_int_equal(place_put(p, path, 10 + (uint64_t)i, &ids[i]), 0);
	place_crash(p);
	place_spoil(map, place_find(map, 10 + (uint64_t)which) + at);
}

static void lost_by_name(enum journal_path path, bool marker)
{
	struct place *p = place_make(NULL);
	uint64_t ids[3];

	three(p, path, marker ? &p->world.marker : &p->world.log, 0, 5, ids);
	assert_int_equal(place_check(p), -EUCLEAN);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_state(p, ids[0]), JOURNAL_LOST);
	assert_int_equal(place_state(p, ids[1]), JOURNAL_LIVE);
	assert_int_equal(place_state(p, ids[2]), JOURNAL_LIVE);
	place_remove(p);
}

static void p5_a_failing_payload_before_a_valid_record_is_lost(void **state)
{
	(void)state;
	lost_by_name(JOURNAL_PATH_STAGED, true);
}

static void p9_a_set_bit_without_its_record_is_lost(void **state)
{
	(void)state;
	lost_by_name(JOURNAL_PATH_DIRECT, false);
}

static void p10_a_failing_payload_below_the_watermark_is_lost(void **state)
{
	(void)state;
	lost_by_name(JOURNAL_PATH_SYNCED, false);
}

/* The header is gone, and the next record names it. */
static void header_lost_by_name(enum journal_path path, bool marker)
{
	struct place *p = place_make(NULL);
	uint64_t ids[3];

	three(p, path, marker ? &p->world.marker : &p->world.log, 0, -20, ids);
	assert_int_equal(place_check(p), -EUCLEAN);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_lost_unnamed(p), 0);
	assert_int_equal(place_state(p, ids[0]), JOURNAL_LOST);
	assert_int_equal(place_state(p, ids[1]), JOURNAL_LIVE);
	assert_int_equal(place_state(p, ids[2]), JOURNAL_LIVE);
	place_remove(p);
}

static void p5_a_failing_header_before_a_valid_record_is_lost(void **state)
{
	(void)state;
	header_lost_by_name(JOURNAL_PATH_STAGED, true);
}

static void p10_a_failing_header_below_the_watermark_is_lost(void **state)
{
	(void)state;
	header_lost_by_name(JOURNAL_PATH_SYNCED, false);
}

/* Nothing tells the very last one from a commit in flight: docs/durability.md. */
static void p10_the_very_last_record_stays_ambiguous(void **state)
{
	struct place *p = place_make(NULL);
	uint64_t ids[3];

	(void)state;
	three(p, JOURNAL_PATH_SYNCED, &p->world.log, 2, 5, ids);
	assert_int_equal(place_check(p), 0);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_lost_unnamed(p), 0);
	assert_int_equal(place_state(p, ids[1]), JOURNAL_LIVE);
	assert_int_equal(place_state(p, ids[2]), 0);
	place_remove(p);
}

/* The last records of a segment have none behind them: its digest has them. */
static void p10_a_segment_is_left_only_sealed(void **state)
{
	struct place *p = place_make(NULL);
	struct crash_sealed sealed = { .any = false };
	uint64_t id;

	(void)state;
	p->world.hook = crash_sealed_hook;
	p->world.context = &sealed;
	while (sealed.left < 2)
		assert_int_equal(place_put(p, JOURNAL_PATH_SYNCED, 1, &id), 0);
	assert_int_equal(sealed.wrong, 0);
	p->world.hook = NULL;
	place_remove(p);
}

/* ---- what was torn stays torn --------------------------------------------------- */

/* A is live, and the power goes while B is on its way. */
static void a_then_torn_b(struct place *p, enum journal_path path)
{
	uint64_t id;

	assert_int_equal(place_put(p, path, 1, &id), 0);
	p->world.die_at = p->world.operations + 1;
	assert_int_equal(place_put(p, path, 2, &id), -EIO);
	crash_throw_away(p->j);
	p->j = NULL;
	crash_world_cut(&p->world, CRASH_KEEP, 0);
}

/* Its header is there, the end of its payload is not.  The same bytes come to
 * the same place, and are given up: nobody committed them, now or then. */
static void p5_a_torn_record_is_never_made_whole(void **state)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_STAGED, .bytes = BYTES };
	struct place *p = place_make(NULL);
	struct journal_txn *txn;
	uint8_t payload[BYTES], *torn;
	uint64_t id;

	(void)state;
	a_then_torn_b(p, JOURNAL_PATH_STAGED);
	torn = place_find(&p->world.marker, 2) + BYTES - 64;
	memset(torn, 0xff, 8);
	memset(p->world.marker.now + (torn - p->world.marker.durable), 0xff, 8);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_live(p), 1);
	oracle_payload(2, payload, BYTES);
	assert_int_equal(journal_begin(p->j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, payload, BYTES), 0);
	assert_int_equal(journal_abort(txn), 0);
	crash_set_cpu(1); /* another lane, whose fence brings all to the medium */
	assert_int_equal(place_put(p, JOURNAL_PATH_STAGED, 3, &id), 0);
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_live(p), 2);
	place_remove(p);
}

#define SECTOR 512u

static void die_at_record(struct crash_world *world, void *context)
{
	uint8_t payload[BYTES];

	(void)context;
	oracle_payload(2, payload, BYTES);
	if (world->oldest && memmem(world->oldest->data, world->oldest->bytes, payload, BYTES))
		world->die_at = world->operations;
}

/* The same on a disk, by sectors: of B the first, then of C, which has the same
 * bytes and comes to the same place, the others. */
static void p10_a_torn_record_is_never_made_whole(void **state)
{
	struct place *p = place_make(NULL);
	uint8_t *torn, *disk;
	uint64_t id;

	(void)state;
	a_then_torn_b(p, JOURNAL_PATH_SYNCED);
	torn = place_find(&p->world.log, 2);
	torn = p->world.log.durable + ((torn - p->world.log.durable + SECTOR - 1) & -SECTOR);
	memset(torn, 0, SECTOR);
	memset(p->world.log.now + (torn - p->world.log.durable), 0, SECTOR);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_live(p), 1);
	/* up to the log write that brings C's record */
	p->world.hook = die_at_record;
	assert_int_equal(place_put(p, JOURNAL_PATH_SYNCED, 2, &id), -EIO);
	p->world.hook = NULL;
	disk = p->world.log.durable + p->world.oldest->offset;
	memcpy(p->world.oldest->data, disk, SECTOR);
	crash_throw_away(p->j);
	p->j = NULL;
	crash_world_cut(&p->world, CRASH_KEEP, 0);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_live(p), 1);
	place_remove(p);
}

/* ---- media that fail ---------------------------------------------------------- */

static void nothing_writes(struct place *p, uint64_t live)
{
	struct journal_txn *txn;
	uint64_t id;

	assert_int_equal(place_put(p, JOURNAL_PATH_AUTO, 3, &id), -EIO);
	assert_int_equal(place_put(p, JOURNAL_PATH_SYNCED, 3, &id), -EIO);
	assert_int_equal(journal_begin(p->j, NULL, &txn), -EIO);
	assert_int_equal(journal_retire(p->j, live), -EIO);
	assert_int_equal(journal_retire_many(p->j, &live, 1, NULL), -EIO);
}

static void p16_a_marker_failure_is_sticky(void **state)
{
	struct place *p = place_make(NULL);
	uint64_t first, id;

	(void)state;
	assert_int_equal(place_put(p, JOURNAL_PATH_STAGED, 1, &first), 0);
	p->world.fence_error = -ENXIO;
	assert_int_equal(place_put(p, JOURNAL_PATH_STAGED, 2, &id), -EIO);
	p->world.fence_error = 0; /* it works again, and nobody may believe it */
	nothing_writes(p, first);
	assert_int_equal(journal_close(p->j), -EIO);
	p->j = NULL;
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_state(p, first), JOURNAL_LIVE);
	place_remove(p);
}

static void p16_a_log_failure_is_sticky(void **state)
{
	struct place *p = place_make(NULL);
	struct journal_txn *open;
	uint64_t first, id;

	(void)state;
	assert_int_equal(place_put(p, JOURNAL_PATH_SYNCED, 1, &first), 0);
	assert_int_equal(journal_begin(p->j, NULL, &open), 0);
	assert_int_equal(journal_append(open, "staged", 6), 0);
	p->world.write_error = -EIO;
	assert_int_equal(place_put(p, JOURNAL_PATH_SYNCED, 2, &id), -EIO);
	p->world.write_error = 0;
	nothing_writes(p, first);
	/* its own medium works, but the failure is the journal's */
	assert_int_equal(journal_commit(open, NULL), -EIO);
	assert_int_equal(journal_close(p->j), -EIO);
	p->j = NULL;
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_state(p, first), JOURNAL_LIVE);
	place_remove(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p5_a_failing_payload_before_a_valid_record_is_lost),
		cmocka_unit_test(p5_a_failing_header_before_a_valid_record_is_lost),
		cmocka_unit_test(p9_a_set_bit_without_its_record_is_lost),
		cmocka_unit_test(p10_a_failing_payload_below_the_watermark_is_lost),
		cmocka_unit_test(p10_a_failing_header_below_the_watermark_is_lost),
		cmocka_unit_test(p10_the_very_last_record_stays_ambiguous),
		cmocka_unit_test(p10_a_segment_is_left_only_sealed),
		cmocka_unit_test(p5_a_torn_record_is_never_made_whole),
		cmocka_unit_test(p10_a_torn_record_is_never_made_whole),
		cmocka_unit_test(p16_a_marker_failure_is_sticky),
		cmocka_unit_test(p16_a_log_failure_is_sticky),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
