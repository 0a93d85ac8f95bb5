/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where in the ring of a lane records go: a lane that is empty begins anew at the
 * front, one that is not goes on; and whoever recovers, or is killed, in between
 * finds what lives.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "txn/lane.h"

#define BYTES 1000u

/* the furthest that any lane's head is */
static uint64_t furthest(const struct journal *j)
{
	uint64_t most = 0;

	for (uint32_t i = 0; i < j->lane_count; i++)
		most = max_u64(most, j->lanes[i].s->head_offset);
	return most;
}

static void put_and_retire(struct bed *bed, unsigned int count, uint64_t most)
{
	struct journal_receipt receipt;

	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(bed_put(bed, NULL, BYTES, i, JOURNAL_PATH_STAGED, &receipt), 0);
		assert_int_equal(journal_retire(bed->j, receipt.id), 0);
		assert_true(furthest(bed->j) <= most);
	}
}

/* Three times round each ring, were it not for that. */
static void an_empty_ring_begins_at_the_front(enum bed_medium medium)
{
	struct journal_info before, after;
	struct model model;
	struct bed bed;
	uint64_t ring;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	ring = bed.j->geometry.ring_bytes;
	before = bed_info(&bed);
	put_and_retire(&bed, (unsigned int)(3 * ring / BYTES) * bed.j->lane_count, ring / 2);
	after = bed_info(&bed);
	assert_int_equal(after.destaged, before.destaged);
	/* it is still a ring: positions went on */
	assert_true(bed.j->lanes[0].s->head >= 2 * ring || bed.j->lane_count > 1);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* One that lives is not written over, however often the rest is empty. */
static void what_lives_stays(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	uint64_t ring;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	ring = bed.j->geometry.ring_bytes;
	for (uint64_t seed = 1; seed < 8; seed++) {
		assert_int_equal(bed_put(&bed, &model, BYTES, seed, JOURNAL_PATH_STAGED, NULL), 0);
		put_and_retire(&bed, (unsigned int)(ring / BYTES / 2), ring);
		model_verify(&model, bed.j);
	}
	model_verify_reopened(&model, &bed);
	put_and_retire(&bed, (unsigned int)(ring / BYTES), ring);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

static void child(const char *dir, int out)
{
	struct journal_receipt receipt;
	struct journal *j;
	uint8_t data[BYTES] = { 1 };
	uint64_t id = 0;

	if (journal_open(dir, NULL, &j))
		_exit(1);
	for (unsigned int i = 0;; i++) {
		if (journal_put(j, data, sizeof(data), &receipt))
			_exit(2);
		/* one in a hundred lives until the next one does, so that some are there */
		if (i % 100)
			(void)journal_retire(j, receipt.id);
		else if (id)
			(void)journal_retire(j, id);
		if (!(i % 100))
			id = receipt.id;
		if (!(i % 100) && write(out, &id, sizeof(id)) != sizeof(id))
			_exit(3);
	}
}

static void p5_killed_at_any_turn(enum bed_medium medium)
{
	struct journal_entry entry = { 0 };
	uint64_t id = 0, got;
	struct bed bed;
	int fds[2];
	pid_t pid;

	bed_make(&bed, medium, 0, 0);
	bed_close(&bed);
	for (unsigned int i = 0; i < 8; i++) {
		assert_int_equal(pipe(fds), 0);
		pid = child_fork();
		if (!pid)
			child(bed.dir, fds[1]);
		close(fds[1]);
		for (unsigned int k = 0; k < 20 + i; k++)
			assert_int_equal(read(fds[0], &id, sizeof(id)), sizeof(id));
		assert_int_equal(kill(pid, SIGKILL), 0);
		child_ends(pid, SIGKILL);
		while (read(fds[0], &got, sizeof(got)) == sizeof(got))
			id = got;
		close(fds[0]);
		bed_check(&bed, 0);
		bed_open(&bed, NULL);
		/* the last one told is there, or its successor that was not told yet */
		if (journal_lookup(bed.j, id, &entry))
			assert_int_equal(journal_next(bed.j, 0, &entry), 0);
		for (entry.id = 0; !journal_next(bed.j, 0, &entry);)
			assert_int_equal(journal_retire(bed.j, entry.id), 0);
		bed_close(&bed);
	}
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "an_empty_ring_begins_at_the_front", an_empty_ring_begins_at_the_front,
		  1u << BED_SIM | 1u << BED_PMEM },
		{ "what_lives_stays", what_lives_stays, 1u << BED_SIM | 1u << BED_PMEM },
		{ "p5_killed_at_any_turn", p5_killed_at_any_turn, 1u << BED_PMEM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
