/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit-volatile-plugin.so: a disk with a volatile write cache (disk.h), for nbdkit.
 *
 *   nbdkit -U SOCKET build/nbdkit-volatile-plugin.so file=IMAGE control=SOCKET [seed=7] ...
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "control.h"
#include "disk.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

static struct disk disk;
static struct control control;
static bool opened, controlled;
static char *file, *socket_path;
static struct disk_options options = {
	.fate = DISK_MIX,
	.cache_bytes = 64 << 20,
};

static int replace_path(char **path, const char *value)
{
	free(*path);
	*path = nbdkit_absolute_path(value);
	return *path ? 0 : -1;
}

static int wrong(const char *key, const char *value)
{
	nbdkit_error("%s=%s: that makes no sense", key, value);
	return -1;
}

static int set_delay(const char *key, const char *value)
{
	uint64_t ms;

	if (control_number(value, &ms) || ms > 60000)
		return wrong(key, value);
	options.flush_delay_ns = ms * 1000000;
	return 0;
}

static int set_order(const char *key, const char *value)
{
	options.serial = !strcmp(value, "serial");
	return options.serial || !strcmp(value, "parallel") ? 0 : wrong(key, value);
}

static int set_cache(const char *key, const char *value)
{
	int64_t bytes = nbdkit_parse_size(value);

	options.cache_bytes = (uint64_t)bytes;
	return bytes < 0 ? wrong(key, value) : 0;
}

static int volatile_config(const char *key, const char *value)
{
	if (!strcmp(key, "file"))
		return replace_path(&file, value);
	if (!strcmp(key, "control"))
		return replace_path(&socket_path, value);
	if (!strcmp(key, "seed"))
		return control_number(value, &options.seed) ? wrong(key, value) : 0;
	if (!strcmp(key, "fate"))
		return control_fate(value, &options.fate) ? wrong(key, value) : 0;
	if (!strcmp(key, "lie"))
		return control_lies(value, &options.lies) ? wrong(key, value) : 0;
	if (!strcmp(key, "cache"))
		return set_cache(key, value);
	if (!strcmp(key, "flush-delay-ms"))
		return set_delay(key, value);
	if (!strcmp(key, "flush-order"))
		return set_order(key, value);
	nbdkit_error("there is no parameter %s", key);
	return -1;
}

#define HELP \
	"file=PATH                what the disk has on its medium (needed)\n" \
	"control=PATH             a socket for: stats, cut, on, lie, hold, release\n" \
	"seed=N                   of what a cut leaves of writes that are not durable\n" \
	"fate=drop|keep|tear|mix  all lost; all kept; all torn; each its own (default)\n" \
	"lie=none|flush|fua|both  says done, and is not\n" \
	"cache=SIZE               beyond it the oldest writes go to the medium (64M)\n" \
	"flush-delay-ms=N         of a flush, and of a write with FUA\n" \
	"flush-order=parallel|serial\n" \
	"                         serial: one of them at a time"

static int failed(const char *path, int error)
{
	nbdkit_error("%s: %s", path, strerror(-error));
	return -1;
}

static int volatile_get_ready(void)
{
	int error;

	if (!file) {
		nbdkit_error("file=PATH is missing");
		return -1;
	}
	error = disk_open(&disk, file, &options);
	if (error)
		return failed(file, error);
	opened = true;
	error = socket_path ? control_listen(&control, &disk, socket_path) : 0;
	return error ? failed(socket_path, error) : 0;
}

/* a thread does not outlive a fork */
static int volatile_after_fork(void)
{
	int error = socket_path ? control_start(&control) : 0;

	if (error)
		return failed(socket_path, error);
	controlled = socket_path != NULL;
	return 0;
}

static void volatile_unload(void)
{
	if (controlled)
		control_stop(&control);
	if (opened)
		disk_close(&disk);
	free(file);
	free(socket_path);
}

static void *volatile_open(int readonly)
{
	(void)readonly;
	return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t volatile_get_size(void *handle)
{
	(void)handle;
	return (int64_t)disk.bytes;
}

static int volatile_yes(void *handle)
{
	(void)handle;
	return 1;
}

static int volatile_can_fua(void *handle)
{
	(void)handle;
	return NBDKIT_FUA_NATIVE;
}

static int volatile_block_size(void *handle, uint32_t *least, uint32_t *best, uint32_t *most)
{
	(void)handle;
	*least = DISK_SECTOR;
	*best = 4096;
	*most = 32 << 20;
	return 0;
}

static int done(int error)
{
	if (!error)
		return 0;
	nbdkit_set_error(-error);
	return -1;
}

static bool in_sectors(uint32_t bytes, uint64_t offset)
{
	return bytes % DISK_SECTOR == 0 && offset % DISK_SECTOR == 0;
}

static int volatile_pread(void *handle, void *data, uint32_t bytes, uint64_t offset,
			  uint32_t flags)
{
	(void)handle;
	(void)flags;
	return done(in_sectors(bytes, offset) ? disk_read(&disk, data, bytes, offset) : -EINVAL);
}

static int volatile_pwrite(void *handle, const void *data, uint32_t bytes, uint64_t offset,
			   uint32_t flags)
{
	bool fua = flags & NBDKIT_FLAG_FUA;

	(void)handle;
	return done(in_sectors(bytes, offset) ? disk_write(&disk, data, bytes, offset, fua)
					      : -EINVAL);
}

static int volatile_flush(void *handle, uint32_t flags)
{
	(void)handle;
	(void)flags;
	return done(disk_flush(&disk));
}

static struct nbdkit_plugin plugin = {
	.name = "volatile",
	.longname = "disk with a volatile write cache",
	.description = "At a cut it loses, keeps or tears what was not flushed.",
	.config = volatile_config,
	.config_help = HELP,
	.magic_config_key = "file",
	.get_ready = volatile_get_ready,
	.after_fork = volatile_after_fork,
	.unload = volatile_unload,
	.open = volatile_open,
	.get_size = volatile_get_size,
	.can_write = volatile_yes,
	.can_flush = volatile_yes,
	.can_multi_conn = volatile_yes,
	.can_fua = volatile_can_fua,
	.block_size = volatile_block_size,
	.pread = volatile_pread,
	.pwrite = volatile_pwrite,
	.flush = volatile_flush,
	.errno_is_preserved = 0,
};

/* nbdkit looks for it */
NBDKIT_REGISTER_PLUGIN(plugin)
