/* SPDX-License-Identifier: BSD-3-Clause */
#include "txn/return_to.h"

#include <string.h>
#include <sys/stat.h>

#include "backends.h"
#include "txn/set_marker_impl.h"

/* One that is not there is not made: its place may be another file system's. */
static bool return_is_there(const char *uri)
{
	struct stat st;

	return !stat(strchr(uri, ':') + 1, &st) && (S_ISCHR(st.st_mode) || st.st_size);
}

static bool return_is_sound(const char *uri)
{
	struct marker_store *store;
	struct message unused;
	bool sound;

	if (backend_open_marker(uri, MARKER_RDONLY, 0, &store, &unused))
		return false;
	sound = !marker_store_health(store, &unused);
	marker_store_close(store);
	return sound;
}

void return_to(const char *dir, struct conf *conf)
{
	const struct journal_marker_options options = { .marker = conf->return_to };
	struct message unused;
	struct conf now;

	if (!return_is_there(conf->return_to) || !return_is_sound(conf->return_to) ||
	    set_marker(dir, &options, true, NULL, 0) || conf_read(dir, &now, &unused))
		return;
	*conf = now;
}
