/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process that is killed between the two legs of a mirrored log: what it had on its way
 * is on one of them.  Whoever takes over makes them alike before he vouches for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bed.h"
#include "lib/child.h"
#include "log/mirror.h"
#include "txn/journal_impl.h"
#include "txn/resize.h"

#define BYTES 9000u

static struct log_store_ops dies_ops, done_ops;
static const struct log_store_ops *under;
static _Atomic bool done;
static bool armed;

static int done_write(struct log_store *store, struct log_io *io, unsigned int count,
		      bool durable)
{
	int error = under->write(store, io, count, durable);

	atomic_store(&done, true);
	return error;
}

/* not before the other leg has it */
static int dies_write(struct log_store *store, struct log_io *io, unsigned int count,
		      bool durable)
{
	/* the header of a segment, if it needs one, is on both */
	if (!armed || io[0].bytes < BYTES) {
		atomic_store(&done, false);
		return under->write(store, io, count, durable);
	}
	while (!atomic_load(&done))
		(void)poll(NULL, 0, 1);
	(void)poll(NULL, 0, 20);
	(void)kill(getpid(), SIGKILL);
	return -EIO;
}

/* its write does not reach @leg */
static void put_and_die(const char *dir, unsigned int leg, uint64_t seed)
{
	struct journal_txn_options options = { .path = JOURNAL_PATH_SYNCED, .bytes = BYTES };
	uint8_t *payload = bed_payload(BYTES, seed);
	struct journal_txn *txn;
	struct journal *j;
	struct mirror *m;

	if (journal_open(dir, NULL, &j) || journal_begin(j, &options, &txn) ||
	    journal_append(txn, payload, BYTES))
		child_exit(1);
	m = mirror_of(j->logs[0]);
	under = m->leg[leg]->ops;
	dies_ops = done_ops = *under;
	dies_ops.write = dies_write;
	done_ops.write = done_write;
	m->leg[leg]->ops = &dies_ops;
	m->leg[!leg]->ops = &done_ops;
	armed = true;
	(void)journal_commit(txn, NULL);
	child_exit(2);
}

/* A child made before its parent has the journal open, which is a thread of his for the
 * second leg: ThreadSanitizer lets no child of two threads start one of its own.
 * Return: where to write the directory of the journal. */
static int child_waits(unsigned int leg, uint64_t seed, pid_t *pid)
{
	char dir[PATH_MAX];
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	*pid = child_fork();
	if (!*pid) {
		close(ends[1]);
		if (read(ends[0], dir, sizeof(dir)) != (ssize_t)sizeof(dir))
			child_exit(3);
		put_and_die(dir, leg, seed);
	}
	close(ends[0]);
	return ends[1];
}

static bool leg_has(struct bed *bed, unsigned int leg, uint64_t seed)
{
	uint8_t *payload = bed_payload(BYTES, seed), *all;
	char pattern[PATH_MAX + 8];
	struct stat st;
	glob_t found;
	bool has;
	int fd;

	(void)snprintf(pattern, sizeof(pattern), "%s/*", leg ? bed->mirrors[0] : bed->logs[0]);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
	globfree(&found);
	assert_int_equal(fstat(fd, &st), 0);
	all = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, all, (size_t)st.st_size), st.st_size);
	close(fd);
	has = memmem(all, (size_t)st.st_size, payload, BYTES);
	free(all);
	free(payload);
	return has;
}

static void p7_who_takes_over_makes_the_legs_alike(enum bed_medium medium)
{
	unsigned int leg, i;
	uint64_t before;
	struct bed bed;
	pid_t pids[2];
	int to[2];

	for (leg = 0; leg < 2; leg++)
		to[leg] = child_waits(leg, 500 + leg, &pids[leg]);
	bed_make_mirrored(&bed, medium);
	for (leg = 0; leg < 2; leg++) {
		before = bed_info(&bed).takeovers;
		assert_int_equal(write(to[leg], bed.dir, sizeof(bed.dir)), sizeof(bed.dir));
		close(to[leg]);
		child_ends(pids[leg], SIGKILL);
		assert_false(leg_has(&bed, leg, 500 + leg));
		assert_true(leg_has(&bed, !leg, 500 + leg));
		for (i = 0; i < 5000 && bed_info(&bed).takeovers == before; i++) {
			assert_int_equal(journal_maintain(bed.j, NULL, NULL), 0);
			(void)usleep(1000);
		}
		assert_int_equal(bed_info(&bed).takeovers, before + 1);
		/* nobody has read it meanwhile */
		assert_true(leg_has(&bed, leg, 500 + leg));
	}
	bed_close(&bed);
	bed_check(&bed, 0);
	bed_remove(&bed);
}

static void open_and_die(struct bed *bed, bool copier)
{
	struct journal *j;

	if (journal_open(bed->dir, NULL, &j))
		child_exit(1);
	if (copier) {
		atomic_store(&j->shared->resizer, j->member);
		atomic_store(&j->shared->resize_phase, RESIZE_MIRRORS);
	}
	(void)kill(getpid(), SIGKILL);
}

/* The leg is being copied to: who dies is counted, and a copier leaves it out of date. */
static void the_copier_is_told_of_the_dead(enum bed_medium medium)
{
	unsigned int copier, i;
	struct mirror *m;
	uint64_t before, word;
	struct bed bed;
	pid_t pid;

	bed_make_mirrored(&bed, medium);
	m = mirror_of(bed.j->logs[0]);
	for (copier = 0; copier < 2; copier++) {
		atomic_store(&m->legs->word, word_make(copier + 1, FILL_COPYING, 2, 2));
		before = bed_info(&bed).takeovers;
		pid = child_fork();
		if (!pid)
			open_and_die(&bed, copier);
		child_ends(pid, SIGKILL);
		for (i = 0; i < 5000 && bed_info(&bed).takeovers == before; i++) {
			assert_int_equal(journal_maintain(bed.j, NULL, NULL), 0);
			(void)usleep(1000);
		}
		word = mirror_word(m);
		assert_int_equal(word_out(word), 2);
		if (copier) {
			assert_int_equal(word_fill(word), FILL_NONE);
			assert_int_equal(bed.j->shared->resizer, 0);
			assert_int_equal(bed.j->shared->resize_phase, RESIZE_NONE);
		} else {
			assert_int_equal(word_fill(word), FILL_COPYING);
			assert_int_equal(word_dead(word), 1);
		}
	}
	bed_remove(&bed);
}

/* By whoever was the first to know. */
static void that_a_leg_was_left_is_told(enum bed_medium medium)
{
	struct pollfd told = { .events = POLLIN };
	struct journal_health health;
	struct bed bed, other;

	bed_make_mirrored(&bed, medium);
	other = bed;
	bed_open(&other, NULL);
	told.fd = journal_health_fd(bed.j);
	assert_int_equal(journal_health(bed.j, &health), 0);
	assert_int_equal(health.legs_out, 0);
	assert_int_equal(poll(&told, 1, 0), 0);
	log_store_fail(mirror_of(other.j->logs[0])->leg[1], -EIO);
	assert_int_equal(bed_put(&other, NULL, BYTES, 1, JOURNAL_PATH_SYNCED, NULL), 0);
	assert_int_equal(poll(&told, 1, 0), 1);
	assert_int_equal(journal_health(bed.j, &health), 0);
	assert_int_equal(health.legs_out, 1);
	assert_int_equal(poll(&told, 1, 0), 0);
	bed_close(&other);
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "p7_who_takes_over_makes_the_legs_alike", p7_who_takes_over_makes_the_legs_alike,
		  1u << BED_FILE | 1u << BED_PMEM },
		{ "that_a_leg_was_left_is_told", that_a_leg_was_left_is_told, 1u << BED_FILE },
		{ "the_copier_is_told_of_the_dead", the_copier_is_told_of_the_dead,
		  1u << BED_FILE },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
