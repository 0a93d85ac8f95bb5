/* SPDX-License-Identifier: BSD-3-Clause */
/* slow */
/*
 * Second digests, when the log is resized (docs/decisions/0015-resize.md): whoever is killed
 * at the point, or seals segments beside it, there is one for each segment in which
 * something lives, and none of an earlier segment with the same number.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "actor.h"
#include "bed.h"
#include "child.h"
#include "txn/conf.h"
#include "txn/resize.h"
#include "txn/segment.h"

#define MIB   (1ull << 20)
#define BYTES 100000u /* of each: a tenth of a segment */

struct sizing {
	struct bed bed;
	struct model model;
	struct journal *j; /* of whom it is that resizes */
	struct journal_resize_options options;
	char a[PATH_MAX];
	const char *path;
	uint64_t seed;
	int error;
};

static void make(struct sizing *s, enum bed_medium medium)
{
	memset(s, 0, sizeof(*s));
	bed_make(&s->bed, medium, 20 * MIB, 4 * MIB);
	model_make(&s->model);
	assert_int_equal(mkdir(scratch_path(&s->bed.disk, "a", s->a), 0700), 0);
	s->path = s->a;
}

static void over(struct sizing *s)
{
	model_free(&s->model);
	bed_remove(&s->bed);
}

static void put(struct sizing *s, uint32_t count)
{
	struct journal_receipt receipt;

	while (count--)
		assert_int_equal(bed_put(&s->bed, &s->model, BYTES, ++s->seed, JOURNAL_PATH_AUTO,
					 &receipt), 0);
}

static void fill(struct sizing *s)
{
	struct journal_receipt receipt;

	while (!bed_put(&s->bed, &s->model, BYTES, ++s->seed, JOURNAL_PATH_AUTO, &receipt))
		;
}

static void retire_all(struct sizing *s)
{
	struct journal_entry entry;

	while (!journal_next(s->bed.j, 0, &entry)) {
		assert_int_equal(journal_retire(s->bed.j, entry.id), 0);
		model_retire(&s->model, entry.id);
	}
}

static void resize(struct sizing *s, const struct journal_resize_options *options)
{
	int error = journal_resize(s->bed.j, options, NULL);

	if (error)
		fail_msg("%d: %s", error, journal_error(s->bed.j));
}

static void add(struct sizing *s)
{
	resize(s, &(struct journal_resize_options){ .add = &s->path, .add_count = 1 });
}

static void take_away(struct sizing *s)
{
	resize(s, &(struct journal_resize_options){ .remove = &s->path, .remove_count = 1 });
}

/* ---- what is there in the end ----------------------------------------------------- */

static void found(void *context, const struct journal_finding *finding)
{
	(void)context;
	fail_msg("%s: %s", finding->damage ? "damage" : "remark", finding->text);
}

/* A second digest that is not to be found is remarked; one of before is damage. */
static void digests_are_right(struct sizing *s)
{
	char message[512] = "";

	bed_close(&s->bed);
	assert_int_equal(journal_check(s->bed.dir, NULL, found, NULL, message, sizeof(message)), 0);
	bed_open(&s->bed, NULL);
	model_verify(&s->model, s->bed.j);
}

/* ---- who resizes ----------------------------------------------------- */

static void resizes(void *sizing)
{
	struct sizing *s = sizing;

	s->error = journal_resize(s->j, &s->options, NULL);
}

/* In a process of its own, which is stopped before the point: @count are put, and seal
 * segments.  It is killed behind the point, before the mapping follows. */
static void is_killed(struct sizing *s, uint32_t count,
		      const struct journal_resize_options *options)
{
	pid_t pid = child_fork();
	struct actor *a;
	int status;

	if (!pid) {
		if (journal_open(s->bed.dir, NULL, &s->j))
			child_exit(1);
		s->options = *options;
		a = actor_make(resizes, s);
		if (!ACTOR_AT(a, resize_point, 1))
			child_exit(2);
		(void)kill(getpid(), SIGSTOP);
		if (ACTOR_AT(a, conf_enforce, 1) && ACTOR_AT(a, resize_settle, 1))
			(void)kill(getpid(), SIGKILL);
		child_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	put(s, count);
	assert_int_equal(kill(pid, SIGCONT), 0);
	child_ends(pid, SIGKILL);
}

/* It stands before the point, and others seal segments meanwhile. */
static void is_late(struct sizing *s, const struct journal_resize_options *options)
{
	struct actor *a;

	assert_int_equal(journal_open(s->bed.dir, NULL, &s->j), 0);
	s->options = *options;
	a = actor_make(resizes, s);
	assert_true(ACTOR_AT(a, resize_point, 1));
	put(s, 40);
	actor_end(a);
	assert_int_equal(s->error, 0);
	assert_int_equal(journal_close(s->j), 0);
}

/* ---- a log comes ----------------------------------------------------- */

/* New segments write theirs over the old ones: there are others before the point. */
static void copied_before_a_log_comes(enum bed_medium medium)
{
	struct sizing s;

	make(&s, medium);
	put(&s, 50);
	is_killed(&s, 0, &(struct journal_resize_options){ .add = &s.path, .add_count = 1 });
	bed_reopen(&s.bed);
	put(&s, 150);
	digests_are_right(&s);
	over(&s);
}

/* and of those that were sealed between that and the point */
static void copied_once_a_log_has_come(enum bed_medium medium)
{
	struct sizing s;

	make(&s, medium);
	put(&s, 20);
	is_late(&s, &(struct journal_resize_options){ .add = &s.path, .add_count = 1 });
	put(&s, 150);
	digests_are_right(&s);
	over(&s);
}

/* Of those nobody has written another one: they are where they belonged before. */
static void found_astray(enum bed_medium medium)
{
	struct sizing s;

	make(&s, medium);
	put(&s, 20);
	is_killed(&s, 40, &(struct journal_resize_options){ .add = &s.path, .add_count = 1 });
	digests_are_right(&s);
	over(&s);
}

/* ---- a log goes ----------------------------------------------------- */

static void copied_before_a_log_goes(enum bed_medium medium)
{
	struct sizing s;

	make(&s, medium);
	add(&s);
	put(&s, 100);
	is_killed(&s, 0, &(struct journal_resize_options){ .remove = &s.path, .remove_count = 1 });
	bed_reopen(&s.bed);
	digests_are_right(&s);
	over(&s);
}

static void copied_once_a_log_has_gone(enum bed_medium medium)
{
	struct sizing s;

	make(&s, medium);
	add(&s);
	put(&s, 20);
	is_late(&s, &(struct journal_resize_options){ .remove = &s.path, .remove_count = 1 });
	digests_are_right(&s);
	over(&s);
}

/* ---- less ----------------------------------------------------- */

/* Who takes over cannot know on which side of the point it was: nothing new comes into what
 * was to go. */
static void left_alone_behind_the_point(enum bed_medium medium)
{
	struct sizing s;

	make(&s, medium);
	put(&s, 10);
	is_killed(&s, 0, &(struct journal_resize_options){ .bytes = 12 * MIB });
	assert_int_equal(journal_maintain(s.bed.j, NULL, NULL), 0);
	fill(&s);
	model_verify_reopened(&s.model, &s.bed);
	over(&s);
}

/* ---- numbers that are used again ----------------------------------------------------- */

static void fill_and_retire(struct sizing *s)
{
	fill(s);
	retire_all(s);
}

/* The space is the same, and zeros: what the second digest of before says would be damage. */
static void grows_again(struct sizing *s, uint64_t least, uint64_t most)
{
	fill_and_retire(s);
	resize(s, &(struct journal_resize_options){ .bytes = least });
	resize(s, &(struct journal_resize_options){ .bytes = most });
	bed_check(&s->bed, 0);
	model_verify_reopened(&s->model, &s->bed);
}

static void forgotten_when_it_grows_again(enum bed_medium medium)
{
	struct sizing s;

	make(&s, medium);
	/* digests that are in NVRAM, if there is any; then some that are not */
	grows_again(&s, 12 * MIB, 20 * MIB);
	resize(&s, &(struct journal_resize_options){ .bytes = 40 * MIB });
	grows_again(&s, 30 * MIB, 40 * MIB);
	over(&s);
}

static void forgotten_when_a_log_comes_again(enum bed_medium medium)
{
	struct sizing s;

	make(&s, medium);
	add(&s);
	fill_and_retire(&s);
	take_away(&s);
	bed_reopen(&s.bed);
	add(&s);
	bed_check(&s.bed, 0);
	model_verify_reopened(&s.model, &s.bed);
	over(&s);
}

#define BOTH (1u << BED_FILE | 1u << BED_PMEM)

int main(void)
{
	static const struct bed_test tests[] = {
		{ "copied before a log comes", copied_before_a_log_comes, 1u << BED_FILE },
		{ "copied once a log has come", copied_once_a_log_has_come, 1u << BED_FILE },
		{ "found astray", found_astray, 1u << BED_FILE },
		{ "copied before a log goes", copied_before_a_log_goes, 1u << BED_FILE },
		{ "copied once a log has gone", copied_once_a_log_has_gone, 1u << BED_FILE },
		{ "left alone behind the point", left_alone_behind_the_point, BOTH },
		{ "forgotten when it grows again", forgotten_when_it_grows_again, BOTH },
		{ "forgotten when a log comes again", forgotten_when_a_log_comes_again, BOTH },
	};

	if (!actors_possible())
		return 77;
	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
