/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takeover, and then the power fails: what was read from a dead one's stores, which may be
 * in a cache only, is durable before anything is concluded from it (P7).  W is killed
 * where what it has stored is there for all to see, and not fenced; a fence is one of who
 * has flushed (crash_world.h).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "moves.h"
#include "moving.h"
#include "txn/checkpoint.h"
#include "txn/destage.h"
#include "txn/head.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/stand_in.h"
#include "txn/takeover_impl.h"

static void puts_x(void *scene)
{
	struct scene *s = scene;

	s->first = scene_put(s, 1, s->seed, &s->x);
}

/* What it needs is open: the next fence is that of its commit. */
static void make_on(struct scene *s, const struct crash_plan *plan, enum journal_path path)
{
	uint64_t id;

	moving_make_on(s, plan);
	s->path = path;
	assert_int_equal(scene_put(s, 1, 7, &id), 0);
	assert_int_equal(journal_retire(s->p->j, id), 0);
	assert_int_equal(place_live(s->p), 0);
}

static void make(struct scene *s, enum journal_path path)
{
	make_on(s, NULL, path);
}

static void takes_over(void *scene)
{
	struct scene *s = scene;

	s->second = takeover_all(s->p->j, s->p->j->member - 1);
}

static void is_taken_over(struct scene *s)
{
	takes_over(s);
	assert_int_equal(s->second, 0);
}

static void x_is_whole(struct scene *s)
{
	struct journal_entry entry;
	size_t bytes;

	assert_int_equal(journal_next(s->p->j, 0, &entry), 0);
	assert_int_equal(journal_read(s->p->j, entry.id, s->read, sizeof(s->read), &bytes), 0);
	assert_int_equal(bytes, SCENE_BYTES);
	assert_true(scene_is_made_of(s->read, s->seed));
	assert_int_equal(place_live(s->p), 1);
}

/* Both are gone with the power: the handle is thrown away without them. */
static void leave_lanes(struct journal *j)
{
	uint32_t i;

	for (i = 0; i < j->lane_count; i++)
		if (atomic_load(&j->lanes[i].s->lease) == j->member)
			lane_return(&j->lanes[i]);
}

/* A staged one verifies in its ring: it is served, and so it stays. */
static void p7_what_is_served_is_durable(void **state)
{
	struct actor *w, *t;
	struct scene s;

	(void)state;
	make(&s, JOURNAL_PATH_STAGED);
	w = actor_make(puts_x, &s);
	assert_true(moving_at_fence(&s, w));
	actor_killed(w);
	t = actor_make(takes_over, &s);
	/* of its lane: it was published just now */
	assert_true(ACTOR_AT(t, takeover_line, 1));
	x_is_whole(&s);
	actor_killed(t);
	leave_lanes(s.p->j);
	moving_power_fails(&s);
	x_is_whole(&s);
	place_remove(s.p);
}

static bool is_claimed(struct scene *s, const struct slots_from *from, uint32_t slot)
{
	const struct line *line = &s->p->j->lines[from->line];

	return atomic_load(&line->claimed[slot / 64]) >> (slot & 63) & 1;
}

static bool last_is_claimed(void *scene)
{
	struct scene *s = scene;

	return is_claimed(s, s->p->j->own, s->p->j->own->next - 1);
}

/* A synced one is in the log, and was not published: its room is given up, and it does not
 * come back. */
static void p7_what_is_given_up_stays_so(void **state)
{
	struct actor *w, *t;
	struct scene s;

	(void)state;
	make(&s, JOURNAL_PATH_SYNCED);
	w = actor_make(puts_x, &s);
	assert_true(ACTOR_AT(w, line_publish, 1));
	actor_killed(w);
	t = actor_make(takes_over, &s);
	assert_true(actor_when(t, last_is_claimed, &s));
	actor_killed(t);
	moving_power_fails(&s);
	assert_int_equal(place_live(s.p), 0);
	assert_int_equal(place_check(s.p), 0);
	place_remove(s.p);
}

/* ---- on a file, where a checkpoint says what is given up ------------------------------------ */

/* W has a whole record in the log that it did not publish. */
static void make_on_file(struct scene *s)
{
	struct actor *w;

	make_on(s, &moves_plan_file, JOURNAL_PATH_SYNCED);
	w = actor_make(puts_x, s);
	assert_true(ACTOR_AT(w, line_publish, 1));
	actor_killed(w);
}

static void x_stays_given_up(struct scene *s)
{
	assert_int_equal(place_live(s->p), 0);
	moving_power_fails(s);
	assert_int_equal(place_live(s->p), 0);
	place_remove(s->p);
}

static void p7_so_it_does_without_nvram(void **state)
{
	struct scene s;

	(void)state;
	make_on_file(&s);
	is_taken_over(&s);
	x_stays_given_up(&s);
}

/* Who waits for a checkpoint takes over from the dead meanwhile. */
static void is_taken_over_at_a_checkpoint(struct scene *s)
{
	assert_int_equal(pthread_mutex_lock(&s->p->j->lines_lock), 0);
	takes_over(s);
	assert_int_equal(s->second, -EAGAIN);
	assert_int_equal(pthread_mutex_unlock(&s->p->j->lines_lock), 0);
}

/* For himself he does not wait. */
static void p7_nobody_waits_for_himself(void **state)
{
	struct scene s;

	(void)state;
	make_on_file(&s);
	is_taken_over_at_a_checkpoint(&s);
	is_taken_over(&s);
	x_stays_given_up(&s);
}

static const struct marker_store_ops *ops_before;
static struct marker_store_ops ops_deads;

static int checkpoint_nowhere(struct marker_store *store, uint64_t bytes, uint32_t who)
{
	(void)store;
	(void)bytes;
	(void)who;
	return -EAGAIN;
}

static void deads_are_forgotten(struct marker_store *store, uint32_t who)
{
	(void)who;
	store->ops = ops_before;
}

/* The dead have all places that a checkpoint can be written to (file_slots.h). */
static void checkpoints_are_the_deads(struct scene *s)
{
	struct marker_store *store = checkpoint_store(s->p->j);

	ops_before = store->ops;
	ops_deads = *ops_before;
	ops_deads.checkpoint = checkpoint_nowhere;
	ops_deads.forget = deads_are_forgotten;
	store->ops = &ops_deads;
	assert_int_equal(checkpoint_try(s->p->j), -EAGAIN);
}

/* To take over from them needs a checkpoint; and so does who cannot, for he waits for one. */
static void p7_the_dead_hinder_no_checkpoint(void **state)
{
	struct scene s;

	(void)state;
	make_on_file(&s);
	checkpoints_are_the_deads(&s);
	is_taken_over(&s);
	checkpoints_are_the_deads(&s);
	is_taken_over_at_a_checkpoint(&s);
	assert_int_equal(checkpoint_try(s.p->j), 0);
	x_stays_given_up(&s);
}

/* ---- lanes and the log ------------------------------------------------------------------- */

static struct lane *staged_in(const struct scene *s)
{
	struct journal *j = s->p->j;
	uint32_t i;

	for (i = 0; i < j->lane_count; i++)
		if (j->lanes[i].s->head != j->lanes[i].s->tail)
			return &j->lanes[i];
	return NULL;
}

static void destages(void *scene)
{
	struct scene *s = scene;
	struct lane *lane = staged_in(s);

	s->first = !lane_try(s->p->j, lane) ? -EBUSY :
		   destage(s->p->j, lane, lane->s->head - lane->s->tail, false);
}

/* so much of the ring, in records of which none is destaged */
static uint32_t fill(struct scene *s, uint64_t bytes)
{
	struct lane *lane;
	uint32_t count = 0;
	uint64_t id;

	do {
		assert_int_equal(scene_put(s, 1, ++s->seed, &id), 0);
		lane = staged_in(s);
		count++;
	} while (lane->s->head - lane->s->tail < bytes);
	return count;
}

/* W has moved the tail of a ring on: what was there is written over after that. */
static void p7_a_tail_is_durable_before_its_room_is_used(void **state)
{
	struct scene s;
	const volatile struct marker_lane *media;
	struct actor *w;
	uint64_t ring;
	__le64 tail;
	uint32_t count;

	(void)state;
	make(&s, JOURNAL_PATH_STAGED);
	ring = s.p->j->lanes[0].ring_bytes;
	count = fill(&s, ring * 3 / 4);
	media = lane_media(s.p->j, staged_in(&s)->index);
	tail = media->tail;
	w = actor_make(destages, &s);
	do
		assert_true(moving_at_fence(&s, w));
	while (media->tail == tail);
	actor_killed(w);
	is_taken_over(&s);
	assert_null(staged_in(&s));
	count += fill(&s, ring / 2);
	assert_int_equal(place_live(s.p), count);
	moving_power_fails(&s);
	assert_int_equal(place_live(s.p), count);
	assert_int_equal(place_check(s.p), 0);
	place_remove(s.p);
}

/* What W has written is in the disk's cache, perhaps; then a digest vouches for it. */
static void p7_what_a_digest_names_is_durable(void **state)
{
	struct scene s = { .path = JOURNAL_PATH_SYNCED, .seed = 1000 };
	struct actor *w;

	(void)state;
	if (!actors_possible())
		skip();
	s.p = place_make(&moves_plan_file);
	assert_int_equal(scene_put(&s, 1, s.seed, &s.x), 0);
	w = actor_make(moving_retires, &s);
	s.p->world.no_dsync = true; /* it is written, and W is killed before it is synced */
	assert_true(ACTOR_AT(w, head_return, 1));
	s.p->world.no_dsync = false;
	actor_killed(w);
	pthread_mutex_unlock(&s.p->j->streams[0].lock);
	is_taken_over(&s);
	place_crash(s.p);
	assert_int_equal(place_open(s.p), 0);
	assert_int_equal(place_lost_unnamed(s.p), 0);
	assert_int_equal(place_check(s.p), 0);
	place_remove(s.p);
}

static void flush_at(struct scene *s, struct actor *w)
{
	assert_true(ACTOR_AT(w, s->p->j->marker->persist.flush, 1));
}

static void fence_at(struct scene *s, struct actor *w)
{
	assert_true(moving_at_fence(s, w));
}

/* One whose slot is claimed is given up, and its room is for others: so it does not come
 * back, wherever W was: before its bit, before the flush of it, before the fence. */
static void retired_at(void (*at)(struct scene *s, struct actor *w))
{
	struct scene s;
	struct actor *w;

	make(&s, JOURNAL_PATH_DIRECT);
	assert_int_equal(scene_put(&s, 1, s.seed, &s.x), 0);
	w = actor_make(moving_retires, &s);
	at(&s, w);
	actor_killed(w);
	is_taken_over(&s);
	assert_int_equal(place_state(s.p, s.x), 0);
	moves_nothing_is_held(s.p->j);
	moving_power_fails(&s);
	assert_int_equal(place_state(s.p, s.x), 0);
	assert_int_equal(place_live(s.p), 0);
	place_remove(s.p);
}

static bool x_is_claimed(void *scene)
{
	struct scene *s = scene;

	return is_claimed(s, s->p->j->own, id_slot(s->x));
}

static void claim_at(struct scene *s, struct actor *w)
{
	assert_true(actor_when(w, x_is_claimed, s));
}

static void p7_a_retire_that_was_claimed_is_durable(void **state)
{
	(void)state;
	retired_at(claim_at);
}

static void p7_a_bit_that_was_cleared_is_durable(void **state)
{
	(void)state;
	retired_at(flush_at);
	retired_at(fence_at);
}

static uint32_t line_of_x; /* T leaves it */

static bool x_is_claimed_there(void *scene)
{
	struct scene *s = scene;

	return s->p->j->lines[line_of_x].claimed[id_slot(s->x) / 64] >> (id_slot(s->x) & 63) & 1;
}

static void retires_z(void *scene)
{
	struct scene *s = scene;

	s->second = journal_retire(s->p->j, s->z);
}

static bool number_is_away(void *scene)
{
	struct scene *s = scene;

	return !s->p->j->lines[line_of_x].number;
}

/* Z retires the last one of the line; only after that R clears the bit of x, and is killed
 * before its fence.  P has taken the number of the line away, and does not open it: the room
 * of x is for others all the same. */
static void p7_so_it_is_in_a_line_without_its_number(void **state)
{
	struct actor *r, *z, *p;
	struct scene s;

	(void)state;
	make(&s, JOURNAL_PATH_DIRECT);
	line_of_x = s.p->j->own->line;
	assert_int_equal(scene_put(&s, 1, s.seed, &s.x), 0);
	assert_int_equal(scene_put(&s, 1, s.seed, &s.z), 0);
	moves_leave(s.p->j);
	r = actor_make(moving_retires, &s);
	z = actor_make(retires_z, &s);
	p = actor_make(puts_x, &s);
	assert_true(actor_when(r, x_is_claimed_there, &s));
	assert_true(ACTOR_AT(z, line_word_done, 1));
	fence_at(&s, r);
	actor_killed(r);
	actor_end(z);
	assert_int_equal(s.second, 0);
	assert_true(actor_when(p, number_is_away, &s));
	actor_killed(p);
	is_taken_over(&s);
	moves_nothing_is_held(s.p->j);
	moving_power_fails(&s);
	assert_int_equal(place_live(s.p), 0);
	place_remove(s.p);
}

/* Another one, who lives, claims x while T takes over, and is stopped before its bit: that may
 * never be durable, and what x has in the log is not given up for it. */
static bool claimed_meanwhile(struct scene *s, unsigned int fences)
{
	struct journal *j;
	uint32_t segment;
	struct actor *t, *r;
	bool stood = true;

	make(s, JOURNAL_PATH_DIRECT);
	assert_int_equal(scene_put(s, 1, s->seed, &s->x), 0);
	j = s->p->j;
	line_of_x = j->own->line;
	segment = where_segment(j->slots[(size_t)line_of_x * SLOTS_PER_LINE + id_slot(s->x)].where);
	t = actor_make(takes_over, s);
	while (fences-- && stood)
		stood = moving_at_fence(s, t);
	r = actor_make(moving_retires, s);
	if (stood && !actor_when(r, x_is_claimed_there, s))
		fail_msg("x is gone");
	actor_end(t);
	assert_int_equal(s->second, 0);
	if (stood && get_le64(line_media(j, line_of_x)->retire[id_slot(s->x) / 64]) >>
			     (id_slot(s->x) & 63) & 1)
		assert_int_equal(segment_live_of(j->segments.all[segment].use), 1);
	actor_killed(r);
	moving_power_fails(s);
	place_remove(s->p);
	return stood;
}

static void p7_what_is_claimed_meanwhile_keeps_its_place(void **state)
{
	unsigned int fences = 1;
	struct scene s;

	(void)state;
	while (claimed_meanwhile(&s, fences))
		fences++;
	assert_true(fences > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p7_what_is_served_is_durable),
		cmocka_unit_test(p7_a_tail_is_durable_before_its_room_is_used),
		cmocka_unit_test(p7_what_a_digest_names_is_durable),
		cmocka_unit_test(p7_what_is_given_up_stays_so),
		cmocka_unit_test(p7_so_it_does_without_nvram),
		cmocka_unit_test(p7_nobody_waits_for_himself),
		cmocka_unit_test(p7_the_dead_hinder_no_checkpoint),
		cmocka_unit_test(p7_a_retire_that_was_claimed_is_durable),
		cmocka_unit_test(p7_a_bit_that_was_cleared_is_durable),
		cmocka_unit_test(p7_so_it_is_in_a_line_without_its_number),
		cmocka_unit_test(p7_what_is_claimed_meanwhile_keeps_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
