/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * A journal becomes larger and smaller, and gets and loses logs, while processes put,
 * retire and read; and whoever does that is killed anywhere in it.  What was acknowledged
 * stands in memory outside of the library (lib/crowd.h).
 *
 * KILL_SECONDS: how long for each kind of marker, 2 by default.  SEED: workloads and
 * victims; what the machine does in between is its own.
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "lib/crowd.h"
#include "lib/fault.h"

#define TOGETHER 4u
#define KINDS    (1u << BED_FILE | 1u << BED_PMEM)
#define MIB      (1ull << 20)
#define WAIT_NS  500000000ull

struct told {
	char text[400];
	struct journal_resized resized;
};

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *given = getenv(name);

	return given && *given ? strtoull(given, NULL, 0) : otherwise;
}

/* ---- a process that resizes ---------------------------------------------------------- */

__attribute__((noreturn))
static void resizer(struct bed *bed, const struct journal_resize_options *o, int to)
{
	struct told told = { .text = "" };
	struct journal *j;
	int error;

	/* what goes wrong here ends here */
	(void)signal(SIGSEGV, SIG_DFL);
	(void)signal(SIGABRT, SIG_DFL);
	error = journal_open(bed->dir, NULL, &j);

	if (!error)
		error = journal_resize(j, o, &told.resized);
	(void)snprintf(told.text, sizeof(told.text), "%s", journal_error(j));
	(void)journal_close(j);
	child_exit(write(to, &told, sizeof(told)) == sizeof(told) ? -error : 255);
}

static pid_t resize_start(struct bed *bed, const struct journal_resize_options *o, int *from)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = child_fork();
	assert_true(pid >= 0);
	if (!pid)
		resizer(bed, o, ends[1]);
	close(ends[1]);
	*from = ends[0];
	return pid;
}

/* Return: what journal_resize() returned, or 1: it was killed */
static int resize_end(pid_t pid, int from, struct told *told)
{
	int status;

	memset(told, 0, sizeof(*told));
	(void)!read(from, told, sizeof(*told));
	close(from);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return 1;
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 255)
		fail_msg("who resizes ended with status %#x", (unsigned int)status);
	return -WEXITSTATUS(status);
}

static int resize(struct bed *bed, const struct journal_resize_options *o, struct told *told)
{
	int from;
	pid_t pid = resize_start(bed, o, &from);

	return resize_end(pid, from, told);
}

static void resize_must(struct bed *bed, const struct journal_resize_options *o,
			struct told *told)
{
	int error = resize(bed, o, told);

	if (error)
		fail_msg("%d: %s", error, told->text);
}

/* ---- beside others --------------------------------------------------------------------- */

static void goes_on(struct crowd *crowd)
{
	crowd_goes_on(crowd, CROWD_MAX);
	bed_check(crowd->bed, 0);
}

static void while_others_write(enum bed_medium medium)
{
	uint64_t seed = fault_seed("while others write");
	char dir[PATH_MAX];
	const char *other = dir, *first;
	struct told told;
	struct crowd crowd;
	struct bed bed;
	uint32_t segments, logs;

	bed_make(&bed, medium, 24 << 20, 4 << 20);
	scratch_path(&bed.disk, "other", dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	crowd_make(&crowd, &bed, TOGETHER, CROWD_ALL, seed);
	crowd_start_all(&crowd);
	crowd_goes_on(&crowd, CROWD_MAX);

	resize_must(&bed, &(struct journal_resize_options){ .bytes = 60 * MIB }, &told);
	logs = told.resized.logs;
	assert_int_equal(logs, told.resized.logs_before);
	assert_true(told.resized.segments > told.resized.segments_before);
	segments = told.resized.segments;
	goes_on(&crowd);

	resize_must(&bed, &(struct journal_resize_options){ .add = &other, .add_count = 1 }, &told);
	assert_int_equal(told.resized.logs, logs + 1);
	assert_int_equal(told.resized.segments, segments / logs * (logs + 1));
	goes_on(&crowd);

	resize_must(&bed, &(struct journal_resize_options){ .bytes = 80 * MIB }, &told);
	assert_true(told.resized.segments < told.resized.segments_before);
	goes_on(&crowd);

	/* the one that it began with */
	first = bed.log_count ? bed.logs[0] : bed.dir;
	resize_must(&bed, &(struct journal_resize_options){ .remove = &first, .remove_count = 1 },
		    &told);
	assert_int_equal(told.resized.logs, logs);
	goes_on(&crowd);
	crowd_end_all(&crowd);
	crowd_compare(&crowd);

	/* and once more by whoever opens it then */
	crowd_start_all(&crowd);
	crowd_goes_on(&crowd, CROWD_MAX);
	resize_must(&bed, &(struct journal_resize_options){ .bytes = 70 * MIB }, &told);
	goes_on(&crowd);
	crowd_kill_all(&crowd);
	crowd_compare(&crowd);
	crowd_free(&crowd);
	bed_remove(&bed);
}

/* ---- killed ------------------------------------------------------------------------------ */

struct wish {
	struct journal_resize_options options;
	char paths[2][PATH_MAX];
	const char *path;
};

static void wish_something(struct crowd *crowd, struct wish *wish)
{
	uint32_t which = fault_random(&crowd->random) % 2;

	memset(&wish->options, 0, sizeof(wish->options));
	wish->options.wait_ns = WAIT_NS;
	wish->path = wish->paths[which];
	switch (fault_random(&crowd->random) % 4) {
	case 0:
		wish->options.add = &wish->path;
		wish->options.add_count = 1;
		break;
	case 1:
		wish->options.remove = &wish->path;
		wish->options.remove_count = 1;
		break;
	default:
		wish->options.bytes = (40 + fault_random(&crowd->random) % 60) * MIB;
	}
}

/* More, less, or other than there is, or can be now; or just when its killer killed. */
static bool refused_well(int error)
{
	return error == -ENOSPC || error == -EBUSY || error == -ENOENT || error == -E2BIG ||
	       error == -EINVAL;
}

static void killed_once(struct crowd *crowd, struct wish *wish, uint64_t *killed, uint64_t *done)
{
	struct told told;
	int from, error;
	pid_t pid;

	wish_something(crowd, wish);
	pid = resize_start(crowd->bed, &wish->options, &from);
	crowd_sleep_us(fault_random(&crowd->random) % 120000);
	(void)kill(pid, SIGKILL);
	error = resize_end(pid, from, &told);
	if (error < 0 && !refused_well(error))
		fail_msg("%d: %s", error, told.text);
	*killed += error == 1;
	*done += !error;
	crowd_goes_on(crowd, CROWD_MAX);
}

/* A second one is refused while there is one, and not by one who is dead. */
static void not_blocked(struct crowd *crowd)
{
	struct told told;
	int error = resize(crowd->bed,
			   &(struct journal_resize_options){ .bytes = 110 * MIB }, &told);

	if (error && error != -E2BIG)
		fail_msg("%d: %s", error, told.text);
}

static void generation(struct crowd *crowd, struct wish *wish, uint64_t *killed, uint64_t *done)
{
	uint32_t i;

	crowd_start_all(crowd);
	for (i = 0; i < 8; i++)
		killed_once(crowd, wish, killed, done);
	bed_check(crowd->bed, 0);
	not_blocked(crowd);
	if (fault_random(&crowd->random) % 2)
		crowd_kill_all(crowd);
	else
		crowd_end_all(crowd);
	crowd_compare(crowd);
}

static void killed_anywhere(enum bed_medium medium)
{
	uint64_t end = crowd_now_ns() + number("KILL_SECONDS", 2) * 1000000000;
	uint64_t killed = 0, done = 0, seed = fault_seed("killed anywhere");
	struct crowd crowd;
	struct wish wish;
	struct bed bed;

	bed_make(&bed, medium, 48 << 20, 4 << 20);
	scratch_path(&bed.disk, "one", wish.paths[0]);
	scratch_path(&bed.disk, "two", wish.paths[1]);
	assert_int_equal(mkdir(wish.paths[0], 0700) | mkdir(wish.paths[1], 0700), 0);
	crowd_make(&crowd, &bed, TOGETHER, CROWD_ALL, seed);
	do
		generation(&crowd, &wish, &killed, &done);
	while (crowd_now_ns() < end);
	printf("# %" PRIu64 " killed, %" PRIu64 " done; %" PRIu64 " commits, %" PRIu64
	       " retires; longest call %.1f ms\n", killed, done, crowd_commits(&crowd),
	       crowd_retires(&crowd), (double)crowd_longest_ns(&crowd, CROWD_MAX) / 1e6);
	crowd_free(&crowd);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "while others write", while_others_write, KINDS },
		{ "killed anywhere", killed_anywhere, KINDS },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
