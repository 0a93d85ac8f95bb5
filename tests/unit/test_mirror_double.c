/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recovery finds what is on one leg only, cannot write it to the other, and cannot say on
 * the first one that this is alone: both count, and are not alike, so nobody is served.
 * backend_open_log() is replaced at link time.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
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

#include "format/leg.h"
#include "lib/bed.h"
#include "lib/child.h"
#include "txn/journal_impl.h"

#define BYTES 9000u

int __real_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message);
int __wrap_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message);

/* what is refused to them: all to the second, its head to the first */
static bool refuses_second, refuses_heads;
static unsigned int refused;
static char second[PATH_MAX];
static struct log_store_ops ops[2];
static const struct log_store_ops *under[2];

static int write_of(unsigned int leg, struct log_store *store, struct log_io *io,
		    unsigned int count, bool durable)
{
	bool refuse = leg ? refuses_second : refuses_heads && io->offset < LEG_HEAD_BYTES;
	unsigned int i;

	if (!refuse)
		return under[leg]->write(store, io, count, durable);
	refused++;
	for (i = 0; i < count; i++)
		io[i].result = -EIO;
	return -EIO;
}

static int first_write(struct log_store *store, struct log_io *io, unsigned int count,
		       bool durable)
{
	return write_of(0, store, io, count, durable);
}

static int second_write(struct log_store *store, struct log_io *io, unsigned int count,
			bool durable)
{
	return write_of(1, store, io, count, durable);
}

int __wrap_backend_open_log(const char *path, unsigned int flags, uint64_t bytes,
			    const struct journal_progress *progress, struct log_store **store,
			    struct message *message)
{
	int error = __real_backend_open_log(path, flags, bytes, progress, store, message);
	unsigned int leg = second[0] && strstr(path, second);

	if (error)
		return error;
	under[leg] = (*store)->ops;
	ops[leg] = *under[leg];
	ops[leg].write = leg ? second_write : first_write;
	(*store)->ops = &ops[leg];
	return 0;
}

/* in a child that is killed: it is durable on both */
static void put_and_die(struct bed *bed, uint64_t seed)
{
	if (journal_open(bed->dir, NULL, &bed->j) ||
	    bed_put(bed, NULL, BYTES, seed, JOURNAL_PATH_SYNCED, NULL))
		child_exit(1);
	(void)kill(getpid(), SIGKILL);
	child_exit(2);
}

static int leg_open(const char *directory)
{
	char pattern[PATH_MAX + 8];
	glob_t found;
	int fd;

	(void)snprintf(pattern, sizeof(pattern), "%s/*", directory);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	fd = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	globfree(&found);
	return fd;
}

static const uint8_t zeros[BYTES];

/* Return: whether it is there; with @spoil it is not any more */
static bool leg_has(const char *directory, uint64_t seed, bool spoil)
{
	uint8_t *payload = bed_payload(BYTES, seed), *all, *at;
	int fd = leg_open(directory);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	all = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, all, (size_t)st.st_size), st.st_size);
	at = memmem(all, (size_t)st.st_size, payload, BYTES);
	if (at && spoil)
		assert_int_equal(pwrite(fd, zeros, BYTES, at - all), BYTES);
	close(fd);
	free(all);
	free(payload);
	return at;
}

static void on_one_leg(struct bed *bed, enum bed_medium medium)
{
	pid_t pid;

	second[0] = '\0';
	refuses_second = refuses_heads = false;
	bed_make_mirrored(bed, medium);
	bed_close(bed);
	(void)snprintf(second, sizeof(second), "%s", bed->mirrors[0]);
	pid = child_fork();
	if (!pid)
		put_and_die(bed, 5);
	child_ends(pid, SIGKILL);
	assert_true(leg_has(bed->logs[0], 5, false));
	assert_true(leg_has(bed->mirrors[0], 5, true));
	refused = 0;
}

static void must_not_open(struct bed *bed)
{
	struct journal *j = NULL;

	refuses_second = refuses_heads = true;
	assert_int_equal(journal_open(bed->dir, NULL, &j), -EIO);
	assert_non_null(strstr(journal_error(j), "what is on one leg only"));
	assert_true(refused > 1);
	journal_close(j);
	refuses_second = refuses_heads = false;
	/* nothing was lost by it */
	bed_open(bed, NULL);
	assert_int_equal(bed_info(bed).live, 1);
}

static void nobody_is_served(enum bed_medium medium)
{
	struct bed bed;

	on_one_leg(&bed, medium);
	must_not_open(&bed);
	assert_true(leg_has(bed.mirrors[0], 5, false));
	bed_remove(&bed);
}

/* The same with nothing else to be written: after a close that was clean. */
static void nor_of_a_superblock(enum bed_medium medium)
{
	struct bed bed;
	int fd;

	second[0] = '\0';
	refuses_second = refuses_heads = false;
	bed_make_mirrored(&bed, medium);
	assert_int_equal(bed_put(&bed, NULL, BYTES, 5, JOURNAL_PATH_SYNCED, NULL), 0);
	bed_close(&bed);
	(void)snprintf(second, sizeof(second), "%s", bed.mirrors[0]);
	fd = leg_open(bed.mirrors[0]);
	assert_int_equal(pwrite(fd, zeros, LOG_SUPER_BYTES, LEG_HEAD_BYTES), LOG_SUPER_BYTES);
	close(fd);
	refused = 0;
	must_not_open(&bed);
	bed_remove(&bed);
}

/* That one is alone is said: then it is served from there. */
static void one_is_left(enum bed_medium medium)
{
	struct journal_leg legs[JOURNAL_LEGS];
	struct bed bed;

	on_one_leg(&bed, medium);
	refuses_second = true;
	bed_open(&bed, NULL);
	refuses_second = false;
	assert_true(refused);
	assert_int_equal(bed_info(&bed).live, 1);
	assert_int_equal(journal_legs(bed.j, 0, legs), 0);
	assert_int_equal(legs[0].state, JOURNAL_LEG_GOOD);
	assert_int_equal(legs[1].state, JOURNAL_LEG_OUT);
	bed_reopen(&bed);
	assert_int_equal(bed_info(&bed).live, 1);
	assert_false(leg_has(bed.mirrors[0], 5, false));
	bed_remove(&bed);
}

int main(void)
{
	static const struct bed_test tests[] = {
		{ "nobody_is_served", nobody_is_served, 1u << BED_FILE | 1u << BED_PMEM },
		{ "nor_of_a_superblock", nor_of_a_superblock, 1u << BED_FILE | 1u << BED_PMEM },
		{ "one_is_left", one_is_left, 1u << BED_FILE | 1u << BED_PMEM },
	};

	return bed_run(tests, sizeof(tests) / sizeof(tests[0]));
}
