/* SPDX-License-Identifier: BSD-3-Clause */
/* serial */
/* The log store on real file systems. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/log_place.h"
#include "log/log_file.h"
#include "store/evidence_walk.h"

static struct evidence evidence_of(const char *path)
{
	struct evidence evidence;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(evidence_read(fd, &evidence), 0);
	assert_int_equal(close(fd), 0);
	return evidence;
}

static bool is_tmpfs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == TMPFS_MAGIC;
}

/* ---- evidence ----------------------------------------------------------- */

/* A file system in a loop device over a file: what is below decides. */
static void follows_a_loop(void **state, const char *type, uint64_t bytes)
{
	struct log_place *place = *state;
	struct evidence below, found;
	char start[64];

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	if (scratch_mount(&place->scratch, type, bytes))
		skip();
	below = evidence_of(place->scratch.directory);
	if (log_place_open(place, "mnt/log", LOG_CREATE, PLACE_MIB))
		fail_msg("%s", place->message.text);
	found = evidence_of(place->path);
	(void)snprintf(start, sizeof(start), "%s on loop", type);
	assert_int_equal(strncmp(found.text, start, strlen(start)), 0);
	assert_non_null(strstr(found.text, below.text));
	assert_int_equal(found.class, below.class);
	/* whatever the disk below may be: a loop device proves nothing */
	assert_false(found.no_volatile_cache);
	assert_string_equal(place->store->evidence, found.text);
	assert_int_equal(place->store->class, found.class);
	assert_int_equal(strncmp(place->store->routine, "dsync", 5), 0);
	assert_true(log_place_works(place->store));
}

static void ext4_on_a_loop_device(void **state)
{
	follows_a_loop(state, "ext4", 16 * PLACE_MIB);
}

static void xfs_on_a_loop_device(void **state)
{
	follows_a_loop(state, "xfs", 320ull * PLACE_MIB);
}

static void btrfs_on_a_loop_device(void **state)
{
	follows_a_loop(state, "btrfs", 256ull * PLACE_MIB);
}

static void a_loop_over_tmpfs_is_memory(void **state)
{
	struct log_place *place = *state;

	if (!is_tmpfs("/dev/shm")) {
		printf("skip: loop over tmpfs: /dev/shm is none\n");
		skip();
	}
	assert_int_equal(scratch_make(&place->scratch, "/dev/shm"), 0);
	if (scratch_mount(&place->scratch, "ext4", 16 * PLACE_MIB))
		skip();
	assert_int_equal(log_place_open(place, "mnt/log", LOG_CREATE, PLACE_MIB), 0);
	assert_int_equal(place->store->class, JOURNAL_CLASS_PROCESS);
	assert_non_null(strstr(place->store->evidence, "tmpfs: held in memory"));
}

/* fsync then does not reach through the disk's cache */
static void without_barriers_power_is_not_promised(void **state)
{
	struct log_place *place = *state;
	struct evidence below;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	if (scratch_mount(&place->scratch, "ext4", 16 * PLACE_MIB))
		skip();
	scratch_path(&place->scratch, "mnt", place->path);
	assert_int_equal(mount("none", place->path, "ext4", MS_REMOUNT, "nobarrier"), 0);
	below = evidence_of(place->scratch.directory);
	assert_int_equal(log_place_open(place, "mnt/log", LOG_CREATE, PLACE_MIB), 0);
	assert_int_equal(place->store->class,
			 below.class > JOURNAL_CLASS_OS ? JOURNAL_CLASS_OS : below.class);
	assert_non_null(strstr(place->store->evidence, "mounted without barriers"));
}

/* ---- creation that fails ------------------------------------------------ */

static void a_full_disk_leaves_nothing_behind(void **state)
{
	struct log_place *place = *state;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	if (scratch_mount(&place->scratch, "ext4", 16 * PLACE_MIB))
		skip();
	assert_int_equal(log_place_open(place, "mnt/log", LOG_CREATE, 64 * PLACE_MIB), -ENOSPC);
	assert_non_null(strstr(place->message.text, place->path));
	assert_non_null(strstr(place->message.text, "No space left"));
	assert_int_equal(access(place->path, F_OK), -1);
	assert_int_equal(log_place_open(place, "mnt/log", LOG_CREATE, PLACE_MIB), 0);
}

static void a_file_too_large_leaves_nothing_behind(void **state)
{
	struct log_place *place = *state;
	struct rlimit old, small;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ PLACE_MIB, old.rlim_max };
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(log_place_open(place, "log", LOG_CREATE, 4 * PLACE_MIB), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_non_null(strstr(place->message.text, "File too large"));
	assert_int_equal(access(place->path, F_OK), -1);
}

static void a_mounted_device_is_not_overwritten(void **state)
{
	struct log_place *place = *state;
	struct evidence_mount mount;
	int fd;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	if (scratch_mount(&place->scratch, "ext4", 16 * PLACE_MIB))
		skip();
	fd = open(scratch_path(&place->scratch, "mnt", place->path), O_RDONLY | O_CLOEXEC);
	assert_int_equal(evidence_mount_read(fd, &mount), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(log_file_open(mount.source, LOG_CREATE | LOG_FORCE, 0, NULL,
				       &place->store, &place->message), -EBUSY);
	assert_non_null(strstr(place->message.text, mount.source));
}

static void only_files_and_block_devices(void **state)
{
	struct log_place *place = *state;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(log_place_open(place, ".", LOG_CREATE | LOG_FORCE, PLACE_MIB), -EINVAL);
	/* and a pipe is not waited for */
	assert_int_equal(mkfifo(scratch_path(&place->scratch, "pipe", place->path), 0600), 0);
	assert_int_equal(log_place_open(place, "pipe", 0, 0), -EINVAL);
	assert_non_null(strstr(place->message.text, "neither a file nor a block device"));
	assert_int_equal(close(creat(scratch_path(&place->scratch, "empty", place->path),
				     0600)), 0);
	assert_int_equal(log_place_open(place, "empty", 0, 0), -EUCLEAN);
	assert_int_equal(log_place_open(place, "no/where", LOG_CREATE, PLACE_MIB), -ENOENT);
}

static void report(void *context, uint64_t done, uint64_t total)
{
	uint64_t *last = context;

	assert_true(done > *last && done <= total);
	*last = done;
}

static void filling_is_reported(void **state)
{
	struct log_place *place = *state;
	uint64_t last = 0;
	struct journal_progress progress = { report, &last };

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	scratch_path(&place->scratch, "log", place->path);
	assert_int_equal(log_file_open(place->path, LOG_CREATE, 20 * PLACE_MIB + PLACE_UNIT,
				       &progress, &place->store, NULL), 0);
	assert_int_equal(last, 20 * PLACE_MIB + PLACE_UNIT);
}

/* ---- P12 ---------------------------------------------------------------- */

static const struct evidence ideal = {
	.class = JOURNAL_CLASS_POWER,
	.no_volatile_cache = true,
	.overwrites_in_place = true,
};

/* May sync be left out over the first @bytes of the file? */
static bool sync_free(const char *path, uint64_t bytes, const struct evidence *evidence)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool is = log_sync_free(fd, bytes, true, false, evidence);

	assert_true(fd >= 0 && !close(fd));
	return is;
}

static void P12_needs_all_of_the_evidence(void **state)
{
	struct log_place *place = *state;
	struct evidence evidence = ideal;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(log_place_open(place, "log", LOG_CREATE, 4 * PLACE_MIB), 0);
	if (!sync_free(place->path, 4 * PLACE_MIB, &ideal)) {
		printf("skip: P12: this file system does not show settled extents\n");
		skip();
	}
	evidence.no_volatile_cache = false;
	assert_false(sync_free(place->path, 4 * PLACE_MIB, &evidence));
	evidence = ideal;
	evidence.overwrites_in_place = false;
	assert_false(sync_free(place->path, 4 * PLACE_MIB, &evidence));
	/* around the page cache, or not at all */
	assert_false(log_sync_free(((struct log_file *)place->store)->fd, 4 * PLACE_MIB, false,
				   false, &ideal));
}

static void P12_needs_written_extents(void **state)
{
	struct log_place *place = *state;
	int fd;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(log_place_open(place, "log", LOG_CREATE, 4 * PLACE_MIB), 0);
	if (!sync_free(place->path, 4 * PLACE_MIB, &ideal)) {
		printf("skip: P12: this file system does not show settled extents\n");
		skip();
	}
	fd = open(place->path, O_RDWR | O_CLOEXEC);
	/* allocated, not written */
	assert_int_equal(fallocate(fd, 0, 4 * PLACE_MIB, PLACE_MIB), 0);
	assert_false(sync_free(place->path, 5 * PLACE_MIB, &ideal));
	assert_true(sync_free(place->path, 4 * PLACE_MIB, &ideal));
	/* a hole in the middle, and one at the end */
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PLACE_MIB,
				   PLACE_MIB), 0);
	assert_false(sync_free(place->path, 4 * PLACE_MIB, &ideal));
	assert_true(sync_free(place->path, 2 * PLACE_MIB, &ideal));
	assert_false(sync_free(place->path, 2 * PLACE_MIB + PLACE_UNIT, &ideal));
	assert_int_equal(close(fd), 0);
}

static void P12_needs_unshared_extents(void **state)
{
	struct log_place *place = *state;
	char copy[PATH_MAX];
	int from, to;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	if (scratch_mount(&place->scratch, "xfs", 320ull * PLACE_MIB))
		skip();
	assert_int_equal(log_place_open(place, "mnt/log", LOG_CREATE, 4 * PLACE_MIB), 0);
	assert_true(sync_free(place->path, 4 * PLACE_MIB, &ideal));
	from = open(place->path, O_RDONLY | O_CLOEXEC);
	to = open(scratch_path(&place->scratch, "mnt/copy", copy), O_RDWR | O_CREAT | O_CLOEXEC,
		  0600);
	assert_true(from >= 0 && to >= 0);
	assert_int_equal(ioctl(to, FICLONE, from), 0);
	assert_false(sync_free(place->path, 4 * PLACE_MIB, &ideal));
	assert_int_equal(close(from), 0);
	assert_int_equal(close(to), 0);
}

static void P12_without_sync_no_sync_is_sent(void **state)
{
	struct log_place *place = *state;
	struct log_counters *counters;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(log_place_open(place, "log", LOG_CREATE, PLACE_MIB), 0);
	/* as if the disk were a better one */
	((struct log_file *)place->store)->sync_free = true;
	counters = &place->store->counters;
	assert_true(log_place_works(place->store));
	assert_int_equal(counters->unsynced, 3); /* the durable ones */
	assert_int_equal(counters->dsyncs, 0);
	assert_int_equal(counters->flushes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE_TEST(ext4_on_a_loop_device),
		PLACE_TEST(xfs_on_a_loop_device),
		PLACE_TEST(btrfs_on_a_loop_device),
		PLACE_TEST(a_loop_over_tmpfs_is_memory),
		PLACE_TEST(without_barriers_power_is_not_promised),
		PLACE_TEST(a_full_disk_leaves_nothing_behind),
		PLACE_TEST(a_file_too_large_leaves_nothing_behind),
		PLACE_TEST(a_mounted_device_is_not_overwritten),
		PLACE_TEST(only_files_and_block_devices),
		PLACE_TEST(filling_is_reported),
		PLACE_TEST(P12_needs_all_of_the_evidence),
		PLACE_TEST(P12_needs_written_extents),
		PLACE_TEST(P12_needs_unshared_extents),
		PLACE_TEST(P12_without_sync_no_sync_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
