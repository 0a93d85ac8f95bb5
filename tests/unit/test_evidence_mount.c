/* SPDX-License-Identifier: BSD-3-Clause */
/* What a mount's options, and what cannot be found out about it, take from a file's class. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/evidence_walk.h"

/* the file system, how it is mounted, and the disk below */
static struct {
	long magic;
	const char *source, *options; /* @options: NULL, the mount cannot be read */
	int error;
	mode_t source_mode;
	bool volatile_cache;
	unsigned int walked, walked_btrfs;
} given;

int __wrap_evidence_mount_read(int fd, struct evidence_mount *mount);
void __wrap_evidence_walk_device(struct evidence_walk *walk, dev_t device);
void __wrap_evidence_walk_btrfs(struct evidence_walk *walk, dev_t device);
int __real_fstatfs(int fd, struct statfs *fs);
int __wrap_fstatfs(int fd, struct statfs *fs);
int __real_stat(const char *path, struct stat *status);
int __wrap_stat(const char *path, struct stat *status);

int __wrap_evidence_mount_read(int fd, struct evidence_mount *mount)
{
	(void)fd;
	if (!given.options)
		return given.error;
	(void)snprintf(mount->type, sizeof(mount->type), "some");
	(void)snprintf(mount->source, sizeof(mount->source), "%s", given.source);
	(void)snprintf(mount->options, sizeof(mount->options), "%s", given.options);
	return 0;
}

void __wrap_evidence_walk_device(struct evidence_walk *walk, dev_t device)
{
	(void)device;
	given.walked++;
	walk->found->no_volatile_cache &= !given.volatile_cache;
}

void __wrap_evidence_walk_btrfs(struct evidence_walk *walk, dev_t device)
{
	assert_int_equal(device, 77);
	given.walked_btrfs++;
	walk->found->no_volatile_cache &= !given.volatile_cache;
}

int __wrap_fstatfs(int fd, struct statfs *fs)
{
	int error;

	if (!given.magic) {
		errno = EIO;
		return -1;
	}
	error = __real_fstatfs(fd, fs);
	fs->f_type = given.magic;
	return error;
}

int __wrap_stat(const char *path, struct stat *status)
{
	if (!given.source || strcmp(path, given.source) != 0)
		return __real_stat(path, status);
	if (!given.source_mode) {
		errno = ENOENT;
		return -1;
	}
	*status = (struct stat){ .st_mode = given.source_mode, .st_rdev = 77 };
	return 0;
}

static struct evidence read_it(int wanted)
{
	struct evidence found;
	FILE *file = tmpfile();

	assert_non_null(file);
	given.walked = given.walked_btrfs = 0;
	assert_int_equal(evidence_read(fileno(file), &found), wanted);
	(void)fclose(file);
	return found;
}

static void set(long magic, const char *options, bool volatile_cache)
{
	given.magic = magic;
	given.source = "/dev/some";
	given.options = options;
	given.error = 0;
	given.source_mode = S_IFBLK;
	given.volatile_cache = volatile_cache;
}

static void plain(void **state)
{
	struct evidence found;

	(void)state;
	set(EXT4_SUPER_MAGIC, "rw,relatime", false);
	found = read_it(0);
	assert_int_equal(found.class, JOURNAL_CLASS_POWER);
	assert_true(found.no_volatile_cache);
	assert_true(found.overwrites_in_place);
	assert_int_equal(given.walked, 1);
	given.volatile_cache = true;
	found = read_it(0);
	assert_int_equal(found.class, JOURNAL_CLASS_POWER);
	assert_false(found.no_volatile_cache);
	given.options = "rw,data=journal";
	assert_false(read_it(0).overwrites_in_place);
}

/* what is flushed is so only as far as the kernel tells the disk */
static void without_barriers(void **state)
{
	static const char *const options[] = {
		"rw,nobarrier", "rw,barrier=0,data=ordered", "fsync_mode=nobarrier",
	};
	struct evidence found;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		set(EXT4_SUPER_MAGIC, options[i], true);
		found = read_it(0);
		assert_int_equal(found.class, JOURNAL_CLASS_OS);
		assert_non_null(strstr(found.text, "without barriers"));
		/* a disk without a cache needs no flush */
		given.volatile_cache = false;
		assert_int_equal(read_it(0).class, JOURNAL_CLASS_POWER);
	}
}

/* the disk that was looked at may be another one than where the data is */
static void on_two_devices(void **state)
{
	static const char *const options[] = { "rtdev=/dev/a", "rw,logdev=/dev/b",
					       "journal_path=/dev/c" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		set(XFS_SUPER_MAGIC, options[i], false);
		assert_false(read_it(0).no_volatile_cache);
	}
}

static void a_mount_that_cannot_be_read(void **state)
{
	static const int limits[] = { -EMFILE, -ENFILE, -ENOMEM };
	struct evidence found;
	size_t i;

	(void)state;
	set(EXT4_SUPER_MAGIC, NULL, false);
	given.error = -ENOENT;
	found = read_it(0);
	assert_false(found.no_volatile_cache);
	assert_false(found.overwrites_in_place);
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		given.error = limits[i];
		(void)read_it(limits[i]);
	}
	given.magic = 0;
	(void)read_it(-EIO);
}

static void btrfs_is_where_its_source_is(void **state)
{
	struct evidence found;

	(void)state;
	set(BTRFS_SUPER_MAGIC, "rw", false);
	found = read_it(0);
	assert_int_equal(found.class, JOURNAL_CLASS_POWER);
	assert_false(found.overwrites_in_place);
	assert_int_equal(given.walked_btrfs, 1);
	assert_int_equal(given.walked, 0);
	/* it is none, or a file by now */
	given.source_mode = 0;
	found = read_it(0);
	assert_int_equal(found.class, JOURNAL_CLASS_PROCESS);
	assert_non_null(strstr(found.text, "(/dev/some)"));
	given.source_mode = S_IFREG;
	assert_int_equal(read_it(0).class, JOURNAL_CLASS_PROCESS);
	assert_int_equal(given.walked_btrfs, 0);
	given.options = NULL;
	given.error = -ENOENT;
	found = read_it(0);
	assert_int_equal(found.class, JOURNAL_CLASS_PROCESS);
	assert_non_null(strstr(found.text, "(no mountinfo)"));
}

static void why_there_is_none(void **state)
{
	struct message message;

	(void)state;
	assert_int_equal(evidence_none("x", -EMFILE, &message), -EMFILE);
	assert_non_null(strstr(message.text, "a limit of this process"));
	assert_int_equal(evidence_none("x", -EIO, &message), -EIO);
	assert_null(strstr(message.text, "limit"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(without_barriers),
		cmocka_unit_test(on_two_devices),
		cmocka_unit_test(a_mount_that_cannot_be_read),
		cmocka_unit_test(btrfs_is_where_its_source_is),
		cmocka_unit_test(why_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
