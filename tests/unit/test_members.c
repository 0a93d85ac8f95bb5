/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is a member, and who is taken for a dead one: docs/decisions/0006. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "txn/member.h"
#include "txn/segment.h"
#include "txn/takeover.h"
#include "util/math.h"

/* A member whose process is gone, as its death leaves it: nobody holds its file. */
static void dies(struct journal *j, uint32_t number, enum member_state state)
{
	struct member *m = &j->members[number];
	char path[PATH_MAX];
	int fd;

	/* it had got so far as to make its file */
	(void)snprintf(path, sizeof(path), "%s/peers/%u", j->dir, number);
	fd = state == MEMBER_STARTING ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	atomic_store(&m->identity, 4711);
	atomic_store(&m->state, member_word(m->state + (1ull << 32), state, 0));
}

/* killed with its number, and before it had anything: it has no line either */
static void one_who_dies_while_it_joins_takes_nothing_along(enum bed_medium medium)
{
	const enum member_state states[] = { MEMBER_STARTING, MEMBER_ALIVE };
	struct model model;
	struct bed bed;
	uint32_t i;

	model_make(&model);
	bed_make(&bed, medium, 0, 0);
	for (i = 0; i < ARRAY_COUNT(states); i++) {
		assert_int_equal(bed_put(&bed, &model, 100, i, JOURNAL_PATH_AUTO, NULL), 0);
		assert_int_equal(bed_put(&bed, &model, 100, 10 + i, JOURNAL_PATH_SYNCED, NULL), 0);
		dies(bed.j, 5 + i, states[i]);
		takeover_sweep(bed.j, 0);
		assert_int_equal(member_state_of(bed.j, 5 + i), MEMBER_FREE);
		model_verify(&model, bed.j);
	}
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* its process: stopped or not, by what the kernel says */
static void a_stopped_one_is_known(enum bed_medium medium)
{
	struct bed bed;
	pid_t pid;

	bed_make(&bed, medium, 0, 0);
	atomic_store(&bed.j->members[7].pid, (int)getpid());
	assert_false(member_is_stopped(bed.j, 7));
	pid = child_fork();
	if (!pid) {
		(void)raise(SIGSTOP);
		for (;;)
			(void)pause();
	}
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	atomic_store(&bed.j->members[7].pid, (int)pid);
	assert_true(member_is_stopped(bed.j, 7));
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(waitpid(pid, NULL, WCONTINUED), pid);
	assert_false(member_is_stopped(bed.j, 7));
	assert_int_equal(kill(pid, SIGKILL), 0);
	child_ends(pid, SIGKILL);
	assert_true(member_is_stopped(bed.j, 7));
	atomic_store(&bed.j->members[7].pid, 0);
	bed_remove(&bed);
}

/* Who was about to take a dead one over, and slept, must see that its number is
 * another's now. */
static void a_members_word_never_comes_again(enum bed_medium medium)
{
	uint64_t words[4];
	struct journal *other;
	struct bed bed;
	uint32_t i, k;

	bed_make(&bed, medium, 0, 0);
	for (i = 0; i < ARRAY_COUNT(words); i++) {
		assert_int_equal(journal_open(bed.dir, NULL, &other), 0);
		words[i] = atomic_load(&bed.j->members[other->member - 1].state);
		assert_int_equal(words[i] & 0xff, MEMBER_ALIVE);
		for (k = 0; k < i; k++)
			assert_true(words[k] != words[i]);
		assert_int_equal(journal_close(other), 0);
	}
	bed_remove(&bed);
}

/* All numbers but ours are of living ones: those of our own process are. */
static void all_are_taken(struct bed *bed, bool taken)
{
	const uint32_t own = bed->j->member - 1;

	for (uint32_t i = 0; i < MEMBERS; i++) {
		struct member *m = &bed->j->members[i];

		if (i == own)
			continue;
		atomic_store(&m->identity, taken ? bed->j->identity : 0);
		atomic_store(&m->state, member_word(atomic_load(&m->state) + (1ull << 32),
						    taken ? MEMBER_ALIVE : MEMBER_FREE, 0));
	}
}

static void one_more_than_there_are_numbers_is_told(enum bed_medium medium)
{
	const struct journal_open_options look = { .flags = JOURNAL_RDONLY };
	struct model model;
	struct journal *other;
	struct bed bed;
	char text[PATH_MAX + 100];

	model_make(&model);
	bed_make(&bed, medium, 0, 0);
	(void)snprintf(text, sizeof(text), "%s: 1024 processes have it open: no more can", bed.dir);
	all_are_taken(&bed, true);
	assert_int_equal(bed_info(&bed).members, 1024);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(journal_open(bed.dir, NULL, &other), -EUSERS);
		assert_string_equal(journal_error(other), text);
		assert_int_equal(journal_close(other), 0);
	}
	/* to read needs no number, and who is in goes on */
	assert_int_equal(journal_open(bed.dir, &look, &other), 0);
	assert_int_equal(journal_close(other), 0);
	assert_int_equal(bed_put(&bed, &model, 100, 1, JOURNAL_PATH_AUTO, NULL), 0);
	all_are_taken(&bed, false);
	assert_int_equal(journal_open(bed.dir, NULL, &other), 0);
	assert_int_equal(bed_info(&bed).members, 2);
	assert_int_equal(journal_close(other), 0);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/* The taker dies, and its number is a living one's before anybody looks: whom it was
 * taking over is not forgotten. */
static void a_dead_takers_dead_are_taken_over(enum bed_medium medium)
{
	struct member *members;
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	members = bed.j->members;
	dies(bed.j, 5, MEMBER_ALIVE);
	atomic_store(&members[3].state, member_word(1ull << 32, MEMBER_TAKEN, 5 + 1));
	atomic_store(&members[3].identity, 4712);
	takeover_sweep(bed.j, 0);
	takeover_sweep(bed.j, 0);
	assert_int_equal(member_state_of(bed.j, 5), MEMBER_FREE);
	assert_int_equal(member_state_of(bed.j, 3), MEMBER_FREE);
	bed_remove(&bed);
}

/* A lane's line that was filled before its holder died, and finished, is another's. */
static void a_line_that_moved_on_is_not_taken(enum bed_medium medium)
{
	struct model model;
	struct bed bed;
	struct lane_shared *lane;
	uint32_t i;

	model_make(&model);
	bed_make(&bed, medium, 0, 0);
	assert_int_equal(bed_put(&bed, &model, 100, 1, JOURNAL_PATH_DIRECT, NULL), 0);
	/* all have it as the line that they filled in an epoch before */
	for (i = 0; i < bed.j->lane_count; i++) {
		lane = shared_lane(bed.j, i);
		lane->from.line_number = 1;
		lane->from.next = SLOTS_PER_LINE;
		lane->from.line = bed.j->own->line;
		lane->lease = 5 + 1;
	}
	dies(bed.j, 5, MEMBER_ALIVE);
	takeover_sweep(bed.j, 0);
	/* the slots that are still to be taken */
	for (i = 2; i < 20; i++)
		assert_int_equal(bed_put(&bed, &model, 100, i, JOURNAL_PATH_DIRECT, NULL), 0);
	model_verify(&model, bed.j);
	model_verify_reopened(&model, &bed);
	model_free(&model);
	bed_remove(&bed);
}

/*
 * A dead one was opening a segment.  Who takes over gives it back, and dies, or has no
 * memory for the rest: by the time the next one comes a living one may have it.
 */
static void a_segment_given_back_is_another_s(enum bed_medium medium)
{
	struct segment *segment, *again;
	struct head *dead, *living;
	struct bed bed;

	bed_make(&bed, medium, 0, 0);
	dead = &bed.j->heads[HEADS - 1];
	living = &bed.j->heads[HEADS - 2];
	atomic_store(&dead->s->lease, 5 + 1);
	atomic_store(&living->s->lease, bed.j->member);
	assert_int_equal(segment_take(bed.j, dead, HEAD_STREAM, false, &segment), 0);
	segment_give_back(bed.j, segment);
	atomic_store(&bed.j->shared->segment_hint[0], segment->number);
	assert_int_equal(segment_take(bed.j, living, HEAD_STREAM, false, &again), 0);
	assert_ptr_equal(again, segment);
	dies(bed.j, 5, MEMBER_ALIVE);
	takeover_sweep(bed.j, 0);
	assert_int_equal(member_state_of(bed.j, 5), MEMBER_FREE);
	assert_int_equal(segment_state_of(atomic_load(&segment->use)), SEGMENT_OPEN);
	/* its own is given back */
	atomic_store(&living->s->lease, 5 + 1);
	dies(bed.j, 5, MEMBER_ALIVE);
	takeover_sweep(bed.j, 0);
	assert_int_equal(segment_state_of(atomic_load(&segment->use)), SEGMENT_FREE);
	bed_remove(&bed);
}

/* ---- nothing stays with the dead ------------------------------------------------- */

static void works_until_killed(const char *dir, _Atomic uint32_t *number)
{
	struct bed bed = { 0 };
	uint64_t i;

	if (journal_open(dir, NULL, &bed.j))
		_exit(1);
	atomic_store(number, bed.j->member);
	for (i = 0;; i++) {
		struct journal_receipt receipt;

		if (bed_put(&bed, NULL, i % 7 ? 300 : 100000, i,
			    i % 3 ? JOURNAL_PATH_AUTO : JOURNAL_PATH_SYNCED, &receipt) ||
		    (i % 8 && journal_retire(bed.j, receipt.id)))
			_exit(1);
	}
}

static void line_is_decided(const struct line *line)
{
	uint32_t word;

	for (word = 0; word < MARKER_LINE_WORDS; word++)
		assert_int_equal(atomic_load(&line->committed[word]) |
				 atomic_load(&line->claimed[word]), ~0ull);
}

static void has_nothing(struct journal *j, uint32_t who)
{
	uint32_t i;

	assert_int_equal(member_state_of(j, who - 1), MEMBER_FREE);
	assert_int_equal(j->members[who - 1].own.line, NO_LINE);
	for (i = 0; i < j->lane_count; i++)
		assert_int_not_equal(atomic_load(&j->lanes[i].s->lease), who);
	for (i = 0; i < HEADS; i++)
		assert_int_not_equal(atomic_load(&j->heads[i].s->lease), who);
	for (i = 0; i < CELLS; i++)
		assert_int_not_equal(atomic_load(&j->cells[i].hazard) >> 32, who);
	assert_int_not_equal(atomic_load(&j->shared->checkpointer), who);
	for (i = 0; i < j->shared->lines_used; i++)
		if (j->lines[i].owner == who && line_state_of(j->lines[i].use) == LINE_OPEN)
			line_is_decided(&j->lines[i]);
}

static void nothing_stays_with_the_dead(enum bed_medium medium)
{
	_Atomic uint32_t *number = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct journal_entry entry;
	struct bed bed;
	uint32_t i;
	pid_t pid;

	assert_true(number != MAP_FAILED);
	bed_make(&bed, medium, 48 << 20, 0);
	for (i = 0; i < 25; i++) {
		atomic_store(number, 0);
		pid = child_fork();
		if (!pid)
			works_until_killed(bed.dir, number);
		while (!atomic_load(number))
			usleep(100);
		usleep(1000 + i * 397 % 9000);
		assert_int_equal(kill(pid, SIGKILL), 0);
		child_ends(pid, SIGKILL);
		takeover_sweep(bed.j, 0);
		has_nothing(bed.j, atomic_load(number));
		while (!journal_next(bed.j, 0, &entry))
			assert_int_equal(journal_retire(bed.j, entry.id), 0);
	}
	bed_check(&bed, 0);
	bed_reopen(&bed);
	assert_int_equal(bed_info(&bed).live, 0);
	bed_remove(&bed);
	(void)munmap((void *)number, 4096);
}

static void looks_alive_to_others(const struct bed *bed, bool alive)
{
	pid_t pid = child_fork();
	uint32_t number = bed->j->member - 1;
	struct journal *j;

	if (!pid)
		_exit(journal_open(bed->dir, NULL, &j) || member_is_dead(j, number) == alive);
	child_ends(pid, 0);
}

/* The kernel drops a process's lock when it closes any descriptor of the file. */
static void another_handles_end_is_not_ours(enum bed_medium medium)
{
	struct journal *other;
	struct bed bed;
	int i;

	bed_make(&bed, medium, 0, 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(journal_open(bed.dir, NULL, &other), 0);
		takeover_sweep(bed.j, 0);
		takeover_sweep(other, 0);
		looks_alive_to_others(&bed, true);
		assert_int_equal(journal_close(other), 0);
		looks_alive_to_others(&bed, true);
	}
	bed_remove(&bed);
}

#define SHARED_MEDIA (1u << BED_FILE | 1u << BED_PMEM)

int main(void)
{
	static const struct bed_test tests[] = {
		{ "a_stopped_one_is_known", a_stopped_one_is_known, 1u << BED_FILE },
		{ "one who dies while it joins takes nothing along",
		  one_who_dies_while_it_joins_takes_nothing_along, SHARED_MEDIA },
		{ "a member's word never comes again", a_members_word_never_comes_again,
		  SHARED_MEDIA },
		{ "one more than there are numbers is told",
		  one_more_than_there_are_numbers_is_told, SHARED_MEDIA },
		{ "P7: a dead taker's dead are taken over", a_dead_takers_dead_are_taken_over,
		  SHARED_MEDIA },
		{ "P7: a line that moved on is not taken", a_line_that_moved_on_is_not_taken,
		  1u << BED_PMEM },
		{ "P7: a segment given back is another's", a_segment_given_back_is_another_s,
		  SHARED_MEDIA },
		{ "P7: nothing stays with the dead", nothing_stays_with_the_dead, SHARED_MEDIA },
		{ "another handle's end is not ours", another_handles_end_is_not_ours,
		  SHARED_MEDIA },
	};

	return bed_run(tests, ARRAY_COUNT(tests));
}
