/* SPDX-License-Identifier: BSD-3-Clause */
/* Places for tests to work in: a directory that goes away again, and file
 * systems and block devices made over files, where we may (root, loop). */
#ifndef TESTS_LIB_SCRATCH_H
#define TESTS_LIB_SCRATCH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct scratch - a directory, and what hangs on it
 * @directory: under TMPDIR or where asked
 * @device:    "/dev/loopN" after scratch_loop()
 * @mounted:   DIR/mnt is a mount point in use
 */
struct scratch {
	char directory[PATH_MAX / 4];
	char device[32];
	bool mounted;
};

/* @parent: NULL is TMPDIR, else /tmp.  0 or -errno */
int scratch_make(struct scratch *scratch, const char *parent);
/* all of it goes: mounts, devices, files */
void scratch_remove(struct scratch *scratch);

/* DIR/NAME; valid as long as the caller's @path is */
const char *scratch_path(const struct scratch *scratch, const char *name,
			 char path[PATH_MAX]);

/* a file DIR/@path with @text, and the directories on the way to it; asserts */
void scratch_put(const struct scratch *scratch, const char *path, const char *text);
/* a link DIR/@path to DIR/@target, which need not be there; asserts */
void scratch_point(const struct scratch *scratch, const char *path, const char *target);

/* A loop device over a new file of @bytes in DIR.  0, or -1 with a line
 * "skip: ..." printed. */
int scratch_loop(struct scratch *scratch, uint64_t bytes);
/* A file system of @type (ext4, xfs, btrfs) over a new file, mounted at
 * DIR/mnt.  0, or -1 with a line "skip: ..." printed. */
int scratch_mount(struct scratch *scratch, const char *type, uint64_t bytes);

#endif
