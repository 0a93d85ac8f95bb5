/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * A stage large enough to be destaged in the background: more goes through it than it
 * holds, and what was acknowledged is there; also when who destages is stopped, or
 * killed in the middle of it.  What is retired soon is never written to the disk.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/fault.h"

#define MARKER_BYTES (16ull << 20)
#define LOG_BYTES    (160ull << 20)
#define BYTES        5000u
#define MANY         8000u /* 40 MB, and the stage has 15 */

static int put(struct journal *j, uint64_t seed, uint64_t *id)
{
	uint8_t *payload = bed_payload(BYTES, seed);
	struct journal_receipt receipt;
	int error = journal_put(j, payload, BYTES, &receipt);

	free(payload);
	*id = receipt.id;
	return error;
}

/* ---- threads -------------------------------------------------------------------- */

struct putter {
	struct bed *bed;
	struct model *model;
	uint64_t from;
	int error;
};

static void *put_many(void *context)
{
	struct putter *p = context;
	uint64_t i, id;

	for (i = 0; i < MANY / 2 && !p->error; i++) {
		p->error = put(p->bed->j, p->from + i, &id);
		if (!p->error)
			model_add(p->model, id, BYTES, p->from + i);
		/* some leave the stage before they are destaged */
		if (!p->error && i % 3 == 0) {
			p->error = journal_retire(p->bed->j, id);
			model_retire(p->model, id);
		}
	}
	return NULL;
}

static void more_than_the_stage_holds(enum bed_medium medium)
{
	struct putter putters[2];
	struct journal_info info;
	pthread_t thread[2];
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, LOG_BYTES, MARKER_BYTES);
	model_make(&model);
	for (unsigned int i = 0; i < 2; i++) {
		putters[i] = (struct putter){ &bed, &model, i * MANY, 0 };
		assert_int_equal(pthread_create(&thread[i], NULL, put_many, &putters[i]), 0);
	}
	for (unsigned int i = 0; i < 2; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(putters[i].error, 0);
	}
	info = bed_info(&bed);
	assert_true(info.destaged > 0);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* Closed while it destages: nothing is left half way. */
static void closed_meanwhile(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	uint64_t id;

	bed_make(&bed, medium, LOG_BYTES, MARKER_BYTES);
	model_make(&model);
	for (unsigned int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < 1700; i++) {
			assert_int_equal(put(bed.j, round * MANY + i, &id), 0);
			model_add(&model, id, BYTES, round * MANY + i);
		}
		model_verify_reopened(&model, &bed);
	}
	model_free(&model);
	bed_remove(&bed);
}

/* ---- what is old --------------------------------------------------------------------- */

/* However little it is, and nobody asks for it. */
static void what_is_old_goes(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	uint64_t i, id;

	bed_make(&bed, medium, LOG_BYTES, MARKER_BYTES);
	model_make(&model);
	for (i = 0; i < 3; i++) {
		assert_int_equal(put(bed.j, i, &id), 0);
		model_add(&model, id, BYTES, i);
	}
	assert_int_equal(journal_retire(bed.j, id), 0);
	model_retire(&model, id);
	assert_int_equal(bed_info(&bed).destaged, 0);
	for (i = 0; bed_info(&bed).destaged < 2; i++) {
		assert_true(i < 6000); /* a minute, at least: a guard */
		usleep(10000);
	}
	model_verify(&model, bed.j);
	assert_int_equal(bed_info(&bed).staged_live, 0);
	model_verify_reopened(&model, &bed);
	/* one that was retired in time is not among them */
	assert_int_equal(bed_info(&bed).destaged, 0);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- what is retired soon ----------------------------------------------------------- */

static void retired_soon_is_never_written(enum bed_medium medium)
{
	struct journal_info before, after;
	uint64_t ids[1000], i;
	struct bed bed;

	bed_make(&bed, medium, LOG_BYTES, MARKER_BYTES);
	before = bed_info(&bed);
	for (i = 0; i < 5 * MANY; i++) {
		if (i >= 1000)
			assert_int_equal(journal_retire(bed.j, ids[i % 1000]), 0);
		assert_int_equal(put(bed.j, i, &ids[i % 1000]), 0);
	}
	for (i = 0; i < 1000; i++)
		assert_int_equal(journal_retire(bed.j, ids[i]), 0);
	after = bed_info(&bed);
	assert_int_equal(after.log_bytes_written, before.log_bytes_written);
	assert_int_equal(after.destaged, 0);
	bed_remove(&bed);
}

/* ---- others who destage, and stop ----------------------------------------------------- */

struct told {
	_Atomic uint64_t done, id[4 * MANY];
};

static void child_puts(const char *dir, struct told *told)
{
	struct journal *j;
	uint64_t i, id;

	if (journal_open(dir, NULL, &j))
		_exit(1);
	for (i = 0; i < 4 * MANY; i++) {
		if (put(j, i, &id))
			break; /* full */
		atomic_store(&told->id[i], id);
		atomic_store(&told->done, i + 1);
	}
	for (;;)
		(void)pause();
}

static pid_t start(struct bed *bed, struct told *told)
{
	pid_t pid;

	memset(told, 0, sizeof(*told));
	pid = child_fork();
	if (!pid)
		child_puts(bed->dir, told);
	return pid;
}

static struct told *told_make(void)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(told != MAP_FAILED);
	return told;
}

static void verify_told(struct bed *bed, const struct told *told)
{
	for (uint64_t i = 0; i < told->done; i++)
		assert_int_equal(bed_verify(bed->j, told->id[i], BYTES, i), 0);
}

/* The stage is more than half full, and the child at it, when it is stopped: with the
 * job, with lanes.  The others go on. */
static void p18_who_destages_is_stopped(enum bed_medium medium)
{
	struct told *told = told_make();
	uint64_t i, id;
	struct model model;
	struct bed bed;
	pid_t pid;

	bed_make(&bed, medium, LOG_BYTES, MARKER_BYTES);
	model_make(&model);
	pid = start(&bed, told);
	while (atomic_load(&told->done) < MANY / 2)
		usleep(100);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	for (i = 0; i < MANY; i++) {
		assert_int_equal(put(bed.j, 4 * MANY + i, &id), 0);
		model_add(&model, id, BYTES, 4 * MANY + i);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_ends(pid, SIGKILL);
	verify_told(&bed, told);
	for (i = 0; i < model.count; i++)
		assert_int_equal(bed_verify(bed.j, model.all[i].id, BYTES, model.all[i].seed), 0);
	bed_reopen(&bed);
	verify_told(&bed, told);
	bed_check(&bed, 0);
	model_free(&model);
	bed_remove(&bed);
	munmap(told, sizeof(*told));
}

static void p7_who_destages_is_killed(enum bed_medium medium)
{
	uint64_t random = fault_seed("background, killed");
	struct told *told = told_make();
	struct bed bed;
	uint64_t when;
	pid_t pid;

	for (unsigned int i = 0; i < 3; i++) {
		bed_make(&bed, medium, LOG_BYTES, MARKER_BYTES);
		bed_close(&bed);
		when = 1500 + fault_random(&random) % 5000;
		pid = start(&bed, told);
		while (atomic_load(&told->done) < when)
			usleep(100);
		assert_int_equal(kill(pid, SIGKILL), 0);
		child_ends(pid, SIGKILL);
		bed_check(&bed, 0);
		bed_open(&bed, NULL);
		verify_told(&bed, told);
		bed_remove(&bed);
	}
	munmap(told, sizeof(*told));
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "more_than_the_stage_holds", more_than_the_stage_holds,
		  1u << BED_SIM | 1u << BED_PMEM },
		{ "closed_meanwhile", closed_meanwhile, 1u << BED_PMEM },
		{ "what_is_old_goes", what_is_old_goes, 1u << BED_PMEM },
		{ "retired_soon_is_never_written", retired_soon_is_never_written,
		  1u << BED_SIM | 1u << BED_PMEM },
		{ "p18_who_destages_is_stopped", p18_who_destages_is_stopped, 1u << BED_PMEM },
		{ "p7_who_destages_is_killed", p7_who_destages_is_killed, 1u << BED_PMEM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
