/* SPDX-License-Identifier: BSD-3-Clause */
/* Mirrored logs: legs that fail, are missing, old, or another log's.  What every log store
 * does is in conformance/. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/mirror_place.h"
#include "log/log_file.h"
#include "store/log_copies.h"
#include "store/log_queue.h"
#include "util/math.h"

/* ---- writing --------------------------------------------------------------------- */

/* A store over another one, of which each call waits until both legs are in theirs. */
static struct meeting {
	_Atomic unsigned int in;
	_Atomic bool alone;
} meeting;

static struct log_store_ops meeting_ops;
static const struct log_store_ops *under;

static void meet(void)
{
	unsigned int i;

	atomic_fetch_add(&meeting.in, 1);
	/* long enough for who comes at all */
	for (i = 0; i < 10000 && atomic_load(&meeting.in) < 2; i++)
		(void)poll(NULL, 0, 1);
	if (atomic_load(&meeting.in) < 2)
		meeting.alone = true;
}

static int meeting_write(struct log_store *store, struct log_io *io, unsigned int count,
			 bool durable)
{
	meet();
	return under->write(store, io, count, durable);
}

static int meeting_flush(struct log_store *store)
{
	meet();
	return under->flush(store);
}

static int open_meeting(const char *path, unsigned int flags, uint64_t bytes,
			const struct journal_progress *progress, struct log_store **store,
			struct message *message)
{
	int error = log_file_open(path, flags | LOG_NO_URING, bytes, progress, store, message);

	assert_int_equal(error, 0);
	under = (*store)->ops;
	meeting_ops = *under;
	meeting_ops.write = meeting_write;
	meeting_ops.flush = meeting_flush;
	(*store)->ops = &meeting_ops;
	return 0;
}

static void both_legs_are_written_at_a_time(void **state)
{
	struct mirror_place *p = *state;
	unsigned int i;

	p->of.open = open_meeting;
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	for (i = 0; i < 4; i++) {
		atomic_store(&meeting.in, 0);
		assert_int_equal(i & 1 ? log_store_flush(p->store) : mirror_place_put(p, i, 7), 0);
		assert_false(meeting.alone);
		assert_int_equal(atomic_load(&meeting.in), 2);
	}
	assert_int_equal(mirror_place_get_of(p, 0, 2), 7);
	assert_int_equal(mirror_place_get_of(p, 1, 2), 7);
}

static void fails(struct mirror_place *p, unsigned int i, enum fault_log_kind kind)
{
	assert_int_equal(mirror_place_put(p, 1, 1), 0);
	fault_log_arm(mirror_leg[i], kind, 1, -EIO, true);
	if (kind == FAULT_LOG_FLUSH)
		assert_int_equal(log_store_flush(p->store), 0);
	assert_int_equal(mirror_place_put(p, 2, 2), 0);
	assert_int_equal(mirror_place_good(p), 1u << !i);
	assert_int_equal(mirror_place_says(p, !i), 1u << !i);
	assert_int_equal(mirror_place_says(p, i), LEGS_ALL);
	/* nothing more is tried there */
	assert_int_equal(mirror_place_put(p, 3, 3), 0);
	assert_int_equal(mirror_place_get_of(p, !i, 3), 3);
	assert_int_not_equal(mirror_place_get_of(p, i, 3), 3);
	assert_int_equal(mirror_place_get(p, 2), 2);
	assert_int_equal(mirror_place_get(p, 2), 2);
	/* well again, but old */
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(mirror_place_good(p), 1u << !i);
	assert_int_equal(mirror_place_get(p, 3), 3);
	assert_int_equal(mirror_place_get(p, 3), 3);
}

static void p16_a_leg_whose_write_fails_is_left(void **state)
{
	fails(*state, 0, FAULT_LOG_WRITE);
}

static void p16_so_is_the_second(void **state)
{
	fails(*state, 1, FAULT_LOG_WRITE);
}

static void p16_a_leg_whose_flush_fails_is_left(void **state)
{
	fails(*state, 1, FAULT_LOG_FLUSH);
}

/* A limit of the process that writes: the leg is as good as it was. */
static void a_limit_of_ours_is_no_failure_of_a_leg(void **state)
{
	struct mirror_place *p = *state;
	unsigned int i;

	for (i = 0; i < LEGS; i++) {
		fault_log_arm(mirror_leg[i], FAULT_LOG_WRITE, 1, -EFBIG, true);
		assert_int_equal(mirror_place_put(p, 2, 2), -EFBIG);
		assert_int_equal(mirror_place_good(p), LEGS_ALL);
		assert_int_equal(mirror_place_says(p, !i), LEGS_ALL);
		assert_int_equal(mirror_place_reopen(p, 0), 0);
		assert_int_equal(mirror_place_put(p, 2, 3), 0);
		assert_int_equal(mirror_place_get_of(p, 0, 2), 3);
		assert_int_equal(mirror_place_get_of(p, 1, 2), 3);
	}
}

/* The power goes right after the write: the good leg's head says that it is alone. */
static void the_mark_is_durable_before_the_write_counts(void **state)
{
	struct mirror_place *p = *state;

	fault_log_hold(mirror_leg[1]);
	fault_log_arm(mirror_leg[0], FAULT_LOG_WRITE, 1, -EIO, true);
	assert_int_equal(mirror_place_put(p, 2, 2), 0);
	fault_log_cut(mirror_leg[1], FAULT_LOG_DROP, 0);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(mirror_place_good(p), 2);
	assert_int_equal(mirror_place_get(p, 2), 2);
}

static void without_the_mark_nothing_counts(void **state)
{
	struct mirror_place *p = *state;

	fault_log_arm(mirror_leg[0], FAULT_LOG_WRITE, 1, -EIO, true);
	fault_log_arm(mirror_leg[1], FAULT_LOG_WRITE, 2, -ENOSPC, true); /* that of the mark */
	assert_int_equal(mirror_place_put(p, 2, 2), -ENOSPC);
	assert_int_equal(mirror_place_put(p, 3, 3), -ENOSPC);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(mirror_place_good(p), 3);
}

static void both_legs_fail(void **state)
{
	struct mirror_place *p = *state;

	fault_log_arm(mirror_leg[0], FAULT_LOG_WRITE, 1, -EIO, true);
	fault_log_arm(mirror_leg[1], FAULT_LOG_WRITE, 1, -ENOSPC, true);
	assert_int_equal(mirror_place_put(p, 2, 2), -EIO);
	assert_int_equal(log_store_flush(p->store), -EIO);
	assert_int_equal(mirror_place_says(p, 0), LEGS_ALL);
	assert_int_equal(mirror_place_says(p, 1), LEGS_ALL);
}

/* Two processes meet different failures: they must not each call the other's leg good. */
static void two_processes_leave_one_leg_at_most(void **state)
{
	struct mirror_place *p = *state;
	struct log_share *share = aligned_alloc(128, LOG_SHARES * sizeof(*share));
	struct log_store *first, *second;

	memset(share, 0, LOG_SHARES * sizeof(*share));
	p->of.open = log_file_open;
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	first = p->store;
	log_store_share(first, share);
	assert_int_equal(log_mirror_join(&p->of, 0, share, &second, &p->message), 0);
	/* what one leaves is left for the other one, too */
	share[0].legs.word = word_make(1, FILL_NONE, 1, 1);
	assert_int_equal(second->copies->good(second), 2);
	/* claimed, and not yet marked: by who is stopped */
	share[0].legs.word = word_make(0, FILL_NONE, 1, 0);
	log_store_fail(mirror_of(first)->leg[0], -EIO);
	assert_int_equal(mirror_place_put(p, 2, 2), 0); /* whoever comes marks it himself */
	assert_int_equal(mirror_place_says(p, 1), 2);
	/* a second one whose other leg fails has none left */
	share[0].legs.word = word_make(2, FILL_NONE, 2, 0);
	p->store = second;
	log_store_fail(mirror_of(second)->leg[0], -EIO);
	assert_int_equal(mirror_place_put(p, 3, 3), -EIO);
	log_store_close(second);
	p->store = first;
	mirror_place_close(p);
	free(share);
}

/* To whom only the leg that was left is there: he must not join, or the log, which goes on
 * with the other one, would fail with his first write, for all. */
static void who_has_only_the_old_leg_does_not_join(void **state)
{
	struct mirror_place *p = *state;
	struct log_share *share = aligned_alloc(128, LOG_SHARES * sizeof(*share));
	struct log_store *second = NULL;
	unsigned int flags;

	memset(share, 0, LOG_SHARES * sizeof(*share));
	p->of.open = log_file_open;
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	log_store_share(p->store, share);
	log_store_fail(mirror_of(p->store)->leg[0], -EIO);
	assert_int_equal(mirror_place_put(p, 2, 2), 0);
	mirror_place_hide(p, 1, false);
	for (flags = 0; flags <= LOG_RDONLY; flags += LOG_RDONLY) {
		assert_int_equal(log_mirror_join(&p->of, flags, share, &second, &p->message),
				 -ENODEV);
		assert_non_null(strstr(p->message.text, p->path[1]));
		assert_null(second);
	}
	mirror_place_hide(p, 1, true);
	assert_int_equal(log_mirror_join(&p->of, 0, share, &second, &p->message), 0);
	assert_int_equal(second->copies->good(second), 2);
	log_store_close(second);
	mirror_place_close(p);
	free(share);
}

/* ---- reading ---------------------------------------------------------------------- */

static void reads_go_to_both(void **state)
{
	struct mirror_place *p = *state;
	unsigned int i;

	assert_int_equal(mirror_place_put(p, 1, 1), 0);
	fault_log_arm(mirror_leg[0], FAULT_LOG_READ, 0, -EIO, false);
	fault_log_arm(mirror_leg[1], FAULT_LOG_READ, 0, -EIO, false);
	for (i = 0; i < 10; i++)
		assert_int_equal(mirror_place_get(p, 1), 1);
	assert_int_equal(fault_log_seen(mirror_leg[0], FAULT_LOG_READ), 5);
	assert_int_equal(fault_log_seen(mirror_leg[1], FAULT_LOG_READ), 5);
}

static void what_one_cannot_read_the_other_can(void **state)
{
	struct mirror_place *p = *state;
	struct log_io io[8], *back;
	struct log_queue *queue;
	unsigned int i, k;

	assert_int_equal(mirror_place_put(p, 1, 1), 0);
	for (k = 0; k < LEGS; k++) {
		fault_log_arm(mirror_leg[k], FAULT_LOG_READ, 1, -EIO, true);
		assert_int_equal(mirror_place_get(p, 1), 1);
		assert_int_equal(mirror_place_get(p, 1), 1);
		for (i = 0; i < 8; i++)
			io[i] = (struct log_io){ MIRROR_UNIT, p->buffer + i * MIRROR_UNIT,
						 MIRROR_UNIT, 0 };
		memset(p->buffer, 0, 8 * MIRROR_UNIT);
		assert_int_equal(log_store_read(p->store, io, 8), 0);
		assert_int_equal(p->buffer[0] + p->buffer[8 * MIRROR_UNIT - 1], 2);
		assert_int_equal(log_queue_open(p->store, 8, NULL, &queue), 0);
		memset(p->buffer, 0, 8 * MIRROR_UNIT);
		for (i = 0; i < 8; i++)
			log_queue_submit(queue, &io[i]);
		for (i = 0; i < 8; i++) {
			back = log_queue_complete(queue, true);
			assert_int_equal(back->result, 0);
			assert_int_equal(((uint8_t *)back->buffer)[5], 1);
		}
		log_queue_close(queue);
		fault_log_arm(mirror_leg[k], FAULT_LOG_READ, 0, -EIO, false);
	}
	assert_int_equal(mirror_place_good(p), 3); /* to read is no reason to leave it */
}

static void a_copy_by_itself(void **state)
{
	struct mirror_place *p = *state;
	struct log_io io = { MIRROR_UNIT, p->buffer, MIRROR_UNIT, 0 };
	struct log_copy copy;

	assert_int_equal(mirror_place_put(p, 1, 1), 0);
	memset(p->buffer, 9, MIRROR_UNIT);
	/* durably: a digest that is written next may vouch for it */
	fault_log_hold(mirror_leg[1]);
	assert_int_equal(log_copies_repair(p->store, 1, &io), 0);
	assert_int_equal(fault_log_held(mirror_leg[1]), 0);
	assert_int_equal(mirror_place_get_of(p, 0, 1), 1);
	assert_int_equal(mirror_place_get_of(p, 1, 1), 9);
	assert_int_equal(log_copies_read(p->store, 0, &io, 1), 0);
	assert_int_equal(p->buffer[0], 1);
	assert_int_equal(log_copies_read(p->store, 1, &io, 1), 0);
	assert_int_equal(p->buffer[0], 9);
	log_copies_damaged(p->store, 1, MIRROR_UNIT, true);
	log_copies_look(p->store, 1, &copy);
	assert_true(copy.damaged == 1 && copy.repaired == 1 && copy.offset == MIRROR_UNIT);
	assert_false(copy.out || copy.left_ns);
	/* one that cannot be repaired is left */
	fault_log_arm(mirror_leg[1], FAULT_LOG_WRITE, 1, -EIO, true);
	assert_int_equal(log_copies_repair(p->store, 1, &io), -EIO);
	log_copies_look(p->store, 1, &copy);
	assert_true(copy.out && copy.left_ns && strstr(copy.why, "writing has failed"));
}

/* ---- opening ------------------------------------------------------------------------ */

static void one_that_is_missing_is_left_by_the_first_write(void **state)
{
	struct mirror_place *p = *state;

	mirror_place_hide(p, 1, false);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(mirror_place_good(p), 1);
	assert_int_equal(mirror_place_says(p, 0), LEGS_ALL); /* who only opens it changes nothing */
	assert_int_equal(mirror_place_put(p, 2, 2), 0);
	assert_int_equal(mirror_place_says(p, 0), 1);
	mirror_place_close(p);
	mirror_place_hide(p, 1, true);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(mirror_place_good(p), 1);
	assert_int_equal(mirror_place_get(p, 2), 2);
	assert_int_equal(mirror_place_get(p, 2), 2);
}

static void one_that_was_missing_and_nothing_was_written_is_good(void **state)
{
	struct mirror_place *p = *state;

	mirror_place_hide(p, 0, false);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	mirror_place_close(p);
	mirror_place_hide(p, 0, true);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(mirror_place_good(p), 3);
}

static void who_only_reads_writes_nothing(void **state)
{
	struct mirror_place *p = *state;

	assert_int_equal(mirror_place_put(p, 1, 1), 0);
	mirror_place_hide(p, 0, false);
	assert_int_equal(mirror_place_reopen(p, LOG_RDONLY), 0);
	assert_int_equal(mirror_place_get(p, 1), 1);
	assert_int_equal(mirror_place_put(p, 1, 2), -EROFS);
	assert_int_equal(mirror_place_says(p, 1), LEGS_ALL);
	mirror_place_close(p);
	mirror_place_hide(p, 0, true);
	assert_int_equal(mirror_place_reopen(p, LOG_RDONLY), 0);
	assert_int_equal(mirror_place_good(p), 3);
}

static void what_is_remembered_elsewhere_counts(void **state)
{
	struct mirror_place *p = *state;

	p->of.left = 2; /* the mark itself is lost, say, with the disk */
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(mirror_place_good(p), 1);
	mirror_place_close(p);
	mirror_place_hide(p, 0, false);
	assert_int_equal(mirror_place_reopen(p, 0), -EUCLEAN);
	assert_non_null(strstr(p->message.text, "is out of date"));
}

static void each_went_on_alone(void **state)
{
	struct mirror_place *p = *state;
	unsigned int i;

	for (i = 0; i < LEGS; i++) {
		mirror_place_hide(p, i, false);
		assert_int_equal(mirror_place_reopen(p, 0), 0);
		assert_int_equal(mirror_place_put(p, 1, (int)i + 1), 0);
		mirror_place_close(p);
		mirror_place_hide(p, i, true);
	}
	assert_int_equal(mirror_place_reopen(p, 0), -ENOTUNIQ);
	assert_non_null(strstr(p->message.text, "--keep"));
	assert_int_equal(mirror_place_reopen(p, LOG_RDONLY), -ENOTUNIQ);
	assert_int_equal(log_mirror_choose(&p->of, 0, &p->message), 0);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(mirror_place_good(p), 1);
	assert_int_equal(mirror_place_get(p, 1), 2); /* written while the second one was away */
	/* and the one that is out of date is nothing by itself */
	mirror_place_close(p);
	mirror_place_hide(p, 0, false);
	assert_int_equal(mirror_place_reopen(p, 0), -EUCLEAN);
}

static void not_of_this_log(void **state)
{
	static const uint8_t other_uuid[16] = { 3, 2, 1 };
	struct mirror_place *p = *state;
	const char *path = p->of.path[0];

	p->of.uuid = other_uuid;
	assert_int_equal(mirror_place_reopen(p, 0), -EXDEV);
	p->of.uuid = mirror_uuid;
	p->of.path[0] = p->of.path[1];
	p->of.path[1] = path;
	assert_int_equal(mirror_place_reopen(p, 0), -EXDEV);
	/* one leg of another log of the same journal */
	p->of.path[1] = p->of.path[0];
	p->of.path[0] = path;
	mirror_place_hide(p, 0, false);
	assert_int_equal(log_mirror_open(&p->of, LOG_CREATE | LOG_FORCE, MIRROR_BYTES, NULL,
					 &p->store, &p->message), 0);
	mirror_place_close(p);
	assert_int_equal(unlink(p->path[0]), 0);
	mirror_place_hide(p, 0, true);
	assert_int_equal(mirror_place_reopen(p, 0), -EXDEV);
	/* a medium with something else on it is as good as missing */
	assert_int_equal(truncate(p->path[1], 0), 0);
	assert_int_equal(truncate(p->path[1], MIRROR_BYTES), 0);
	assert_int_equal(mirror_place_reopen(p, 0), 0);
	assert_int_equal(mirror_place_good(p), 1);
}

static void no_log_alone(void **state)
{
	struct mirror_place *p = *state;
	uint8_t start[8];
	int fd;

	mirror_place_close(p);
	fd = open(p->path[0], O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, start, sizeof(start)), sizeof(start));
	close(fd);
	assert_memory_equal(start, LEG_MAGIC, 8);
}

static void it_survives_what_both_do(void **state)
{
	struct mirror_place *p = *state;
	struct scratch memory;
	char path[PATH_MAX];

	assert_int_equal(p->store->class, mirror_leg[0]->class);
	assert_int_equal(scratch_make(&memory, "/dev/shm"), 0);
	mirror_place_close(p);
	assert_int_equal(unlink(p->path[0]), 0);
	p->of.path[1] = scratch_path(&memory, "second", path);
	assert_int_equal(log_mirror_open(&p->of, LOG_CREATE, MIRROR_BYTES, NULL, &p->store,
					 &p->message), 0);
	assert_int_equal(p->store->class, JOURNAL_CLASS_PROCESS);
	assert_non_null(strstr(p->store->evidence, "2: tmpfs"));
	scratch_remove(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MIRROR_TEST(both_legs_are_written_at_a_time),
		MIRROR_TEST(p16_a_leg_whose_write_fails_is_left),
		MIRROR_TEST(p16_so_is_the_second),
		MIRROR_TEST(p16_a_leg_whose_flush_fails_is_left),
		MIRROR_TEST(a_limit_of_ours_is_no_failure_of_a_leg),
		MIRROR_TEST(the_mark_is_durable_before_the_write_counts),
		MIRROR_TEST(without_the_mark_nothing_counts),
		MIRROR_TEST(both_legs_fail),
		MIRROR_TEST(two_processes_leave_one_leg_at_most),
		MIRROR_TEST(who_has_only_the_old_leg_does_not_join),
		MIRROR_TEST(reads_go_to_both),
		MIRROR_TEST(what_one_cannot_read_the_other_can),
		MIRROR_TEST(a_copy_by_itself),
		MIRROR_TEST(one_that_is_missing_is_left_by_the_first_write),
		MIRROR_TEST(one_that_was_missing_and_nothing_was_written_is_good),
		MIRROR_TEST(who_only_reads_writes_nothing),
		MIRROR_TEST(what_is_remembered_elsewhere_counts),
		MIRROR_TEST(each_went_on_alone),
		MIRROR_TEST(not_of_this_log),
		MIRROR_TEST(no_log_alone),
		MIRROR_TEST(it_survives_what_both_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
