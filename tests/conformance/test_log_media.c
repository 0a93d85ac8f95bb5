/* SPDX-License-Identifier: BSD-3-Clause */
/* serial */
/* The log store on real file systems and where the kernel forbids things. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <linux/magic.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/scratch.h"
#include "log/log.h"
#include "log/log_file.h"
#include "store/evidence_walk.h"

#define MIB  (1u << 20)
#define UNIT 4096u

struct place {
	struct scratch scratch;
	struct log_store *store;
	struct message message;
	char path[PATH_MAX];
};

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct place));
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	log_store_close(place->store);
	scratch_remove(&place->scratch);
	free(place);
	return 0;
}

static int open_log(struct place *place, const char *name, unsigned int flags, uint64_t bytes)
{
	scratch_path(&place->scratch, name, place->path);
	return log_file_open(place->path, flags, bytes, NULL, &place->store, &place->message);
}

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

/* write, flush, read, reopen: does this store work at all? */
static bool works(struct log_store *store)
{
	uint8_t *buffer = log_store_buffer(store);
	struct log_io io[2] = { { 0, buffer, UNIT, 0 },
				{ MIB - UNIT, buffer + UNIT, UNIT, 0 } };
	bool right;

	memset(buffer, 0x5a, 2 * UNIT);
	right = !log_store_write(store, io, 1, true) && !log_store_write(store, io, 2, true) &&
		!log_store_write(store, io, 2, false) && !log_store_flush(store);
	memset(buffer, 0, 2 * UNIT);
	right = right && !log_store_read(store, io, 2) && buffer[0] == 0x5a &&
		!memcmp(buffer, buffer + 1, 2 * UNIT - 1);
	log_store_buffer_done(store, buffer);
	return right;
}

/* ---- evidence ----------------------------------------------------------- */

/* A file system in a loop device over a file: what is below decides. */
static void follows_a_loop(void **state, const char *type, uint64_t bytes)
{
	struct place *place = *state;
	struct evidence below, found;
	char start[64];

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	if (scratch_mount(&place->scratch, type, bytes))
		skip();
	below = evidence_of(place->scratch.directory);
	if (open_log(place, "mnt/log", LOG_CREATE, MIB))
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
	assert_true(works(place->store));
}

static void ext4_on_a_loop_device(void **state)
{
	follows_a_loop(state, "ext4", 16 * MIB);
}

static void xfs_on_a_loop_device(void **state)
{
	follows_a_loop(state, "xfs", 320ull * MIB);
}

static void btrfs_on_a_loop_device(void **state)
{
	follows_a_loop(state, "btrfs", 256ull * MIB);
}

static void a_loop_over_tmpfs_is_memory(void **state)
{
	struct place *place = *state;

	if (!is_tmpfs("/dev/shm")) {
		printf("skip: loop over tmpfs: /dev/shm is none\n");
		skip();
	}
	assert_int_equal(scratch_make(&place->scratch, "/dev/shm"), 0);
	if (scratch_mount(&place->scratch, "ext4", 16 * MIB))
		skip();
	assert_int_equal(open_log(place, "mnt/log", LOG_CREATE, MIB), 0);
	assert_int_equal(place->store->class, JOURNAL_CLASS_PROCESS);
	assert_non_null(strstr(place->store->evidence, "tmpfs: held in memory"));
}

/* fsync then does not reach through the disk's cache */
static void without_barriers_power_is_not_promised(void **state)
{
	struct place *place = *state;
	struct evidence below;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	if (scratch_mount(&place->scratch, "ext4", 16 * MIB))
		skip();
	scratch_path(&place->scratch, "mnt", place->path);
	assert_int_equal(mount("none", place->path, "ext4", MS_REMOUNT, "nobarrier"), 0);
	below = evidence_of(place->scratch.directory);
	assert_int_equal(open_log(place, "mnt/log", LOG_CREATE, MIB), 0);
	assert_int_equal(place->store->class,
			 below.class > JOURNAL_CLASS_OS ? JOURNAL_CLASS_OS : below.class);
	assert_non_null(strstr(place->store->evidence, "mounted without barriers"));
}

/* ---- creation that fails ------------------------------------------------ */

static void a_full_disk_leaves_nothing_behind(void **state)
{
	struct place *place = *state;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	if (scratch_mount(&place->scratch, "ext4", 16 * MIB))
		skip();
	assert_int_equal(open_log(place, "mnt/log", LOG_CREATE, 64 * MIB), -ENOSPC);
	assert_non_null(strstr(place->message.text, place->path));
	assert_non_null(strstr(place->message.text, "No space left"));
	assert_int_equal(access(place->path, F_OK), -1);
	assert_int_equal(open_log(place, "mnt/log", LOG_CREATE, MIB), 0);
}

static void a_file_too_large_leaves_nothing_behind(void **state)
{
	struct place *place = *state;
	struct rlimit old, small;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){ MIB, old.rlim_max };
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(open_log(place, "log", LOG_CREATE, 4 * MIB), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_non_null(strstr(place->message.text, "File too large"));
	assert_int_equal(access(place->path, F_OK), -1);
}

static void a_mounted_device_is_not_overwritten(void **state)
{
	struct place *place = *state;
	struct evidence_mount mount;
	int fd;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	if (scratch_mount(&place->scratch, "ext4", 16 * MIB))
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
	struct place *place = *state;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(open_log(place, ".", LOG_CREATE | LOG_FORCE, MIB), -EINVAL);
	/* and a pipe is not waited for */
	assert_int_equal(mkfifo(scratch_path(&place->scratch, "pipe", place->path), 0600), 0);
	assert_int_equal(open_log(place, "pipe", 0, 0), -EINVAL);
	assert_non_null(strstr(place->message.text, "neither a file nor a block device"));
	assert_int_equal(close(creat(scratch_path(&place->scratch, "empty", place->path),
				     0600)), 0);
	assert_int_equal(open_log(place, "empty", 0, 0), -EUCLEAN);
	assert_int_equal(open_log(place, "no/where", LOG_CREATE, MIB), -ENOENT);
}

static void report(void *context, uint64_t done, uint64_t total)
{
	uint64_t *last = context;

	assert_true(done > *last && done <= total);
	*last = done;
}

static void filling_is_reported(void **state)
{
	struct place *place = *state;
	uint64_t last = 0;
	struct journal_progress progress = { report, &last };

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	scratch_path(&place->scratch, "log", place->path);
	assert_int_equal(log_file_open(place->path, LOG_CREATE, 20 * MIB + UNIT, &progress,
				       &place->store, NULL), 0);
	assert_int_equal(last, 20 * MIB + UNIT);
}

/* ---- io_uring forbidden ------------------------------------------------- */

static bool forbid(unsigned int call, int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

enum child_end { FELL_BACK, NO_SECCOMP, NOT_OPENED, WRONG_PATH, NOT_WORKING };

static enum child_end without_io_uring(struct place *place, int error, const char *name)
{
	bool right;

	if (!forbid(SYS_io_uring_setup, error))
		return NO_SECCOMP;
	if (open_log(place, "log", LOG_CREATE | LOG_FORCE, MIB))
		return NOT_OPENED;
	right = !strcmp(place->store->ops->backend, "pwrite") &&
		strstr(place->store->routine, name);
	if (!right)
		return WRONG_PATH;
	right = works(place->store);
	log_store_close(place->store);
	return right ? FELL_BACK : NOT_WORKING;
}

static void falls_back_where_io_uring_is_forbidden(void **state)
{
	static const struct {
		int error;
		const char *name;
	} refusals[] = { { EPERM, "EPERM" }, { ENOSYS, "ENOSYS" }, { EACCES, "EACCES" },
			 { ENOMEM, "ENOMEM" } };
	struct place *place = *state;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		pid_t child = fork();
		int status;

		if (!child)
			_exit(without_io_uring(place, refusals[i].error, refusals[i].name));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == NO_SECCOMP) {
			printf("skip: seccomp: filters cannot be installed here\n");
			skip();
		}
		assert_int_equal(WEXITSTATUS(status), FELL_BACK);
	}
}

/* ... and where it stops working later */
static enum child_end with_broken_ring(struct place *place, int error)
{
	if (open_log(place, "log", LOG_CREATE | LOG_FORCE, MIB))
		return NOT_OPENED;
	if (!forbid(SYS_io_uring_enter, error))
		return NO_SECCOMP;
	return works(place->store) ? FELL_BACK : NOT_WORKING;
}

static void a_ring_that_breaks_is_done_without(void **state)
{
	static const int errors[] = { EPERM, EAGAIN, EBADF };
	struct place *place = *state;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		pid_t child = fork();
		int status;

		if (!child)
			_exit(with_broken_ring(place, errors[i]));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == NO_SECCOMP) {
			printf("skip: seccomp: filters cannot be installed here\n");
			skip();
		}
		assert_int_equal(WEXITSTATUS(status), FELL_BACK);
	}
}

/* ---- no STATX_DIOALIGN, as before Linux 6.1 ------------------------------- */

static enum child_end without_dioalign(struct place *place)
{
	struct log_store *store;
	bool right;

	if (!forbid(SYS_statx, ENOSYS))
		return NO_SECCOMP;
	if (open_log(place, "log", LOG_CREATE | LOG_FORCE, MIB))
		return NOT_OPENED;
	store = place->store;
	right = store->block_bytes == 4096 && works(store);
	log_store_close(store);
	return right ? FELL_BACK : NOT_WORKING;
}

static void falls_back_where_the_alignment_is_not_told(void **state)
{
	struct place *place = *state;
	pid_t child;
	int status;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	child = fork();
	if (!child)
		_exit(without_dioalign(place));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_SECCOMP) {
		printf("skip: seccomp: filters cannot be installed here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), FELL_BACK);
}

/* ---- transfers that come back short ------------------------------------- */

/* two at a time, so that a ring is used where there is one */
static int both(struct place *place, bool write, int results[2])
{
	uint8_t *buffer = log_store_buffer(place->store);
	struct log_io io[2] = { { 0, buffer, UNIT, 0 },
				{ MIB, buffer, 16 * UNIT, 0 } };
	int error;

	memset(buffer, 1, LOG_BUFFER_BYTES);
	error = write ? log_store_write(place->store, io, 2, false)
		      : log_store_read(place->store, io, 2);
	results[0] = io[0].result;
	results[1] = io[1].result;
	log_store_buffer_done(place->store, buffer);
	return error;
}

static void a_short_read_is_an_error(void **state)
{
	struct place *place = *state;
	int results[2];

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(open_log(place, "log", LOG_CREATE | LOG_FORCE |
					  (i ? LOG_NO_URING : 0), 2 * MIB), 0);
		assert_int_equal(both(place, false, results), 0);
		assert_int_equal(truncate(place->path, MIB + 4 * UNIT), 0);
		assert_int_equal(both(place, false, results), -EIO);
		assert_int_equal(results[0], 0);
		assert_int_equal(results[1], -EIO);
		assert_int_equal(place->store->failed, 0);
		log_store_close(place->store);
		place->store = NULL;
	}
}

static void a_short_write_goes_on_until_it_fails(void **state)
{
	struct place *place = *state;
	struct rlimit old, small;
	int results[2];

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(open_log(place, "log", LOG_CREATE | LOG_FORCE |
					  (i ? LOG_NO_URING : 0), 2 * MIB), 0);
		/* the kernel writes up to the limit, and says so */
		small = (struct rlimit){ MIB + 4 * UNIT, old.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		assert_int_equal(both(place, true, results), -EFBIG);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(results[0], 0);
		assert_int_equal(results[1], -EFBIG);
		assert_int_equal(both(place, true, results), -EFBIG); /* sticky */
		assert_int_equal(both(place, false, results), 0);
		log_store_close(place->store);
		place->store = NULL;
	}
}

static void the_pwrite_path_may_be_asked_for(void **state)
{
	struct place *place = *state;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(open_log(place, "log", LOG_CREATE | LOG_NO_URING, MIB), 0);
	assert_string_equal(place->store->ops->backend, "pwrite");
	assert_true(works(place->store));
	assert_int_equal(place->store->counters.async, 0);
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
	struct place *place = *state;
	struct evidence evidence = ideal;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(open_log(place, "log", LOG_CREATE, 4 * MIB), 0);
	if (!sync_free(place->path, 4 * MIB, &ideal)) {
		printf("skip: P12: this file system does not show settled extents\n");
		skip();
	}
	evidence.no_volatile_cache = false;
	assert_false(sync_free(place->path, 4 * MIB, &evidence));
	evidence = ideal;
	evidence.overwrites_in_place = false;
	assert_false(sync_free(place->path, 4 * MIB, &evidence));
	/* around the page cache, or not at all */
	assert_false(log_sync_free(((struct log_file *)place->store)->fd, 4 * MIB, false, false,
				   &ideal));
}

static void P12_needs_written_extents(void **state)
{
	struct place *place = *state;
	int fd;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(open_log(place, "log", LOG_CREATE, 4 * MIB), 0);
	if (!sync_free(place->path, 4 * MIB, &ideal)) {
		printf("skip: P12: this file system does not show settled extents\n");
		skip();
	}
	fd = open(place->path, O_RDWR | O_CLOEXEC);
	/* allocated, not written */
	assert_int_equal(fallocate(fd, 0, 4 * MIB, MIB), 0);
	assert_false(sync_free(place->path, 5 * MIB, &ideal));
	assert_true(sync_free(place->path, 4 * MIB, &ideal));
	/* a hole in the middle, and one at the end */
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * MIB,
				   MIB), 0);
	assert_false(sync_free(place->path, 4 * MIB, &ideal));
	assert_true(sync_free(place->path, 2 * MIB, &ideal));
	assert_false(sync_free(place->path, 2 * MIB + UNIT, &ideal));
	assert_int_equal(close(fd), 0);
}

static void P12_needs_unshared_extents(void **state)
{
	struct place *place = *state;
	char copy[PATH_MAX];
	int from, to;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	if (scratch_mount(&place->scratch, "xfs", 320ull * MIB))
		skip();
	assert_int_equal(open_log(place, "mnt/log", LOG_CREATE, 4 * MIB), 0);
	assert_true(sync_free(place->path, 4 * MIB, &ideal));
	from = open(place->path, O_RDONLY | O_CLOEXEC);
	to = open(scratch_path(&place->scratch, "mnt/copy", copy), O_RDWR | O_CREAT | O_CLOEXEC,
		  0600);
	assert_true(from >= 0 && to >= 0);
	assert_int_equal(ioctl(to, FICLONE, from), 0);
	assert_false(sync_free(place->path, 4 * MIB, &ideal));
	assert_int_equal(close(from), 0);
	assert_int_equal(close(to), 0);
}

static void P12_without_sync_no_sync_is_sent(void **state)
{
	struct place *place = *state;
	struct log_counters *counters;

	assert_int_equal(scratch_make(&place->scratch, NULL), 0);
	assert_int_equal(open_log(place, "log", LOG_CREATE, MIB), 0);
	/* as if the disk were a better one */
	((struct log_file *)place->store)->sync_free = true;
	counters = &place->store->counters;
	assert_true(works(place->store));
	assert_int_equal(counters->unsynced, 3); /* the durable ones */
	assert_int_equal(counters->dsyncs, 0);
	assert_int_equal(counters->flushes, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ext4_on_a_loop_device),
		TEST(xfs_on_a_loop_device),
		TEST(btrfs_on_a_loop_device),
		TEST(a_loop_over_tmpfs_is_memory),
		TEST(without_barriers_power_is_not_promised),
		TEST(a_full_disk_leaves_nothing_behind),
		TEST(a_file_too_large_leaves_nothing_behind),
		TEST(a_mounted_device_is_not_overwritten),
		TEST(only_files_and_block_devices),
		TEST(filling_is_reported),
		TEST(falls_back_where_io_uring_is_forbidden),
		TEST(a_ring_that_breaks_is_done_without),
		TEST(falls_back_where_the_alignment_is_not_told),
		TEST(a_short_read_is_an_error),
		TEST(a_short_write_goes_on_until_it_fails),
		TEST(the_pwrite_path_may_be_asked_for),
		TEST(P12_needs_all_of_the_evidence),
		TEST(P12_needs_written_extents),
		TEST(P12_needs_unshared_extents),
		TEST(P12_without_sync_no_sync_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
