/* SPDX-License-Identifier: BSD-3-Clause */
/* Any number of processes use one journal: together, one after the other, two
 * handles in one, and the child of a fork. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/crowd.h"
#include "lib/fault.h"

#define TOGETHER 8u

/* ---- many at once -------------------------------------------------------------- */

/* what is acknowledged to one is read byte for byte by the others (crowd_worker.c) */
static void many_put_retire_and_read(enum bed_medium medium)
{
	struct crowd crowd;
	struct bed bed;

	bed_make(&bed, medium, 48 << 20, 4 << 20);
	crowd_make(&crowd, &bed, TOGETHER, CROWD_ALL, fault_seed("many"));
	crowd_start_all(&crowd);
	crowd_sleep_us(700000);
	do /* as long as it takes */
		crowd_goes_on(&crowd, CROWD_MAX);
	while (crowd_commits(&crowd) <= TOGETHER || crowd_retires(&crowd) <= TOGETHER);
	crowd_end_all(&crowd);
	printf("# %" PRIu64 " commits, %" PRIu64 " retires\n", crowd_commits(&crowd),
	       crowd_retires(&crowd));
	crowd_compare(&crowd);
	crowd_free(&crowd);
	bed_remove(&bed);
}

/* the first one leaves, others go on; others come; the last one leaves */
static void they_come_and_leave(enum bed_medium medium)
{
	struct crowd crowd;
	struct bed bed;
	uint32_t round;

	bed_make(&bed, medium, 32 << 20, 4 << 20);
	crowd_make(&crowd, &bed, 4, CROWD_ALL & ~CROWD_HUGE, fault_seed("come and leave"));
	for (round = 0; round < 4; round++) {
		crowd_start(&crowd, 0);
		crowd_goes_on(&crowd, CROWD_MAX);
		crowd_start_all(&crowd);
		crowd_goes_on(&crowd, CROWD_MAX);
		crowd_end(&crowd, 0);
		crowd_goes_on(&crowd, CROWD_MAX);
		crowd_start(&crowd, 0);
		crowd_goes_on(&crowd, CROWD_MAX);
		crowd_end_all(&crowd);
		crowd_compare(&crowd);
	}
	crowd_free(&crowd);
	bed_remove(&bed);
}

/* ---- short lives ------------------------------------------------------------------ */

#define STORMERS 8u
#define LIVES    30u

struct storm {
	struct bed *bed;
	struct model_entry acknowledged[STORMERS * LIVES];
};

static int life(const char *dir, struct model_entry *entry, uint64_t seed)
{
	struct journal_receipt receipt;
	struct journal *j;
	uint8_t payload[200];
	int error = journal_open(dir, NULL, &j);

	bed_fill(payload, sizeof(payload), seed);
	if (!error)
		error = journal_put(j, payload, sizeof(payload), &receipt);
	if (error)
		print_error("%s\n", journal_error(j));
	else
		*entry = (struct model_entry){ receipt.id, seed, sizeof(payload), false };
	if (!journal_close(j))
		return error != 0;
	print_error("close fails\n");
	return 1;
}

/* processes of which each opens, commits one, closes: @together at a time */
static void storm_lives(struct storm *storm, uint32_t together, uint32_t each, uint32_t *from)
{
	pid_t pid[STORMERS];
	uint32_t i, round;

	for (round = 0; round < each; round++) {
		for (i = 0; i < together; i++, ++*from) {
			pid[i] = child_fork();
			if (!pid[i])
				child_exit(life(storm->bed->dir, &storm->acknowledged[*from],
					   *from + 1));
		}
		for (i = 0; i < together; i++)
			child_ends(pid[i], 0);
	}
}

static void storm_verify(const struct storm *storm, uint32_t count)
{
	struct model model;
	uint32_t i;

	model_make(&model);
	for (i = 0; i < count; i++)
		model_add(&model, storm->acknowledged[i].id, storm->acknowledged[i].bytes,
			  storm->acknowledged[i].seed);
	bed_check(storm->bed, 0);
	bed_open(storm->bed, NULL);
	model_verify(&model, storm->bed->j);
	model_free(&model);
}

/*
 * Lines and heads are passed on (P8).  512 slots are one line; so many lives cost a
 * line for each that is open at a time, for each lane, and what they fill, not one
 * each; and of the log a segment for each head, of which slow processes need more.
 */
static void short_lives_cost_little(enum bed_medium medium)
{
	struct storm *storm = mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct bed bed;
	struct journal_info before, after;
	uint32_t lives = 0, lines, segments;

	assert_true(storm != MAP_FAILED);
	bed_make(&bed, medium, 64 << 20, 4 << 20);
	before = bed_info(&bed);
	bed_close(&bed);
	storm->bed = &bed;
	storm_lives(storm, STORMERS, LIVES / 2, &lives); /* some of them together */
	storm_lives(storm, 1, LIVES, &lives);            /* each the first and the last */
	storm_verify(storm, lives);
	after = bed_info(&bed);
	lines = before.lines_free - after.lines_free;
	segments = before.segments_free - after.segments_free;
	printf("# %u lives: %u lines, %u segments\n", lives, lines, segments);
	assert_true(before.lines_free >= after.lines_free || !lines);
	assert_true(lines <= STORMERS + after.lanes + 2);
	assert_true(segments <= lives / 5);
	bed_remove(&bed);
	(void)munmap(storm, sizeof(*storm));
}

/* ---- one winner -------------------------------------------------------------------- */

#define RACED 300u

struct race {
	_Atomic bool go;
	_Atomic uint32_t won[RACED];
	uint64_t ids[RACED];
};

static int race_run(const char *dir, struct race *race)
{
	struct journal *j;
	uint32_t i;
	int error = journal_open(dir, NULL, &j);

	while (!error && !atomic_load(&race->go))
		;
	for (i = 0; i < RACED && !error; i++) {
		error = journal_retire(j, race->ids[i]);
		if (!error)
			atomic_fetch_add(&race->won[i], 1);
		else if (error == -ENOENT)
			error = 0;
	}
	return journal_close(j) || error;
}

/* of all who retire one transaction, one is told that it did; then it is gone for all */
static void one_of_many_retires(enum bed_medium medium)
{
	struct race *race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct journal_receipt receipt;
	struct journal_entry entry;
	pid_t pid[4];
	struct bed bed;
	uint32_t i;

	assert_true(race != MAP_FAILED);
	bed_make(&bed, medium, 0, 0);
	for (i = 0; i < RACED; i++) {
		assert_int_equal(bed_put(&bed, NULL, 100, i, JOURNAL_PATH_AUTO, &receipt), 0);
		race->ids[i] = receipt.id;
	}
	for (i = 0; i < (sizeof(pid) / sizeof((pid)[0])); i++) {
		pid[i] = child_fork();
		if (!pid[i])
			child_exit(race_run(bed.dir, race));
	}
	atomic_store(&race->go, true);
	for (i = 0; i < (sizeof(pid) / sizeof((pid)[0])); i++)
		child_ends(pid[i], 0);
	for (i = 0; i < RACED; i++) {
		assert_int_equal(atomic_load(&race->won[i]), 1);
		assert_int_equal(journal_lookup(bed.j, race->ids[i], &entry), -ENOENT);
	}
	bed_reopen(&bed);
	assert_int_equal(journal_next(bed.j, 0, &entry), -ENOENT);
	bed_remove(&bed);
	(void)munmap(race, sizeof(*race));
}

/* ---- two handles, forks -------------------------------------------------------------- */

/* The handle is well, and what it does is seen by another process. */
static void is_well(struct bed *bed, struct model *model, uint64_t seed)
{
	struct journal_receipt receipt;
	struct journal *j;
	pid_t pid;

	assert_int_equal(bed_put(bed, model, 500, seed, JOURNAL_PATH_AUTO, &receipt), 0);
	pid = child_fork();
	if (!pid)
		child_exit(journal_open(bed->dir, NULL, &j) ||
		      bed_verify(j, receipt.id, 500, seed) || journal_close(j));
	child_ends(pid, 0);
	assert_int_equal(bed_verify(bed->j, receipt.id, 500, seed), 0);
	model_verify(model, bed->j);
}

static void two_handles_in_one_process(enum bed_medium medium)
{
	struct journal_receipt receipt;
	struct model model;
	struct bed bed;
	struct journal *other;
	uint8_t payload[300];
	int round;

	model_make(&model);
	bed_make(&bed, medium, 0, 0);
	for (round = 0; round < 6; round++) {
		assert_int_equal(journal_open(bed.dir, NULL, &other), 0);
		bed_fill(payload, sizeof(payload), (uint64_t)round);
		assert_int_equal(journal_put(other, payload, sizeof(payload), &receipt), 0);
		model_add(&model, receipt.id, sizeof(payload), (uint64_t)round);
		is_well(&bed, &model, 100 + (uint64_t)round);
		if (round % 2) { /* the one that was first closes first */
			assert_int_equal(journal_close(bed.j), 0);
			bed.j = other;
		} else {
			assert_int_equal(journal_close(other), 0);
		}
		is_well(&bed, &model, 200 + (uint64_t)round);
	}
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

static void close_all(void)
{
	(void)close_range(3, ~0u, 0);
	child_exit(0);
}

static void exits(void)
{
	if (under_valgrind())
		child_exit(0);
	exit(0);
}

static void executes(void)
{
	(void)execl("/bin/true", "true", (char *)NULL);
	child_exit(1);
}

static void a_forks_child_ends_in_any_way(enum bed_medium medium)
{
	void (*const ways[])(void) = { close_all, exits, executes };
	struct model model;
	struct bed bed;
	uint32_t i;
	pid_t pid;

	model_make(&model);
	bed_make(&bed, medium, 0, 0);
	for (i = 0; i < (sizeof(ways) / sizeof((ways)[0])); i++) {
		is_well(&bed, &model, i);
		pid = child_fork();
		if (!pid)
			ways[i]();
		child_ends(pid, 0);
		is_well(&bed, &model, 10 + i);
	}
	pid = child_fork();
	if (!pid)
		(void)pause();
	is_well(&bed, &model, 20);
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_ends(pid, SIGKILL);
	is_well(&bed, &model, 21);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

static int uses_its_parents(struct journal *j, uint64_t id)
{
	struct journal_txn *txn;
	uint8_t payload[10] = { 0 };

	return journal_put(j, payload, sizeof(payload), NULL) != -ECHILD ||
	       journal_begin(j, NULL, &txn) != -ECHILD || journal_retire(j, id) != -ECHILD ||
	       journal_close(j) != -ECHILD;
}

/* it is told so, and does no harm */
static void a_forks_child_uses_its_parents_handle(enum bed_medium medium)
{
	struct journal_receipt receipt;
	struct model model;
	struct bed bed;
	pid_t pid;

	model_make(&model);
	bed_make(&bed, medium, 0, 0);
	assert_int_equal(bed_put(&bed, &model, 70, 1, JOURNAL_PATH_AUTO, &receipt), 0);
	pid = child_fork();
	if (!pid)
		child_exit(uses_its_parents(bed.j, receipt.id));
	child_ends(pid, 0);
	is_well(&bed, &model, 2);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* the child of one that has a handle: it opens for itself, beside its parent and after */
static void a_forks_child_opens_for_itself(enum bed_medium medium)
{
	struct model_entry *entry = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct model model;
	struct bed bed;
	uint32_t i;
	pid_t pid;

	assert_true(entry != MAP_FAILED);
	model_make(&model);
	bed_make(&bed, medium, 0, 0);
	for (i = 0; i < 3; i++) {
		is_well(&bed, &model, i);
		pid = child_fork();
		if (!pid)
			child_exit(life(bed.dir, entry, 1000 + i));
		child_ends(pid, 0);
		model_add(&model, entry->id, entry->bytes, entry->seed);
		is_well(&bed, &model, 100 + i);
	}
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
	(void)munmap(entry, 4096);
}

/* ---- one that is gone, whose child is not ------------------------------------------- */

struct orphan {
	_Atomic int pid; /* of the child */
	struct model_entry entry;
};

static void orphan_parent(const char *dir, struct orphan *orphan)
{
	struct journal_receipt receipt;
	struct journal *j;
	uint8_t payload[400];
	pid_t pid;

	bed_fill(payload, sizeof(payload), 77);
	if (journal_open(dir, NULL, &j) || journal_put(j, payload, sizeof(payload), &receipt))
		child_exit(1);
	orphan->entry = (struct model_entry){ receipt.id, 77, sizeof(payload), false };
	pid = child_fork();
	if (pid)
		atomic_store(&orphan->pid, pid);
	for (;;)
		(void)pause();
}

/*
 * A child of a fork keeps descriptors, and with them locks, of a parent that is
 * killed.  Whoever opens then joins, and everything is there; after the child's end
 * too.
 */
static void a_child_keeps_a_dead_ones_descriptors(enum bed_medium medium)
{
	struct orphan *orphan = mmap(NULL, sizeof(*orphan), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct model model;
	struct bed bed;
	pid_t pid;
	int i;

	assert_true(orphan != MAP_FAILED);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	model_make(&model);
	bed_make(&bed, medium, 0, 0);
	bed_close(&bed);
	pid = child_fork();
	if (!pid)
		orphan_parent(bed.dir, orphan);
	while (!atomic_load(&orphan->pid))
		crowd_sleep_us(100);
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_ends(pid, SIGKILL);
	model_add(&model, orphan->entry.id, orphan->entry.bytes, orphan->entry.seed);
	for (i = 0; i < 3; i++) {
		bed_open(&bed, NULL);
		is_well(&bed, &model, 1 + (uint64_t)i);
		bed_close(&bed);
	}
	assert_int_equal(kill(orphan->pid, SIGKILL), 0);
	child_ends(orphan->pid, SIGKILL);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
	(void)munmap(orphan, sizeof(*orphan));
}

/* ---- another program in the same process -------------------------------------------- */

/* One that has the journal open executes another program, as a daemon does that
 * starts itself anew: the member is gone, though its pid is not. */
static void it_executes_itself_anew(enum bed_medium medium)
{
	struct model_entry *entry = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct model model;
	struct journal *j;
	struct bed bed;
	pid_t pid;

	assert_true(entry != MAP_FAILED);
	model_make(&model);
	bed_make(&bed, medium, 0, 0);
	pid = child_fork();
	if (!pid) {
		if (journal_open(bed.dir, NULL, &j) || life(bed.dir, entry, 5))
			child_exit(1);
		executes();
	}
	child_ends(pid, 0);
	model_add(&model, entry->id, entry->bytes, entry->seed);
	is_well(&bed, &model, 6);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
	(void)munmap(entry, 4096);
}

#define SHARED_MEDIA (1u << BED_FILE | 1u << BED_PMEM)

int main(void)
{
	static const struct bed_test tests[] = {
		{ "many put, retire and read", many_put_retire_and_read, SHARED_MEDIA },
		{ "they come and leave", they_come_and_leave, SHARED_MEDIA },
		{ "short lives cost little", short_lives_cost_little, SHARED_MEDIA },
		{ "one of many retires", one_of_many_retires, SHARED_MEDIA },
		{ "two handles in one process", two_handles_in_one_process, SHARED_MEDIA },
		{ "a fork's child ends in any way", a_forks_child_ends_in_any_way,
		  SHARED_MEDIA },
		{ "a fork's child uses its parent's handle", a_forks_child_uses_its_parents_handle,
		  SHARED_MEDIA },
		{ "a fork's child opens for itself", a_forks_child_opens_for_itself,
		  SHARED_MEDIA },
		{ "a child keeps a dead one's descriptors",
		  a_child_keeps_a_dead_ones_descriptors, SHARED_MEDIA },
		{ "it executes itself anew", it_executes_itself_anew, SHARED_MEDIA },
	};

	return bed_run(tests, (sizeof(tests) / sizeof((tests)[0])));
}
