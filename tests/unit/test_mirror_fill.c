/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A leg that is brought up to date while others write: what they do at any moment of it, by
 * hooks in the calls of each one's legs.  "first" copies, "second" is another process.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/mirror_hooks.h"
#include "store/log_copies.h"
#include "store/log_queue.h"

/* ---- it comes back --------------------------------------------------------------- */

static void both_write_it_again(void **state)
{
	struct mirror_place *p = *state;

	assert_int_equal(renew(p), 0);
	assert_whole(p, 7, 7);
	assert_int_equal(put_by(p, second, 8, 81), 0);
	assert_whole(p, 8, 81);
	assert_int_equal(put_by(p, p->store, 9, 91), 0);
	assert_whole(p, 9, 91);
	/* and may be left again, and come back again */
	log_store_fail(mirror_of(second)->leg[1], -EIO);
	assert_int_equal(put_by(p, second, 8, 82), 0);
	assert_int_equal(mirror_place_good(p), 1);
	assert_int_equal(mirror_place_says(p, 0), 1);
	assert_int_equal(renew(p), 0);
	assert_whole(p, 8, 82);
}

/* To another file: who has the old one open does not read it, nor rely on it. */
static void it_may_be_another_one(void **state)
{
	struct mirror_place *p = *state;
	struct log_store *one = p->store;
	struct log_queue *queue;
	char path[PATH_MAX];
	int i;

	p->of.path[1] = mirror_of(p->store)->of.path[1] = scratch_path(&p->scratch, "second.new",
									path);
	/* reads that are under way, or will be */
	assert_int_equal(log_queue_open(second, 4, NULL, &queue), 0);
	assert_int_equal(renew(p), 0);
	assert_int_equal(put_by(p, second, 8, 81), 0);
	for (i = 0; i < 4; i++) {
		struct log_io io = { 8 * MIRROR_UNIT, p->buffer, MIRROR_UNIT, 0 };

		memset(p->buffer, 0, MIRROR_UNIT);
		log_queue_submit(queue, &io);
		assert_ptr_equal(log_queue_complete(queue, true), &io);
		assert_int_equal(p->buffer[5], 81);
	}
	log_queue_close(queue);
	(void)snprintf(p->path[1], sizeof(p->path[1]), "%s", path);
	assert_whole(p, 8, 81);
	assert_int_equal(mirror_place_get_of(p, 1, 300), 3);
	/* the first leg goes: all is on the new one */
	log_store_fail(mirror_of(p->store)->leg[0], -EIO);
	assert_int_equal(put_by(p, p->store, 9, 91), 0);
	p->store = second;
	for (i = 0; i < 2; i++)
		assert_int_equal(mirror_place_get(p, 9), 91);
	assert_int_equal(mirror_place_get(p, 7), 7);
	p->store = one;
}

/* ---- others write meanwhile -------------------------------------------------------- */

static void second_puts(struct mirror_place *p)
{
	assert_int_equal(put_by(p, second, 5, 55), 0);
}

/* The copier has read the block, somebody writes it on both legs, the copier writes what he
 * has read: without another look that is what stays. */
static void what_is_written_over_is_copied_again(void **state)
{
	struct mirror_place *p = *state;
	/* 1: of the head; 2: of the copy */
	unsigned int nth, last = 0;

	for (nth = 1; nth < 20; nth++) {
		hook = (struct hook){ 0, 1, CALL_WRITE, nth, second_puts };
		assert_int_equal(put_by(p, second, 5, 1), 0);
		assert_int_equal(renew(p), 0);
		if (hook.run)
			break;
		last = nth;
		assert_whole(p, 5, 55);
		log_store_fail(mirror_of(second)->leg[1], -EIO);
	}
	assert_in_range(last, 4, 10);
}

/* The second leg is left, by the second process. */
static void leave_again(struct mirror_place *p)
{
	hook.run = NULL;
	assert_int_equal(put_by(p, second, 6, 6), 0);
	log_store_fail(mirror_of(second)->leg[1], -EIO);
	assert_int_equal(put_by(p, second, 5, 1), 0);
	assert_int_equal(mirror_place_good(p), 1);
}

/* The second process may not write the leg that is copied to, for a limit of its own. */
static void may_not_write(struct mirror_place *p)
{
	hook.run = NULL;
	assert_int_equal(put_by(p, second, 6, 6), 0);
	log_store_fail(mirror_of(second)->leg[1], -EFBIG);
	assert_int_equal(put_by(p, second, 5, 1), -EFBIG);
}

static void a_limit_of_one_does_not_end_the_copying(void **state)
{
	struct mirror_place *p = *state;

	hook = (struct hook){ 0, 1, CALL_WRITE, 4, may_not_write };
	assert_int_equal(renew(p), 0);
	assert_null(hook.run);
	assert_int_equal(mirror_place_good(p), LEGS_ALL);
}

/* At every call that the copier makes. */
static void at_every_call(void **state)
{
	struct mirror_place *p = *state;
	unsigned int nth, call, leg, met = 0;
	bool came = true;

	for (call = 0; call < CALLS; call++)
		for (leg = 0; leg < LEGS; leg++, came = true)
			for (nth = 1; came; nth++) {
				leave_again(p);
				hook = (struct hook){ 0, leg, call, nth, second_puts };
				assert_int_equal(renew(p), 0);
				came = !hook.run;
				assert_whole(p, 5, came ? 55 : 1);
				met += came;
			}
	assert_in_range(met, 10, 60);
	hook.run = NULL;
}

static void first_renews(struct mirror_place *p)
{
	assert_int_equal(renew(p), 0);
}

/* The writer has looked before it began, and writes when all is over. */
static void who_looked_before_it_began_writes_it_too(void **state)
{
	struct mirror_place *p = *state;

	hook = (struct hook){ 1, 0, CALL_WRITE, 1, first_renews };
	assert_int_equal(put_by(p, second, 5, 55), 0);
	assert_null(hook.run);
	assert_whole(p, 5, 55);
	/* so he does when it was good before, too: to all of that use of it */
	hook = (struct hook){ 1, 0, CALL_WRITE, 1, first_renews };
	log_store_fail(mirror_of(p->store)->leg[1], -EIO);
	assert_int_equal(put_by(p, p->store, 6, 6), 0);
	assert_int_equal(put_by(p, second, 5, 56), 0);
	assert_whole(p, 5, 56);
}

/* ---- the writer's two legs, and the copier between ------------------------------------ */

static _Atomic unsigned int step;

static void wait_for(unsigned int which)
{
	unsigned int i;

	for (i = 0; i < 20000 && atomic_load(&step) < which; i++)
		(void)poll(NULL, 0, 1);
	assert_true(atomic_load(&step) >= which);
}

/* the second one, before it writes the good leg: until a round is over */
static void stands_still(struct mirror_place *p)
{
	(void)p;
	atomic_store(&step, 1);
	wait_for(2);
}

static void *second_thread(void *context)
{
	void *buffer = aligned_alloc(MIRROR_UNIT, MIRROR_UNIT);
	struct log_io io = { 5 * MIRROR_UNIT, buffer, MIRROR_UNIT, 0 };
	int error;

	hook = (struct hook){ 1, 0, CALL_WRITE, 1, stands_still };
	memset(buffer, 55, MIRROR_UNIT);
	error = log_store_write(second, &io, 1, true);
	free(buffer);
	atomic_store(&step, 3);
	return error ? context : NULL;
}

static pthread_t thread;
static struct hook later;

/* the first one, as it begins to copy */
static void thread_starts(struct mirror_place *p)
{
	assert_int_equal(pthread_create(&thread, NULL, second_thread, p), 0);
	wait_for(1);
	hook = later;
}

/* the first one, a round being over: its word is what the other one looked at */
static void thread_goes_on(struct mirror_place *p)
{
	(void)p;
	atomic_store(&step, 2);
	wait_for(3);
}

/* Were both legs written at a time, or this one first, the copier would write what he finds
 * on the good one over what is newer, and see nothing. */
static void the_good_leg_is_written_first(void **state)
{
	struct mirror_place *p = *state;
	void *failed;

	atomic_store(&step, 0);
	later = (struct hook){ 0, 1, CALL_FLUSH, 1, thread_goes_on };
	hook = (struct hook){ 0, 0, CALL_READ, 1, thread_starts };
	assert_int_equal(renew(p), 0);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_whole(p, 5, 55);
}

/* ---- somebody dies ----------------------------------------------------------------- */

/* between his two legs, when that block was copied already */
static void dies_between_the_legs(struct mirror_place *p)
{
	struct mirror *m = mirror_of(second);
	struct log_io io = { LEG_HEAD_BYTES + 5 * MIRROR_UNIT, p->buffer, MIRROR_UNIT, 0 };

	memset(p->buffer, 55, MIRROR_UNIT);
	assert_int_equal(log_store_write(m->leg[0], &io, 1, true), 0);
	log_copies_died(p->store, false);
}

static void what_the_dead_wrote_on_one_leg_is_copied(void **state)
{
	struct mirror_place *p = *state;

	hook = (struct hook){ 0, 1, CALL_FLUSH, 1, dies_between_the_legs };
	assert_int_equal(renew(p), 0);
	assert_null(hook.run);
	assert_whole(p, 5, 55);
	assert_int_equal(rounds, 2);
}

static unsigned int dying;

static int dies_in_the_end(void *context, struct message *message)
{
	struct mirror_place *p = context;

	(void)message;
	if (dying && dying--) {
		dies_between_the_legs(p);
		/* the mark is there again before anybody goes on */
		assert_int_equal(mirror_place_says(p, 0), 1);
	}
	return 0;
}

static void it_begins_anew_when_one_dies_in_its_end(void **state)
{
	struct mirror_place *p = *state;
	struct log_renew how = { .whole = dies_in_the_end, .context = p };

	dying = 1;
	assert_int_equal(log_copies_renew(p->store, &how, &p->message), 0);
	assert_whole(p, 5, 55);
	log_store_fail(mirror_of(second)->leg[1], -EIO);
	assert_int_equal(put_by(p, second, 6, 6), 0);
	dying = 1000;
	assert_int_equal(log_copies_renew(p->store, &how, &p->message), -EAGAIN);
	assert_not_whole(p, 6, 6);
}

static void copier_dies(struct mirror_place *p)
{
	log_copies_died(second, true);
	assert_int_equal(put_by(p, second, 5, 55), 0);
	assert_int_not_equal(mirror_place_get_of(p, 1, 5), 55); /* nobody writes it any more */
}

static void a_copier_that_dies_leaves_it_out(void **state)
{
	struct mirror_place *p = *state;

	hook = (struct hook){ 0, 1, CALL_FLUSH, 1, copier_dies };
	assert_int_equal(renew(p), 0); /* he lives, and begins anew */
	assert_null(hook.run);
	assert_whole(p, 5, 55);
}

/* ---- it fails ---------------------------------------------------------------------- */

static void second_fails(struct mirror_place *p)
{
	assert_int_equal(put_by(p, second, 4, 4), 0);
	log_store_fail(mirror_of(second)->leg[1], -ENOSPC);
	assert_int_equal(put_by(p, second, 5, 55), 0);
}

static void who_cannot_write_it_gives_it_up_for_all(void **state)
{
	struct mirror_place *p = *state;

	hook = (struct hook){ 0, 1, CALL_FLUSH, 1, second_fails };
	assert_int_equal(renew(p), -ENOSPC);
	assert_non_null(strstr(p->message.text, "cannot write it"));
	assert_not_whole(p, 5, 55);
}

static void who_cannot_open_it_does_too(void **state)
{
	struct mirror_place *p = *state;

	cannot_join = true;
	hook = (struct hook){ 0, 1, CALL_FLUSH, 1, second_puts };
	assert_int_equal(renew(p), -EACCES);
	assert_not_whole(p, 5, 55);
}

static int fails_in_the_end(void *context, struct message *message)
{
	struct mirror_place *p = context;

	(void)message;
	second_fails(p);
	/* durably, before that write was done: whatever the copier does next */
	assert_int_equal(mirror_place_says(p, 0), 1);
	return 0;
}

/* What the copier has yet to write, its head, would say that it has all. */
static void in_its_end_the_mark_is_written_again(void **state)
{
	struct mirror_place *p = *state;
	struct log_renew how = { .whole = fails_in_the_end, .context = p };

	assert_int_equal(log_copies_renew(p->store, &how, &p->message), -ENOSPC);
	assert_int_not_equal(log_copies_left(p->store), 0);
	assert_not_whole(p, 5, 55);
}

static void good_one_fails(struct mirror_place *p)
{
	log_store_fail(mirror_of(second)->leg[0], -EIO);
	assert_int_equal(put_by(p, second, 5, 55), -EIO);
}

/* As with one log: the other one has not all, and does not stand in for it. */
static void the_good_one_fails_meanwhile(void **state)
{
	struct mirror_place *p = *state;
	unsigned int nth;

	for (nth = 1; nth <= 2; nth++) {
		hook = (struct hook){ 0, nth == 1, nth == 1 ? CALL_FLUSH : CALL_READ, 1,
				      good_one_fails };
		assert_int_equal(renew(p), 0); /* the copier has not met it */
		assert_null(hook.run);
		log_store_close(second);
		opening = 1;
		assert_int_equal(log_mirror_join(&p->of, 0, share, &second, &p->message), 0);
		opening = 0;
		if (nth == 1) {
			log_store_fail(mirror_of(second)->leg[1], -EIO);
			assert_int_equal(put_by(p, second, 7, 7), 0);
		}
	}
}

/* What is not said elsewhere any more: the leg is left, and not in its end. */
static int nothing_is_left(void *context, struct message *message)
{
	struct mirror_place *p = context;

	(void)message;
	assert_int_equal(log_copies_left(p->store), 0);
	return 0;
}

static void that_it_was_left_is_said_each_time(void **state)
{
	struct mirror_place *p = *state;
	struct log_renew how = { .whole = nothing_is_left, .context = p };
	uint64_t before = log_copies_left(p->store);

	assert_int_equal(before & 3, 2);
	assert_int_equal(log_copies_renew(p->store, &how, &p->message), 0);
	assert_int_equal(log_copies_left(p->store), 0);
	assert_int_equal(put_by(p, second, 7, 7), 0);
	log_store_fail(mirror_of(second)->leg[1], -EIO);
	assert_int_equal(put_by(p, second, 7, 7), 0);
	assert_int_equal(log_copies_left(p->store) & 3, 2);
	assert_int_not_equal(log_copies_left(p->store), before);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct mirror_place *p = *state;
	struct log_renew how = { .class = JOURNAL_CLASS_POWER + 1 };
	uint32_t unit = mirror_of(p->store)->leg[1]->block_bytes;

	assert_int_equal(log_copies_renew(p->store, &how, &p->message), -EPERM);
	assert_int_equal(mirror_place_good(p), 1);
	/* by what is written, not by what the other leg would take */
	mirror_of(p->store)->leg[1]->block_bytes = 4096;
	p->store->block_bytes = 512;
	how = (struct log_renew){ .block_bytes = 512 };
	assert_int_equal(log_copies_renew(p->store, &how, &p->message), -EINVAL);
	how.block_bytes = 4096;
	assert_int_equal(log_copies_renew(p->store, &how, &p->message), 0);
	mirror_of(p->store)->leg[1]->block_bytes = unit;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILL_TEST(both_write_it_again),
		FILL_TEST(it_may_be_another_one),
		FILL_TEST(what_is_written_over_is_copied_again),
		FILL_TEST(a_limit_of_one_does_not_end_the_copying),
		FILL_TEST(at_every_call),
		FILL_TEST(who_looked_before_it_began_writes_it_too),
		FILL_TEST(the_good_leg_is_written_first),
		FILL_TEST(what_the_dead_wrote_on_one_leg_is_copied),
		FILL_TEST(it_begins_anew_when_one_dies_in_its_end),
		FILL_TEST(a_copier_that_dies_leaves_it_out),
		FILL_TEST(who_cannot_write_it_gives_it_up_for_all),
		FILL_TEST(who_cannot_open_it_does_too),
		FILL_TEST(in_its_end_the_mark_is_written_again),
		FILL_TEST(the_good_one_fails_meanwhile),
		FILL_TEST(that_it_was_left_is_said_each_time),
		FILL_TEST(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
