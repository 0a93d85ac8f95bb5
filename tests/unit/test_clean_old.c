/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which half-dead segments are cleaned ahead of need: not those that are young, since the
 * rest of them dies soon, and those that have outlived the log's turn, since nothing else
 * gives the room back that the dead had there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bed.h"
#include "txn/clean.h"

#define BYTES 30000u

struct old {
	struct bed bed;
	struct model model;
	uint64_t *young; /* ids */
	uint32_t young_count;
};

static uint64_t put(struct old *o)
{
	struct journal_receipt receipt;

	assert_int_equal(bed_put(&o->bed, &o->model, BYTES, o->model.count,
				 JOURNAL_PATH_SYNCED, &receipt), 0);
	return receipt.id;
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
		o->young[o->young_count++] = put(o);
	}
}

static void retire_young(struct old *o)
{
	while (o->young_count)
		retire(o, o->young[--o->young_count]);
}

/* so many segments are taken, and free again */
static void churn(struct old *o, uint32_t segments)
{
	uint64_t end = atomic_load(&o->bed.j->shared->next_seq) + segments;

	while (atomic_load(&o->bed.j->shared->next_seq) < end)
		retire(o, put(o));
}

static struct journal_info maintained(struct old *o)
{
	struct journal_maintained done;

	do
		assert_int_equal(journal_maintain(o->bed.j, NULL, &done), 0);
	while (done.more);
	return bed_info(&o->bed);
}

static void old_make(struct old *o)
{
	*o = (struct old){ 0 };
	bed_make(&o->bed, BED_PMEM, 32u << 20, 0);
	model_make(&o->model);
	make_half_dead(o, 6);
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
	churn(&o, 4 * turn); /* then up to six tenths may live */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(young_ones_die_by_themselves),
		cmocka_unit_test(those_that_outlived_a_turn_are_packed),
		cmocka_unit_test(who_opens_it_again_does_not_take_all_for_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
