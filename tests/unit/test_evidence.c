/* SPDX-License-Identifier: BSD-3-Clause */
/* What is concluded from which evidence, on a sysfs of our own making. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/scratch.h"
#include "store/evidence_walk.h"

static struct scratch scratch;

/* ---- a sysfs ------------------------------------------------------------ */

static void put(const char *path, const char *text)
{
	scratch_put(&scratch, path, text);
}

static void point(const char *path, const char *target)
{
	scratch_point(&scratch, path, target);
}

static void disk(const char *name, const char *number, const char *cache, const char *fua,
		 const char *sector)
{
	char path[128], home[64];

	(void)snprintf(home, sizeof(home), "devices/%s", name);
	(void)snprintf(path, sizeof(path), "%s/queue/write_cache", home);
	put(path, cache);
	(void)snprintf(path, sizeof(path), "%s/queue/fua", home);
	put(path, fua);
	(void)snprintf(path, sizeof(path), "%s/queue/physical_block_size", home);
	put(path, sector);
	(void)snprintf(path, sizeof(path), "%s/device/model", home);
	put(path, "a disk\n");
	(void)snprintf(path, sizeof(path), "dev/block/%s", number);
	point(path, home);
}

static int make_sysfs(void **state)
{
	(void)state;
	assert_int_equal(scratch_make(&scratch, NULL), 0);
	disk("back", "8:0", "write back\n", "0\n", "4096\n");
	disk("fua", "8:16", "write back\n", "1\n", "512\n");
	disk("through", "8:32", "write through\n", "0\n", "512\n");
	disk("vdx", "8:48", "write back\n", "0\n", "512\n");
	put("drivers/virtio_blk/x", "");
	point("devices/vdx/device/driver", "drivers/virtio_blk");
	/* a partition has no queue of its own */
	put("devices/through/through2/partition", "2\n");
	point("dev/block/8:34", "devices/through/through2");
	/* RAM with a queue, nothing behind it */
	put("devices/zram9/queue/write_cache", "write through\n");
	point("dev/block/253:9", "devices/zram9");
	/* a disk of a kernel that does not tell */
	put("devices/mute/device/model", "x\n");
	point("dev/block/8:64", "devices/mute");
	/* dm over a partition; md over dm and a disk */
	put("devices/dm-3/dm/name", "vg-mail\n");
	put("devices/dm-3/queue/write_cache", "write through\n");
	point("devices/dm-3/slaves/through2", "devices/through/through2");
	point("dev/block/252:3", "devices/dm-3");
	put("devices/md0/queue/write_cache", "write back\n");
	point("devices/md0/slaves/back", "devices/back");
	point("devices/md0/slaves/dm-3", "devices/dm-3");
	point("dev/block/9:0", "devices/md0");
	/* one whose slave is itself */
	put("devices/ring/queue/write_cache", "write back\n");
	point("devices/ring/slaves/ring", "devices/ring");
	point("dev/block/9:9", "devices/ring");
	/* two btrfs: one of two disks, one over zram too */
	point("fs/btrfs/aaaa/devices/back", "devices/back");
	point("fs/btrfs/aaaa/devices/fua", "devices/fua");
	point("fs/btrfs/bbbb/devices/vdx", "devices/vdx");
	point("fs/btrfs/bbbb/devices/zram9", "devices/zram9");
	put("fs/btrfs/features/x", "1\n");
	return 0;
}

static int remove_sysfs(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

static struct evidence walk(void (*how)(struct evidence_walk *, dev_t), unsigned int major,
			    unsigned int minor)
{
	struct evidence found = { .class = JOURNAL_CLASS_POWER,
				  .no_volatile_cache = true,
				  .overwrites_in_place = true };
	struct evidence_walk walk = { .found = &found, .sysfs = scratch.directory };

	how(&walk, makedev(major, minor));
	return found;
}

static void check(struct evidence found, enum journal_class class, bool no_cache, bool in_place,
		  unsigned int sector, const char *text)
{
	assert_string_equal(found.text, text);
	assert_int_equal(found.class, class);
	assert_int_equal(found.no_volatile_cache, no_cache);
	assert_int_equal(found.overwrites_in_place, in_place);
	assert_int_equal(found.physical_sector_bytes, sector);
}

/* ---- tests -------------------------------------------------------------- */

static void a_disk_is_what_it_declares(void **state)
{
	(void)state;
	check(walk(evidence_walk_device, 8, 0), JOURNAL_CLASS_POWER, false, true, 4096,
	      "back (write back cache, flushed by FLUSH)");
	check(walk(evidence_walk_device, 8, 16), JOURNAL_CLASS_POWER, false, true, 512,
	      "fua (write back cache, flushed by FLUSH and FUA)");
	check(walk(evidence_walk_device, 8, 32), JOURNAL_CLASS_POWER, true, true, 512,
	      "through (write through, no volatile cache)");
	check(walk(evidence_walk_device, 8, 48), JOURNAL_CLASS_POWER, false, true, 512,
	      "vdx (write back cache, flushed by FLUSH, as the virtual device declares)");
}

static void a_partition_is_its_disk(void **state)
{
	(void)state;
	check(walk(evidence_walk_device, 8, 34), JOURNAL_CLASS_POWER, true, true, 512,
	      "through2 of through (write through, no volatile cache)");
}

static void what_is_not_known_is_not_trusted(void **state)
{
	(void)state;
	check(walk(evidence_walk_device, 253, 9), JOURNAL_CLASS_PROCESS, false, false, 0,
	      "zram9 (no disk is known behind it)");
	check(walk(evidence_walk_device, 8, 64), JOURNAL_CLASS_PROCESS, false, false, 0,
	      "mute (it does not say whether it has a write cache)");
	check(walk(evidence_walk_device, 77, 7), JOURNAL_CLASS_PROCESS, false, false, 0,
	      "a device that sysfs does not show");
}

static void P12_stacked_devices_allow_no_short_cut(void **state)
{
	(void)state;
	check(walk(evidence_walk_device, 252, 3), JOURNAL_CLASS_POWER, true, false, 512,
	      "vg-mail (dm-3) on through2 of through (write through, no volatile cache)");
}

static void all_of_a_stack_is_weighed(void **state)
{
	struct evidence found = walk(evidence_walk_device, 9, 0);

	(void)state;
	assert_int_equal(found.class, JOURNAL_CLASS_POWER);
	assert_false(found.no_volatile_cache || found.overwrites_in_place);
	assert_int_equal(found.physical_sector_bytes, 4096);
	assert_non_null(strstr(found.text, "md0 on "));
	assert_non_null(strstr(found.text, "back (write back cache"));
	assert_non_null(strstr(found.text, "through2 of through"));
	assert_non_null(strstr(found.text, " and "));
}

static void a_device_below_itself_comes_to_an_end(void **state)
{
	struct evidence found = walk(evidence_walk_device, 9, 9);

	(void)state;
	assert_int_equal(found.class, JOURNAL_CLASS_PROCESS);
}

static void btrfs_is_as_good_as_its_worst_device(void **state)
{
	struct evidence found = walk(evidence_walk_btrfs, 8, 0);

	(void)state;
	assert_int_equal(found.class, JOURNAL_CLASS_POWER);
	assert_non_null(strstr(found.text, "back (write back"));
	assert_non_null(strstr(found.text, "fua (write back"));
	found = walk(evidence_walk_btrfs, 8, 48);
	assert_int_equal(found.class, JOURNAL_CLASS_PROCESS);
	/* a member of none */
	assert_int_equal(walk(evidence_walk_btrfs, 8, 32).class, JOURNAL_CLASS_PROCESS);
}

static void mountinfo_is_understood(void **state)
{
	char line[] = "27 1 254:0 / /srv rw,relatime shared:1 - ext4 /dev/my\\040disk "
		      "rw,data=journal,barrier=0\n";
	char other[] = "270 1 254:0 / / rw - xfs /dev/vdb rw,nobarrierx\n";
	char odd[] = "5 1 254:0 / / rw - xfs \\9x rw\n"; /* an escape of nothing */
	struct evidence_mount mount;

	(void)state;
	assert_int_equal(evidence_mount_parse(other, 27, &mount), -ENOENT);
	assert_int_equal(evidence_mount_parse(line, 27, &mount), 0);
	assert_string_equal(mount.type, "ext4");
	assert_string_equal(mount.source, "/dev/my disk");
	assert_true(evidence_mount_has(&mount, "data=journal"));
	assert_true(evidence_mount_has(&mount, "data="));
	assert_true(evidence_mount_has(&mount, "barrier=0"));
	assert_false(evidence_mount_has(&mount, "barrier"));
	assert_false(evidence_mount_has(&mount, "nobarrier"));
	assert_int_equal(evidence_mount_parse(other, 270, &mount), 0);
	assert_false(evidence_mount_has(&mount, "nobarrier"));
	assert_int_equal(evidence_mount_parse(odd, 5, &mount), 0);
	assert_string_equal(mount.source, "\\9x");
}

/* lines that the kernel does not write, and one with more in it than fits */
static void mountinfo_that_is_not_understood(void **state)
{
	char glued[] = "27x 1 254:0 / /srv rw - ext4 /dev/vda rw\n";
	char cut[] = "27 1 254:0 / /srv rw,relatime\n", source[] = "27 1 / rw - ext4";
	char type[] = "27 1 / rw - 0123456789012345678901234567890123 /dev/vda rw\n";
	char options[700];
	struct evidence_mount mount;

	(void)state;
	assert_int_equal(evidence_mount_parse(glued, 27, &mount), -ENOENT);
	assert_int_equal(evidence_mount_parse(cut, 27, &mount), -ENOENT);
	assert_int_equal(evidence_mount_parse(source, 27, &mount), -EOVERFLOW);
	assert_int_equal(evidence_mount_parse(type, 27, &mount), -EOVERFLOW);
	(void)snprintf(options, sizeof(options), "27 1 / rw - ext4 /dev/vda rw,%0600d\n", 0);
	assert_int_equal(evidence_mount_parse(options, 27, &mount), -EOVERFLOW);
}

static void tmpfs_and_the_like_survive_a_process(void **state)
{
	struct evidence found;
	struct statfs fs;
	int fd;

	(void)state;
	fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	assert_int_equal(evidence_read(fd, &found), 0);
	assert_int_equal(found.class, JOURNAL_CLASS_PROCESS);
	assert_non_null(strstr(found.text, "unknown file system"));
	(void)close(fd);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(evidence_read(fd, &found), 0);
	assert_int_equal(found.class, JOURNAL_CLASS_PROCESS);
	(void)close(fd);
	assert_int_equal(evidence_read(-1, &found), -EBADF);
	fd = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &fs) || fs.f_type != TMPFS_MAGIC) {
		printf("skip: tmpfs: /dev/shm is none\n");
		skip();
	}
	assert_int_equal(evidence_read(fd, &found), 0);
	check(found, JOURNAL_CLASS_PROCESS, false, false, 0, "tmpfs: held in memory");
	(void)close(fd);
}

/* from now on no file can be opened, or @at: as it was */
static void no_files(struct rlimit *before, bool at)
{
	struct rlimit none;

	if (!at)
		assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	none = *before;
	if (!at)
		none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

/* What cannot be looked at by this process alone is not taken for bad. */
static void a_limit_is_an_error_and_no_lower_class(void **state)
{
	static const unsigned int devices[][2] = { { 8, 0 }, { 8, 34 }, { 252, 3 }, { 9, 0 } };
	struct message message = { "" };
	struct evidence found;
	struct rlimit before;
	int fd = open(scratch.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;
	size_t i;

	(void)state;
	assert_true(fd >= 0);
	for (i = 0; i < sizeof(devices) / sizeof(*devices); i++) {
		struct evidence_walk walk = { .found = &found, .sysfs = scratch.directory };

		memset(&found, 0, sizeof(found));
		no_files(&before, false);
		evidence_walk_device(&walk, makedev(devices[i][0], devices[i][1]));
		no_files(&before, true);
		assert_int_equal(walk.error, -EMFILE);
	}
	no_files(&before, false);
	error = evidence_read(fd, &found);
	no_files(&before, true);
	assert_int_equal(error, -EMFILE);
	assert_int_equal(evidence_none("a file", error, &message), -EMFILE);
	assert_non_null(strstr(message.text, "ulimit -n"));
	assert_int_equal(evidence_read(fd, &found), 0);
	(void)close(fd);
}

static void btrfs_needs_its_list(void **state)
{
	struct evidence found = { .class = JOURNAL_CLASS_POWER };
	struct evidence_walk walk = { .found = &found, .sysfs = scratch.directory };
	struct rlimit before;

	(void)state;
	no_files(&before, false);
	evidence_walk_btrfs(&walk, makedev(8, 0));
	no_files(&before, true);
	assert_int_equal(walk.error, -EMFILE);
}

static void classes_have_names(void **state)
{
	(void)state;
	assert_string_equal(journal_class_name(JOURNAL_CLASS_PROCESS), "process");
	assert_string_equal(journal_class_name(JOURNAL_CLASS_OS), "os");
	assert_string_equal(journal_class_name(JOURNAL_CLASS_POWER), "power");
	assert_string_equal(journal_class_name((enum journal_class)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_is_what_it_declares),
		cmocka_unit_test(a_partition_is_its_disk),
		cmocka_unit_test(what_is_not_known_is_not_trusted),
		cmocka_unit_test(P12_stacked_devices_allow_no_short_cut),
		cmocka_unit_test(all_of_a_stack_is_weighed),
		cmocka_unit_test(a_device_below_itself_comes_to_an_end),
		cmocka_unit_test(btrfs_is_as_good_as_its_worst_device),
		cmocka_unit_test(mountinfo_is_understood),
		cmocka_unit_test(mountinfo_that_is_not_understood),
		cmocka_unit_test(tmpfs_and_the_like_survive_a_process),
		cmocka_unit_test(a_limit_is_an_error_and_no_lower_class),
		cmocka_unit_test(btrfs_needs_its_list),
		cmocka_unit_test(classes_have_names),
	};

	return cmocka_run_group_tests(tests, make_sysfs, remove_sysfs);
}
