/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A group while NVRAM is given up, and while it is taken over: all of it or nothing (P3).
 * W commits a group that it staged, and finds that NVRAM is given up: it brings it to the
 * log, and is killed there.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "actor.h"
#include "lib/sick.h"
#include "scene.h"
#include "txn/destage.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/read.h"
#include "txn/takeover_impl.h"

#define GROUP 3u
#define BYTES 3000u /* together they take several blocks of the log */

static const struct crash_plan plan = { .name = "large rings", .lines = 6, .ring_bytes = 65536 };

struct place_of_group {
	struct sick sick;
	struct scene s; /* on its journal */
	bool late;      /* NVRAM is given up before the commit */
};

static int begin(struct place_of_group *g, struct journal_txn **txn)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_STAGED,
					       .bytes = GROUP * BYTES };
	uint8_t payload[BYTES];
	int error = journal_begin(g->s.p->j, &options, txn);
	uint32_t i;

	for (i = 0; i < GROUP && !error; i++) {
		oracle_payload(i, payload, BYTES);
		if (i)
			error = journal_group_next(*txn);
		if (!error)
			error = journal_append(*txn, payload, BYTES);
	}
	return error;
}

static void makes_the_group(void *context)
{
	struct place_of_group *g = context;
	struct journal_receipt receipt = { 0 };
	struct journal_txn *txn;

	g->s.first = begin(g, &txn);
	if (!g->s.first && g->late)
		g->s.first = journal_distrust(g->s.p->j, "a test");
	if (!g->s.first)
		g->s.first = journal_commit(txn, &receipt);
	g->s.x = receipt.id;
}

static void takes_over(void *context)
{
	struct place_of_group *g = context;

	g->s.second = takeover_all(g->s.p->j, g->s.p->j->member - 1);
}

static void make(struct place_of_group *g, bool late)
{
	uint64_t id = 0;

	if (!actors_possible())
		skip();
	memset(g, 0, sizeof(*g));
	g->late = late;
	sick_make_on(&g->sick, &plan);
	g->s.p = g->sick.p;
	g->s.path = JOURNAL_PATH_STAGED;
	/* what is needed once is there */
	assert_int_equal(scene_put(&g->s, GROUP, 9, &id), 0);
	for (uint32_t i = 0; i < GROUP; i++)
		assert_int_equal(journal_retire(g->s.p->j, id + i), 0);
}

/* None of it came back with the power, and there is nothing wrong. */
static void nothing_is_left(struct place_of_group *g)
{
	assert_int_equal(place_live(g->s.p), 0);
	sick_cut(&g->sick, CRASH_DROP, 0, sick_is_abandoned(&g->sick));
	assert_int_equal(sick_open(&g->sick), 0);
	assert_int_equal(place_live(g->s.p), 0);
	assert_int_equal(place_lost_unnamed(g->s.p), 0);
	sick_free(&g->sick);
}

static void is_whole(struct place_of_group *g)
{
	uint8_t want[BYTES], got[BYTES];
	size_t bytes;
	uint32_t i;

	for (i = 0; i < GROUP; i++) {
		oracle_payload(i, want, BYTES);
		assert_int_equal(journal_read(g->s.p->j, g->s.x + i, got, BYTES, &bytes), 0);
		assert_int_equal(bytes, BYTES);
		assert_memory_equal(got, want, BYTES);
	}
}

static void p3_a_group_comes_to_the_log_as_one(void **state)
{
	struct place_of_group g;
	struct found found[GROUP];
	uint32_t i;

	(void)state;
	make(&g, true);
	makes_the_group(&g);
	assert_int_equal(g.s.first, 0);
	assert_int_equal(place_live(g.s.p), GROUP);
	/* in one record: a crash leaves it or not */
	is_whole(&g);
	for (i = 0; i < GROUP; i++) {
		assert_int_equal(found_look(g.s.p->j, g.s.x + i, &found[i]), 0);
		assert_int_equal(where_kind(found[i].where), WHERE_LOG);
		assert_int_equal(found[i].where, found[0].where);
	}
	sick_cut(&g.sick, CRASH_DROP, 0, true);
	assert_int_equal(sick_open(&g.sick), 0);
	assert_int_equal(place_live(g.s.p), GROUP);
	is_whole(&g);
	sick_free(&g.sick);
}

static uint32_t held(struct journal *j)
{
	uint32_t i, live = 0;

	for (i = 0; i < segments_end(j); i++)
		live += segment_live_of(j->segments.all[i].use);
	return live;
}

/* One of it was retired before: the copy has room for it, and nobody holds that. */
static void p3_of_a_group_what_lives_is_held(void **state)
{
	struct place_of_group g;
	struct journal_info info;
	uint32_t i;

	(void)state;
	make(&g, false);
	makes_the_group(&g);
	assert_int_equal(g.s.first, 0);
	assert_int_equal(journal_retire(g.s.p->j, g.s.x), 0);
	assert_int_equal(journal_distrust(g.s.p->j, "a test"), 0);
	assert_int_equal(place_live(g.s.p), GROUP - 1);
	journal_info(g.s.p->j, &info);
	assert_int_equal(info.evacuated, GROUP - 1);
	assert_int_equal(held(g.s.p->j), GROUP - 1);
	for (i = 1; i < GROUP; i++)
		assert_int_equal(journal_retire(g.s.p->j, g.s.x + i), 0);
	assert_int_equal(held(g.s.p->j), 0);
	nothing_is_left(&g);
}

/* W stands before the @move'th of them is found in the log, where all of it is. */
static void killed_at_move(uint32_t move)
{
	struct place_of_group g;
	struct actor *w;

	make(&g, true);
	w = actor_make(makes_the_group, &g);
	assert_true(ACTOR_AT(w, destage_move, move));
	assert_int_equal(place_live(g.s.p), GROUP);
	actor_killed(w);
	takes_over(&g);
	assert_int_equal(g.s.second, 0);
	nothing_is_left(&g);
}

static void p3_who_is_killed_before_it_is_there_leaves_none(void **state)
{
	(void)state;
	killed_at_move(1);
}

static void p3_who_is_killed_in_the_middle_leaves_none(void **state)
{
	uint32_t move;

	(void)state;
	for (move = 2; move <= GROUP; move++)
		killed_at_move(move);
}

static bool a_part_is_there(void *context)
{
	const struct place_of_group *g = context;
	struct journal *j = g->s.p->j;
	uint32_t line, word, there = 0;

	for (line = 0; line < j->shared->lines_used; line++)
		for (word = 0; word < MARKER_LINE_WORDS; word++)
			there += (uint32_t)__builtin_popcountll(
				atomic_load(&j->lines[line].committed[word]) &
				~atomic_load(&j->lines[line].claimed[word]));
	return there && there < GROUP;
}

/* NVRAM is sound; what W has staged, and not published, is served as a whole. */
static void p3_a_group_is_taken_over_as_one(void **state)
{
	struct place_of_group g;
	struct actor *w, *t;

	(void)state;
	make(&g, false);
	w = actor_make(makes_the_group, &g);
	assert_true(ACTOR_AT(w, line_publish_alone, 1));
	actor_killed(w);
	assert_int_equal(place_live(g.s.p), 0);
	t = actor_make(takes_over, &g);
	assert_false(actor_when(t, a_part_is_there, &g));
	actor_end(t);
	assert_int_equal(g.s.second, 0);
	assert_int_equal(place_live(g.s.p), GROUP);
	sick_cut(&g.sick, CRASH_DROP, 0, false);
	assert_int_equal(sick_open(&g.sick), 0);
	assert_int_equal(place_live(g.s.p), GROUP);
	sick_free(&g.sick);
}

static void retires_and_puts(void *context)
{
	struct place_of_group *g = context;
	uint64_t id;

	makes_the_group(g);
	if (!g->s.first)
		g->s.first = journal_retire(g->s.p->j, g->s.x);
	if (!g->s.first)
		g->s.first = scene_put(&g->s, 1, 9, &id);
}

/* One was retired, and its place still says that it is staged: of the others, which were told
 * and are in the log, who takes the lane over forgets none. */
static void p14_of_a_group_what_lives_is_kept(void **state)
{
	struct place_of_group g;
	struct actor *w;

	(void)state;
	make(&g, false);
	w = actor_make(retires_and_puts, &g);
	assert_true(ACTOR_AT(w, line_publish_alone, 2));
	assert_int_equal(place_live(g.s.p), GROUP - 1);
	actor_killed(w);
	assert_int_equal(journal_distrust(g.s.p->j, "a test"), 0);
	takes_over(&g);
	assert_int_equal(g.s.second, 0);
	assert_int_equal(place_live(g.s.p), GROUP - 1);
	sick_cut(&g.sick, CRASH_DROP, 0, true);
	assert_int_equal(sick_open(&g.sick), 0);
	assert_int_equal(place_live(g.s.p), GROUP - 1);
	sick_free(&g.sick);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p3_a_group_comes_to_the_log_as_one),
		cmocka_unit_test(p3_of_a_group_what_lives_is_held),
		cmocka_unit_test(p3_who_is_killed_before_it_is_there_leaves_none),
		cmocka_unit_test(p3_who_is_killed_in_the_middle_leaves_none),
		cmocka_unit_test(p3_a_group_is_taken_over_as_one),
		cmocka_unit_test(p14_of_a_group_what_lives_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
