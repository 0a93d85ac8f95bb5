/* SPDX-License-Identifier: BSD-3-Clause */
#include "tar_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

#define TAR_LIBRARY "libarchive.so.13" /* the interface that the header declares */
#define TAR_PLACE(name) { #name, offsetof(struct tar_library, name) },

static const struct {
	const char *name;
	size_t offset;
} tar_functions[] = { TAR_FUNCTIONS(TAR_PLACE) };

int tar_library_load(struct tar_library *library, const char **why)
{
	/* stays loaded: the command ends soon after */
	void *handle = dlopen(TAR_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	size_t i;

	*why = "tar needs libarchive: " TAR_LIBRARY " is not installed";
	if (!handle)
		return -ENOTSUP;
	for (i = 0; i < sizeof(tar_functions) / sizeof(tar_functions[0]); i++) {
		void *function = dlsym(handle, tar_functions[i].name);

		*why = "tar needs libarchive: " TAR_LIBRARY " is another version";
		if (!function)
			return -ENOTSUP;
		*(void **)((char *)library + tar_functions[i].offset) = function;
	}
	return 0;
}
