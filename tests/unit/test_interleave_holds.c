/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Holds of segments (txn/holds.h): a process that puts, retires, moves, cleans or destages
 * is killed after each change that it makes to a hold, to its count of them, or to what a
 * slot names.  Who takes over leaves one hold too many at most, of a large
 * one those of its pieces, and never one too few.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "actor.h"
#include "bed.h"
#include "child.h"
#include "moves.h"
#include "txn/clean.h"
#include "txn/clean_lines.h"
#include "txn/destage.h"
#include "txn/extent.h"
#include "txn/head.h"
#include "txn/lane.h"
#include "txn/line.h"
#include "txn/segment.h"
#include "txn/stream.h"
#include "txn/takeover.h"

#define SMALL 900u
#define LARGE 1300000u
#define PIECES 2u /* of a large one */

struct held {
	struct bed bed;
	struct journal *j; /* of whom it is that goes on */
	uint64_t x;
	uint8_t *payload, *read;
	int error;
	uint64_t seen;
	uint32_t changes;
};

struct work {
	enum journal_path path; /* of x, before; or of what is put */
	uint64_t bytes;
	void (*does)(void *held);
	void (*from)(void); /* before this nothing is changed of what counts */
	bool puts; /* else x is there before */
	bool written; /* what it has in a batch is: by another thread, before it is killed */
};

/* ---- what the child does ---------------------------------------------------------------- */

static int put(struct held *h, struct journal *j, const struct work *work)
{
	struct journal_txn_options options = { .path = work->path };
	struct journal_receipt receipt = { 0 };
	struct journal_txn *txn;
	int error = journal_begin(j, &options, &txn);

	if (!error)
		error = journal_append(txn, h->payload, work->bytes);
	if (!error)
		error = journal_commit(txn, &receipt);
	h->x = receipt.id;
	return error;
}

static const struct work *at_work;

static void puts_x(void *held)
{
	struct held *h = held;

	h->error = put(h, h->j, at_work);
}

static void retires_x(void *held)
{
	struct held *h = held;

	h->error = journal_retire(h->j, h->x);
}

static void moves_x(void *held)
{
	struct held *h = held;
	uint32_t gained;

	h->error = clean_lines_step(h->j, SLOTS_PER_LINE, &gained);
}

static void cleans_x(void *held)
{
	struct held *h = held;
	bool gained;

	h->error = clean_step(h->j, CLEAN_NEED, &gained);
}

static void destages_x(void *held)
{
	struct held *h = held;
	struct lane *lane = &h->j->lanes[0];
	uint32_t i;

	for (i = 0; i < h->j->lane_count && !h->error; i++, lane++) {
		if (lane->s->head == lane->s->tail)
			continue;
		h->error = !lane_try(h->j, lane) ? -EBUSY :
				   destage(h->j, lane, lane->s->head - lane->s->tail, false);
		lane_return(lane);
	}
}

/* ---- where it is killed ------------------------------------------------------------------ */

static uint64_t mix(uint64_t all, uint64_t one)
{
	return (all ^ one) * 0x9e3779b97f4a7c15ull + 1;
}

/* all that says who holds what */
static uint64_t holds_now(const struct journal *j)
{
	const _Atomic uint32_t *holds = j->holds;
	const struct slot *slot;
	uint32_t i, line;
	uint64_t all = 0;

	for (i = 0; i < segments_end(j); i++)
		all = mix(mix(all, atomic_load(&j->segments.all[i].use)), atomic_load(&holds[i]));
	for (line = 0; line < j->shared->lines_used; line++) {
		for (i = 0; i < MARKER_LINE_WORDS; i++)
			all = mix(all, atomic_load_explicit(&j->lines[line].committed[i],
							    memory_order_relaxed));
		slot = &j->slots[line * SLOTS_PER_LINE];
		for (i = 0; i < 64; i++, slot++)
			all = mix(all, atomic_load_explicit(&slot->where, memory_order_relaxed) +
				       atomic_load_explicit(&slot->units, memory_order_relaxed));
	}
	return all;
}

static bool has_changed(void *held)
{
	struct held *h = held;
	uint64_t now = holds_now(h->j);

	if (now == h->seen)
		return false;
	h->seen = now;
	return !--h->changes;
}

/* Unless it stands in the middle of filling it. */
static void others_write(struct journal *j)
{
	if (pthread_mutex_trylock(&j->streams[0].lock))
		return;
	pthread_mutex_unlock(&j->streams[0].lock);
	(void)stream_drain(&j->streams[0]);
}

/* Return: false: it has come to its end before. */
static bool killed_after(struct held *h, const struct work *work, uint32_t changes)
{
	pid_t pid = child_fork();
	struct actor *a;
	bool stands;
	int status;

	if (!pid) {
		if (journal_open(h->bed.dir, NULL, &h->j))
			child_exit(1);
		a = actor_make(work->does, h);
		stands = actor_at(a, work->from, 1);
		if (!stands)
			child_exit(3);
		h->changes = changes;
		h->seen = holds_now(h->j);
		stands = stands && actor_when(a, has_changed, h);
		if (stands && work->written)
			others_write(h->j);
		if (stands)
			(void)kill(getpid(), SIGKILL);
		actor_end(a);
		child_exit(h->error || journal_close(h->j) ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return true;
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

/* ---- what is there then -------------------------------------------------------------------- */

static uint64_t held_in_all(const struct journal *j)
{
	uint64_t all = 0;
	uint32_t i;

	for (i = 0; i < segments_end(j); i++)
		all += segment_live_of(atomic_load(&j->segments.all[i].use));
	return all;
}

static void leave_segments(struct journal *j)
{
	static const enum head_kind kinds[] = { HEAD_EXTENTS, HEAD_STREAM };
	struct head *head;
	uint32_t i;

	for (i = 0; i < 2; i++) {
		assert_int_equal(head_lease(j, kinds[i], &head), 0);
		if (head_segment(j, head))
			assert_int_equal(head_seal(j, head), 0);
		head_return(head);
	}
}

static void retire_all(struct journal *j)
{
	struct journal_entry entry;

	while (!journal_next(j, 0, &entry))
		assert_int_equal(journal_retire(j, entry.id), 0);
}

/* @before: so many are too many already, and @most more may be */
static void holds_are_right(struct held *h, uint64_t before, uint64_t most)
{
	struct journal *j = h->bed.j;
	struct journal_entry entry = { 0 };
	size_t got;
	uint32_t live = 0;
	uint64_t held;

	while (!journal_next(j, entry.id, &entry)) {
		assert_int_equal(journal_read(j, entry.id, h->read, LARGE, &got), 0);
		live += where_kind(atomic_load(&index_live(j, entry.id)->where)) == WHERE_LOG;
	}
	held = held_in_all(j);
	assert_true(held >= before + live);
	/* were there one too few, its release would say so */
	retire_all(j);
	held = held_in_all(j);
	assert_true(held >= before && held <= before + most);
}

static bool once(struct held *h, const struct work *work, uint32_t changes)
{
	uint64_t before = held_in_all(h->bed.j);
	bool killed;

	if (!work->puts) {
		assert_int_equal(put(h, h->bed.j, work), 0);
		moves_leave(h->bed.j);
	}
	/* each time it begins in fresh ones: the changes are the same */
	leave_segments(h->bed.j);
	killed = killed_after(h, work, changes);
	assert_int_equal(takeover_sweep(h->bed.j, 0), killed);
	holds_are_right(h, before, work->bytes == LARGE ? 1 + PIECES : 1);
	moves_leave(h->bed.j);
	return killed;
}

static void killed_everywhere(const struct work *work)
{
	struct held h = { .error = 0 };
	uint32_t changes = 1;

	if (!actors_possible())
		skip();
	at_work = work;
	h.payload = bed_payload(LARGE, 1);
	h.read = bed_payload(LARGE, 2);
	bed_make(&h.bed, BED_PMEM, 32 << 20, 2 << 20);
	while (once(&h, work, changes))
		changes++;
	print_message("# killed after each of %d changes\n", (int)changes - 1);
	assert_true(changes > 2);
	bed_check(&h.bed, 0);
	bed_remove(&h.bed);
	free(h.payload);
	free(h.read);
}

#define KILLED(name, path, bytes, does, from, puts) \
	static void name(void **state) \
	{ \
		static const struct work work = { path, bytes, does, (void (*)(void))from, \
						  puts, false }; \
		(void)state; \
		killed_everywhere(&work); \
	}

KILLED(p7_holds_of_a_direct_commit, JOURNAL_PATH_DIRECT, SMALL, puts_x, extent_write, true)
KILLED(p7_holds_of_a_synced_commit, JOURNAL_PATH_SYNCED, SMALL, puts_x, stream_append, true)
KILLED(p7_holds_of_a_large_commit, JOURNAL_PATH_DIRECT, LARGE, puts_x, extent_write, true)
KILLED(p7_holds_of_a_retire, JOURNAL_PATH_DIRECT, SMALL, retires_x, journal_retire, false)
KILLED(p7_holds_of_a_large_retire, JOURNAL_PATH_DIRECT, LARGE, retires_x, journal_retire, false)
KILLED(p7_holds_of_a_move, JOURNAL_PATH_DIRECT, SMALL, moves_x, stream_append, false)
KILLED(p7_holds_of_cleaning, JOURNAL_PATH_DIRECT, SMALL, cleans_x, stream_append, false)
KILLED(p7_holds_of_cleaning_a_large_one, JOURNAL_PATH_DIRECT, LARGE, cleans_x, stream_append, false)
KILLED(p7_holds_of_destage, JOURNAL_PATH_STAGED, SMALL, destages_x, stream_append, false)

/* Its final record is durable, and can be read, before it has said all of where it is. */
static void p7_holds_of_a_large_synced_commit(void **state)
{
	static const struct work work = { JOURNAL_PATH_SYNCED, LARGE, puts_x,
					  (void (*)(void))stream_append, true, true };

	(void)state;
	killed_everywhere(&work);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p7_holds_of_a_direct_commit),
		cmocka_unit_test(p7_holds_of_a_synced_commit),
		cmocka_unit_test(p7_holds_of_a_large_commit),
		cmocka_unit_test(p7_holds_of_a_large_synced_commit),
		cmocka_unit_test(p7_holds_of_a_retire),
		cmocka_unit_test(p7_holds_of_a_large_retire),
		cmocka_unit_test(p7_holds_of_a_move),
		cmocka_unit_test(p7_holds_of_cleaning),
		cmocka_unit_test(p7_holds_of_cleaning_a_large_one),
		cmocka_unit_test(p7_holds_of_destage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
