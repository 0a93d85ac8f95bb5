/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each persist point that is not the durable point of a call: what is lost when
 * the power goes behind it, and it is left out.  Those that are durable points
 * fail integration/test_crash_random and _rules at once.  Linked with
 * CRASH_LDFLAGS.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crash_place.h"
#include "format/log.h"
#include "format/marker.h"
#include "txn/checkpoint.h"
#include "txn/journal_impl.h"

static const struct crash_plan file_plan = { .checkpointed = true };

static uint64_t put(struct place *p, enum journal_path path, uint64_t seed)
{
	uint64_t id = 0;

	assert_int_equal(place_put(p, path, seed, &id), 0);
	return id;
}

/* ---- the incarnation, stored at open and when its numbers are used up (P4) ----- */

/* what is durably there */
static uint64_t incarnation(const struct place *p)
{
	uint64_t offset = p->j->geometry.state_offset, value;
	const struct marker_state *state = (const void *)(p->world.marker.durable + offset);

	assert_int_equal(word_unseal(state->incarnation, &value), 0);
	return value;
}

/* No id is told whose incarnation is not durable: lines and segments, which carry
 * it too, may be damaged. */
static void opened(const struct crash_plan *plan)
{
	struct place *p = place_make(plan);

	for (int i = 0; i < 3; i++) {
		assert_int_equal(incarnation(p), p->j->shared->incarnation);
		assert_int_equal(put(p, JOURNAL_PATH_SYNCED, 1) >> 32, incarnation(p));
		place_crash(p);
		assert_int_equal(place_open(p), 0);
	}
	place_remove(p);
}

static void p4_the_incarnation_is_durable_when_open_returns(void **state)
{
	(void)state;
	opened(NULL);
	opened(&file_plan);
}

/* 8 M lines later: the line after the last has a number of the next incarnation. */
static void numbers_used_up(const struct crash_plan *plan)
{
	struct place *p = place_make(plan);
	uint64_t before = incarnation(p);

	p->j->shared->next_number = (before + 1) << LINE_COUNTER_BITS;
	assert_int_equal(put(p, JOURNAL_PATH_SYNCED, 1) >> 32, before + 1);
	assert_int_equal(incarnation(p), before + 1);
	place_remove(p);
}

/* Who sees that it is raised already waits for no fence of his own. */
static void raised(const struct crash_plan *plan)
{
	struct place *p = place_make(plan);
	uint64_t before = incarnation(p);

	assert_int_equal(incarnation_raise(p->j, before + 1), 0);
	assert_int_equal(incarnation(p), before + 1);
	place_remove(p);
}

static void p4_the_incarnation_is_durable_when_it_is_raised(void **state)
{
	(void)state;
	raised(NULL);
	raised(&file_plan);
	numbers_used_up(NULL);
	numbers_used_up(&file_plan);
}

/* ---- the clean words ------------------------------------------------------------ */

static void goes_on(const struct crash_plan *plan, enum journal_path path)
{
	struct place *p = place_make(plan);
	uint64_t id = put(p, path, 1);

	for (uint64_t i = 1; i < 4; i++) {
		place_close(p);
		assert_int_equal(place_open(p), 0);
		assert_int_equal(put(p, path, 1 + i), id + i);
	}
	place_remove(p);
}

/* After a clean close and a power cut nothing of a line is given up. */
static void clean_words_are_durable_when_close_returns(void **state)
{
	(void)state;
	goes_on(NULL, JOURNAL_PATH_STAGED);
	goes_on(NULL, JOURNAL_PATH_DIRECT);
	goes_on(NULL, JOURNAL_PATH_SYNCED);
	goes_on(&file_plan, JOURNAL_PATH_SYNCED);
}

/* A synced commit takes a slot and fences nothing: were the clean words still
 * there, the next open would go on in that slot, with that id. */
static void p1_clean_words_are_durably_erased_when_open_returns(void **state)
{
	struct place *p = place_make(NULL);
	uint64_t id;

	(void)state;
	put(p, JOURNAL_PATH_SYNCED, 1);
	place_close(p);
	assert_int_equal(place_open(p), 0);
	id = put(p, JOURNAL_PATH_SYNCED, 2);
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	assert_true(put(p, JOURNAL_PATH_SYNCED, 3) > id);
	assert_int_equal(place_live(p), 3);
	place_remove(p);
}

/* ---- prepare ---------------------------------------------------------------------- */

static void prepared(const struct crash_plan *plan, enum journal_path path, bool marker)
{
	struct journal_txn_options options = { .path = path, .bytes = PLACE_BYTES };
	struct place *p = place_make(plan);
	uint8_t payload[PLACE_BYTES];
	struct journal_txn *txn;
	uint64_t operations;

	oracle_payload(1, payload, PLACE_BYTES);
	put(p, path, 2); /* so that no line is to be opened */
	assert_int_equal(journal_begin(p->j, &options, &txn), 0);
	assert_int_equal(journal_append(txn, payload, PLACE_BYTES), 0);
	assert_int_equal(journal_prepare(txn), 0);
	assert_non_null(place_search(marker ? &p->world.marker : &p->world.log, 1));
	assert_int_equal(p->world.flushed_count, 0);
	operations = p->world.operations;
	assert_int_equal(journal_commit(txn, NULL), 0);
	assert_int_equal(p->world.operations, operations + 1);
	place_remove(p);
}

/* As journal.h says: the payload is durable, and commit is one marker store. */
static void the_payload_is_durable_when_prepare_returns(void **state)
{
	(void)state;
	prepared(NULL, JOURNAL_PATH_STAGED, true);
	prepared(NULL, JOURNAL_PATH_DIRECT, false);
}

/* ---- the second digest of a segment ----------------------------------------------- */

static struct segment *segment_of(struct place *p, uint64_t seed)
{
	uint64_t offset = (uint64_t)(place_find(&p->world.log, seed) - p->world.log.durable);
	uint32_t i;

	for (i = 0; i < segments_end(p->j); i++)
		if (offset - log_segment_offset(&p->j->log_geometry[0], i) < p->j->segment_bytes)
			return &p->j->segments.all[i];
	fail();
	return NULL;
}

static uint8_t *in_segment(struct place *p, uint32_t number, uint64_t offset)
{
	return p->world.log.durable + log_segment_offset(&p->j->log_geometry[0], number) + offset;
}

/* Nothing but the second digest knows of a segment whose header is gone, and that
 * acknowledged records lie in it. */
static void header_gone(const struct crash_plan *plan)
{
	struct place *p = place_make(plan);
	uint64_t id = put(p, JOURNAL_PATH_SYNCED, 1);
	uint8_t *header = in_segment(p, segment_of(p, 1)->number, 0);

	place_crash(p);
	place_spoil(&p->world.log, header);
	assert_int_equal(place_check(p), -EUCLEAN);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_state(p, id), JOURNAL_LIVE);
	place_remove(p);
}

static void the_second_digest_is_durable_before_the_first_record(void **state)
{
	static const struct crash_plan in_log = { .digests_in_log = true };

	(void)state;
	header_gone(NULL);
	header_gone(&in_log);
	header_gone(&file_plan);
}

/* ---- freeing without NVRAM (P11) --------------------------------------------------- */

#define LARGE 200000u

static uint64_t put_large(struct place *p)
{
	static const uint8_t payload[LARGE];
	struct journal_receipt receipt;

	assert_int_equal(journal_put(p->j, payload, LARGE, &receipt), 0);
	return receipt.id;
}

struct watched {
	struct place *p;
	uint64_t retired[2];
	uint64_t live;
	uint32_t looked, count;
};

/* Were the power to go here: */
static void watch(struct crash_world *world, void *context)
{
	struct watched *watched = context;
	struct place copy = *watched->p;
	uint32_t i;

	crash_world_copy(world, CRASH_DROP, 1, &copy.world);
	crash_world_enter(&copy.world);
	assert_int_equal(journal_open(copy.look.path[1], &crash_open_options, &copy.j), 0);
	for (i = 0; i < watched->count; i++)
		assert_int_equal(place_state(&copy, watched->retired[i]), 0);
	assert_int_equal(place_state(&copy, watched->live), JOURNAL_LIVE);
	copy.world.dead = true;
	crash_throw_away(copy.j);
	crash_world_enter(world);
	crash_world_free(&copy.world);
	watched->looked++;
}

/* The segment with a retire record is dead itself, and is the next to be used
 * again; that it is not, before a checkpoint holds the retire, is the rule. */
static void p11_retires_are_in_the_log_or_in_a_checkpoint(void **state)
{
	struct place *p = place_make(&file_plan);
	struct watched watched = { .p = p };
	uint64_t checkpoints, large;
	int i;

	(void)state;
	watched.retired[0] = put(p, JOURNAL_PATH_SYNCED, 1);
	watched.live = put(p, JOURNAL_PATH_SYNCED, 2); /* keeps the first one's segment */
	checkpoints = p->j->shared->checkpoints;
	while (p->j->shared->checkpoints == checkpoints)
		assert_int_equal(journal_retire(p->j, put_large(p)), 0);
	assert_int_equal(journal_retire(p->j, watched.retired[0]), 0);
	watched.count = 1;
	p->world.hook = watch;
	p->world.context = &watched;
	/* until every segment was used again */
	for (i = 0; i < 2 * (int)(p->world.log.bytes / LARGE); i++) {
		large = put_large(p);
		assert_int_equal(journal_retire(p->j, large), 0);
	}
	assert_true(watched.looked > 100);
	p->world.hook = NULL;
	place_remove(p);
}

/* What was acknowledged is in the log already, without anybody's help. */
static void p11_a_retire_waits_for_its_record(void **state)
{
	struct place *p = place_make(&file_plan);
	uint64_t ids[3];
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		ids[i] = put(p, JOURNAL_PATH_SYNCED, 1 + (uint64_t)i);
	assert_int_equal(journal_retire(p->j, ids[0]), 0);
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_state(p, ids[0]), 0);
	assert_int_equal(journal_retire_many(p->j, ids + 1, 1, NULL), 0);
	place_crash(p);
	assert_int_equal(place_open(p), 0);
	assert_int_equal(place_state(p, ids[1]), 0);
	assert_int_equal(place_state(p, ids[2]), JOURNAL_LIVE);
	place_remove(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p4_the_incarnation_is_durable_when_open_returns),
		cmocka_unit_test(p4_the_incarnation_is_durable_when_it_is_raised),
		cmocka_unit_test(clean_words_are_durable_when_close_returns),
		cmocka_unit_test(p1_clean_words_are_durably_erased_when_open_returns),
		cmocka_unit_test(the_payload_is_durable_when_prepare_returns),
		cmocka_unit_test(the_second_digest_is_durable_before_the_first_record),
		cmocka_unit_test(p11_retires_are_in_the_log_or_in_a_checkpoint),
		cmocka_unit_test(p11_a_retire_waits_for_its_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
