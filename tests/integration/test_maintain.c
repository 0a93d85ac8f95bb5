/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_maintain(): what leaves the stage, and what does not. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "bed.h"

#define COUNT   40u
#define FEW     8u /* in one lane */
#define BYTES   3000u
#define HOUR_NS 3600000000000ull

static const struct journal_maintain_options at_once = { .stage_age_ns = 1 };
static const struct journal_maintain_options on_fill = { .stage_age_ns = HOUR_NS,
							 .stage_fill_percent = 1 };

/* one processor is one lane */
static void stay_here(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

static void put_staged(struct bed *bed, struct model *model, uint64_t count)
{
	uint64_t i;

	for (i = 0; i < count; i++)
		assert_int_equal(bed_put(bed, model, BYTES, i + 1, JOURNAL_PATH_STAGED, NULL), 0);
}

/* the clock of transactions has a tick: until there is another time */
static void tick(void)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	struct timespec before, now;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &before);
	do {
		(void)nanosleep(&moment, NULL);
		(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	} while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

/* Rounds until there is nothing more to do; sums of what they did. */
static struct journal_maintained rounds(struct bed *bed,
					const struct journal_maintain_options *options)
{
	struct journal_maintained sum = { 0 }, done;
	unsigned int i = 0;

	tick();
	tick();
	do {
		assert_int_equal(journal_maintain(bed->j, options, &done), 0);
		sum.takeovers += done.takeovers;
		sum.unstaged += done.unstaged;
		sum.stage_bytes += done.stage_bytes;
		sum.lanes_leased += done.lanes_leased;
		sum.lanes_stuck += done.lanes_stuck;
		sum.checkpoints += done.checkpoints;
		sum.cleaned += done.cleaned;
		assert_true(++i < 1000);
	} while (done.more);
	return sum;
}

static void old_ones_are_destaged(enum bed_medium medium)
{
	struct journal_maintained done;
	struct journal_info info;
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	put_staged(&bed, &model, COUNT);
	assert_int_equal(bed_info(&bed).staged_live, COUNT);
	done = rounds(&bed, &at_once);
	assert_int_equal(done.unstaged, COUNT);
	assert_true(done.stage_bytes >= (uint64_t)COUNT * BYTES);
	assert_int_equal(done.lanes_leased, 0);
	assert_int_equal(done.lanes_stuck, 0);
	info = bed_info(&bed);
	assert_int_equal(info.staged_live, 0);
	assert_int_equal(info.destaged, COUNT);
	assert_int_equal(info.log_payload_bytes, (uint64_t)COUNT * BYTES);
	/* dense: not a write for each */
	assert_true(info.log_bytes_written < (uint64_t)COUNT * BYTES * 5 / 4 + (256 << 10));
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

static void young_ones_stay(enum bed_medium medium)
{
	const struct journal_maintain_options later = { .stage_age_ns = HOUR_NS,
							.stage_fill_percent = 100 };
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	put_staged(&bed, &model, COUNT);
	assert_int_equal(rounds(&bed, &later).unstaged, 0);
	assert_int_equal(bed_info(&bed).staged_live, COUNT);
	model_free(&model);
	bed_remove(&bed);
}

static void a_filled_lane_is_destaged(enum bed_medium medium)
{
	struct journal_maintained done;
	struct journal_info info;
	struct model model;
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	put_staged(&bed, &model, COUNT);
	done = rounds(&bed, &on_fill);
	info = bed_info(&bed);
	assert_true(done.unstaged > 0);
	assert_int_equal(info.destaged, done.unstaged);
	assert_int_equal(info.staged_live + info.destaged, COUNT);
	assert_true(info.staged_live_bytes <= info.stage_bytes / 100);
	model_verify(&model, bed.j);
	model_free(&model);
	bed_remove(&bed);
}

static void retired_ones_never_touch_the_disk(enum bed_medium medium)
{
	struct journal_info before, info;
	struct model model;
	struct bed bed;
	size_t i;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	before = bed_info(&bed);
	put_staged(&bed, &model, COUNT);
	for (i = 0; i < COUNT; i++)
		assert_int_equal(journal_retire(bed.j, model.all[i].id), 0);
	assert_int_equal(rounds(&bed, &at_once).unstaged, COUNT);
	info = bed_info(&bed);
	assert_int_equal(info.elided, COUNT);
	assert_int_equal(info.destaged, 0);
	assert_int_equal(info.log_payload_bytes, 0);
	assert_int_equal(info.log_bytes_written, before.log_bytes_written);
	model_free(&model);
	bed_remove(&bed);
}

static void a_leased_lane_is_left_alone(enum bed_medium medium)
{
	const struct journal_txn_options staged = { .path = JOURNAL_PATH_STAGED };
	struct journal_maintained done;
	struct journal_receipt receipt;
	struct journal_txn *txn;
	struct model model;
	struct bed bed;

	stay_here();
	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	put_staged(&bed, &model, FEW);
	assert_int_equal(journal_begin(bed.j, &staged, &txn), 0);
	assert_int_equal(journal_append(txn, "held", 4), 0);
	done = rounds(&bed, &at_once);
	assert_int_equal(done.lanes_leased, 1);
	assert_int_equal(done.unstaged, 0);
	assert_int_equal(bed_info(&bed).staged_live, FEW);
	assert_int_equal(journal_commit(txn, &receipt), 0);
	assert_int_equal(rounds(&bed, &at_once).unstaged, FEW + 1);
	assert_int_equal(bed_info(&bed).staged_live, 0);
	assert_int_equal(journal_retire(bed.j, receipt.id), 0);
	model_verify(&model, bed.j);
	model_free(&model);
	bed_remove(&bed);
}

static void child_holds_a_lane(const char *dir, int ready)
{
	const struct journal_txn_options staged = { .path = JOURNAL_PATH_STAGED };
	struct journal_txn *txn;
	struct journal *j;
	char said = 'n';

	if (!journal_open(dir, NULL, &j) && !journal_put(j, "left behind", 11, NULL) &&
	    !journal_begin(j, &staged, &txn) && !journal_append(txn, "never", 5))
		said = 'y';
	(void)!write(ready, &said, 1);
	for (;;)
		(void)pause();
}

static void the_dead_are_taken_over(enum bed_medium medium)
{
	struct journal_info info;
	struct bed bed;
	int ready[2], status;
	char said = 0;
	pid_t pid;

	bed_make(&bed, medium, 0, 0);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		child_holds_a_lane(bed.dir, ready[1]);
	assert_int_equal(read(ready[0], &said, 1), 1);
	assert_int_equal(said, 'y');
	assert_int_equal(bed_info(&bed).members, 2);
	assert_int_equal(rounds(&bed, &at_once).lanes_leased > 0, 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(rounds(&bed, &at_once).takeovers, 1);
	info = bed_info(&bed);
	assert_int_equal(info.takeovers, 1);
	assert_int_equal(info.members, 1);
	assert_int_equal(info.live, 1);
	assert_int_equal(info.staged_live, 0);
	(void)close(ready[0]);
	(void)close(ready[1]);
	bed_check(&bed, 0);
	bed_remove(&bed);
}

static void what_is_pending_is_freed(enum bed_medium medium)
{
	struct journal_info before, info;
	struct journal_maintained done;
	struct model model;
	struct bed bed;
	size_t i;

	bed_make(&bed, medium, 0, 0);
	model_make(&model);
	for (i = 0; i < 6; i++)
		assert_int_equal(bed_put(&bed, &model, 900000, i + 1, JOURNAL_PATH_AUTO, NULL), 0);
	for (i = 0; i < 6; i++)
		assert_int_equal(journal_retire(bed.j, model.all[i].id), 0);
	before = bed_info(&bed);
	done = rounds(&bed, NULL);
	info = bed_info(&bed);
	assert_true(done.checkpoints > 0);
	assert_int_equal(info.checkpoints, before.checkpoints + done.checkpoints);
	assert_true(info.segments_free > before.segments_free);
	/* and no more when there is nothing to do */
	assert_int_equal(rounds(&bed, NULL).checkpoints, 0);
	model_free(&model);
	bed_remove(&bed);
}

static void what_may_not_is_refused(enum bed_medium medium)
{
	const struct journal_open_options read_only = { .flags = JOURNAL_RDONLY };
	const struct journal_maintain_options wrong = { .stage_fill_percent = 101 };
	struct bed bed;
	int status;
	pid_t pid;

	bed_make(&bed, medium, 0, 0);
	assert_int_equal(journal_maintain(bed.j, NULL, NULL), 0);
	assert_int_equal(journal_maintain(bed.j, &wrong, NULL), -EINVAL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(journal_maintain(bed.j, NULL, NULL) == -ECHILD ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	bed_close(&bed);
	bed_open(&bed, &read_only);
	assert_int_equal(journal_maintain(bed.j, NULL, NULL), -EROFS);
	bed_remove(&bed);
}

#define WRITERS 2
#define WRITES  400u

struct writer {
	pthread_t thread;
	struct bed *bed;
	struct model model;
	uint64_t seed;
	_Atomic int *running;
	int error;
};

/* With every second commit an older one is retired: staged still, on its way to the
 * log, or there. */
static void *writer_run(void *argument)
{
	struct writer *w = argument;
	unsigned int i;
	uint64_t old;

	for (i = 0; i < WRITES && !w->error; i++) {
		w->error = bed_put(w->bed, &w->model, 200 + i * 37 % BYTES, w->seed + i,
				   JOURNAL_PATH_AUTO, NULL);
		if (w->error || !(i & 1))
			continue;
		old = w->model.all[i / 2].id;
		w->error = journal_retire(w->bed->j, old);
		model_retire(&w->model, old);
	}
	atomic_fetch_sub(w->running, 1);
	return NULL;
}

static void writers_verify(struct bed *bed, struct writer *writers)
{
	struct model_entry *entry;
	uint64_t live = 0;
	size_t i, k;

	for (i = 0; i < WRITERS; i++)
		for (k = 0; k < writers[i].model.count; k++) {
			entry = &writers[i].model.all[k];
			live += !entry->retired;
			assert_int_equal(bed_verify(bed->j, entry->id, entry->bytes, entry->seed),
					 entry->retired ? -ENOENT : 0);
		}
	assert_int_equal(bed_info(bed).live, live);
}

static void beside_writers(enum bed_medium medium)
{
	struct writer writers[WRITERS];
	_Atomic int running = WRITERS;
	struct bed bed;
	size_t i;

	bed_make(&bed, medium, 0, 0);
	for (i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .bed = &bed, .seed = 1 + i * 100000,
					      .running = &running };
		model_make(&writers[i].model);
		assert_int_equal(pthread_create(&writers[i].thread, NULL, writer_run,
						&writers[i]), 0);
	}
	while (atomic_load(&running))
		assert_int_equal(journal_maintain(bed.j, &at_once, NULL), 0);
	for (i = 0; i < WRITERS; i++) {
		assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
		assert_int_equal(writers[i].error, 0);
	}
	writers_verify(&bed, writers);
	bed_reopen(&bed);
	writers_verify(&bed, writers);
	bed_check(&bed, 0);
	for (i = 0; i < WRITERS; i++)
		model_free(&writers[i].model);
	bed_remove(&bed);
}

int main(void)
{
	const unsigned int shared = 1u << BED_PMEM | 1u << BED_MSYNC;
	const struct bed_test tests[] = {
		{ "old ones are destaged", old_ones_are_destaged, BED_NVRAM },
		{ "young ones stay", young_ones_stay, BED_NVRAM },
		{ "a filled lane is destaged", a_filled_lane_is_destaged, BED_NVRAM },
		{ "retired ones never touch the disk", retired_ones_never_touch_the_disk,
		  BED_NVRAM },
		{ "a leased lane is left alone", a_leased_lane_is_left_alone, BED_NVRAM },
		{ "the dead are taken over", the_dead_are_taken_over, shared },
		{ "what is pending is freed", what_is_pending_is_freed, 1u << BED_FILE },
		{ "beside writers", beside_writers, BED_ALL },
		{ "what may not is refused", what_may_not_is_refused, BED_ALL },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
