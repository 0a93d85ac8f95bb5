/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * A journal that was opened with its markers in a file is moved to NVRAM, back to a file,
 * and so on, while processes put, retire and read, and are killed, and so is who moves it.
 * None of them opens the journal anew for it.  What was acknowledged is there, and nothing
 * that was retired.
 *
 * SEED: workloads.  ROUNDS: how often, 20 by default.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/crowd.h"
#include "lib/fault.h"
#include "lib/turns.h"

static uint32_t rounds(void)
{
	const char *given = getenv("ROUNDS");

	return given && atoi(given) > 0 ? (uint32_t)atoi(given) : 20;
}

/* ---- moving ----------------------------------------------------------------------------- */

struct target {
	char uri[PATH_MAX + 16];
};

/* @name: NVRAM for tests, or a file beside the journal */
static void target_of(const struct bed *bed, bool nvram, const char *name, struct target *t)
{
	char path[PATH_MAX];

	(void)snprintf(t->uri, sizeof(t->uri), "%s:%s", nvram ? "pmem" : "file",
		       scratch_path(nvram ? &bed->memory : &bed->disk, name, path));
}

static int move(const struct bed *bed, const struct target *t, char *message, size_t bytes)
{
	const struct journal_marker_options options = { .marker = t->uri };

	return journal_set_marker(bed->dir, &options, message, bytes);
}

static pid_t move_begins(const struct bed *bed, const struct target *t)
{
	char message[512] = "";
	pid_t pid;
	int error;

	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	error = move(bed, t, message, sizeof(message));
	/* one who was killed before had come as far as that */
	if (error == -EEXIST && strstr(message, "marker medium already"))
		_exit(0);
	if (error)
		fprintf(stderr, "# %s: %d %s\n", t->uri, error, message);
	_exit(error != 0);
}

static void move_ends(pid_t pid, bool killed)
{
	int status;

	if (killed)
		(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!killed || !WIFSIGNALED(status))
		assert_int_equal(status, 0);
}

static void moves_to(const struct bed *bed, const struct target *t)
{
	move_ends(move_begins(bed, t), false);
}

static void conf_names(const struct bed *bed, const struct target *t)
{
	char path[PATH_MAX + 16], text[8192] = "";
	const char *name = strrchr(t->uri, '/') + 1;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/journal.conf", bed->dir);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	assert_int_equal(fclose(file), 0);
	if (!strstr(text, name))
		fail_msg("%s is not in it: %s", t->uri, text);
}

/* ---- one process, and who moves it ------------------------------------------------------ */

static void one_goes_on(void **state)
{
	struct target nvram, file;
	struct journal_info info;
	uint64_t i, on_file[3];
	struct journal_receipt receipt;
	struct model model;
	struct bed bed;

	(void)state;
	bed_make(&bed, BED_FILE, 64 << 20, 0);
	model_make(&model);
	target_of(&bed, true, "nvram", &nvram);
	target_of(&bed, false, "again", &file);
	for (i = 0; i < 3; i++) {
		assert_int_equal(bed_put(&bed, &model, 3000, i, JOURNAL_PATH_AUTO, &receipt), 0);
		on_file[i] = receipt.id;
		assert_int_equal(receipt.path, JOURNAL_PATH_SYNCED);
	}
	assert_int_equal(bed_info(&bed).stage_bytes, 0);
	moves_to(&bed, &nvram);
	conf_names(&bed, &nvram);
	/* the file that it was on has another name by now, and only that */
	assert_int_equal(access(bed.marker, F_OK), -1);
	turns_is_staged(&bed, &model, 100, true);
	turns_put_each(&bed, &model, 110, on_file);
	info = bed_info(&bed);
	assert_string_equal(info.marker.backend, "pmem");
	assert_true(info.stage_bytes);
	assert_int_equal(info.returns, 1);
	turns_retire_it(&bed, &model, on_file[0]);
	model_verify(&model, bed.j);
	moves_to(&bed, &file);
	conf_names(&bed, &file);
	turns_is_staged(&bed, &model, 200, false);
	turns_retire_it(&bed, &model, on_file[1]);
	moves_to(&bed, &nvram);
	turns_is_staged(&bed, &model, 300, true);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	turns_is_staged(&bed, &model, 400, true);
	moves_to(&bed, &file);
	model_verify_reopened(&model, &bed);
	turns_is_staged(&bed, &model, 500, false);
	moves_to(&bed, &nvram);
	turns_is_staged(&bed, &model, 600, true);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* what is open all the while is committed, by what there is by then */
/* Return: how many files were made there since @fd began to watch */
static unsigned int made(int fd)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t got = read(fd, events, sizeof(events)), at = 0;
	unsigned int count = 0;

	while (at < got) {
		const struct inotify_event *event = (const void *)(events + at);

		count += !!(event->mask & IN_CREATE);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	return count;
}

/* It is filled, which takes its time: for a trial only where NVRAM is to be given up. */
static void a_medium_is_made_once(void **state)
{
	struct bed bed;
	struct target first, second;
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	(void)state;
	assert_true(fd >= 0);
	bed_make(&bed, BED_FILE, 64 << 20, 0);
	target_of(&bed, true, "first", &first);
	target_of(&bed, true, "second", &second);
	/* two of one name, with nothing in between, would be told as one */
	assert_true(inotify_add_watch(fd, bed.memory.directory, IN_CREATE | IN_DELETE) >= 0);
	moves_to(&bed, &first);
	conf_names(&bed, &first);
	assert_int_equal(made(fd), 1);
	moves_to(&bed, &second);
	conf_names(&bed, &second);
	assert_int_equal(made(fd), 2);
	close(fd);
	bed_remove(&bed);
}

static void an_open_one_is_committed(void **state)
{
	struct journal_txn_options options = { .bytes = 400 };
	struct journal_receipt receipt;
	struct target nvram, file;
	struct journal_txn *txn[3];
	struct model model;
	struct bed bed;
	uint8_t *payload;
	uint32_t i;

	(void)state;
	bed_make(&bed, BED_FILE, 64 << 20, 0);
	model_make(&model);
	target_of(&bed, true, "nvram", &nvram);
	target_of(&bed, false, "again", &file);
	payload = bed_payload(400, 7);
	for (i = 0; i < 2; i++) {
		assert_int_equal(journal_begin(bed.j, &options, &txn[i]), 0);
		assert_int_equal(journal_append(txn[i], payload, 400), 0);
	}
	/* its record is written, and not yet committed */
	assert_int_equal(journal_prepare(txn[1]), 0);
	moves_to(&bed, &nvram);
	assert_int_equal(journal_begin(bed.j, &options, &txn[2]), 0);
	assert_int_equal(journal_append(txn[2], payload, 400), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(journal_commit(txn[i], &receipt), 0);
		model_add(&model, receipt.id, 400, 7);
	}
	model_verify(&model, bed.j);
	moves_to(&bed, &file);
	assert_int_equal(journal_commit(txn[2], &receipt), 0);
	assert_int_equal(receipt.path, JOURNAL_PATH_SYNCED);
	model_add(&model, receipt.id, 400, 7);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	free(payload);
	model_free(&model);
	bed_remove(&bed);
}

/* more often than there are places to describe a medium */
static void again_and_again(void **state)
{
	struct target at[2];
	char message[512];
	struct model model;
	struct bed bed;
	uint32_t i;

	(void)state;
	bed_make(&bed, BED_FILE, 0, 0);
	model_make(&model);
	target_of(&bed, true, "nvram", &at[0]);
	target_of(&bed, false, "again", &at[1]);
	for (i = 0; i < 140; i++) {
		if (move(&bed, &at[i % 2], message, sizeof(message)))
			fail_msg("%u: %s", i, message);
		turns_is_staged(&bed, &model, i, !(i % 2));
	}
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- what it must survive ----------------------------------------------------------------- */

/* Nobody is moved to less than he asked for, and who asks for more does not join. */
static void what_is_required_is_kept(void **state)
{
	struct journal_open_options power = { .require = JOURNAL_CLASS_POWER };
	struct journal_receipt receipt;
	struct journal *more;
	char message[512] = "";
	struct target nvram;
	struct model model;
	struct bed bed;

	(void)state;
	bed_make(&bed, BED_FILE, 64 << 20, 0);
	model_make(&model);
	target_of(&bed, true, "nvram", &nvram);
	if (journal_open(bed.dir, &power, &more)) {
		printf("skip: %s\n", journal_error(more));
		assert_int_equal(journal_close(more), 0);
		bed_remove(&bed);
		model_free(&model);
		skip();
	}
	assert_int_equal(bed_put(&bed, &model, 100, 1, JOURNAL_PATH_AUTO, &receipt), 0);
	assert_int_equal(receipt.survives, JOURNAL_CLASS_POWER);
	assert_int_equal(move(&bed, &nvram, message, sizeof(message)), -EPERM);
	assert_non_null(strstr(message, "is required"));
	turns_is_staged(&bed, &model, 2, false);
	assert_int_equal(journal_close(more), 0);
	/* nobody knows that it has left: so it is until all have */
	bed_reopen(&bed);
	assert_int_equal(move(&bed, &nvram, message, sizeof(message)), 0);
	assert_int_equal(bed_put(&bed, &model, 100, 3, JOURNAL_PATH_AUTO, &receipt), 0);
	assert_int_equal(receipt.path, JOURNAL_PATH_STAGED);
	assert_int_equal(receipt.survives, JOURNAL_CLASS_PROCESS);
	assert_int_equal(bed_put(&bed, &model, 100, 4, JOURNAL_PATH_SYNCED, &receipt), 0);
	assert_int_equal(receipt.survives, JOURNAL_CLASS_PROCESS);
	assert_int_equal(journal_open(bed.dir, &power, &more), -EPERM);
	assert_int_equal(journal_close(more), 0);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* ---- several -------------------------------------------------------------------------------- */

/* what takes the lanes is killed or stopped, perhaps: then it is a bit that commits it */
static bool on_nvram_by(struct bed *bed, struct model *model, uint64_t seed)
{
	struct journal_receipt receipt;

	assert_int_equal(bed_put(bed, model, 300, seed, JOURNAL_PATH_AUTO, &receipt), 0);
	assert_int_equal(journal_retire(bed->j, receipt.id), 0);
	model_retire(model, receipt.id);
	return receipt.path != JOURNAL_PATH_SYNCED;
}

static void crowd_is_moved(bool kills, bool ends)
{
	uint64_t seed = fault_seed("moving"), began = crowd_now_ns();
	struct crowd crowd;
	struct target at[2];
	struct model model;
	struct bed bed;
	uint32_t i;
	pid_t mover;

	bed_make(&bed, BED_FILE, 64 << 20, 0);
	model_make(&model);
	target_of(&bed, true, "nvram", &at[0]);
	target_of(&bed, false, "again", &at[1]);
	crowd_make(&crowd, &bed, 4, CROWD_ALL, seed);
	crowd_start_all(&crowd);
	bed_open(&bed, NULL);
	for (i = 0; i < rounds(); i++) {
		crowd_sleep_us(fault_random(&crowd.random) % 20000);
		mover = move_begins(&bed, &at[i % 2]);
		if (kills && !(i % 3))
			crowd_kill(&crowd, i % 4);
		if (kills)
			crowd_sleep_us(fault_random(&crowd.random) % 15000);
		move_ends(mover, kills);
		/* as he left it */
		crowd_goes_on(&crowd, CROWD_MAX);
		moves_to(&bed, &at[i % 2]);
		conf_names(&bed, &at[i % 2]);
		assert_int_equal(on_nvram_by(&bed, &model, i), !(i % 2));
		crowd_start_all(&crowd);
		crowd_goes_on(&crowd, CROWD_MAX);
		crowd_fine(&crowd);
	}
	printf("# longest call: %" PRIu64 " ms; all in %" PRIu64 " ms\n",
	       crowd_longest_ns(&crowd, CROWD_MAX) / 1000000, (crowd_now_ns() - began) / 1000000);
	if (ends)
		crowd_end_all(&crowd);
	bed_close(&bed);
	if (!ends)
		crowd_kill_all(&crowd);
	crowd_compare(&crowd);
	printf("# %" PRIu64 " commits, %" PRIu64 " retires\n", crowd_commits(&crowd),
	       crowd_retires(&crowd));
	crowd_free(&crowd);
	model_free(&model);
	bed_remove(&bed);
}

static void p14_processes_go_on_while_it_is_moved(void **state)
{
	(void)state;
	crowd_is_moved(false, true);
}

static void p14_movers_and_writers_are_killed(void **state)
{
	(void)state;
	crowd_is_moved(true, false);
}

static void p14_the_last_one_leaves_after_all_that(void **state)
{
	(void)state;
	crowd_is_moved(true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_goes_on),
		cmocka_unit_test(a_medium_is_made_once),
		cmocka_unit_test(an_open_one_is_committed),
		cmocka_unit_test(again_and_again),
		cmocka_unit_test(what_is_required_is_kept),
		cmocka_unit_test(p14_processes_go_on_while_it_is_moved),
		cmocka_unit_test(p14_movers_and_writers_are_killed),
		cmocka_unit_test(p14_the_last_one_leaves_after_all_that),
	};

	return cmocka_run_group_tests_name("moving", tests, NULL, NULL);
}
