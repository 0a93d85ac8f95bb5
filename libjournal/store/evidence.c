/* SPDX-License-Identifier: BSD-3-Clause */
/* What a file or block device survives: the file system's part. */
#include "store/evidence.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "store/evidence_walk.h"
#include "util/math.h"
#include "util/own_limit.h"

enum below {
	BELOW_DISK,  /* st_dev is the disk */
	BELOW_BTRFS, /* st_dev is made up; several disks */
	BELOW_NONE,  /* no disk that could be looked at */
};

/**
 * struct file_system - what is known of a file system by its magic number
 * @in_place: overwriting written, unshared extents touches no metadata
 * @why:      for those without a disk: why the class is process
 */
struct file_system {
	long magic;
	const char *name;
	enum below below;
	bool in_place;
	const char *why;
};

static const struct file_system file_systems[] = {
	/* ext2, ext3 and ext4 share one magic number: mountinfo tells them apart */
	{ EXT4_SUPER_MAGIC, "ext2/ext3/ext4", BELOW_DISK, true, NULL },
	{ XFS_SUPER_MAGIC, "xfs", BELOW_DISK, true, NULL },
	{ F2FS_SUPER_MAGIC, "f2fs", BELOW_DISK, false, NULL },
	{ BTRFS_SUPER_MAGIC, "btrfs", BELOW_BTRFS, false, NULL },
	{ TMPFS_MAGIC, "tmpfs", BELOW_NONE, false, "held in memory" },
	{ RAMFS_MAGIC, "ramfs", BELOW_NONE, false, "held in memory" },
	{ OVERLAYFS_SUPER_MAGIC, "overlay", BELOW_NONE, false,
	  "the file system below is not known" },
	{ NFS_SUPER_MAGIC, "nfs", BELOW_NONE, false, "a network file system" },
	{ SMB_SUPER_MAGIC, "smb", BELOW_NONE, false, "a network file system" },
	{ SMB2_SUPER_MAGIC, "smb", BELOW_NONE, false, "a network file system" },
	{ CIFS_SUPER_MAGIC, "cifs", BELOW_NONE, false, "a network file system" },
	{ CEPH_SUPER_MAGIC, "ceph", BELOW_NONE, false, "a network file system" },
	{ V9FS_MAGIC, "9p", BELOW_NONE, false, "a network file system" },
	{ FUSE_SUPER_MAGIC, "fuse", BELOW_NONE, false,
	  "a program's file system, what is below is not known" },
};

const char *journal_class_name(enum journal_class class)
{
	static const char *const names[] = { "unset", "process", "os", "power" };

	return (unsigned int)class < ARRAY_COUNT(names) ? names[class] : "unknown";
}

void evidence_say(struct evidence_walk *walk, const char *format, ...)
{
	size_t used = strlen(walk->found->text);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(walk->found->text + used, sizeof(walk->found->text) - used, format,
			args);
	va_end(args);
}

void evidence_limit(struct evidence_walk *walk, enum journal_class class)
{
	if (walk->found->class > class)
		walk->found->class = class;
}

void evidence_unknown(struct evidence_walk *walk)
{
	evidence_limit(walk, JOURNAL_CLASS_PROCESS);
	walk->found->no_volatile_cache = false;
	walk->found->overwrites_in_place = false;
}

bool evidence_is_limited(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

void evidence_missed(struct evidence_walk *walk, int error)
{
	if (!walk->error && evidence_is_limited(error))
		walk->error = error;
}

int evidence_none(const char *path, int error, struct message *message)
{
	if (!evidence_is_limited(error))
		return message_errno(message, error, "%s", path);
	return message_set(message, error, "%s: what it survives cannot be found out: %s: a limit "
			   "of this process (%s)", path, strerrordesc_np(-error),
			   own_limit(error));
}

static const struct file_system *file_system_find(long magic)
{
	for (size_t i = 0; i < ARRAY_COUNT(file_systems); i++)
		if (file_systems[i].magic == magic)
			return &file_systems[i];
	return NULL;
}

/* Mount options that change what fsync means. */
static void weigh_options(struct evidence_walk *walk, const struct evidence_mount *mount)
{
	struct evidence *found = walk->found;

	/* data goes through the journal: an overwrite is anything but in place */
	if (evidence_mount_has(mount, "data=journal"))
		found->overwrites_in_place = false;
	/* the data may lie on another device than the one that was looked at */
	if (evidence_mount_has(mount, "rtdev=") || evidence_mount_has(mount, "logdev=") ||
	    evidence_mount_has(mount, "journal_path="))
		found->no_volatile_cache = false;
	if (found->no_volatile_cache)
		return;
	if (evidence_mount_has(mount, "nobarrier") || evidence_mount_has(mount, "barrier=0") ||
	    evidence_mount_has(mount, "fsync_mode=nobarrier")) {
		evidence_limit(walk, JOURNAL_CLASS_OS);
		evidence_say(walk, ", mounted without barriers: fsync does not flush the disk");
	}
}

static void walk_btrfs(struct evidence_walk *walk, const struct evidence_mount *mount)
{
	struct stat status;

	if (!stat(mount->source, &status) && S_ISBLK(status.st_mode)) {
		evidence_walk_btrfs(walk, status.st_rdev);
		return;
	}
	evidence_unknown(walk);
	evidence_say(walk, "a device not to be found (%s)",
		     mount->source[0] ? mount->source : "no mountinfo");
}

static void walk_file_system(struct evidence_walk *walk, const struct file_system *type,
			     int fd, dev_t device)
{
	struct evidence_mount mount = { 0 };
	int error = evidence_mount_read(fd, &mount);

	/* without /proc the options are unknown; what they could spoil is then
	 * taken as spoilt */
	if (error)
		walk->found->no_volatile_cache = walk->found->overwrites_in_place = false;
	evidence_missed(walk, error);
	walk->found->overwrites_in_place &= type->in_place;
	evidence_say(walk, "%s", mount.type[0] ? mount.type : type->name);
	if (type->below == BELOW_NONE) {
		evidence_unknown(walk);
		evidence_say(walk, ": %s", type->why);
		return;
	}
	evidence_say(walk, " on ");
	if (type->below == BELOW_BTRFS)
		walk_btrfs(walk, &mount);
	else
		evidence_walk_device(walk, device);
	weigh_options(walk, &mount);
}

int evidence_walk_fd(struct evidence_walk *walk, int fd)
{
	const struct file_system *type;
	struct stat status;
	struct statfs fs;

	if (fstat(fd, &status) || fstatfs(fd, &fs))
		return -errno;
	if (S_ISBLK(status.st_mode)) {
		evidence_say(walk, "block device ");
		evidence_walk_device(walk, status.st_rdev);
		return 0;
	}
	type = file_system_find((long)fs.f_type);
	if (type && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) {
		walk_file_system(walk, type, fd, status.st_dev);
		return 0;
	}
	evidence_unknown(walk);
	if (type)
		evidence_say(walk, "neither a file nor a block device");
	else
		evidence_say(walk, "unknown file system (type 0x%lx)", (unsigned long)fs.f_type);
	return 0;
}

int evidence_read(int fd, struct evidence *evidence)
{
	struct evidence_walk walk = { .found = evidence, .sysfs = "/sys" };
	int error;

	*evidence = (struct evidence){
		.class = JOURNAL_CLASS_POWER,
		.no_volatile_cache = true,
		.overwrites_in_place = true,
	};
	error = evidence_walk_fd(&walk, fd);
	return error ? error : walk.error;
}
