/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is copied is checked first: a payload that was damaged where it lay is lost by its id
 * from then on, and never gets a new checksum.  Cleaning: test_crash_clean.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/moves.h"
#include "lib/sick.h"

#define COUNT 3u /* the second is damaged */

static int readable(struct place *p, uint64_t id, uint64_t seed)
{
	uint8_t expected[PLACE_BYTES], got[PLACE_BYTES];
	size_t bytes;
	int error = journal_read(p->j, id, got, sizeof(got), &bytes);

	oracle_payload(seed, expected, PLACE_BYTES);
	if (!error && (bytes != PLACE_BYTES || memcmp(expected, got, PLACE_BYTES)))
		error = -EILSEQ;
	return error;
}

static void one_is_damaged(struct place *p, const uint64_t *ids)
{
	uint32_t i;

	for (i = 0; i < COUNT; i++)
		assert_int_equal(readable(p, ids[i], i), i == 1 ? -EBADMSG : 0);
}

static void one_is_lost(struct place *p, const uint64_t *ids)
{
	uint32_t i;

	one_is_damaged(p, ids);
	for (i = 0; i < COUNT; i++)
		assert_int_equal(place_state(p, ids[i]), i == 1 ? JOURNAL_LOST : JOURNAL_LIVE);
	assert_int_equal(place_lost_unnamed(p), 0);
}

/* for who comes after a crash, and it can be retired */
static void one_stays_lost(struct place *p, const uint64_t *ids)
{
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	one_is_lost(p, ids);
	assert_int_equal(journal_retire(p->j, ids[1]), 0);
	assert_int_equal(place_state(p, ids[1]), 0);
	place_remove(p);
}

static void destage(struct place *p)
{
	static const struct journal_maintain_options all = { .stage_fill_percent = 1 };
	uint32_t i;

	for (i = 0; i < 3; i++)
		(void)journal_maintain(p->j, &all, NULL);
}

static void p6_what_is_destaged(void **state)
{
	struct place *p = place_make(NULL);
	struct journal_info info;
	uint64_t ids[COUNT];
	uint32_t i;

	(void)state;
	for (i = 0; i < COUNT; i++)
		assert_int_equal(place_put(p, JOURNAL_PATH_STAGED, i, &ids[i]), 0);
	place_spoil(&p->world.marker, place_find(&p->world.marker, 1));
	destage(p);
	assert_int_equal(journal_info(p->j, &info), 0);
	assert_int_equal(info.destaged, 1); /* what is before it */
	one_is_damaged(p, ids);
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	one_is_lost(p, ids);
	/* the stage alone tells of it: it is not given up */
	destage(p);
	one_stays_lost(p, ids);
}

static void p2_what_is_moved_by(enum journal_path path)
{
	struct place *p = place_make(NULL);
	uint64_t ids[COUNT];
	uint32_t i;

	for (i = 0; i < COUNT; i++)
		assert_int_equal(moves_put_alone(p, path, i, &ids[i]), 0);
	place_spoil(&p->world.log, place_find(&p->world.log, 1));
	assert_int_equal(moves_all(p->j), COUNT - 1);
	one_is_lost(p, ids);
	one_stays_lost(p, ids);
}

static void p2_what_is_moved(void **state)
{
	(void)state;
	p2_what_is_moved_by(JOURNAL_PATH_DIRECT);
	p2_what_is_moved_by(JOURNAL_PATH_SYNCED);
}

static void p14_what_is_evacuated(void **state)
{
	struct sick sick;
	uint64_t ids[COUNT];
	uint32_t i;

	(void)state;
	sick_make(&sick);
	for (i = 0; i < COUNT; i++)
		assert_int_equal(place_put(sick.p, JOURNAL_PATH_STAGED, i, &ids[i]), 0);
	place_spoil(&sick.p->world.marker, place_find(&sick.p->world.marker, 1));
	assert_int_equal(journal_distrust(sick.p->j, "a test"), 0);
	one_is_lost(sick.p, ids);
	sick_free(&sick);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p6_what_is_destaged),
		cmocka_unit_test(p2_what_is_moved),
		cmocka_unit_test(p14_what_is_evacuated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
