/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * P14, the way back: NVRAM is given up and gone back to while processes put, retire and
 * read, and are killed; none of them opens the journal anew for it.  What was
 * acknowledged is there, and nothing that was retired.
 *
 * SEED: workloads.  ROUNDS: how often, 20 by default.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/crowd.h"
#include "lib/fault.h"
#include "lib/turns.h"

static uint32_t rounds(void)
{
	const char *given = getenv("ROUNDS");

	return given && atoi(given) > 0 ? (uint32_t)atoi(given) : 20;
}

/* ---- one process ---------------------------------------------------------------------- */

static void one_alone_goes_down_and_up(void **state)
{
	struct journal_info info;
	struct model model;
	struct bed bed;
	uint64_t i, before[3], down[3], up[3];

	(void)state;
	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	model_make(&model);
	for (i = 0; i < 4; i++) {
		turns_put_each(&bed, &model, 100 * i, before);
		turns_goes_down(&bed);
		turns_put_each(&bed, &model, 100 * i + 10, down);
		turns_retire_it(&bed, &model, before[0]);
		turns_retire_it(&bed, &model, down[0]);
		turns_comes_back(&bed);
		model_verify(&model, bed.j);
		turns_put_each(&bed, &model, 100 * i + 20, up);
		turns_is_staged(&bed, &model, 100 * i + 30, true);
		turns_retire_it(&bed, &model, before[1]);
		turns_retire_it(&bed, &model, down[1]);
		turns_retire_it(&bed, &model, up[1]);
		model_verify(&model, bed.j);
	}
	info = bed_info(&bed);
	assert_int_equal(info.returns, 4);
	assert_int_equal(info.abandoned, 0);
	model_verify_reopened(&model, &bed);
	turns_is_staged(&bed, &model, 5000, true);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* a transaction that is open all the while is committed all the same */
static void an_open_one_is_committed(void **state)
{
	struct journal_txn_options staged = { .path = JOURNAL_PATH_STAGED, .bytes = 400 };
	struct journal_receipt receipt;
	struct journal_txn *txn[2];
	struct model model;
	struct bed bed;
	uint8_t *payload;

	(void)state;
	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	model_make(&model);
	payload = bed_payload(400, 7);
	assert_int_equal(journal_begin(bed.j, &staged, &txn[0]), 0);
	assert_int_equal(journal_append(txn[0], payload, 200), 0);
	turns_goes_down(&bed);
	turns_comes_back(&bed);
	assert_int_equal(journal_append(txn[0], payload + 200, 200), 0);
	assert_int_equal(journal_begin(bed.j, &staged, &txn[1]), 0);
	assert_int_equal(journal_append(txn[1], payload, 400), 0);
	assert_int_equal(journal_commit(txn[0], &receipt), 0);
	assert_int_equal(receipt.path, JOURNAL_PATH_SYNCED);
	model_add(&model, receipt.id, 400, 7);
	turns_goes_down(&bed);
	turns_comes_back(&bed);
	assert_int_equal(journal_commit(txn[1], &receipt), 0);
	model_add(&model, receipt.id, 400, 7);
	turns_is_staged(&bed, &model, 60, true);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	free(payload);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- what it leaves -------------------------------------------------------------------- */

static const char *left(const char *path, const char *suffix)
{
	static char name[PATH_MAX + 32];

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	return name;
}

static void leave(const char *path, const char *suffix)
{
	FILE *file = fopen(left(path, suffix), "w");

	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
}

static void what_the_killed_have_left_goes(void **state)
{
	char conf[PATH_MAX + 16];
	struct bed bed;

	(void)state;
	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	(void)snprintf(conf, sizeof(conf), "%s/journal.conf", bed.dir);
	leave(bed.marker, ".return-7-31");
	leave(conf, ".return-7-31");
	leave(bed.marker, ".return-7-31.mine");
	leave(bed.marker, ".return-mine");
	turns_goes_down(&bed);
	turns_comes_back(&bed);
	assert_int_equal(access(left(bed.marker, ".return-7-31"), F_OK), -1);
	assert_int_equal(access(left(conf, ".return-7-31"), F_OK), -1);
	assert_int_equal(unlink(left(bed.marker, ".return-7-31.mine")), 0);
	assert_int_equal(unlink(left(bed.marker, ".return-mine")), 0);
	bed_remove(&bed);
}

/* Whatever the directory hands down. */
static void the_new_medium_has_the_journals_group(void **state)
{
	struct stat before, after;
	struct bed bed;

	(void)state;
	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	if (chown(bed.memory.directory, (uid_t)-1, getegid() + 1)) {
		printf("skip: another group: %s\n", strerror(errno));
		bed_remove(&bed);
		skip();
	}
	assert_int_equal(chmod(bed.memory.directory, 02700), 0);
	assert_int_equal(stat(bed.marker, &before), 0);
	turns_goes_down(&bed);
	turns_comes_back(&bed);
	assert_int_equal(stat(bed.marker, &after), 0);
	assert_int_equal(after.st_gid, before.st_gid);
	assert_int_equal(after.st_mode, before.st_mode);
	assert_true(after.st_ino != before.st_ino);
	bed_remove(&bed);
}

/* ---- several -------------------------------------------------------------------------- */

static void crowd_goes_down_and_up(bool kills, bool ends)
{
	uint64_t seed = fault_seed("returning"), began = crowd_now_ns();
	struct crowd crowd;
	struct bed bed;
	uint32_t i;

	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	crowd_make(&crowd, &bed, 4, CROWD_ALL, seed);
	crowd_start_all(&crowd);
	bed_open(&bed, NULL);
	for (i = 0; i < rounds(); i++) {
		crowd_sleep_us(fault_random(&crowd.random) % 20000);
		turns_goes_down(&bed);
		if (kills && !(i % 3))
			crowd_kill(&crowd, i % 4);
		crowd_sleep_us(fault_random(&crowd.random) % 20000);
		turns_comes_back(&bed);
		if (kills && i % 3 == 1)
			crowd_kill(&crowd, i % 4);
		crowd_goes_on(&crowd, CROWD_MAX);
		crowd_start_all(&crowd);
		crowd_fine(&crowd);
	}
	printf("# longest call: %" PRIu64 " ms; all in %" PRIu64 " ms\n",
	       crowd_longest_ns(&crowd, CROWD_MAX) / 1000000, (crowd_now_ns() - began) / 1000000);
	assert_int_equal(bed_info(&bed).returns, rounds());
	if (ends)
		crowd_end_all(&crowd);
	bed_close(&bed);
	if (!ends)
		crowd_kill_all(&crowd);
	crowd_compare(&crowd);
	printf("# %" PRIu64 " commits, %" PRIu64 " retires\n", crowd_commits(&crowd),
	       crowd_retires(&crowd));
	crowd_free(&crowd);
	bed_remove(&bed);
}

static void p14_processes_go_on_when_nvram_comes_back(void **state)
{
	(void)state;
	crowd_goes_down_and_up(false, true);
}

static void p14_processes_that_are_killed_when_nvram_comes_back(void **state)
{
	(void)state;
	crowd_goes_down_and_up(true, false);
}

/* Threads of one process, which see the new medium through one map. */
struct puts {
	struct bed *bed;
	struct model *model;
	_Atomic bool stop;
	_Atomic int error;
	_Atomic uint64_t number;
};

static void *puts_and_retires(void *context)
{
	struct puts *p = context;
	uint64_t kept[8] = { 0 }, n, i;
	struct journal_receipt receipt;
	uint8_t *payload;
	int error = 0;

	for (i = 0; !atomic_load(&p->stop) && !error; i++) {
		n = atomic_fetch_add(&p->number, 1);
		if (kept[i % 8]) {
			error = bed_verify(p->bed->j, kept[i % 8], 500, 0);
			if (!error)
				error = journal_retire(p->bed->j, kept[i % 8]);
		}
		payload = bed_payload(500, n % 16 ? 0 : n);
		if (!error)
			error = journal_put(p->bed->j, payload, 500, &receipt);
		free(payload);
		kept[i % 8] = 0;
		if (!error && n % 16)
			kept[i % 8] = receipt.id;
		else if (!error)
			model_add(p->model, receipt.id, 500, n);
	}
	for (i = 0; i < 8; i++)
		if (!error && kept[i])
			model_add(p->model, kept[i], 500, 0);
	if (error)
		atomic_store(&p->error, error);
	return NULL;
}

static void threads_go_on(void **state)
{
	pthread_t threads[4];
	struct model model;
	struct bed bed;
	struct puts puts = { .bed = &bed, .model = &model, .number = 1 };
	uint32_t i;

	(void)state;
	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	model_make(&model);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, puts_and_retires, &puts), 0);
	for (i = 0; i < rounds(); i++) {
		crowd_sleep_us(3000);
		turns_goes_down(&bed);
		crowd_sleep_us(3000);
		turns_comes_back(&bed);
	}
	atomic_store(&puts.stop, true);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&puts.error), 0);
	printf("# %" PRIu64 " puts\n", atomic_load(&puts.number) - 1);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* who reads only, from before; who comes later; and who may open no file */
static int comes_later(const char *dir, uint64_t id)
{
	struct journal_receipt receipt;
	uint8_t payload[300];
	struct journal *j;
	size_t bytes;
	int error = journal_open(dir, NULL, &j);

	if (!error)
		error = journal_read(j, id, payload, sizeof(payload), &bytes);
	if (!error)
		error = journal_put(j, payload, sizeof(payload), &receipt);
	if (!error && receipt.path != JOURNAL_PATH_STAGED)
		error = 1;
	if (!error)
		error = journal_retire(j, receipt.id) || journal_retire(j, id);
	return journal_close(j) || error;
}

static int cannot_see(const char *dir, uint64_t id, int from_parent, int to_parent)
{
	struct rlimit limit, none;
	struct journal *j;
	char c;
	int error = journal_open(dir, NULL, &j);

	if (error || write(to_parent, "o", 1) != 1 || read(from_parent, &c, 1) != 1 ||
	    getrlimit(RLIMIT_NOFILE, &limit))
		return 1;
	none = limit;
	none.rlim_cur = 3;
	/* refused, and nothing has happened; and then done */
	error = setrlimit(RLIMIT_NOFILE, &none) || journal_retire(j, id) != -EMFILE ||
		!strstr(journal_error(j), "not to be had here") ||
		setrlimit(RLIMIT_NOFILE, &limit) || journal_retire(j, id);
	return journal_close(j) || error;
}

static void those_who_come_later_and_those_who_only_read(void **state)
{
	const struct journal_open_options reading = { .flags = JOURNAL_RDONLY };
	int to_child[2], to_parent[2];
	struct journal_receipt receipt;
	struct journal *reader;
	struct model model;
	struct bed bed;
	pid_t pid;
	char c;

	(void)state;
	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	model_make(&model);
	assert_int_equal(journal_open(bed.dir, &reading, &reader), 0);
	assert_int_equal(pipe(to_child) | pipe(to_parent), 0);
	turns_is_staged(&bed, &model, 1, true);
	pid = child_fork();
	if (!pid)
		child_exit(cannot_see(bed.dir, model.all[0].id, to_child[0], to_parent[1]));
	assert_int_equal(read(to_parent[0], &c, 1), 1);
	turns_goes_down(&bed);
	turns_comes_back(&bed);
	assert_int_equal(write(to_child[1], "g", 1), 1);
	child_ends(pid, 0);
	model_retire(&model, model.all[0].id);
	assert_int_equal(bed_put(&bed, &model, 300, 3, JOURNAL_PATH_STAGED, &receipt), 0);
	assert_int_equal(bed_verify(reader, receipt.id, 300, 3), 0);
	turns_is_staged(&bed, &model, 4, true);
	pid = child_fork();
	if (!pid)
		child_exit(comes_later(bed.dir, receipt.id));
	child_ends(pid, 0);
	model_retire(&model, receipt.id);
	model_verify(&model, reader);
	assert_int_equal(journal_close(reader), 0);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- by order, to a file, and back ----------------------------------------------------- */

static void set_marker(const struct bed *bed, const char *scheme, const char *path)
{
	char uri[PATH_MAX + 8], text[512];
	const struct journal_marker_options options = { .marker = uri };
	int error;

	(void)snprintf(uri, sizeof(uri), "%s:%s", scheme, path);
	error = journal_set_marker(bed->dir, &options, text, sizeof(text));
	if (error)
		fail_msg("%s: %s", uri, text);
}

static void processes_go_on_when_the_marker_is_set(void **state)
{
	uint64_t seed = fault_seed("set marker");
	char file[PATH_MAX], other[PATH_MAX + 8];
	struct crowd crowd;
	struct bed bed;
	uint32_t i;

	(void)state;
	bed_make(&bed, BED_PMEM, 64 << 20, 4 << 20);
	(void)snprintf(other, sizeof(other), "%s.other", bed.marker);
	scratch_path(&bed.disk, "a-file", file);
	crowd_make(&crowd, &bed, 4, CROWD_ALL, seed);
	crowd_start_all(&crowd);
	for (i = 0; i < rounds() / 2; i++) {
		set_marker(&bed, "file", file);
		if (i % 3 == 1)
			crowd_kill(&crowd, i % 4);
		crowd_goes_on(&crowd, CROWD_MAX);
		set_marker(&bed, "pmem", i & 1 ? bed.marker : other);
		if (i % 3 == 2)
			crowd_kill(&crowd, i % 4);
		crowd_goes_on(&crowd, CROWD_MAX);
		crowd_start_all(&crowd);
		crowd_fine(&crowd);
	}
	crowd_kill_all(&crowd);
	crowd_compare(&crowd);
	printf("# %" PRIu64 " commits, %" PRIu64 " retires\n", crowd_commits(&crowd),
	       crowd_retires(&crowd));
	crowd_free(&crowd);
	bed_remove(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_alone_goes_down_and_up),
		cmocka_unit_test(an_open_one_is_committed),
		cmocka_unit_test(threads_go_on),
		cmocka_unit_test(those_who_come_later_and_those_who_only_read),
		cmocka_unit_test(what_the_killed_have_left_goes),
		cmocka_unit_test(the_new_medium_has_the_journals_group),
		cmocka_unit_test(p14_processes_go_on_when_nvram_comes_back),
		cmocka_unit_test(p14_processes_that_are_killed_when_nvram_comes_back),
		cmocka_unit_test(processes_go_on_when_the_marker_is_set),
	};

	return cmocka_run_group_tests_name("test_returning", tests, NULL, NULL);
}
