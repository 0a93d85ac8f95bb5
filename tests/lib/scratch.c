/* SPDX-License-Identifier: BSD-3-Clause */
#include "scratch.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Run a command, quietly.  Return: did it succeed? */
__attribute__((format(printf, 1, 2)))
static bool run(const char *format, ...)
{
	char command[3 * PATH_MAX];
	va_list args;
	size_t used;

	va_start(args, format);
	(void)vsnprintf(command, sizeof(command) - 32, format, args);
	va_end(args);
	used = strlen(command);
	(void)snprintf(command + used, sizeof(command) - used, " >/dev/null 2>&1");
	return !system(command);
}

static int skip_because(const char *what, const char *why)
{
	printf("skip: %s: %s\n", what, why);
	(void)fflush(stdout);
	return -1;
}

int scratch_make(struct scratch *scratch, const char *parent)
{
	const char *tmp = getenv("TMPDIR");

	memset(scratch, 0, sizeof(*scratch));
	if (!parent)
		parent = tmp && *tmp ? tmp : "/tmp";
	(void)snprintf(scratch->directory, sizeof(scratch->directory), "%s/jnl-test.XXXXXX",
		       parent);
	return mkdtemp(scratch->directory) ? 0 : -errno;
}

/* What a journal shares outlives a killed process, until the next open: here there is
 * none.  DIR/index names it. */
static void remove_shared(const char *index)
{
	char line[PATH_MAX];
	FILE *file = fopen(index, "re");

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "file=/dev/shm/libjournal-", 25))
			(void)unlink(line + 5);
	}
	if (file)
		(void)fclose(file);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	if (kind == FTW_F && !strcmp(path + walk->base, "index"))
		remove_shared(path);
	return remove(path);
}

void scratch_remove(struct scratch *scratch)
{
	char path[PATH_MAX];

	if (scratch->mounted)
		(void)umount2(scratch_path(scratch, "mnt", path), MNT_DETACH);
	if (scratch->device[0])
		(void)run("losetup -d %s", scratch->device);
	(void)nftw(scratch->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

const char *scratch_path(const struct scratch *scratch, const char *name, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/%s", scratch->directory, name);
	return path;
}

static void make_way(const struct scratch *scratch, const char *path)
{
	char full[PATH_MAX], *at;

	scratch_path(scratch, path, full);
	for (at = full + strlen(scratch->directory) + 1; *at; at++)
		if (*at == '/') {
			*at = '\0';
			assert_true(!mkdir(full, 0700) || errno == EEXIST);
			*at = '/';
		}
}

void scratch_put(const struct scratch *scratch, const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *file;

	make_way(scratch, path);
	file = fopen(scratch_path(scratch, path, full), "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void scratch_point(const struct scratch *scratch, const char *path, const char *target)
{
	char full[PATH_MAX], to[PATH_MAX];

	make_way(scratch, path);
	scratch_path(scratch, target, to);
	assert_int_equal(symlink(to, scratch_path(scratch, path, full)), 0);
}

/* Return: false, with the reason printed, where it cannot work. */
static bool image_make(const struct scratch *scratch, const char *what, uint64_t bytes)
{
	char image[PATH_MAX];

	if (geteuid()) {
		skip_because(what, "only root may set up loop devices");
		return false;
	}
	scratch_path(scratch, "image", image);
	if (run("truncate -s %" PRIu64 " '%s'", bytes, image))
		return true;
	skip_because(what, "no room for the image");
	return false;
}

int scratch_loop(struct scratch *scratch, uint64_t bytes)
{
	char line[sizeof(scratch->device)] = "", command[2 * PATH_MAX];
	FILE *output;

	if (!image_make(scratch, "loop device", bytes))
		return -1;
	(void)snprintf(command, sizeof(command), "losetup -f --show '%s/image' 2>/dev/null",
		       scratch->directory);
	output = popen(command, "re");
	if (output) {
		if (!fgets(line, sizeof(line), output))
			line[0] = '\0';
		(void)pclose(output);
	}
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "/dev/", 5))
		return skip_because("loop device", "losetup does not work here");
	strcpy(scratch->device, line);
	return 0;
}

int scratch_mount(struct scratch *scratch, const char *type, uint64_t bytes)
{
	const char *at = scratch->directory;

	if (!image_make(scratch, type, bytes))
		return -1;
	if (!run("mkfs.%s -q '%s/image'", type, at))
		return skip_because(type, "its mkfs is not installed, or failed");
	if (!run("mkdir '%s/mnt' && mount -o loop '%s/image' '%s/mnt'", at, at, at))
		return skip_because(type, "it cannot be mounted here");
	scratch->mounted = true;
	return 0;
}
