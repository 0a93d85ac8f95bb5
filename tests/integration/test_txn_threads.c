/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/* Many threads on one journal, against a model; and the same killed at random. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/fault.h"

#define THREADS 16

static uint64_t pick_bytes(uint64_t dice)
{
	switch (dice % 16) {
	case 0:
		return dice >> 8 & 0x3ffff; /* up to 256 KiB */
	case 1:
	case 2:
		return dice >> 8 & 0x7fff;
	default:
		return dice >> 8 & 0x3ff;
	}
}

/* ---- what has been acknowledged, in memory that outlives a killed process ---- */

enum { NOTE_FREE, NOTE_COMMITTED, NOTE_RETIRING, NOTE_RETIRED };

struct note {
	_Atomic uint64_t id;
	_Atomic uint32_t state;
	uint32_t bytes;
	uint64_t seed;
};

#define NOTES (1u << 16)

struct notes {
	_Atomic uint32_t used;
	_Atomic uint32_t wrong;
	struct note all[NOTES];
};

struct worker {
	struct bed *bed;
	struct notes *notes;
	pthread_t thread;
	uint64_t random;
	uint32_t operations;
};

static void note_commit(struct notes *notes, uint64_t id, uint64_t bytes, uint64_t seed)
{
	uint32_t at = notes->used++;

	if (at >= NOTES)
		abort();
	notes->all[at].id = id;
	notes->all[at].bytes = (uint32_t)bytes;
	notes->all[at].seed = seed;
	notes->all[at].state = NOTE_COMMITTED; /* last: it may be killed in between */
}

static struct note *note_pick(struct notes *notes, uint64_t dice)
{
	uint32_t used = notes->used;

	return used ? &notes->all[(dice >> 20) % (used < NOTES ? used : NOTES)] : NULL;
}

static void work_retire(struct worker *w, struct note *note)
{
	uint32_t expected = NOTE_COMMITTED;
	int error;

	if (!atomic_compare_exchange_strong(&note->state, &expected, NOTE_RETIRING))
		return;
	error = journal_retire(w->bed->j, note->id);
	w->notes->wrong += error != 0;
	note->state = NOTE_RETIRED;
}

static void work_read(struct worker *w, struct note *note)
{
	int error;

	if (note->state != NOTE_COMMITTED)
		return;
	error = bed_verify(w->bed->j, note->id, note->bytes, note->seed);
	if (error && !(error == -ENOENT && note->state != NOTE_COMMITTED))
		w->notes->wrong++;
}

static void work_group(struct worker *w, uint64_t dice)
{
	uint32_t i, members = 2 + (dice >> 32) % 7;
	struct journal_receipt receipt;
	struct journal_txn *txn = NULL;
	uint8_t *payload;
	int error = journal_begin(w->bed->j, NULL, &txn);

	for (i = 0; i < members && !error; i++) {
		payload = bed_payload(100 + i, dice + i);
		error = journal_append(txn, payload, 100 + i);
		free(payload);
		if (!error && i + 1 < members)
			error = journal_group_next(txn);
	}
	if (error && txn)
		journal_abort(txn);
	else if (!error)
		error = journal_commit(txn, &receipt);
	w->notes->wrong += error != 0 && error != -ENOSPC;
	for (i = 0; i < members && !error; i++)
		note_commit(w->notes, receipt.id + i, 100 + i, dice + i);
}

static void work_put(struct worker *w, uint64_t dice)
{
	uint64_t bytes = pick_bytes(dice);
	struct journal_receipt receipt;
	enum journal_path path = JOURNAL_PATH_AUTO;
	int error;

	if (dice >> 60 < 2)
		path = JOURNAL_PATH_SYNCED;
	error = bed_put(w->bed, NULL, bytes, dice, path, &receipt);
	if (error == -ENOSPC)
		return; /* others are slower to retire */
	w->notes->wrong += error != 0;
	if (!error)
		note_commit(w->notes, receipt.id, bytes, dice);
}

static void *work(void *argument)
{
	struct worker *w = argument;
	struct note *note;
	uint64_t dice;
	uint32_t i;

	for (i = 0; i < w->operations; i++) {
		dice = fault_random(&w->random);
		note = note_pick(w->notes, dice);
		if (dice % 13 == 0 || !note)
			work_group(w, dice);
		else if (dice % 13 < 5)
			work_put(w, dice);
		else if (dice % 13 < 11)
			work_retire(w, note);
		else
			work_read(w, note);
	}
	return NULL;
}

static void work_all(struct bed *bed, struct notes *notes, uint64_t seed, uint32_t operations)
{
	struct worker workers[THREADS];
	int i;

	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ bed, notes, 0, seed + (uint64_t)i * 7919,
					      operations };
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			abort();
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
}

static struct notes *notes_make(void)
{
	struct notes *notes = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(notes, MAP_FAILED);
	return notes;
}

/* Everything acknowledged and not retired is there; what was retired is not.
 * Return: how many live ones there are that nobody noted (in flight). */
static uint64_t notes_verify(struct notes *notes, struct bed *bed, uint64_t *retiring)
{
	uint32_t i, used = notes->used < NOTES ? notes->used : NOTES;
	uint64_t live = 0;
	int error;

	*retiring = 0;
	for (i = 0; i < used; i++) {
		if (notes->all[i].state == NOTE_FREE)
			continue;
		error = bed_verify(bed->j, notes->all[i].id, notes->all[i].bytes,
				   notes->all[i].seed);
		if (notes->all[i].state == NOTE_COMMITTED)
			assert_int_equal(error, 0);
		else if (notes->all[i].state == NOTE_RETIRED)
			assert_int_equal(error, -ENOENT);
		else
			assert_true(!error || error == -ENOENT);
		live += !error;
	}
	return bed_info(bed).live - live;
}

static void sixteen_threads(enum bed_medium medium)
{
	uint64_t seed = fault_seed("sixteen_threads"), retiring;
	struct notes *notes = notes_make();
	struct bed bed;
	int round;

	bed_make(&bed, medium, 96u << 20, 4u << 20);
	for (round = 0; round < 3; round++) {
		work_all(&bed, notes, seed + (uint64_t)round, medium == BED_PMEM ? 800 : 150);
		assert_int_equal(notes->wrong, 0);
		assert_int_equal(notes_verify(notes, &bed, &retiring), 0);
		bed_close(&bed);
		bed_check(&bed, 0);
		bed_open(&bed, NULL);
		assert_int_equal(notes_verify(notes, &bed, &retiring), 0);
		assert_int_equal(bed_info(&bed).lost_unnamed, 0);
	}
	bed_remove(&bed);
	munmap(notes, sizeof(*notes));
}

/* ---- killed ---- */

static pid_t start_child(struct bed *bed, struct notes *notes, uint64_t seed)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	if (journal_open(bed->dir, NULL, &bed->j))
		_exit(3);
	work_all(bed, notes, seed, 1u << 20);
	_exit(4);
}

static void killed_at_random(enum bed_medium medium)
{
	uint64_t seed = fault_seed("killed_at_random"), retiring;
	struct notes *notes = notes_make();
	struct bed bed;
	uint64_t random = seed;
	int round, status;
	pid_t pid;

	bed_make(&bed, medium, 64u << 20, 4u << 20);
	for (round = 0; round < (medium == BED_PMEM ? 12 : 5); round++) {
		bed_close(&bed);
		pid = start_child(&bed, notes, fault_random(&random));
		usleep((useconds_t)(10000 + fault_random(&random) % 60000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(notes->wrong, 0);
		/* whatever a crash leaves is clean, and so it is once recovered */
		bed_check(&bed, 0);
		bed_open(&bed, NULL);
		assert_true(notes_verify(notes, &bed, &retiring) <= 8 * THREADS * (round + 1u));
		if (notes->used > NOTES / 2)
			break;
	}
	bed_close(&bed);
	bed_check(&bed, 0);
	bed_remove(&bed);
	munmap(notes, sizeof(*notes));
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "sixteen_threads", sixteen_threads, BED_ALL },
		{ "killed_at_random", killed_at_random, BED_ALL },
	};

	return bed_run(tests, sizeof(tests) / sizeof(*tests));
}
