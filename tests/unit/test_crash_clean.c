/* SPDX-License-Identifier: BSD-3-Clause */
/* What cleaning does with damage, with groups, and with a crash after it.  Linked with
 * CRASH_LDFLAGS. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "crash_clean.h"
#include "crash_place.h"
#include "txn/clean.h"
#include "txn/segment.h"

static void leave(struct place *p, enum head_kind kind)
{
	assert_int_equal(crash_leave(p->j, kind), 0);
}

static bool clean(struct place *p)
{
	bool gained;

	assert_int_equal(clean_step(p->j, CLEAN_NEED, &gained), 0);
	return gained;
}

static int readable(struct place *p, uint64_t id, uint64_t seed, uint32_t bytes)
{
	uint8_t expected[PLACE_BYTES], got[PLACE_BYTES];
	size_t got_bytes;
	int error = journal_read(p->j, id, got, sizeof(got), &got_bytes);

	oracle_payload(seed, expected, bytes);
	if (!error && (got_bytes != bytes || memcmp(expected, got, bytes)))
		error = -EILSEQ;
	return error;
}

static struct journal_info info(struct place *p)
{
	struct journal_info info;

	assert_int_equal(journal_info(p->j, &info), 0);
	return info;
}

/* Two that live, one of them damaged, in a segment that was left. */
static void damage(struct place *p, enum journal_path path, uint64_t id[2])
{
	assert_int_equal(place_put(p, path, 1, &id[0]), 0);
	assert_int_equal(place_put(p, path, 2, &id[1]), 0);
	leave(p, path == JOURNAL_PATH_DIRECT ? HEAD_EXTENTS : HEAD_STREAM);
	place_spoil(&p->world.log, place_find(&p->world.log, 1));
}

static void damage_is_not_certified_anew_by(enum journal_path path)
{
	struct place *p = place_make(NULL);
	uint64_t id[2];

	damage(p, path, id);
	assert_false(clean(p));
	assert_int_equal(place_state(p, id[0]), JOURNAL_LOST);
	assert_int_equal(readable(p, id[0], 1, PLACE_BYTES), -EBADMSG);
	assert_int_equal(readable(p, id[1], 2, PLACE_BYTES), 0);
	assert_int_equal(info(p).moved, 1);
	assert_int_equal(info(p).cleaned, 0);
	/* nor is it looked at again and again */
	assert_int_equal(info(p).cleaned_not, 1);
	assert_false(clean(p));
	assert_int_equal(info(p).cleaned_not, 1);
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_state(p, id[0]), JOURNAL_LOST);
	assert_int_equal(readable(p, id[1], 2, PLACE_BYTES), 0);
	assert_int_equal(journal_retire(p->j, id[0]), 0);
	assert_int_equal(place_state(p, id[0]), 0);
	place_remove(p);
}

static void damage_is_not_certified_anew(void **state)
{
	(void)state;
	damage_is_not_certified_anew_by(JOURNAL_PATH_DIRECT);
	damage_is_not_certified_anew_by(JOURNAL_PATH_SYNCED);
}

/* Both copies verify: one is taken, the one that moved more; both are retired. */
static void two_copies_are_one_transaction(void **state)
{
	struct place *p = place_make(NULL);
	uint32_t old, i;
	uint64_t id;

	(void)state;
	assert_int_equal(place_put(p, JOURNAL_PATH_DIRECT, 7, &id), 0);
	leave(p, HEAD_EXTENTS);
	for (i = 0; i < 3; i++) {
		old = where_segment(p->j->slots[id & 511].where);
		assert_true(clean(p));
		assert_int_equal(segment_state_of(p->j->segments.all[old].use), SEGMENT_FREE);
		leave(p, HEAD_MOVED);
	}
	old = info(p).segments_free;
	place_crash(p);
	assert_int_equal(place_check(p), 0);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_live(p), 1);
	assert_int_equal(readable(p, id, 7, PLACE_BYTES), 0);
	/* those that it was moved from are free, as before */
	assert_true(info(p).segments_free >= old);
	assert_int_equal(journal_retire(p->j, id), 0);
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_live(p), 0);
	place_remove(p);
}

#define GROUP 16u

static uint64_t put_group(struct place *p, uint32_t bytes)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_DIRECT };
	struct journal_receipt receipt;
	uint8_t payload[PLACE_BYTES];
	struct journal_txn *txn;
	uint32_t i;

	assert_int_equal(journal_begin(p->j, &options, &txn), 0);
	for (i = 0; i < GROUP; i++) {
		if (i)
			assert_int_equal(journal_group_next(txn), 0);
		oracle_payload(100 + i, payload, bytes);
		assert_int_equal(journal_append(txn, payload, bytes), 0);
	}
	assert_int_equal(journal_commit(txn, &receipt), 0);
	return receipt.id;
}

/* @live of them are moved; the bytes that this costs */
static uint64_t group_moved(uint32_t live, uint32_t bytes)
{
	struct place *p = place_make(NULL);
	uint64_t id = put_group(p, bytes), cost;
	uint32_t i;

	for (i = live; i < GROUP; i++)
		assert_int_equal(journal_retire(p->j, id + i), 0);
	leave(p, HEAD_EXTENTS);
	assert_true(clean(p));
	cost = info(p).moved_bytes;
	assert_int_equal(info(p).moved, live);
	for (i = 0; i < live; i++)
		assert_int_equal(readable(p, id + i, 100 + i, bytes), 0);
	leave(p, HEAD_MOVED);
	assert_true(clean(p)); /* again, from a stream */
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_live(p), live);
	for (i = 0; i < live; i++)
		assert_int_equal(readable(p, id + i, 100 + i, bytes), 0);
	for (i = 0; i < live; i++)
		assert_int_equal(journal_retire(p->j, id + i), 0);
	for (i = 0; i < segments_end(p->j); i++)
		assert_int_equal(segment_live_of(p->j->segments.all[i].use), 0);
	place_remove(p);
	return cost;
}

static void a_group_is_taken_apart_when_that_is_less(void **state)
{
	(void)state;
	assert_int_equal(group_moved(2, PLACE_BYTES), 2 * PLACE_BYTES);
	assert_true(group_moved(GROUP, PLACE_BYTES) > GROUP * PLACE_BYTES);
	/* tiny ones cost less together */
	assert_true(group_moved(GROUP / 2, 8) > GROUP * 8);
}

/* One in several pieces, of which the final record makes no sense. */
static void what_cannot_be_moved_pins_its_segment(void **state)
{
	struct place *p = place_make(NULL);
	uint64_t id;

	(void)state;
	assert_int_equal(place_put(p, JOURNAL_PATH_DIRECT, 3, &id), 0);
	atomic_fetch_or(&p->j->slots[id & 511].where, WHERE_MULTI); /* as if it were one */
	leave(p, HEAD_EXTENTS);
	assert_false(clean(p));
	assert_int_equal(info(p).cleaned_not, 1);
	atomic_fetch_and(&p->j->slots[id & 511].where, ~WHERE_MULTI);
	assert_int_equal(readable(p, id, 3, PLACE_BYTES), 0);
	place_remove(p);
}

/* It was killed while it had a segment in its hands. */
static void what_a_dead_cleaner_held_is_let_go(void **state)
{
	struct place *p = place_make(NULL);
	struct segment *segment;
	uint64_t id;

	(void)state;
	assert_int_equal(place_put(p, JOURNAL_PATH_DIRECT, 3, &id), 0);
	leave(p, HEAD_EXTENTS);
	segment = &p->j->segments.all[where_segment(p->j->slots[id & 511].where)];
	assert_true(segment_keep(segment));
	atomic_store(&p->j->shared->clean[1].who, 77);
	atomic_store(&p->j->shared->clean[1].cleaning,
		     segment->use >> 32 << 32 | (segment->number + 1));
	clean_takeover(p->j, 76);
	assert_int_equal(segment_live_of(segment->use), 2);
	clean_takeover(p->j, 77);
	assert_int_equal(segment_live_of(segment->use), 1);
	clean_takeover(p->j, 77);
	assert_int_equal(segment_live_of(segment->use), 1);
	assert_true(clean(p));
	assert_int_equal(segment_state_of(segment->use), SEGMENT_FREE);
	place_remove(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_is_not_certified_anew),
		cmocka_unit_test(two_copies_are_one_transaction),
		cmocka_unit_test(a_group_is_taken_apart_when_that_is_less),
		cmocka_unit_test(what_cannot_be_moved_pins_its_segment),
		cmocka_unit_test(what_a_dead_cleaner_held_is_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
