/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P11: retires are replayed from the oldest segment that may hold one that no checkpoint
 * has.  A checkpoint is written while another one stands between drawing the next use of
 * a segment and being seen in it; what is retired there is so after a crash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "actor.h"
#include "crash_place.h"
#include "txn/checkpoint.h"
#include "txn/head.h"
#include "txn/journal_impl.h"
#include "txn/segment_seal.h"

#define PUTS_MOST 20000u

struct filler {
	struct place *p;
	uint64_t seed;
	int error;
};

/* until the stream has gone on in a fresh segment */
static void fills(void *context)
{
	struct filler *f = context;
	const _Atomic uint64_t *next = &f->p->j->shared->next_seq;
	uint64_t before = atomic_load(next), id;

	do
		f->error = place_put(f->p, JOURNAL_PATH_SYNCED, f->seed++, &id);
	while (!f->error && f->seed < PUTS_MOST && atomic_load(next) == before);
}

/* The stream has no segment: of one that it has, replay begins there. */
static void leaves(struct place *p)
{
	struct head *head;

	assert_int_equal(head_lease(p->j, HEAD_STREAM, &head), 0);
	assert_non_null(head_segment(p->j, head));
	assert_int_equal(head_seal(p->j, head), 0);
	head_return(head);
}

static void p11_a_segment_that_is_drawn_is_replayed(void **state)
{
	const struct crash_plan plan = { .checkpointed = true };
	struct filler f = { .seed = 2 };
	uint64_t id, checkpoints;
	struct shared *shared;
	struct actor *a;

	(void)state;
	if (!actors_possible())
		skip();
	f.p = place_make(&plan);
	shared = f.p->j->shared;
	assert_int_equal(place_put(f.p, JOURNAL_PATH_SYNCED, 1, &id), 0);
	leaves(f.p);
	a = actor_make(fills, &f);
	assert_true(ACTOR_AT(a, segment_write_header, 1));
	checkpoints = shared->checkpoints;
	assert_int_equal(checkpoint(f.p->j), 0);
	assert_int_equal(shared->checkpoints, checkpoints + 1);
	/* none by itself from here on */
	atomic_store(&shared->segments_since_checkpoint, 0);
	actor_end(a);
	assert_int_equal(f.error, 0);
	assert_int_equal(journal_retire(f.p->j, id), 0);
	atomic_store(&shared->segments_since_checkpoint, 0);
	fills(&f);
	assert_int_equal(f.error, 0);
	assert_true(f.seed < PUTS_MOST);
	assert_int_equal(shared->checkpoints, checkpoints + 1);
	place_crash(f.p);
	assert_int_equal(place_open(f.p), 0);
	assert_int_equal(place_state(f.p, id), 0);
	place_remove(f.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p11_a_segment_that_is_drawn_is_replayed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
