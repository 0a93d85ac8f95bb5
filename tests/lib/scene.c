/* SPDX-License-Identifier: BSD-3-Clause */
#include "scene.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "txn/lane.h"
#include "txn/line.h"

/* ---- what both threads use: no assertion in it ------------------------------------ */

int scene_begin(struct scene *s, uint32_t count, uint64_t seed, struct journal_txn **txn)
{
	struct journal_txn_options options = { .path = s->path,
					       .bytes = count > 1 ? 1280 : count * SCENE_BYTES };
	uint8_t payload[SCENE_BYTES];
	uint32_t i;
	int error = journal_begin(s->p->j, &options, txn);

	oracle_payload(seed, payload, SCENE_BYTES);
	for (i = 0; i < count && !error; i++) {
		if (i)
			error = journal_group_next(*txn);
		if (!error)
			error = journal_append(*txn, payload, count == 1 ? SCENE_BYTES : 8);
	}
	return error;
}

/* @count: 0 is one that is empty */

int scene_put(struct scene *s, uint32_t count, uint64_t seed, uint64_t *id)
{
	struct journal_receipt receipt = { 0 };
	struct journal_txn *txn;
	int error = scene_begin(s, count, seed, &txn);

	if (!error)
		error = journal_commit(txn, &receipt);
	*id = receipt.id;
	return error;
}

int scene_put_and_retire(struct scene *s, uint32_t count)
{
	uint64_t ids[64];
	uint32_t i;
	int error = scene_put(s, count, 1, &ids[0]);

	for (i = 1; i < count; i++)
		ids[i] = ids[0] + i;
	return error ? error : journal_retire_many(s->p->j, ids, count ? count : 1, NULL);
}

int scene_read_x(struct scene *s)
{
	size_t got;

	memset(s->read, 0, SCENE_BYTES);
	return journal_read(s->p->j, s->x, s->read, SCENE_BYTES, &got);
}

bool scene_is_made_of(const uint8_t *bytes, uint64_t seed)
{
	uint8_t payload[SCENE_BYTES];

	oracle_payload(seed, payload, SCENE_BYTES);
	return !memcmp(bytes, payload, SCENE_BYTES);
}

/* ---- before and after --------------------------------------------------------------- */

struct slots_from *scene_lane(struct scene *s, uint32_t cpu)
{
	return s->path == JOURNAL_PATH_STAGED ? &s->p->j->lanes[cpu].s->from :
						s->p->j->own;
}

/* No slot of @lane's line is left; what this takes is retired. */
void scene_use_up(struct scene *s, uint32_t cpu)
{
	struct slots_from *lane = scene_lane(s, cpu);

	crash_set_cpu((int)cpu);
	while (lane->line != NO_LINE && lane->next < SLOTS_PER_LINE)
		assert_int_equal(scene_put_and_retire(s, 64 - lane->next % 64), 0);
}

/* x and z in the first slots of a line that is used up */
void scene_x_and_z(struct scene *s)
{
	scene_use_up(s, 0);
	assert_int_equal(scene_put(s, 1, ++s->seed, s->mode == X_BEHIND_Y ? &s->z : &s->x), 0);
	assert_int_equal(scene_put(s, 1, s->seed, s->mode == X_BEHIND_Y ? &s->x : &s->z), 0);
	assert_int_equal(id_slot(s->x), s->mode == X_BEHIND_Y);
	scene_use_up(s, 0);
	if (s->mode != X_AND_Z)
		assert_int_equal(journal_retire(s->p->j, s->z), 0);
}

bool scene_retire_bit(struct scene *s, uint64_t id)
{
	uint32_t line = index_find(s->p->j, id_number(id));

	assert_int_not_equal(line, NO_LINE);
	return get_le64(line_media(s->p->j, line)->retire[id_slot(id) / 64]) >>
		       (id_slot(id) & 63) & 1;
}

/* y is nobody's victim: found, whole, and not retired on the medium. */
void scene_y_lives(struct scene *s)
{
	uint8_t bytes[SCENE_BYTES];
	size_t got;

	assert_int_equal(s->second, 0);
	assert_int_equal(place_state(s->p, s->y), JOURNAL_LIVE);
	assert_int_equal(journal_read(s->p->j, s->y, bytes, SCENE_BYTES, &got), 0);
	assert_true(scene_is_made_of(bytes, s->seed + 1));
	assert_true(scene_retire_bit(s, s->y));
}

void scene_retire(struct scene *s, uint64_t id)
{
	assert_int_equal(journal_retire(s->p->j, id), 0);
}

/* What is live in the log is counted there, and no more. */
void scene_nothing_is_held(struct scene *s)
{
	uint32_t i;

	for (i = 0; i < segments_end(s->p->j); i++)
		assert_int_equal(segment_live_of(s->p->j->segments.all[i].use), 0);
}

/* ---- a scenario at all places ----------------------------------------------------- */

static void once(const struct scenario *scenario, struct scene *s, uint32_t place)
{
	struct step_pair pair = { scenario->first, scenario->second, s };
	struct step_met met;

	scenario->before(s);
	met = step_run(&pair, place);
	if (!met.stood)
		scenario->second(s);
	if (scenario->never_waits && (met.waited || met.locks))
		fail_msg("standing at place %d it stops another", (int)place);
	scenario->after(s);
}

static uint32_t places_of(const struct scenario *scenario, struct scene *s)
{
	struct step_pair pair = { scenario->first, scenario->second, s };
	uint32_t places;

	scenario->before(s);
	step_not(&pair); /* what is made once is made */
	scenario->after(s);
	scenario->before(s);
	places = step_places(&pair);
	scenario->second(s);
	scenario->after(s);
	return places;
}

static void scene_by(const struct scenario *scenario, uint32_t stride)
{
	struct scene s = { .path = scenario->path, .mode = scenario->mode, .seed = 1000 };
	uint32_t place, places;

	if (!step_possible())
		skip();
	s.p = place_make(NULL);
	places = places_of(scenario, &s);
	print_message("# %d places\n", (int)places);
	assert_true(places > 50);
	for (place = 0; place < places; place += stride)
		once(scenario, &s, place);
	place_remove(s.p);
}

void scene_everywhere(const struct scenario *scenario)
{
	scene_by(scenario, 1);
}

void scene_at_some(const struct scenario *scenario, uint32_t usual)
{
	const char *given = getenv("STRIDE");

	scene_by(scenario, given && *given ? (uint32_t)atoi(given) : usual);
}

void scene_x_first_of_its_ring(struct scene *s)
{
	struct lane *lane = &s->p->j->lanes[0];

	scene_use_up(s, 1);
	scene_x_and_z(s);
	atomic_store(&lane->s->lease, 1);
	assert_int_equal(lane_reclaim(s->p->j, lane, lane->ring_bytes), 0);
	lane_return(lane);
}
