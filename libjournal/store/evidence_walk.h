/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of evidence_read(): a walk down from a file through its file
 * system to the devices below, and through stacked devices to the disks.
 * Every step may only weaken what is concluded, never strengthen it.
 */
#ifndef STORE_EVIDENCE_WALK_H
#define STORE_EVIDENCE_WALK_H

#include <stdbool.h>
#include <sys/types.h>

#include "store/evidence.h"

/* files on loops on files on loops: deeper than this is a riddle, not a disk */
#define EVIDENCE_DEPTH_MAX 16

/**
 * struct evidence_walk - one walk
 * @found: what is concluded so far; starts as the best case
 * @sysfs: "/sys"; the tests bring their own tree
 * @depth: steps down so far
 * @error: a limit of this process was in the way: then what is concluded is too little
 */
struct evidence_walk {
	struct evidence *found;
	const char *sysfs;
	unsigned int depth;
	int error;
};

/* append to the text; what does not fit is cut */
__attribute__((format(printf, 2, 3)))
void evidence_say(struct evidence_walk *walk, const char *format, ...);

/* no more than @class from here on */
void evidence_limit(struct evidence_walk *walk, enum journal_class class);

/* nothing is known below this point: class process, and no short cuts */
void evidence_unknown(struct evidence_walk *walk);

/* @error, a negative errno, is why something was not looked at; noted where it is a limit */
void evidence_missed(struct evidence_walk *walk, int error);

/* evidence.c: a file, directory or block device; -errno if it cannot be looked at */
int evidence_walk_fd(struct evidence_walk *walk, int fd);

/* evidence_block.c: a device by number, or by its directory in sysfs */
void evidence_walk_device(struct evidence_walk *walk, dev_t device);
/* evidence_block.c: all devices of the btrfs that @device is one of */
void evidence_walk_btrfs(struct evidence_walk *walk, dev_t device);

/* evidence_nvme.c: the namespace's disk at @directory, of which the kernel says
 * "write through", or nothing */
void evidence_walk_nvme(struct evidence_walk *walk, const char *directory, bool write_through);

/**
 * struct evidence_mount - what /proc/self/mountinfo says of a mount
 * @type:    "ext4"
 * @source:  "/dev/vda"
 * @options: of the file system, "rw,data=ordered"
 */
struct evidence_mount {
	char type[32];
	char source[256];
	char options[512];
};

/* evidence_mount.c: the mount that @fd was opened on; 0 or -errno */
int evidence_mount_read(int fd, struct evidence_mount *mount);
/* parse one line of mountinfo; 0 if it is the mount numbered @mount_id */
int evidence_mount_parse(char *line, unsigned int mount_id, struct evidence_mount *mount);
bool evidence_mount_has(const struct evidence_mount *mount, const char *option);

#endif
