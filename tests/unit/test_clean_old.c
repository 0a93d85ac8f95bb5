/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Survivors by age.  Which half-dead segments are cleaned ahead of need: not those that are
 * young, since the rest of them dies soon, and those that have outlived the log's turn, since
 * nothing else gives the room back that the dead had there.  What was moved before lies apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bed.h"
#include "txn/clean.h"
#include "txn/index.h"

#define BYTES 30000u
#define LARGE 300000u /* what goes through, in a few */

struct old {
	struct bed bed;
	struct model model;
	uint64_t *young; /* ids */
	uint32_t young_count;
};

static uint64_t put_bytes(struct old *o, uint64_t bytes)
{
	struct journal_receipt receipt;

	assert_int_equal(bed_put(&o->bed, &o->model, bytes, o->model.count,
				 JOURNAL_PATH_SYNCED, &receipt), 0);
	return receipt.id;
}

static uint64_t put(struct old *o)
{
	return put_bytes(o, BYTES);
}

static void retire(struct old *o, uint64_t id)
{
	assert_int_equal(journal_retire(o->bed.j, id), 0);
	model_retire(&o->model, id);
}

/* segments of which every second transaction is retired */
static void make_half_dead(struct old *o, uint32_t segments)
{
	uint32_t i, count = segments * (uint32_t)(o->bed.j->segment_bytes / BYTES) / 2;

	for (i = 0; i < count; i++) {
		put(o);
		retire(o, put(o));
	}
}

static void fill_until_due(struct old *o)
{
	while (!clean_is_due(o->bed.j, CLEAN_BACKGROUND)) {
		o->young = realloc(o->young, (o->young_count + 1) * sizeof(*o->young));
		assert_non_null(o->young);
		o->young[o->young_count++] = put_bytes(o, LARGE);
	}
}

static void retire_young(struct old *o)
{
	while (o->young_count)
		retire(o, o->young[--o->young_count]);
}

/* what is open is sealed, and then it is as if so many segments had been taken, and were
 * free again */
static void grow_older(struct old *o, uint32_t segments)
{
	uint64_t end = atomic_load(&o->bed.j->shared->next_seq) + 2;

	while (atomic_load(&o->bed.j->shared->next_seq) < end)
		retire(o, put_bytes(o, LARGE));
	atomic_fetch_add(&o->bed.j->shared->next_seq, segments);
}

static struct journal_info maintained(struct old *o)
{
	struct journal_maintained done;

	do
		assert_int_equal(journal_maintain(o->bed.j, NULL, &done), 0);
	while (done.more);
	return bed_info(&o->bed);
}

static void old_make_of(struct old *o, uint32_t mib, uint32_t segments)
{
	*o = (struct old){ 0 };
	bed_make(&o->bed, BED_PMEM, (uint64_t)mib << 20, 0);
	model_make(&o->model);
	make_half_dead(o, segments);
}

static void old_make(struct old *o)
{
	old_make_of(o, 32, 6);
}

static void old_free(struct old *o)
{
	model_verify_reopened(&o->model, &o->bed);
	model_free(&o->model);
	free(o->young);
	bed_remove(&o->bed);
}

static void young_ones_die_by_themselves(void **state)
{
	struct old o;

	(void)state;
	old_make(&o);
	fill_until_due(&o);
	assert_int_equal(maintained(&o).moved, 0);
	old_free(&o);
}

static void those_that_outlived_a_turn_are_packed(void **state)
{
	uint32_t turn, few;
	struct old o;

	(void)state;
	old_make(&o);
	turn = segments_usable(o.bed.j);
	grow_older(&o, 4 * turn); /* then up to six tenths may live */
	/* nobody needs their room */
	assert_int_equal(maintained(&o).moved, 0);
	fill_until_due(&o);
	few = atomic_load(&o.bed.j->shared->segments_free);
	/* two victims at least make one segment */
	assert_true(maintained(&o).moved >= o.bed.j->segment_bytes / BYTES / 2);
	assert_true(atomic_load(&o.bed.j->shared->segments_free) > few);
	retire_young(&o);
	old_free(&o);
}

/* Its age in this incarnation is what is known. */
static void who_opens_it_again_does_not_take_all_for_old(void **state)
{
	struct old o;

	(void)state;
	old_make(&o);
	bed_reopen(&o.bed);
	fill_until_due(&o);
	assert_int_equal(maintained(&o).moved, 0);
	old_free(&o);
}

/* ---- by age ------------------------------------------------------------------------- */

static uint32_t segment_of(const struct journal *j, uint64_t id)
{
	uint64_t where = atomic_load(&j->slots[(size_t)index_find(j, id_number(id)) *
					       SLOTS_PER_LINE + id_slot(id)].where);

	assert_int_equal(where_kind(where), WHERE_LOG);
	return where_segment(where);
}

static uint64_t clean_all(struct old *o)
{
	uint64_t before = bed_info(&o->bed).moved;
	bool gained;

	do
		assert_int_equal(clean_step(o->bed.j, CLEAN_MOSTLY_DEAD, &gained), 0);
	while (gained);
	return bed_info(&o->bed).moved - before;
}

static void retire_every_second(struct old *o)
{
	bool odd = false;
	size_t i;

	for (i = 0; i < o->model.count; i++)
		if (!o->model.all[i].retired) {
			if (odd)
				retire(o, o->model.all[i].id);
			odd = !odd;
		}
}

/* one in 16 lives */
static void make_mostly_dead(struct old *o, uint32_t segments)
{
	uint32_t i, count = segments * (uint32_t)(o->bed.j->segment_bytes / BYTES);
	uint64_t id;

	for (i = 0; i < count; i++) {
		id = put(o);
		if (i % 16)
			retire(o, id);
	}
}

/* ids of @from and above */
static uint32_t living(const struct old *o, uint64_t from, uint64_t ids[4096])
{
	uint32_t count = 0;
	size_t i;

	for (i = 0; i < o->model.count; i++)
		if (!o->model.all[i].retired && o->model.all[i].id >= from) {
			assert_true(count < 4096);
			ids[count++] = o->model.all[i].id;
		}
	return count;
}

static void those_moved_again_lie_apart(void **state)
{
	uint32_t i, k, count, again = 0, before[4096];
	uint64_t old[4096], young[4096];
	struct old o;

	(void)state;
	old_make_of(&o, 128, 22);
	assert_true(segments_usable(o.bed.j) >= CLEAN_AGES_FROM);
	grow_older(&o, 4 * segments_usable(o.bed.j));
	assert_true(clean_all(&o) > 0);
	retire_every_second(&o);
	grow_older(&o, 4 * segments_usable(o.bed.j));
	count = living(&o, 0, old);
	for (i = 0; i < count; i++)
		before[i] = segment_of(o.bed.j, old[i]);
	make_mostly_dead(&o, 8);
	assert_true(clean_all(&o) > 0);
	for (i = 0; i < count; i++)
		if (segment_of(o.bed.j, old[i]) != before[i])
			old[again++] = old[i];
	assert_true(again > count / 2);
	count = living(&o, old[count - 1] + 1, young);
	for (i = 0; i < count; i++)
		for (k = 0; k < again; k++)
			assert_int_not_equal(segment_of(o.bed.j, young[i]),
					     segment_of(o.bed.j, old[k]));
	old_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(young_ones_die_by_themselves),
		cmocka_unit_test(those_that_outlived_a_turn_are_packed),
		cmocka_unit_test(who_opens_it_again_does_not_take_all_for_old),
		cmocka_unit_test(those_moved_again_lie_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
