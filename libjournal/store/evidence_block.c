/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What block devices say of themselves, followed down in sysfs: a partition to
 * its disk, dm and md to their slaves, loop to its backing file, btrfs to all
 * of its devices.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "store/evidence_walk.h"
#include "store/nvme_device.h"

static void walk_directory(struct evidence_walk *walk, const char *directory);

/* Paths in sysfs; one that is too long does not exist. */
__attribute__((format(printf, 2, 3)))
static bool path_make(char path[PATH_MAX], const char *format, ...)
{
	va_list args;
	int bytes;

	va_start(args, format);
	bytes = vsnprintf(path, PATH_MAX, format, args);
	va_end(args);
	return bytes > 0 && bytes < PATH_MAX;
}

static bool exists(const char *directory, const char *name)
{
	char path[PATH_MAX];

	return path_make(path, "%s/%s", directory, name) && !access(path, F_OK);
}

/* One line of an attribute, without its end. */
static bool attribute(struct evidence_walk *walk, const char *directory, const char *name,
		      char *value, size_t bytes)
{
	char path[PATH_MAX];
	ssize_t got;
	int fd;

	if (!path_make(path, "%s/%s", directory, name))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		evidence_missed(walk, -errno);
		return false;
	}
	got = read(fd, value, bytes - 1);
	(void)close(fd);
	if (got < 0)
		return false;
	value[got] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return true;
}

static bool is_virtio(const char *directory)
{
	char link[PATH_MAX], path[PATH_MAX];
	ssize_t bytes;

	if (!path_make(path, "%s/device/driver", directory))
		return false;
	bytes = readlink(path, link, sizeof(link) - 1);
	if (bytes < 0)
		return false;
	link[bytes] = '\0';
	return strstr(link, "virtio") != NULL;
}

static void weigh_sector(struct evidence_walk *walk, const char *directory)
{
	char value[32];
	unsigned long bytes;

	if (!attribute(walk, directory, "queue/physical_block_size", value, sizeof(value)))
		return;
	bytes = strtoul(value, NULL, 10);
	if (bytes <= UINT_MAX && bytes > walk->found->physical_sector_bytes)
		walk->found->physical_sector_bytes = (unsigned int)bytes;
}

/* A disk: nothing below it but its own word. */
static void walk_disk(struct evidence_walk *walk, const char *directory)
{
	const char *who = is_virtio(directory) ? ", as the virtual device declares" : "";
	char cache[32], fua[8] = "0";
	bool told, through;

	/* zram, brd, null_blk, nbd: a queue, and no device behind it */
	if (!exists(directory, "device")) {
		evidence_unknown(walk);
		evidence_say(walk, " (no disk is known behind it)");
		return;
	}
	told = attribute(walk, directory, "queue/write_cache", cache, sizeof(cache));
	through = told && !strcmp(cache, "write through");
	if ((!told || through) && nvme_device_is(directory)) {
		evidence_walk_nvme(walk, directory, through);
		return;
	}
	if (!told) {
		evidence_unknown(walk);
		evidence_say(walk, " (it does not say whether it has a write cache)");
		return;
	}
	(void)attribute(walk, directory, "queue/fua", fua, sizeof(fua));
	if (through) {
		evidence_say(walk, " (write through, no volatile cache%s)", who);
		return;
	}
	walk->found->no_volatile_cache = false;
	evidence_say(walk, " (%s cache, flushed by FLUSH%s%s)", cache,
		     fua[0] == '1' ? " and FUA" : "", who);
}

static void walk_loop(struct evidence_walk *walk, const char *directory)
{
	char path[PATH_MAX];
	int fd;

	/* "write through" is what a loop device says over any file: flushes do
	 * reach the file's disk, but a completed write says nothing.  And the
	 * file below may be sparse or shared. */
	walk->found->no_volatile_cache = false;
	walk->found->overwrites_in_place = false;
	if (!attribute(walk, directory, "loop/backing_file", path, sizeof(path)) || !path[0]) {
		evidence_unknown(walk);
		evidence_say(walk, " (a loop device with no backing file to be seen)");
		return;
	}
	/* O_PATH: only where the file lies is asked, which needs no permission
	 * to read it */
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		evidence_missed(walk, -errno);
		evidence_unknown(walk);
		evidence_say(walk, " (a loop device; its backing file %.60s cannot be found)",
			     path);
		return;
	}
	evidence_say(walk, " (loop device over a file) on ");
	if (evidence_walk_fd(walk, fd))
		evidence_unknown(walk);
	(void)close(fd);
}

/* dm, md, bcache: all of the devices below.  Return: how many there are. */
static unsigned int walk_entries(struct evidence_walk *walk, const char *directory,
				 const char *between)
{
	unsigned int count = 0;
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *entries = opendir(directory);

	if (!entries) {
		evidence_missed(walk, -errno);
		return 0;
	}
	while ((entry = readdir(entries))) {
		if (entry->d_name[0] == '.' ||
		    !path_make(path, "%s/%s", directory, entry->d_name))
			continue;
		evidence_say(walk, "%s", count ? between : "");
		count++;
		walk_directory(walk, path);
	}
	(void)closedir(entries);
	return count;
}

static bool has_entries(struct evidence_walk *walk, const char *directory)
{
	DIR *entries = opendir(directory);
	struct dirent *entry;
	bool found = false;

	if (!entries) {
		evidence_missed(walk, -errno);
		return false;
	}
	while (!found && (entry = readdir(entries)))
		found = entry->d_name[0] != '.';
	(void)closedir(entries);
	return found;
}

static void walk_stacked(struct evidence_walk *walk, const char *directory,
			 const char *slaves)
{
	char cache[32];

	/* dm-thin and dm-snapshot copy on write, an md may answer before a
	 * write-mostly member has, and sysfs does not tell: no short cuts */
	walk->found->overwrites_in_place = false;
	if (!attribute(walk, directory, "queue/write_cache", cache, sizeof(cache)) ||
	    strcmp(cache, "write through"))
		walk->found->no_volatile_cache = false;
	evidence_say(walk, " on ");
	(void)walk_entries(walk, slaves, " and ");
}

/* @directory: the device's own, resolved */
static void walk_whole(struct evidence_walk *walk, const char *directory)
{
	const char *name = strrchr(directory, '/') + 1;
	char label[64], slaves[PATH_MAX];

	/* "vg-home (dm-3)" is what people know it by */
	if (attribute(walk, directory, "dm/name", label, sizeof(label)) && label[0])
		evidence_say(walk, "%s (%s)", label, name);
	else
		evidence_say(walk, "%s", name);
	weigh_sector(walk, directory);
	if (exists(directory, "loop"))
		walk_loop(walk, directory);
	else if (path_make(slaves, "%s/slaves", directory) && has_entries(walk, slaves))
		walk_stacked(walk, directory, slaves);
	else
		walk_disk(walk, directory);
}

static void walk_partition(struct evidence_walk *walk, char *directory)
{
	char *slash = strrchr(directory, '/');

	/* cache and sectors are the disk's: it is the directory above */
	evidence_say(walk, "%s of ", slash + 1);
	*slash = '\0';
	if (strrchr(directory, '/'))
		walk_whole(walk, directory);
}

static void walk_directory(struct evidence_walk *walk, const char *directory)
{
	char real[PATH_MAX];

	if (walk->depth >= EVIDENCE_DEPTH_MAX || !realpath(directory, real) ||
	    !strrchr(real, '/')) {
		evidence_unknown(walk);
		evidence_say(walk, "a device that sysfs does not show");
		return;
	}
	walk->depth++;
	if (exists(real, "partition"))
		walk_partition(walk, real);
	else
		walk_whole(walk, real);
	walk->depth--;
}

void evidence_walk_device(struct evidence_walk *walk, dev_t device)
{
	char path[PATH_MAX];

	if (path_make(path, "%s/dev/block/%u:%u", walk->sysfs, major(device), minor(device)))
		walk_directory(walk, path);
	else
		evidence_unknown(walk);
}

/* The list of devices of the btrfs that has one of that name. */
static bool btrfs_devices(struct evidence_walk *walk, const char *name,
			  char devices[PATH_MAX])
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *all;

	if (!path_make(path, "%s/fs/btrfs", walk->sysfs))
		return false;
	all = opendir(path);
	if (!all) {
		evidence_missed(walk, -errno);
		return false;
	}
	while (!found && (entry = readdir(all)))
		found = entry->d_name[0] != '.' &&
			path_make(devices, "%s/%s/devices", path, entry->d_name) &&
			exists(devices, name);
	(void)closedir(all);
	return found;
}

void evidence_walk_btrfs(struct evidence_walk *walk, dev_t device)
{
	char path[PATH_MAX], real[PATH_MAX], devices[PATH_MAX];

	if (path_make(path, "%s/dev/block/%u:%u", walk->sysfs, major(device),
		      minor(device)) &&
	    realpath(path, real) && strrchr(real, '/') &&
	    btrfs_devices(walk, strrchr(real, '/') + 1, devices)) {
		(void)walk_entries(walk, devices, " and ");
		return;
	}
	/* the list of its devices is missing: one is not all */
	evidence_unknown(walk);
	evidence_say(walk, "devices that sysfs does not show");
}
