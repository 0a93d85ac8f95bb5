/* SPDX-License-Identifier: BSD-3-Clause */
#include "marker/pmem_load.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Never unloaded: libpmem starts things that are not made to be stopped, and
 * loading it again would cost every open a millisecond. */
#define LOAD_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)

/* "DIR/libjournal-pmem.so" for the directory of the file this code is in */
static int path_beside(char *path, size_t bytes)
{
	char self[PATH_MAX] = ""; /* zeros all through: readlink adds none */
	Dl_info info;
	const char *slash;
	int length;

	if (dladdr(PMEM_MODULE_FILE, &info) && info.dli_fname)
		(void)snprintf(self, sizeof(self), "%s", info.dli_fname);
	/* a program found through PATH knows itself by its bare name */
	if (!strchr(self, '/') && readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return -errno;
	slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	length = snprintf(path, bytes, "%.*s/%s", (int)(slash - self), self, PMEM_MODULE_FILE);
	return length > 0 && (size_t)length < bytes ? 0 : -ENAMETOOLONG;
}

/* A file that is there and does not load has the error worth telling. */
static void *try_path(const char *path, char *reason, size_t bytes)
{
	void *handle;

	if (strchr(path, '/') && access(path, F_OK))
		return NULL;
	handle = dlopen(path, LOAD_FLAGS);
	if (!handle && !reason[0])
		(void)snprintf(reason, bytes, "%s", dlerror());
	return handle;
}

int pmem_load(const struct pmem_module **module, struct message *message)
{
	char path[PATH_MAX];
	char reason[256] = "";
	void *handle = NULL;

	if (!path_beside(path, sizeof(path)))
		handle = try_path(path, reason, sizeof(reason));
	if (!handle)
		handle = try_path(JOURNAL_LIBDIR "/" PMEM_MODULE_FILE, reason, sizeof(reason));
	if (!handle)
		handle = try_path(PMEM_MODULE_FILE, reason, sizeof(reason));
	if (!handle)
		return message_set(message, -ENOTSUP, "pmem: cannot be used: %s", reason);
	*module = dlsym(handle, PMEM_MODULE_SYMBOL);
	if (!*module || (*module)->version != PMEM_MODULE_VERSION) {
		(void)dlclose(handle);
		return message_set(message, -ENOTSUP,
				   "pmem: cannot be used: %s is of another version",
				   PMEM_MODULE_FILE);
	}
	return 0;
}
