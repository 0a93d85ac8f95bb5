/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an NVMe controller says of its volatile write cache.  It is asked where
 * its answer can change something: where the kernel does not say "write back",
 * which is flushed whatever the controller has.
 *
 * "write through" is what anybody may have written to queue/write_cache, and then
 * the kernel sends no flush any more.  So it is believed of a controller that has
 * no such cache, or that cannot be asked; the text says which.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/evidence_walk.h"
#include "store/nvme_device.h"
#include "util/module.h"

/* A module that does not load says not why: whether there is one more file to be had does. */
static int nvme_limited(int fd, int error)
{
	int another = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (another < 0)
		return -errno;
	(void)close(another);
	return error;
}

/* Return: 0, or a negative errno with @why. */
static int nvme_ask(const char *directory, struct nvme_cache *cache, const char **why)
{
	const void *module;
	char reason[64];
	int error, fd = nvme_device_open(directory);

	if (fd < 0) {
		*why = strerrordesc_np(-fd);
		return fd;
	}
	error = module_load(NVME_MODULE_FILE, NVME_MODULE_SYMBOL, NVME_MODULE_VERSION, &module,
			    reason, sizeof(reason));
	if (error) {
		*why = NVME_MODULE_FILE " cannot be loaded";
		error = nvme_limited(fd, error);
	} else {
		error = ((const struct nvme_module *)module)->cache(fd, cache);
		*why = error ? strerrordesc_np(-error) : NULL;
	}
	(void)close(fd);
	return error;
}

/* It has a cache, and no flush is sent to it. */
static void nvme_unflushed(struct evidence_walk *walk, const struct nvme_cache *cache)
{
	walk->found->no_volatile_cache = false;
	if (!cache->enabled) {
		/* nor does it need one, until somebody enables it or resets it */
		evidence_say(walk, " (write through; NVMe Identify: a volatile cache, disabled)");
		return;
	}
	evidence_limit(walk, JOURNAL_CLASS_OS);
	evidence_say(walk, " (write through by queue/write_cache, but NVMe Identify: a volatile "
		     "cache, %s%s; nothing flushes it)",
		     cache->enabled > 0 ? "enabled" : "enabled or not: ",
		     cache->enabled > 0 ? "" : strerrordesc_np(-cache->enabled));
}

void evidence_walk_nvme(struct evidence_walk *walk, const char *directory, bool write_through)
{
	struct nvme_cache cache;
	const char *why;
	int error = nvme_ask(directory, &cache, &why);

	evidence_missed(walk, error);
	if (!error && !cache.present) {
		evidence_say(walk, " (%sno volatile cache, by NVMe Identify)",
			     write_through ? "write through, " : "");
	} else if (write_through && error) {
		evidence_say(walk, " (write through, no volatile cache; NVMe Identify not read: "
			     "%s)", why);
	} else if (write_through) {
		nvme_unflushed(walk, &cache);
	} else {
		evidence_unknown(walk);
		evidence_say(walk, " (the kernel does not say whether it has a write cache; NVMe "
			     "Identify: %s)", error ? why : "it has");
	}
}
