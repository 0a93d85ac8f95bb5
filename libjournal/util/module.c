/* SPDX-License-Identifier: BSD-3-Clause */
#include "util/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Never unloaded: what they bring along starts things that are not made to be
 * stopped, and loading it again would cost every open a millisecond. */
#define LOAD_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)

/* something that lies in the file this code is in */
static const char here[] = "";

/* "DIR/@file" for the directory of that file */
static int path_beside(const char *file, char *path, size_t bytes)
{
	char self[PATH_MAX] = ""; /* zeros all through: readlink adds none */
	Dl_info info;
	const char *slash;
	int length;

	if (dladdr(here, &info) && info.dli_fname)
		(void)snprintf(self, sizeof(self), "%s", info.dli_fname);
	/* a program found through PATH knows itself by its bare name */
	if (!strchr(self, '/') && readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return -errno;
	slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	length = snprintf(path, bytes, "%.*s/%s", (int)(slash - self), self, file);
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

/* In the directories that are ours. */
static void *try_ours(const char *file, char *beside, char *reason, size_t bytes)
{
	char path[PATH_MAX];
	void *handle = NULL;

	if (!path_beside(file, beside, PATH_MAX))
		handle = try_path(beside, reason, bytes);
	if (!handle && snprintf(path, sizeof(path), JOURNAL_LIBDIR "/%s", file) < PATH_MAX)
		handle = try_path(path, reason, bytes);
	return handle;
}

static void *try_all(const char *file, char *reason, size_t bytes)
{
	char beside[PATH_MAX] = "";
	void *handle = try_ours(file, beside, reason, bytes);
	bool there = reason[0];

	if (!handle)
		handle = try_path(file, reason, bytes);
	/* one that is there and does not load has its own reason */
	if (!handle && !there)
		(void)snprintf(reason, bytes, "%s is not installed: looked for %s%s" JOURNAL_LIBDIR
			       "/%s, and where the system looks", file, beside,
			       beside[0] ? ", " : "", file);
	return handle;
}

int module_load(const char *file, const char *symbol, uint32_t version, const void **table,
		char *reason, size_t reason_bytes)
{
	void *handle;

	reason[0] = '\0';
	handle = try_all(file, reason, reason_bytes);
	if (!handle)
		return -ENOTSUP;
	*table = dlsym(handle, symbol);
	if (*table && *(const uint32_t *)*table == version)
		return 0;
	(void)dlclose(handle);
	(void)snprintf(reason, reason_bytes, "%s is of another version", file);
	return -ENOTSUP;
}
