/* SPDX-License-Identifier: BSD-3-Clause */
#include "serve_notify.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

/* Loaded on demand: the other commands run for milliseconds, and the library brings
 * half a dozen others.  Without NOTIFY_SOCKET nobody listens. */
int serve_notify(const char *state)
{
	__typeof__(sd_notify) *notify;
	void *library;
	int error;

	if (!getenv("NOTIFY_SOCKET"))
		return 0;
	library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return -ENOPKG;
	notify = (__typeof__(sd_notify) *)dlsym(library, "sd_notify");
	error = notify ? notify(0, state) : -ENOPKG;
	(void)dlclose(library);
	return error < 0 ? error : 0;
}
