/* SPDX-License-Identifier: BSD-3-Clause */
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

#include "crash_look.h"

#define BYTES 600u

struct place {
	struct crash_world world;
	struct crash_look look;
	struct crash_plan plan;
	struct oracle oracle;
	struct scratch scratch;
	struct journal *j;
};

static struct place *place_make(void)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	crash_set_random(1);
	crash_set_cpu(0);
	crash_world_make(&p->world);
	assert_int_equal(scratch_make(&p->scratch, NULL), 0);
	crash_world_enter(&p->world);
	assert_int_equal(crash_look_make(&p->look, &p->plan, &p->scratch, &p->world,
					 &p->oracle), 0);
	assert_int_equal(journal_open(p->look.path[0], &crash_open_options, &p->j), 0);
	return p;
}

/* The power goes, and comes back. */
static void place_crash(struct place *p)
{
	p->world.dead = true;
	crash_throw_away(p->j);
	p->j = NULL;
	crash_world_cut(&p->world, CRASH_DROP, 0);
}

static int place_open(struct place *p)
{
	return journal_open(p->look.path[0], &crash_open_options, &p->j);
}

static void place_remove(struct place *p)
{
	crash_throw_away(p->j);
	crash_world_enter(NULL);
	crash_set_cpu(-1);
	crash_look_free(&p->look);
	crash_world_free(&p->world);
	scratch_remove(&p->scratch);
	free(p);
}

static int put(struct place *p, enum journal_path path, uint64_t seed, uint64_t *id)
{
	struct journal_txn_options options = { .path = path, .bytes = BYTES };
	struct journal_receipt receipt = { 0 };
	struct journal_txn *txn;
	uint8_t payload[BYTES];
	int error = journal_begin(p->j, &options, &txn);

	if (error)
		return error;
	oracle_payload(seed, payload, BYTES);
	assert_int_equal(journal_append(txn, payload, BYTES), 0);
	error = journal_commit(txn, &receipt);
	*id = receipt.id;
	return error;
}

/* where the payload of @seed lies on a medium */
static uint8_t *find(struct crash_map *map, uint64_t seed)
{
	uint8_t payload[BYTES], *found;

	oracle_payload(seed, payload, BYTES);
	found = memmem(map->durable, map->bytes, payload, BYTES);
	assert_non_null(found);
	return found;
}

static enum journal_state state_of(struct place *p, uint64_t id)
{
	struct journal_entry entry;

	return journal_lookup(p->j, id, &entry) ? 0 : entry.state;
}

static uint64_t lost_unnamed(struct place *p)
{
	struct journal_info *info = calloc(1, sizeof(*info));
	uint64_t lost;

	assert_non_null(info);
	assert_int_equal(journal_info(p->j, info), 0);
	lost = info->lost_unnamed;
	free(info);
	return lost;
}

static int check(struct place *p)
{
	return journal_check(p->look.path[1], &crash_open_options, NULL, NULL, NULL, 0);
}

/* Three are committed; then byte @at of the record of number @which goes bad. */
static void three(struct place *p, enum journal_path path, struct crash_map *map, int which,
		  int at, uint64_t ids[3])
{
	uint8_t *byte;
	int i;

	for (i = 0; i < 3; i++)
		assert_int_equal(put(p, path, 10 + (uint64_t)i, &ids[i]), 0);
	place_crash(p);
	byte = find(map, 10 + (uint64_t)which) + at;
	*byte ^= 1;
	map->now[byte - map->durable] ^= 1;
}

static void lost_by_name(enum journal_path path, bool marker)
{
	struct place *p = place_make();
	uint64_t ids[3];

	three(p, path, marker ? &p->world.marker : &p->world.log, 0, 5, ids);
	assert_int_equal(check(p), -EUCLEAN);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(state_of(p, ids[0]), JOURNAL_LOST);
	assert_int_equal(state_of(p, ids[1]), JOURNAL_LIVE);
	assert_int_equal(state_of(p, ids[2]), JOURNAL_LIVE);
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

/* The header is gone and with it the name: counted. */
static void lost_without_name(enum journal_path path, bool marker)
{
	struct place *p = place_make();
	uint64_t ids[3];

	three(p, path, marker ? &p->world.marker : &p->world.log, 0, -20, ids);
	assert_int_equal(check(p), -EUCLEAN);
	assert_int_equal(place_open(p), 0);
	assert_true(lost_unnamed(p) >= 1);
	assert_int_equal(state_of(p, ids[1]), JOURNAL_LIVE);
	assert_int_equal(state_of(p, ids[2]), JOURNAL_LIVE);
	place_remove(p);
}

static void p5_a_failing_header_before_a_valid_record_is_damage(void **state)
{
	(void)state;
	lost_without_name(JOURNAL_PATH_STAGED, true);
}

static void p10_a_failing_header_below_the_watermark_is_damage(void **state)
{
	(void)state;
	lost_without_name(JOURNAL_PATH_SYNCED, false);
}

/* Nothing tells the very last one from a commit in flight: docs/durability.md. */
static void p10_the_very_last_record_stays_ambiguous(void **state)
{
	struct place *p = place_make();
	uint64_t ids[3];

	(void)state;
	three(p, JOURNAL_PATH_SYNCED, &p->world.log, 2, 5, ids);
	assert_int_equal(check(p), 0);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(lost_unnamed(p), 0);
	assert_int_equal(state_of(p, ids[1]), JOURNAL_LIVE);
	assert_int_equal(state_of(p, ids[2]), 0);
	place_remove(p);
}

/* ---- media that fail ---------------------------------------------------------- */

static void nothing_writes(struct place *p, uint64_t live)
{
	struct journal_txn *txn;
	uint64_t id;

	assert_int_equal(put(p, JOURNAL_PATH_AUTO, 3, &id), -EIO);
	assert_int_equal(put(p, JOURNAL_PATH_SYNCED, 3, &id), -EIO);
	assert_int_equal(journal_begin(p->j, NULL, &txn), -EIO);
	assert_int_equal(journal_retire(p->j, live), -EIO);
	assert_int_equal(journal_retire_many(p->j, &live, 1, NULL), -EIO);
}

static void p16_a_marker_failure_is_sticky(void **state)
{
	struct place *p = place_make();
	uint64_t first, id;

	(void)state;
	assert_int_equal(put(p, JOURNAL_PATH_STAGED, 1, &first), 0);
	p->world.fence_error = -ENXIO;
	assert_int_equal(put(p, JOURNAL_PATH_STAGED, 2, &id), -EIO);
	p->world.fence_error = 0; /* it works again, and nobody may believe it */
	nothing_writes(p, first);
	assert_int_equal(journal_close(p->j), -EIO);
	p->j = NULL;
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(state_of(p, first), JOURNAL_LIVE);
	place_remove(p);
}

static void p16_a_log_failure_is_sticky(void **state)
{
	struct place *p = place_make();
	uint64_t first, id;

	(void)state;
	assert_int_equal(put(p, JOURNAL_PATH_SYNCED, 1, &first), 0);
	p->world.write_error = -EIO;
	assert_int_equal(put(p, JOURNAL_PATH_SYNCED, 2, &id), -EIO);
	p->world.write_error = 0;
	nothing_writes(p, first);
	assert_int_equal(journal_close(p->j), -EIO);
	p->j = NULL;
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(state_of(p, first), JOURNAL_LIVE);
	place_remove(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p5_a_failing_payload_before_a_valid_record_is_lost),
		cmocka_unit_test(p5_a_failing_header_before_a_valid_record_is_damage),
		cmocka_unit_test(p9_a_set_bit_without_its_record_is_lost),
		cmocka_unit_test(p10_a_failing_payload_below_the_watermark_is_lost),
		cmocka_unit_test(p10_a_failing_header_below_the_watermark_is_damage),
		cmocka_unit_test(p10_the_very_last_record_stays_ambiguous),
		cmocka_unit_test(p16_a_marker_failure_is_sticky),
		cmocka_unit_test(p16_a_log_failure_is_sticky),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
